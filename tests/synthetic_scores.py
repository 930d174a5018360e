"""An experiment with made-up scores, for tests of tables and figures: any number of cells, known values."""

import json
from collections.abc import Callable
from pathlib import Path

from study.experiment import Cell, Experiment
from study.files import write_json

LANGUAGES = ["eng", "deu", "fra", "ita", "nld", "rus", "spa", "tur", "ara", "zho"]
LABELS = {
    "multiblimp": "MultiBLiMP",
    "belebele": "Belebele",
    "hellaswag": "HellaSwag",
    "xcsqa": "X-CSQA",
    "flores200": "FLORES-200",
}
MISSING = {"multiblimp": ["zho"], "xcsqa": ["tur"]}
METRICS = {"multiblimp": "acc", "belebele": "acc_char", "hellaswag": "acc_char", "xcsqa": "acc_char", "flores200": "chrf++"}


def make_config(languages: list[str] = LANGUAGES, steps: tuple[int, ...] = (100, 200, 400), **changes) -> dict:
    """The keys of an experiment that tables and figures use."""
    benchmarks = {
        name: {
            "metric": METRICS[name],
            "missing": MISSING.get(name, []),
            "label": label,
            "shots": 0,
            "limit": None,
            "chance": None,
        }
        for name, label in LABELS.items()
    }
    return {
        "run": "test",
        "languages": languages,
        "data": {"benchmarks": {"miniature": {}}},
        "models": {"baselines": {}, "experts": {"train": "transformers"}, "mixed": {"train": "transformers"}},
        "training": {"steps": 1000, "batch_size": 16, "sequence_length": 64},
        "merging": {
            "methods": {"linear": {"label": "Linear"}, "ties": {"label": "TIES"}, "dare_ties": {"label": "DARE-TIES"}},
            "nested": languages,
            "steps": list(steps),
        },
        "evaluation": {"benchmarks": benchmarks, "samples": {"direction": ["eng", "fra"], "sentences": 2}},
    } | changes


def write_scores(folder: Path, config: dict, value: Callable[[Cell], float], n: int = 900) -> Experiment:
    """Write experiment.json and a score file for each cell of the experiment; values as tables show them (percent, or chrF++)."""
    experiment = Experiment(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(config))  # in the configured order
    for cell in experiment.all_cells():
        metric = METRICS[cell.benchmark]
        score = value(cell) / (1 if metric == "chrf++" else 100)
        se = 0.5 if metric == "chrf++" else (max(score * (1 - score), 1e-6) / n) ** 0.5
        values = {"value": score, "se": se, "low": score - 1.96 * se, "high": score + 1.96 * se, "n": n}
        path = folder / "scores" / cell.model / cell.benchmark / f"{cell.language}.json"
        names = {"model": cell.model, "benchmark": cell.benchmark, "language": cell.language}
        write_json(path, {**names, "main": metric, "metrics": {metric: values}, "signature": {}})
    return experiment
