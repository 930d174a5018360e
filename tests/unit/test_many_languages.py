"""Tables and figures of more languages than the paper's: nothing overlaps or runs off the page, and pairs without a score stay out."""

import csv
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import plot_figure1
import plot_figure2
import plot_figure3
import plot_similarity
import pytest
import tabulate_benchmark
import tabulate_pairs
import yaml
from matplotlib.figure import Figure
from synthetic_scores import make_config, write_scores

from study.experiment import Cell
from study.files import UserError
from study.languages import LANGUAGES
from study.scores import load_experiment
from study.style import language_colours
from study.validation import checked

ROOT = Path(__file__).parents[2]
NAMES = list(LANGUAGES)
LACKING = ["kor", "nob", "zho"]


def value(cell: Cell) -> float:
    return 50 + NAMES.index(cell.language) / 2 + 10 * cell.model.startswith("mono-")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = make_config(NAMES, steps=(100, 200))
    config["evaluation"]["benchmarks"]["multiblimp"]["missing"] = LACKING
    write_scores(folder, config, value)
    return folder


def overlaps(figure: Figure) -> list[tuple[str, str]]:
    """Labels of the first axes' lines whose letters overlap (boxes of a line's full height may)."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]
    heights = {text.get_text(): text.get_fontsize() / 72 * figure.dpi for text in figure.axes[0].texts}
    return [
        (a, b)
        for (a, one), (b, other) in combinations(boxes, 2)
        if one.x0 < other.x1 and other.x0 < one.x1 and abs(one.y0 + one.y1 - other.y0 - other.y1) / 2 < 0.95 * heights[a]
    ]


def test_every_language_has_a_colour_of_its_own():
    assert len(set(language_colours(NAMES).values())) == 38


def test_labels_at_line_ends_do_not_overlap(run):
    experiment = load_experiment(run / "experiment.json")
    one = plot_figure1.draw(plot_figure1.collect(experiment, run / "scores"), NAMES)
    two = plot_figure2.draw(plot_figure2.collect(experiment, run / "scores"), NAMES)
    layers = pd.DataFrame(
        [(a, b, layer, 0.5) for a, b in combinations(NAMES, 2) for layer in (0, 1)], columns=["a", "b", "layer", "cka"]
    )
    three = plot_similarity.draw_layers(layers)
    for figure, labels in ((one, set(NAMES) - set(LACKING)), (two, {*NAMES, "mean"} - set(LACKING)), (three, {*NAMES, "mean"})):
        assert sorted(text.get_text() for text in figure.axes[0].texts) == sorted(labels)
        assert overlaps(figure) == []


def test_ticks_of_figure2_do_not_overlap(run):
    figure = plot_figure2.draw(plot_figure2.collect(load_experiment(run / "experiment.json"), run / "scores"), NAMES)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert len(boxes) == 38 and all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_table_of_many_languages_has_parts_below_each_other(run, tmp_path):
    files = ["--experiment", str(run / "experiment.json"), "--scores", str(run / "scores")]
    tabulate_benchmark.main([*files, "--benchmark", "multiblimp", "--output", str(tmp_path / "t.csv"), str(tmp_path / "t.tex")])
    lines = (tmp_path / "t.tex").read_text(encoding="utf-8").splitlines()
    rows = [line.removesuffix(r" \\").split(" & ") for line in lines if " & " in line]
    assert max(map(len, rows)) == 14 and lines.index(r"\toprule") + 1 == lines.index(r"\begin{tabular}{@{}lrrrrrrrrrrrrr@{}}") + 2
    printed: dict[str, dict[str, str]] = {}
    for row in rows:
        if row[0] == "Model":
            languages = row[1:]
        else:
            printed.setdefault(row[0], {}).update(zip(languages, row[1:], strict=True))
    assert list(printed["Mixed"]) == NAMES
    for row in csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8")):
        cell = printed[row["label"]][row["language"]].removeprefix(r"\textbf{").removesuffix("}")
        assert float(cell) == pytest.approx(float(row["score"]), abs=0.051)
    assert [language for language, cell in printed["Mixed"].items() if cell == "--"] == LACKING


def test_a_pair_of_which_neither_language_can_be_scored_is_left_out(run):
    table = tabulate_pairs.tabulate_changes(load_experiment(run / "experiment.json"), run / "scores")
    assert len(table) == 703 - 3 and table.delta.notna().all()
    assert not (table.a.isin(LACKING) & table.b.isin(LACKING)).any()
    alone = table[(table.a == "kor") & (table.b == "lit")].iloc[0]
    assert np.isnan(alone.accuracy_a) and alone.delta == pytest.approx(-0.1)


def test_of_many_pairs_only_the_farthest_are_named():
    generator = np.random.default_rng(0)
    pairs = pd.DataFrame([*combinations(NAMES[:15], 2)], columns=["a", "b"]).assign(cka=generator.normal(size=105))
    pairs["delta"] = generator.normal(size=105)
    table = plot_figure3.collect(pairs, "cka", "delta")
    named = {text.get_text() for text in plot_figure3.draw(table, "cka", "delta", {}).axes[0].texts}
    distance = (table.delta - table.fit).abs()
    far = table[distance >= distance.sort_values().iloc[-30]]
    assert named == {f"{a}–{b}" for a, b in zip(far.a, far.b, strict=True)}


def test_a_heat_map_of_many_languages_has_a_scale_instead_of_numbers():
    pairs = pd.DataFrame([*combinations(NAMES, 2)], columns=["a", "b"])
    pairs["cka"] = np.linspace(0, 1, len(pairs))
    figure = plot_similarity.draw_heat_maps(pairs, ["cka"])
    assert not figure.axes[0].texts and len(figure.axes) == 2
    few = plot_similarity.draw_heat_maps(pairs[pairs.a.isin(NAMES[:10]) & pairs.b.isin(NAMES[:10])], ["cka"])
    assert len(few.axes[0].texts) == 45 and len(few.axes) == 1


@pytest.mark.parametrize(("strange", "place"), [("corpora", "data.corpora"), ("benchmarks", "data.benchmarks")])
def test_the_miniature_world_refuses_a_language_that_it_does_not_have(strange, place):
    config = yaml.safe_load((ROOT / "profiles/laptop/experiment.yaml").read_text(encoding="utf-8"))
    config["languages"].append("swe")
    config["evaluation"]["benchmarks"]["xcsqa"]["missing"].append("swe")
    if strange == "benchmarks":
        config["data"]["corpora"] = {"files": {language: ["x.txt"] for language in config["languages"]}}
    else:
        names = config["evaluation"]["benchmarks"]
        config["data"]["benchmarks"]["files"] = {benchmark: {"swe": {"test.tsv": "x.tsv"}} for benchmark in names}
    with pytest.raises(
        UserError, match=rf"{place}.miniature has no 'swe', only ara, deu, eng, fra, ita, nld, rus, spa, tur, zho;"
    ):
        checked(config, ROOT)
