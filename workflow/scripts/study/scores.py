"""Reading scores for tables and figures, and their aggregates over languages."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from study.experiment import Cell, Experiment
from study.files import UserError, read_json
from study.statistics import Z95, coefficient_of_variation

CHRF = "chrf++"  # already on a scale from 0 to 100
EXPERTS = "mono"  # the row of experts, each in its own language
STATISTICS = ("value", "se", "low", "high")


def load_experiment(path: Path | str) -> Experiment:
    """The experiment of results/{run}/experiment.json.

    Raises:
        UserError: if the file is missing, is not JSON, or lacks what every experiment has.
    """
    try:
        return Experiment(read_json(path))
    except KeyError as error:
        raise UserError(f"{path} has no key {error}; give the experiment.json that the workflow wrote.") from None


def read_scores(experiment: Experiment, cells: Iterable[Cell], scores: Path | str) -> pd.DataFrame:
    """The scores of some cells: model, benchmark, language, metric, score, se, low, high, n; one row per cell, in their order.

    The metric is the one that the experiment names for the benchmark, or else the file's main one. Accuracies come in percent,
    chrF++ as it is (0 to 100); `se` is the standard error and `low`, `high` the 95 % interval, in the unit of the score.

    Raises:
        UserError: if a file is missing, or does not have that metric.
    """
    cells = list(dict.fromkeys(cells))
    paths = [Path(scores) / cell.model / cell.benchmark / f"{cell.language}.json" for cell in cells]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} score files are missing, the first is {missing[0]}; make them, or mend --scores."
        )
    rows = []
    for cell, path in zip(cells, paths, strict=True):
        content = read_json(path)
        metric = experiment.benchmarks[cell.benchmark].get("metric") or content["main"]
        if metric not in content["metrics"]:
            raise UserError(f"{path} has no metric {metric!r}; it has {', '.join(content['metrics'])}.")
        values = content["metrics"][metric]
        factor = 1 if metric.startswith(CHRF) else 100
        # A score of a single item has no error.
        numbers = [math.nan if values[key] is None else factor * values[key] for key in STATISTICS]
        rows.append((cell.model, cell.benchmark, cell.language, metric, *numbers, values["n"]))
    return pd.DataFrame(rows, columns=["model", "benchmark", "language", "metric", "score", "se", "low", "high", "n"])


def mean_over_languages(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Equal-language averages of scores as from `read_scores`, grouped by some columns in the order of their appearance.

    Columns: languages (how many), mean, se, low, high, cv. `se` is propagated from the languages' standard errors, sqrt(sum se^2) / n,
    which takes their items for independent; the coefficient of variation is in percent, with the sample standard deviation.
    """
    groups = scores.groupby(by, sort=False)
    table = groups["score"].agg(languages="size", mean="mean", cv=coefficient_of_variation).reset_index()
    table["se"] = groups["se"].agg(lambda errors: np.sqrt(np.sum(errors**2)) / len(errors)).to_numpy()
    table["low"], table["high"] = table["mean"] - Z95 * table["se"], table["mean"] + Z95 * table["se"]
    return table[[*by, "languages", "mean", "se", "low", "high", "cv"]]


def table_scores(experiment: Experiment, benchmark: str, scores: Path | str) -> pd.DataFrame:
    """The scores of Tables 1-6 for one benchmark, as from `read_scores`, with each row's group, row and label in front.

    `row` is the model, or `mono` for the row of experts that has another model in each language.
    """
    table = read_scores(experiment, experiment.table_cells(benchmark), scores).set_index(["model", "language"])
    rows = []
    for row in experiment.rows:
        for language in experiment.benchmark_languages(benchmark):
            model = row.model_for(language)
            names = {"group": row.group, "row": row.model or EXPERTS, "label": row.label, "model": model, "language": language}
            rows.append(names | table.loc[(model, language)].to_dict())
    return pd.DataFrame(rows)
