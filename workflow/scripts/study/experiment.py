"""What an experiment consists of: its models, their languages, and which cells its tables and figures need.

The one place that turns an experiment file into names. The workflow's rules and the scripts both use it, so it imports nothing
heavy: every job on a cluster parses the workflow anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

from study.languages import language as named

BENCHMARKS = ("multiblimp", "belebele", "hellaswag", "xcsqa", "flores200")
UNTRAINED, MIXED = "untrained", "mixed"


@dataclass(frozen=True)
class Row:
    """A row of Tables 1-6: one model, or for the experts one model per language."""

    group: str  # the table's heading above it
    label: str
    model: str | None  # None: the expert of the language in question

    def model_for(self, language: str) -> str:
        return self.model or expert(language)


@dataclass(frozen=True, order=True)
class Cell:
    """One score: a model on one benchmark in one language."""

    model: str
    benchmark: str
    language: str


def expert(language: str) -> str:
    return f"mono-{language}"


def pair(a: str, b: str) -> str:
    return f"pair-{a}+{b}"


def at_step(model: str, step: int) -> str:
    return f"{model}@{step}"


class Experiment:
    """An experiment file, already validated, and what follows from it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.run: str = config["run"]
        self.results = Path("results") / self.run
        self.languages: list[str] = config["languages"]
        self.benchmarks: dict[str, dict] = config["evaluation"]["benchmarks"]
        self.merges: dict[str, dict] = config["merging"]["methods"]
        self.baselines: dict[str, dict] = config["models"]["baselines"]
        self.nested_order: list[str] = config["merging"]["nested"]
        self.steps: list[int] = config["merging"]["steps"]

    # Languages and models ---------------------------------------------------------------------------------------------

    def benchmark_languages(self, benchmark: str) -> list[str]:
        """The experiment's languages that a benchmark has."""
        missing = self.benchmarks[benchmark]["missing"]
        return [language for language in self.languages if language not in missing]

    @property
    def experts(self) -> list[str]:
        return [expert(language) for language in self.languages]

    @property
    def merged(self) -> list[str]:
        return [f"merged-{method}" for method in self.merges]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All language pairs, in the configured order within and between pairs."""
        return list(combinations(self.languages, 2))

    @property
    def pair_models(self) -> list[str]:
        return [pair(a, b) for a, b in self.pairs]

    def nested(self, count: int) -> str:
        """The merge of the first `count` experts of the configured order; of one, the expert itself."""
        return expert(self.nested_order[0]) if count == 1 else f"nested-{count}"

    @property
    def nested_models(self) -> list[str]:
        return [self.nested(count) for count in range(1, len(self.nested_order) + 1)]

    def step_model(self, model: str, step: int) -> str:
        """A model at a training step; at the last step, the model itself."""
        return model if step == self.steps[-1] else at_step(model, step)

    @property
    def rows(self) -> list[Row]:
        """The rows of Tables 1-6, in the paper's order with the untrained floor last."""
        return [
            *(Row("Multilingual baselines", baseline["label"], name) for name, baseline in self.baselines.items()),
            Row("Monolingual experts", "Experts (each in its own language)", None),
            Row("Mixed pre-training", "Mixed", MIXED),
            *(Row("Merged experts", merge["label"], f"merged-{method}") for method, merge in self.merges.items()),
            Row("Floor", "Untrained", UNTRAINED),
        ]

    # Cells ------------------------------------------------------------------------------------------------------------

    def table_cells(self, benchmark: str) -> list[Cell]:
        """The cells of one of Tables 2-6."""
        languages = self.benchmark_languages(benchmark)
        return [Cell(row.model_for(language), benchmark, language) for row in self.rows for language in languages]

    def training_cells(self) -> list[Cell]:
        """The cells of Figure 1: the mixed model and the linear merge of all experts at each step."""
        return [
            Cell(self.step_model(model, step), "multiblimp", language)
            for model in (MIXED, "merged-linear")
            for step in self.steps
            for language in self.benchmark_languages("multiblimp")
        ]

    def nested_cells(self) -> list[Cell]:
        """The cells of Figure 2: merges of more and more experts."""
        return [
            Cell(model, "multiblimp", language)
            for model in self.nested_models
            for language in self.benchmark_languages("multiblimp")
        ]

    def pair_cells(self) -> list[Cell]:
        """The merged models' cells of Figure 3 and Table 8: each pair on the languages that it merges."""
        languages = self.benchmark_languages("multiblimp")
        return [Cell(pair(a, b), "multiblimp", x) for a, b in self.pairs for x in (a, b) if x in languages]

    def sample_models(self) -> list[str]:
        """The models whose generations Table 7 shows: those of the tables, and both experts of the direction."""
        source, target = self.config["evaluation"]["samples"]["direction"]
        named = [row.model for row in self.rows if row.model]
        return [*named, expert(source), expert(target)]

    def sample_cells(self) -> list[Cell]:
        _, target = self.config["evaluation"]["samples"]["direction"]
        return [Cell(model, "flores200", target) for model in self.sample_models()]

    def all_cells(self) -> list[Cell]:
        """Every cell that a table or figure needs, once."""
        tables = [cell for benchmark in self.benchmarks for cell in self.table_cells(benchmark)]
        return sorted({*tables, *self.training_cells(), *self.nested_cells(), *self.pair_cells(), *self.sample_cells()})

    # Scoring jobs: cells are cut by what has to be loaded -------------------------------------------------------------

    @property
    def multilingual(self) -> list[str]:
        """Models that are scored in all languages."""
        return [row.model for row in self.rows if row.model]

    def suite_cells(self, suite: str) -> list[tuple[str, str]]:
        """(benchmark, language) of all that one process scores of a multilingual model."""
        benchmarks = self.config["evaluation"]["suites"][suite]
        return [(benchmark, language) for benchmark in benchmarks for language in self.benchmark_languages(benchmark)]

    def expert_suites(self, suite: str) -> list[tuple[list[str], list[tuple[str, str]]]]:
        """What one process scores of an expert, as (languages of the experts, cells), most experts first.

        An expert is scored in its own language, written "{language}" in the cells so that one rule serves all experts that have
        the same benchmarks, and in the others that Figure 2 and Table 7 show.
        """
        needed = [cell for cell in self.all_cells() if cell.benchmark in self.config["evaluation"]["suites"][suite]]
        groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for language in self.languages:
            cells = [cell for cell in needed if cell.model == expert(language)]
            shape = [(cell.benchmark, "{language}" if cell.language == language else cell.language) for cell in cells]
            if shape:
                groups.setdefault(tuple(shape), []).append(language)
        return sorted(((languages, list(shape)) for shape, languages in groups.items()), key=lambda group: -len(group[0]))

    def sweep(self, name: str) -> list[dict[str, Any]]:
        """The merges and checkpoints of a sweep (`pairs`, `nested` or `steps`) with their parents and cells."""
        cells = {"pairs": self.pair_cells, "nested": self.nested_cells, "steps": self.training_cells}[name]()
        by_model: dict[str, list[str]] = {}
        for cell in cells:
            by_model.setdefault(cell.model, []).append(f"{cell.benchmark}/{cell.language}")
        scored_elsewhere = {*self.multilingual, *self.experts}
        return [
            {"name": model, "cells": names, **self.recipe(model)}
            for model, names in by_model.items()
            if model not in scored_elsewhere
        ]

    @staticmethod
    def cells_of(merge: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The (benchmark, language) cells of a merge of a sweep."""
        return [tuple(cell.split("/")) for cell in merge["cells"]]

    def recipe(self, model: str) -> dict[str, Any]:
        """What a merge is made from: its `models`, and the `method` and `base` if there are several."""
        name, _, step = model.partition("@")
        suffix = f"@{step}" if step else ""
        kind, _, rest = name.partition("-")
        if kind == "merged":
            method = self.merges[rest]
            return {"models": [m + suffix for m in self.experts], "method": method, "base": method.get("base")}
        if kind == "pair":
            languages = rest.split("+")
        elif kind == "nested":
            languages = self.nested_order[: int(rest)]
        else:
            return {"models": [model]}
        weights = {"merge_method": "linear", "model_parameters": {"weight": 1 / len(languages)}}
        return {"models": [expert(language) + suffix for language in languages], "method": weights, "base": None}

    # What comes from the hub -------------------------------------------------------------------------------------------

    @property
    def trains_experts(self) -> bool:
        """Whether the experts are trained here; else they are adopted from the hub."""
        return "train" in self.config["models"]["experts"]

    @property
    def trains_mixed(self) -> bool:
        """Whether the mixed model is trained here; else it is adopted from the hub."""
        return "train" in self.config["models"][MIXED]

    @cached_property
    def adopted(self) -> dict[str, dict[str, Any]]:
        """Every model that comes from the hub: its `repository`, `revision`, and how many `tokens` it was trained on, if known.

        A commit under `models.revisions` is taken instead of the branch.
        """
        models = self.config["models"]
        found = {}
        trained = {expert(language): (models["experts"], named(language)) for language in self.languages}
        for name, (block, language) in {**trained, MIXED: (models[MIXED], None)}.items():
            if "hub" in block:
                repository = block["hub"]["repository"].format(language=language)
                found[name] = {"repository": repository, "revision": block["hub"]["final"], "tokens": block.get("tokens")}
                for step in self.steps[:-1]:
                    revision = block["hub"]["step"].format(step=step)
                    found[at_step(name, step)] = {"repository": repository, "revision": revision}
        for name, block in [(UNTRAINED, models.get(UNTRAINED, {})), *self.baselines.items()]:
            if "hub" in block:
                found[name] = {**block["hub"], "tokens": block.get("tokens")}
        pinned = models.get("revisions", {})
        return {name: {**source, "revision": pinned.get(name, source["revision"])} for name, source in found.items()}

    @cached_property
    def benchmark_sources(self) -> dict[str, dict[str, str]]:
        """Every benchmark file that comes from the hub, "{benchmark}/{language}/{file}": its repository, revision and path there."""
        benchmarks = self.config["data"]["benchmarks"]
        own = benchmarks.get("files", {})
        found = {}
        for benchmark, source in benchmarks.get("hub", {}).items():
            for language in self.benchmark_languages(benchmark):
                chosen = source.get("languages", {}).get(language, source)
                for file, path in chosen["files"].items():
                    if file not in own.get(benchmark, {}).get(language, {}):
                        found[f"{benchmark}/{language}/{file}"] = {
                            "repository": chosen["repository"],
                            "revision": chosen["revision"],
                            "path": path.format(language=named(language)),
                        }
        return found

    # Paths ------------------------------------------------------------------------------------------------------------

    def path(self, *parts: str) -> str:
        return str(self.results.joinpath(*parts))

    def score(self, cell: Cell) -> str:
        return self.path("scores", cell.model, cell.benchmark, f"{cell.language}.json")

    def items(self, cell: Cell) -> str:
        return self.path("items", cell.model, cell.benchmark, f"{cell.language}.parquet")
