"""One look for all figures: column width, colour-blind safe colours, labels that do not overlap, files equal from run to run."""

import argparse
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from study.experiment import Experiment
from study.files import UserError, atomic
from study.scores import load_experiment

COLUMN = 3.3  # inches: the width of a column in a two-column paper
PAGE = 6.9
DPI = 300
GREY = "0.45"
MANY = 15  # languages from which on a figure is laid out more sparingly
LABEL = 6.5  # points: of labels at the ends of lines
# After Paul Tol's "muted" and "vibrant" qualitative schemes, told apart under the common kinds of colour blindness; the light ones
# darkened for lines on white. A language has the same colour in every figure of every run.
COLOURS = {
    "eng": "#117733",
    "deu": "#CC6677",
    "fra": "#332288",
    "ita": "#EE7733",
    "nld": "#33A0C4",
    "rus": "#882255",
    "spa": "#44AA99",
    "tur": "#A09010",
    "ara": "#AA4499",
    "zho": "#6B4A2B",
}
RC = {
    "font.family": "STIXGeneral",  # comes with matplotlib, so every machine draws the same
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 0.9,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,  # TrueType: text stays text, and journals accept it
    "svg.fonttype": "path",
    "svg.hashsalt": "study",
    "figure.dpi": DPI,
}
# Nothing that differs between two runs of the same data.
METADATA = {".pdf": {"CreationDate": None}, ".png": {"Software": None}, ".svg": {"Date": None}}


def new_figure(width: float = COLUMN, height: float = 2.6, **options) -> tuple[Figure, Axes]:
    """A figure of a fixed size in inches, in the project's style; options as of `matplotlib.pyplot.subplots`."""
    plt.rcParams.update(RC)
    return plt.subplots(figsize=(width, height), layout="constrained", **options)


def language_colours(languages: list[str]) -> dict[str, str]:
    """A colour per language: its own one; for other languages than the paper's those that are left over, then darker and lighter ones."""
    others = [colour for language, colour in COLOURS.items() if language not in languages]
    for factor in (0.65, 0.45):
        others += [to_hex(darker(colour, factor)) for colour in COLOURS.values()]
    others += [to_hex([1 - 0.65 * (1 - channel) for channel in to_rgb(colour)]) for colour in COLOURS.values()]
    left = cycle(others)
    return {language: COLOURS.get(language) or next(left) for language in languages}


def darker(colour: str, factor: float = 0.8) -> tuple[float, ...]:
    """The colour for text, which needs more contrast than a line."""
    return tuple(factor * channel for channel in to_rgb(colour))


def save_figure(figure: Figure, data: pd.DataFrame, outputs: list[Path]) -> None:
    """Write each output by its extension: .pdf, .png or .svg the figure, .csv the numbers that it shows.

    Raises:
        UserError: for another extension.
    """
    for output in outputs:
        if output.suffix not in (".csv", *METADATA):
            raise UserError(f"{output}: a figure is written as .pdf, .png, .svg or .csv; change the name.")
        with atomic(output) as path:
            if output.suffix == ".csv":
                data.to_csv(path, index=False, float_format="%.6g")
            else:
                figure.savefig(path, dpi=DPI, metadata=METADATA[output.suffix])
    plt.close(figure)


def figure_of_scores(
    description: str,
    collect: Callable[[Experiment, Path], pd.DataFrame],
    draw: Callable[[pd.DataFrame, list[str]], Figure],
    argv: list[str] | None,
) -> None:
    """The command line of a figure that is drawn from a run's score files."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--scores", type=Path, required=True, help="folder of score files")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".pdf, .png and .csv to write")
    arguments = parser.parse_args(argv)
    experiment = load_experiment(arguments.experiment)
    table = collect(experiment, arguments.scores)
    save_figure(draw(table, experiment.languages), table, arguments.output)


def spread(positions: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Move positions (n,) as little as possible (least squares), so that neighbours are `gap` apart and all lie in low..high.

    With the gaps taken off, sorted positions only have to ascend: isotonic regression. If they do not fit, the gap shrinks.
    """
    positions = np.asarray(positions, dtype=float)
    if len(positions) > 1:
        gap = min(gap, (high - low) / (len(positions) - 1))
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(positions))
    moved = np.empty_like(positions)
    moved[order] = np.clip(isotonic_regression(positions[order] - steps).x, low, high - steps[-1]) + steps
    return moved


def tall_enough(labels: int, least: float) -> float:
    """The height in inches, `least` or more, of a figure in which so many lines are labelled at their ends."""
    return max(least, 0.8 + 1.1 * labels * LABEL / 72)


def label_ends(axes: Axes, ends: list[tuple[float, float, str, str]], x: float, size: float = LABEL) -> None:
    """Label lines at their ends: (x, y, text, colour) each, the texts in one column at `x` with a hair line to what they name."""
    if not ends:
        return
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height / axes.figure.dpi * 72  # points
    ys = spread(np.array([end[1] for end in ends]), 1.02 * size * (high - low) / height, low, high)
    left, right = axes.get_xlim()
    for (x_end, y_end, text, colour), y in zip(ends, ys, strict=True):
        axes.plot([x_end, x - 0.008 * (right - left)], [y_end, y], color=colour, linewidth=0.35, clip_on=False, zorder=1)
        axes.text(x, y, text, color=darker(colour), fontsize=size, va="center_baseline", ha="left", clip_on=False)


def draw_floor(axes: Axes, value: float, label: str = "untrained model, mean") -> None:
    """A dashed grey line across the axes, for the legend."""
    axes.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (1, 1)), zorder=2.5, label=label)


def accuracy_limits(values: np.ndarray) -> tuple[float, float]:
    """The range of an axis of accuracies in percent: 40 to 100 as in the paper, further down if the data go there."""
    return min(40.0, 5 * np.floor((np.nanmin(values) - 1) / 5)), 100.0
