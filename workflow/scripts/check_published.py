"""The published tables checked against each other: which means and CVs of Table 1 follow from Tables 2-6, and from which languages.

  python workflow/scripts/check_published.py --published data/published --output check_published.csv --report check_published.md

Needs no model. Each mean and CV is recomputed from the printed scores over several sets of languages. Verdicts: `exact`, the same
printed digits; `within rounding`, as near as the rounding of both tables allows at worst; `no`.
CSV: model, benchmark, statistic, languages, n, published, recomputed, difference, bound, verdict.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from study.files import atomic, run_script
from study.published import read_published
from study.statistics import coefficient_of_variation

SETS = {"all": (), "without ara": ("ara",), "without zho": ("zho",), "without ara and zho": ("ara", "zho")}
HALF = 0.05  # half of the last digit of a printed score or mean
DECIMALS = {"mean": 1, "cv": 2}
# The released scores have these languages beside the printed ten, where the benchmark has them: hin, por, swe (X-CSQA: hin, por).
UNPRINTED = {"belebele": 3, "hellaswag": 3, "xcsqa": 2, "flores200": 3}


def rounding_bound(scores: np.ndarray, statistic: str) -> float:
    """How far a recomputed mean or CV can be from the printed one by rounding alone, to first order.

    Each score may be off by `HALF`: the mean by as much, the CV by the sum of its partial derivatives' sizes times `HALF`.
    The printed value adds half of its own last digit.
    """
    if statistic == "mean":
        return 2 * HALF
    n, mean, sd = len(scores), scores.mean(), scores.std(ddof=1)
    slopes = 100 * ((scores - mean) / ((n - 1) * sd * mean) - sd / (n * mean**2))
    return float(HALF * np.abs(slopes).sum() + 0.005)


def check(table1: pd.DataFrame, per_language: pd.DataFrame) -> pd.DataFrame:
    """One row per mean or CV of Table 1 and set of languages; a set that leaves out nothing more than another is skipped."""
    rows = []
    for printed in table1.itertuples():
        cells = per_language[(per_language.model == printed.model) & (per_language.benchmark == printed.benchmark)]
        for statistic in ("mean", "cv"):
            for name, left_out in SETS.items():
                if not set(left_out) <= set(cells.language):
                    continue
                scores = cells.score[~cells.language.isin(left_out)].to_numpy()
                value = float(scores.mean()) if statistic == "mean" else coefficient_of_variation(scores)
                published, bound = getattr(printed, statistic), rounding_bound(scores, statistic)
                # Half a digit, not the rounded values, so that ties in binary do not matter.
                exact = abs(value - published) <= 0.5 * 10 ** -DECIMALS[statistic] + 1e-9
                verdict = "exact" if exact else "within rounding" if abs(value - published) <= bound else "no"
                names = [printed.model, printed.benchmark, statistic, name, len(scores)]
                rows.append([*names, published, value, value - published, bound, verdict])
    columns = ["model", "benchmark", "statistic", "languages", "n", "published", "recomputed", "difference", "bound", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def implied_means(table1: pd.DataFrame, per_language: pd.DataFrame) -> pd.Series:
    """What the languages that are not printed would have to average for Table 1's mean to hold, per (model, benchmark)."""
    printed = per_language.groupby(["model", "benchmark"]).score.agg(["sum", "size"])
    published = table1.set_index(["model", "benchmark"])["mean"]
    more = published.index.get_level_values("benchmark").map(UNPRINTED)
    values = ((printed["size"].reindex(published.index) + more) * published - printed["sum"].reindex(published.index)) / more
    return values.dropna()


def report(table: pd.DataFrame, implied: pd.Series) -> str:
    """The check in words and a small table."""
    lines = [
        "# The published tables against each other",
        "",
        "Means and coefficients of variation (CV) of Table 1, recomputed from the scores printed in Tables 2-6.",
        "`exact`: the printed digits; `rounding`: as near as the rounding of both tables allows at worst.",
        "",
        "| benchmark | languages | means exact | + rounding | CVs exact | + rounding | of models |",
        "|---|---|---|---|---|---|---|",
    ]
    for (benchmark, languages), part in table.groupby(["benchmark", "languages"], sort=False):
        counts = [
            str(int(part[part.statistic == statistic].verdict.isin(verdicts).sum()))
            for statistic in ("mean", "cv")
            for verdicts in (["exact"], ["exact", "within rounding"])
        ]
        lines.append(f"| {benchmark} | {languages} | {' | '.join(counts)} | {part.model.nunique()} |")
    follows = table[table.verdict != "no"].drop_duplicates(["model", "benchmark", "languages", "statistic"])
    both = follows.groupby(["benchmark", "model", "languages"], sort=False).statistic.nunique()
    both = both[both == 2].reset_index().groupby(["benchmark", "languages"], sort=False).model.agg(", ".join)
    lines += ["", "Mean and CV together follow, at least within rounding, for:", ""]
    lines += [f"- {benchmark}, {languages}: {models}" for (benchmark, languages), models in both.items()]
    follow = {tuple(key) for key in follows[follows.statistic == "mean"][["model", "benchmark"]].to_numpy()}
    rest = implied[[key not in follow for key in implied.index]]
    if len(rest):
        lines += [
            "",
            "Where no set gives the mean, the released scores hold further languages (hin, por, swe) that are not printed.",
            "For Table 1's mean to be the average over all of them, these would have to average:",
            "",
            *(f"- {benchmark}, {model}: {value:.1f}" for (model, benchmark), value in rest.items()),
        ]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--published", type=Path, default=Path("data/published"), help="the paper's numbers (default: data/published)"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    parser.add_argument("--report", type=Path, help="Markdown file to write")
    arguments = parser.parse_args(argv)
    table1, per_language = (read_published(arguments.published, name) for name in ("table1", "per_language"))
    table = check(table1, per_language)
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False, float_format="%.6g")
    if arguments.report:
        with atomic(arguments.report) as path:
            path.write_text(report(table, implied_means(table1, per_language)), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
