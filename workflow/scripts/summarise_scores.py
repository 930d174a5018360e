"""Mean and coefficient of variation of each model's scores over languages, per benchmark (paper, Table 1).

Needs no model, only a long CSV with the columns model, benchmark, language, score:

  python workflow/scripts/summarise_scores.py --scores scores.csv --output table1.csv

The output has one row per model and benchmark, in the order of the input: the number of languages n, the mean, and the cv, which is
the sample standard deviation in percent of the mean (empty for a single language).
"""

import argparse
from pathlib import Path

import pandas as pd

from study.files import UserError, atomic, run_script
from study.pairs import check_numbers, read_csv
from study.statistics import coefficient_of_variation

COLUMNS = ["model", "benchmark", "language", "score"]


def read_scores(path: Path) -> pd.DataFrame:
    """Read a long table of scores.

    Raises:
        UserError: for a missing column, no rows, a score that is no number, or a cell given twice.
    """
    scores = read_csv(path, COLUMNS)
    if scores.empty:
        raise UserError(f"{path} has no rows; give at least one score.")
    check_numbers(scores, ["score"], path)
    repeated = scores.duplicated(COLUMNS[:3])
    if repeated.any():
        line = int(repeated.to_numpy().argmax()) + 2
        raise UserError(f"{path}, line {line}: this model, benchmark and language has a score already; keep one row.")
    return scores


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Table `model, benchmark, n, mean, cv` of a long table of scores; every language counts equally."""
    cells = scores.groupby(["model", "benchmark"], sort=False)["score"]
    return cells.agg(n="size", mean="mean", cv=coefficient_of_variation).reset_index()


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, required=True, help="CSV with model, benchmark, language, score")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    summary = summarise(read_scores(arguments.scores))
    with atomic(arguments.output) as path:
        summary.to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
