"""The paper's numbers (data/published) under this project's names."""

from pathlib import Path

import pandas as pd

from study.files import UserError
from study.pairs import read_csv
from study.scores import EXPERTS

# The paper's models in the order of its Table 1; `mono` stands for the row of experts.
MODELS = {
    "eurollm_1_7b": "eurollm-1.7b",
    "gemma_2_2b": "gemma-2-2b",
    "tiny_aya_base": "tiny-aya-base",
    "hplt_mono": EXPERTS,
    "mixed_10": "mixed",
    "merged_linear": "merged-linear",
    "merged_ties": "merged-ties",
    "merged_dare_ties": "merged-dare_ties",
    "untrained": "untrained",
}
# Rows of Table 8 and the columns of pairs.csv that they can stand in, ours first.
MEASURES = {
    "mean_cka": ("cka", "cka_english"),
    "lang2vec_knn": ("lang2vec_knn",),
    "mean_rank_diff": ("stable_rank_difference",),
    "cosine_similarity": ("cosine",),
    "mean_l2_norm_diff": ("l2",),
}
# What the paper normalised the scores of answers by: nothing, characters; chrF++ for translation (the released settings; the text says tokens).
METRICS = {"multiblimp": "acc", "belebele": "acc_char", "hellaswag": "acc_char", "xcsqa": "acc_char", "flores200": "chrf++"}
NESTED = ("eng", "fra", "deu", "ara", "ita", "nld", "rus", "spa", "tur", "zho")  # the order of Figure 2
_COLUMNS = {
    "table1": ["model", "params_b", "tokens_b", "benchmark", "mean", "cv"],
    "per_language": ["table", "benchmark", "metric", "model", "language", "score"],
    "table8": ["measure", "spearman_rho", "spearman_p", "pearson_r", "pearson_p"],
    "figure1": ["model", "step", "language", "accuracy"],
    "figure2": ["n_merged", "language", "accuracy"],
    "pairs": ["a", "b", "accuracy_a", "accuracy_b", "delta"],
}


def read_published(folder: Path, name: str) -> pd.DataFrame:
    """One of the published tables, its models under our names.

    Raises:
        UserError: if the file is missing or has other columns or models.
    """
    path = folder / f"{name}.csv"
    if not path.exists():
        raise UserError(f"{path} does not exist; --published is the folder with the paper's numbers (data/published).")
    table = read_csv(path, _COLUMNS[name])
    if "model" in table:
        unknown = sorted(set(table.model) - set(MODELS))
        if unknown:
            raise UserError(f"{path} has models that are not the paper's: {', '.join(unknown)}.")
        table = table.assign(model=table.model.map(MODELS))
    return table
