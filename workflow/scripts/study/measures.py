"""Names of the similarity measures in words, as tables and axes show them."""

_NAMES = {
    "cka": "Mean CKA",
    "cka_english": "Mean CKA",  # so called in data/published/pairs.csv
    "cka_in_language": "Mean CKA, own language",
    "cka_debiased": "Mean CKA, debiased",
    "cka_lower": "CKA, lower layers",
    "cka_middle": "CKA, middle layers",
    "cka_upper": "CKA, upper layers",
    "cosine": "Cosine of all weights",
    "cosine_layerwise": "Cosine, mean of tensors",
    "l2": "L2 distance of all weights",
    "stable_rank_difference": "Stable-rank difference",
    "lang2vec_knn": "Lang2vec distance (kNN)",
    "neighbour_overlap": "Nearest-neighbour overlap",
    "neuron_overlap": "Overlap of language neurons",
}


def measure_name(measure: str) -> str:
    """A measure's column name in words; one that is not listed keeps its own, with spaces."""
    return _NAMES.get(measure, measure.replace("_", " "))
