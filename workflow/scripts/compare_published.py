"""Every published number beside ours: Tables 1-6 and 8, and the plotted values of Figures 1 and 2.

  python workflow/scripts/compare_published.py --experiment results/laptop/experiment.json --scores results/laptop/scores \\
      --correlations results/laptop/correlations.csv --output results/laptop/published.csv

Columns: table, benchmark, model, language, quantity (score, mean, cv, or a coefficient of a measure), published, ours, low, high (our
95 % interval, where there is one), difference (ours - published), comparable, and the reason why not. Scores are in percent, chrF++
from 0 to 100. `ours` is empty for what the experiment does not have.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from study.experiment import MIXED, UNTRAINED, Cell, Experiment
from study.files import atomic, run_script
from study.pairs import read_csv
from study.published import MEASURES, METRICS, NESTED, read_published
from study.scores import EXPERTS, load_experiment, mean_over_languages, read_scores, table_scores

COLUMNS = ["table", "benchmark", "model", "language", "quantity", "published", "ours", "low", "high"]
SCALE = "another scale of model and data"
ABSENT = "not in this experiment"
AVERAGED = "other languages averaged in the paper's Table 1"
TRANSLATION = "published from sampled outputs, of which only the first is scored against all references"


def is_paper_scale(experiment: Experiment) -> bool:
    """Whether the experiment tests the published experts on the real benchmarks."""
    config = experiment.config
    return "miniature" not in config["data"]["benchmarks"] and "hub" in config["models"]["experts"]


def scores_of(experiment: Experiment, published: pd.DataFrame, scores: Path) -> pd.DataFrame:
    """Our scores for the published cells (model, benchmark, language) that the experiment has; columns ours, low, high, metric."""
    experts = np.where(published.model == EXPERTS, f"{EXPERTS}-" + published.language, published.model)
    cells = [Cell(*cell) for cell in zip(experts, published.benchmark, published.language, strict=True)]
    known = set(experiment.all_cells())
    table = read_scores(experiment, [cell for cell in cells if cell in known], scores)
    table = table.rename(columns={"score": "ours"}).set_index(["model", "benchmark", "language"])[
        ["ours", "low", "high", "metric"]
    ]
    found = table.reindex(pd.MultiIndex.from_tuples([(c.model, c.benchmark, c.language) for c in cells])) if len(table) else table
    found = found.reset_index(drop=True).reindex(range(len(cells)))
    return pd.concat([published.reset_index(drop=True), found], axis=1)


def compare_cells(experiment: Experiment, folder: Path, scores: Path) -> pd.DataFrame:
    """Tables 2-6 and Figures 1 and 2."""
    tables = read_published(folder, "per_language").rename(columns={"score": "published"})
    tables = tables.assign(table="table" + tables.table.astype(str)).drop(columns="metric")
    figure1 = read_published(folder, "figure1")
    models = [
        UNTRAINED
        if t.model == UNTRAINED
        else experiment.step_model(t.model, t.step)
        if t.model in (MIXED, "merged-linear")
        else t.model
        for t in figure1.itertuples()
    ]
    figure1 = figure1.assign(table="figure1", model=models, published=100 * figure1.accuracy)
    figure2 = read_published(folder, "figure2")
    most = len(experiment.nested_order)
    names = [experiment.nested(n) if n <= most else f"nested-{n}" for n in figure2.n_merged]
    figure2 = figure2.assign(table="figure2", model=names, published=100 * figure2.accuracy)
    figures = pd.concat([figure1, figure2]).assign(benchmark="multiblimp")
    table = pd.concat([tables, figures], ignore_index=True)[["table", "benchmark", "model", "language", "published"]]
    table = scores_of(experiment, table, scores).assign(quantity="score")
    table["reason"] = [_reason_of_cell(experiment, row) for row in table.itertuples()]
    return table


def _reason_of_cell(experiment: Experiment, row) -> str:
    if row.benchmark == "flores200":
        return TRANSLATION
    if row.table == "figure2":
        count = int(row.model.rpartition("-")[2]) if row.model.startswith("nested-") else 1
        if set(experiment.nested_order[:count]) != set(NESTED[:count]):
            return "other experts are merged"
    if isinstance(row.metric, str) and row.metric != METRICS[row.benchmark]:
        return f"published {METRICS[row.benchmark]}, ours {row.metric}"
    return ""


def compare_overview(experiment: Experiment, folder: Path, scores: Path) -> pd.DataFrame:
    """Table 1."""
    published = read_published(folder, "table1").melt(["model", "benchmark"], ["mean", "cv"], "quantity", "published")
    ours = pd.concat(
        [mean_over_languages(table_scores(experiment, b, scores), ["row", "benchmark", "metric"]) for b in experiment.benchmarks]
    )
    ours = ours.rename(columns={"row": "model"}).melt(
        ["model", "benchmark", "metric", "low", "high"], ["mean", "cv"], "quantity", "ours"
    )
    ours.loc[ours.quantity == "cv", ["low", "high"]] = np.nan
    table = published.merge(ours, on=["model", "benchmark", "quantity"], how="left")
    table["reason"] = [
        _reason_of_cell(experiment, row) or ("" if row.benchmark == "multiblimp" else AVERAGED)
        for row in table.assign(table="table1").itertuples()
    ]
    return table.assign(table="table1", language="all")


def compare_correlations(folder: Path, correlations: Path) -> pd.DataFrame:
    """Table 8."""
    ours = read_csv(correlations, ["measure"]).set_index("measure")
    rows = []
    for row in read_published(folder, "table8").to_dict("records"):
        measure = next((name for name in MEASURES[row["measure"]] if name in ours.index), None)
        values = ours.loc[measure] if measure else pd.Series(dtype=float)
        for quantity in ("spearman_rho", "spearman_p", "pearson_r", "pearson_p"):
            kind, _, what = quantity.partition("_")
            interval = [values.get(f"{kind}_{end}", np.nan) if what != "p" else np.nan for end in ("low", "high")]
            reason = "spectral norms estimated in 20 power iterations there" if row["measure"] == "mean_rank_diff" else ""
            names = ["table8", "multiblimp", "", "all", f"{quantity} of {MEASURES[row['measure']][0]}"]
            rows.append([*names, row[quantity], values.get(quantity, np.nan), *interval, reason])
    return pd.DataFrame(rows, columns=[*COLUMNS, "reason"])


def compare(experiment: Experiment, folder: Path, scores: Path, correlations: Path | None) -> pd.DataFrame:
    """All published numbers in the order of the paper's tables, then its figures."""
    tables = [compare_overview(experiment, folder, scores), compare_cells(experiment, folder, scores)]
    if correlations:
        tables.append(compare_correlations(folder, correlations))
    table = pd.concat(tables, ignore_index=True)
    table["difference"] = table.ours - table.published
    if not is_paper_scale(experiment):
        table["reason"] = SCALE
    table.loc[table.ours.isna(), "reason"] = ABSENT
    table["comparable"] = np.where(table.reason == "", "true", "false")
    table = table.sort_values("table", kind="stable", key=lambda names: names.map(lambda name: (name[0] == "f", name)))
    return table[[*COLUMNS, "difference", "comparable", "reason"]]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--scores", type=Path, required=True, help="folder of score files")
    parser.add_argument("--correlations", type=Path, help="output of correlate_similarity.py, for Table 8")
    parser.add_argument(
        "--published", type=Path, default=Path("data/published"), help="the paper's numbers (default: data/published)"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    table = compare(load_experiment(arguments.experiment), arguments.published, arguments.scores, arguments.correlations)
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_script(main)
