"""Figures: the CSV is what is drawn, files are of the right size and equal from run to run, labels do not overlap."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import plot_figure1
import plot_figure2
import plot_figure3
import plot_similarity
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb
from scipy import optimize
from synthetic_scores import LANGUAGES, make_config, write_scores

from study.experiment import Cell
from study.files import UserError
from study.placement import place_boxes
from study.scores import load_experiment
from study.style import COLOURS, COLUMN, DPI, language_colours, spread

PAIRS = Path(__file__).parents[2] / "data" / "published" / "pairs.csv"


def value(cell: Cell) -> float:
    offset = LANGUAGES.index(cell.language)
    model, _, step = cell.model.partition("@")
    return {"mixed": 90, "untrained": 52}.get(model, 60) + offset / 2 - (20 if step == "100" and model == "mixed" else 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_scores(folder, make_config(), value)
    return folder


def drawn_lines(figure) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(np.round(line.get_ydata(), 6))) for line in figure.axes[0].get_lines()]


def size_of(path: Path) -> tuple[int, int]:
    return image.imread(path).shape[:2]


def test_figure1_draws_its_csv(run, tmp_path):
    outputs = [tmp_path / f"f.{kind}" for kind in ("csv", "png", "pdf")]
    files = ["--experiment", str(run / "experiment.json"), "--scores", str(run / "scores")]
    plot_figure1.main([*files, "--output", *map(str, outputs)])
    table = pd.read_csv(outputs[0])
    means = table[table.language == "mean"].set_index(["model", "step"]).score
    average = np.mean([value(Cell("mixed", "multiblimp", x)) for x in LANGUAGES[:9]])
    assert means["mixed", 400] == pytest.approx(average) and means["mixed", 100] == pytest.approx(average - 20)
    assert means["untrained", 0] == pytest.approx(54) and len(table) == (2 * 3 + 1) * 10
    lines = drawn_lines(plot_figure1.draw(table, LANGUAGES))
    for _, line in table[table.model != "untrained"].groupby(["model", "language"]):
        assert (line.step.tolist(), line.score.round(6).tolist()) in lines
    assert ([0, 1], [means["untrained", 0]] * 2) in lines
    assert size_of(outputs[1]) == (round(2.75 * DPI), round(COLUMN * DPI))


def test_figure2_draws_its_csv(run, tmp_path):
    experiment = load_experiment(run / "experiment.json")
    table = plot_figure2.collect(experiment, run / "scores")
    assert len(table) == 11 * 10 and table[table["count"] == 3].added.unique().tolist() == ["fra"]
    figure = plot_figure2.draw(table, LANGUAGES)
    lines = drawn_lines(figure)
    for _, line in table[table["count"] > 0].groupby("language"):
        assert (line["count"].tolist(), line.score.round(6).tolist()) in lines
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks[:3] == ["1\neng", "2\n+deu", "3\n+fra"]
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {*LANGUAGES[:9], "mean"} <= texts  # a label at each line's end


def test_figure3_from_the_released_pairs(tmp_path):
    outputs = [tmp_path / f"f.{kind}" for kind in ("csv", "png", "pdf")]
    command = ["--pairs", str(PAIRS), "--measure", "cka_english", "--output", *map(str, outputs)]
    plot_figure3.main(command)
    table, pairs = pd.read_csv(outputs[0]), pd.read_csv(PAIRS)
    assert len(table) == 45 and table.delta.max() < 0  # signed: merged minus expert
    assert np.allclose(table.delta, 100 * pairs.delta, atol=1e-3)
    slope, intercept = np.polyfit(pairs.cka_english, 100 * pairs.delta, 1)
    assert np.allclose(table.fit, intercept + slope * pairs.cka_english, atol=1e-3)
    title = plot_figure3.title(table.cka_english, table.delta, {"mantel_pearson_p": 0.0854})
    assert [float(x) for x in re.findall(r"= (\d\.\d+)", title)] == [0.40, 0.006, 0.45, 0.002, 0.085]  # paper, Table 8
    assert size_of(outputs[1]) == (round(3.3 * DPI), round(COLUMN * DPI))
    pdf = outputs[2].read_bytes()
    assert b"CreationDate" not in pdf and b"/Type3" not in pdf and b"/CIDFontType2" in pdf
    first = [path.read_bytes() for path in outputs]
    plot_figure3.main(command)
    assert [path.read_bytes() for path in outputs] == first


def test_confidence_band_covers_the_true_line():
    """The pointwise 95 % band at one place holds the truth in 95 % of samples."""
    generator = np.random.default_rng(1)
    x, at, inside = np.linspace(0, 1, 20), np.array([0.9]), 0
    for _ in range(2000):
        fit, width = plot_figure3.regression(x, 2 + 3 * x + generator.normal(size=20), at)
        inside += abs(fit[0] - 4.7) < width[0]
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


def test_similarity_figures(tmp_path):
    names = [("heat-maps", "h"), ("scatter", "s"), ("layer-curves", "l")]
    layers = [
        (f"mono-{a}", f"mono-{b}", layer, 0.5 + layer / 10) for a, b in (("eng", "deu"), ("eng", "fra")) for layer in range(3)
    ]
    pd.DataFrame(layers, columns=["a", "b", "layer", "cka"]).to_csv(tmp_path / "layers.csv", index=False)
    outputs = [x for option, name in names for x in (f"--{option}", str(tmp_path / f"{name}.csv"), str(tmp_path / f"{name}.png"))]
    plot_similarity.main(["--pairs", str(PAIRS), "--layers", str(tmp_path / "layers.csv"), *outputs])
    assert pd.read_csv(tmp_path / "h.csv").columns.tolist() == [
        "a",
        "b",
        "cosine",
        "l2",
        "cka_english",
        "cka_in_language",
        "lang2vec_knn",
    ]
    assert len(pd.read_csv(tmp_path / "s.csv")) == 5 * 45
    assert pd.read_csv(tmp_path / "l.csv").cka.tolist() == pytest.approx([row[3] for row in layers])
    assert all(min(size_of(tmp_path / f"{name}.png")) > 600 for _, name in names)
    with pytest.raises(UserError, match="--pairs"):
        plot_similarity.main(["--heat-maps", str(tmp_path / "h.png")])


def test_spread_is_the_least_squares_solution():
    positions, gap = np.array([5.0, 1.0, 1.2, 0.9, 9.9]), 1.0
    moved = spread(positions, gap, 0, 10)
    order = np.argsort(positions)
    limits = [{"type": "ineq", "fun": lambda z, i=i: z[order[i + 1]] - z[order[i]] - gap} for i in range(4)]
    best = optimize.minimize(lambda z: np.sum((z - positions) ** 2), np.arange(5.0), bounds=[(0, 10)] * 5, constraints=limits)
    assert np.allclose(moved, best.x, atol=1e-3)
    assert np.allclose(np.diff(np.sort(spread(np.zeros(5), 10, 0, 8))), 2)  # too many: the gap shrinks


def test_labels_of_a_dense_cluster_do_not_overlap():
    points = np.random.default_rng(0).normal(100, 25, size=(40, 2))
    sizes = np.tile([18.0, 5.0], (40, 1))
    low = place_boxes(points, sizes, (0, 0, 220, 220), radius=2)
    high = low + sizes
    assert low.min() >= 0 and high.max() <= 220
    overlap = (np.minimum(high[:, None], high) > np.maximum(low[:, None], low)).all(-1)
    assert overlap.sum() == 40  # each with itself
    nearest = np.clip(points, low[:, None], high[:, None])
    assert (np.linalg.norm(nearest - points, axis=-1) < 2).sum() <= 2  # markers under a label


def test_colours_differ_and_are_dark_enough():
    """Contrast against white of at least 2.5 to 1 (WCAG's formula); languages keep their colour."""

    def luminance(colour: str) -> float:
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))

    assert set(COLOURS) == set(LANGUAGES) and len(set(COLOURS.values())) == 10
    assert all(1.05 / (luminance(colour) + 0.05) > 2.5 for colour in COLOURS.values())
    assert language_colours(["deu", "fin"])["deu"] == COLOURS["deu"] and language_colours(["deu", "fin"])["fin"] != COLOURS["deu"]
