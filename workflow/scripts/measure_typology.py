"""Typological distance of every pair of languages, from lang2vec's features (Littell et al. 2017).

  python workflow/scripts/measure_typology.py --languages ara deu eng fra ita nld rus spa tur zho --output typology.csv

Columns: a, b, lang2vec_knn, the paper's measure: cosine distance of the 289 kNN-completed features of syntax, phonology and inventory;
then the same by feature group, and of family membership and of great-circle distances to fixed points. All are distances: 0 is alike.
lang2vec carries the features; nothing is downloaded.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from study.files import UserError, atomic, run_script
from study.languages import LANGUAGES
from study.pairs import pair_table

FEATURES = {
    "lang2vec_knn": "syntax_knn+phonology_knn+inventory_knn",
    "lang2vec_syntax": "syntax_knn",
    "lang2vec_phonology": "phonology_knn",
    "lang2vec_inventory": "inventory_knn",
    "lang2vec_family": "fam",
    "lang2vec_geography": "geo",
}


def cosine_distances(features: np.ndarray) -> np.ndarray:
    """Cosine distances (languages, languages) of features (languages, features)."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    return 1 - unit @ unit.T


def measure(languages: list[str]) -> dict[str, np.ndarray]:
    """Distance matrix (languages, languages) per measure.

    Raises:
        UserError: if lang2vec does not know a language.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lang2vec uses a deprecated module; see envs/main.in
        import lang2vec.lang2vec as lang2vec

    codes = [LANGUAGES[code].lang2vec if code in LANGUAGES else code for code in languages]
    unknown = sorted(set(codes) - lang2vec.URIEL_LANGUAGES)
    if unknown:
        raise UserError(f"lang2vec does not know {', '.join(unknown)}; use ISO 639-3 codes.")
    distances = {}
    for name, group in FEATURES.items():
        features = lang2vec.get_features(codes, group)
        distances[name] = cosine_distances(np.array([features[code] for code in codes], dtype=float))
    return distances


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="+", required=True, help="ISO 639-3 codes, at least two")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    if len(set(arguments.languages)) < max(len(arguments.languages), 2):
        raise UserError("Give at least two languages, each once.")
    table = pair_table(arguments.languages, **measure(arguments.languages))
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
