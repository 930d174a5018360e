"""Similarity of the experts: heat maps over language pairs, CKA by layer, and each measure against the change that merging brings.

  python workflow/scripts/plot_similarity.py --pairs results/laptop/pairs.csv --layers results/laptop/similarity/cka_layers.csv \\
      --heat-maps heat_maps.pdf heat_maps.png heat_maps.csv --layer-curves cka_layers.pdf cka_layers.png cka_layers.csv \\
      --scatter scatter.pdf scatter.png scatter.csv

Each of the three figures is drawn if its outputs are named. --pairs is the table of tabulate_pairs.py or data/published/pairs.csv; its
measures are those that correlate_similarity.py finds, or --measures. --layers is the output of compute_cka.py (a, b, layer, cka).
The scatter plots are Figure 3 with every measure in turn. Each CSV holds the numbers that its figure shows.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from correlate_similarity import find_measures
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from plot_figure3 import OUTCOMES, collect, draw_pairs, read_mantel, title

from study.experiment import expert
from study.files import UserError, run_script
from study.measures import measure_name
from study.pairs import check_numbers, read_csv, read_pairs
from study.style import COLUMN, MANY, PAGE, label_ends, language_colours, new_figure, save_figure, tall_enough


def _grid(count: int, width: float, ratio: float, most: int = 3) -> tuple[Figure, np.ndarray]:
    """A page of equal panels, three or `most` in a row (fewer if there are), the superfluous ones taken away."""
    columns = min(most, count)
    rows = -(-count // columns)
    figure, axes = new_figure(width * columns, ratio * width * rows, nrows=rows, ncols=columns, squeeze=False)
    for extra in axes.flat[count:]:
        extra.remove()
    return figure, axes.flat[:count]


def draw_heat_maps(pairs: pd.DataFrame, measures: list[str]) -> Figure:
    """A symmetric map over language pairs for each measure, dark where the value is high, the numbers in the cells or a scale."""
    languages = list(dict.fromkeys([*pairs.a, *pairs.b]))
    place = {language: i for i, language in enumerate(languages)}
    i, j = pairs.a.map(place).to_numpy(), pairs.b.map(place).to_numpy()
    many = len(languages) >= MANY
    most = 2 if many else 3
    figure, panels = _grid(len(measures), PAGE / most if len(measures) > 1 else COLUMN, 1.0, most)
    for axes, measure in zip(panels, measures, strict=True):
        matrix = np.full((len(languages), len(languages)), np.nan)
        matrix[np.maximum(i, j), np.minimum(i, j)] = pairs[measure]
        shown = axes.imshow(matrix, cmap="Blues")
        middle = np.nanmean([np.nanmin(matrix), np.nanmax(matrix)])
        digits = int(np.clip(1 - np.floor(np.log10(np.ptp(pairs[measure]) or 1)), 0, 3))  # two digits of the range
        if many:  # too small for numbers
            figure.colorbar(shown, ax=axes, shrink=0.5, aspect=30).ax.tick_params(labelsize=6)
        for row, column in zip(*np.nonzero(np.isfinite(matrix) & (not many)), strict=True):
            text = f"{matrix[row, column]:.{digits}f}".replace("-", "−")
            colour = "white" if matrix[row, column] > middle else "black"
            axes.text(
                column, row, text, ha="center", va="center_baseline", fontsize=4.5 if len(measures) > 1 else 6.5, color=colour
            )
        axes.set_xticks(range(len(languages) - 1), languages[:-1], rotation=90)
        axes.set_yticks(range(1, len(languages)), languages[1:])
        axes.set(xlim=(-0.5, len(languages) - 1.5), ylim=(len(languages) - 0.5, 0.5), title=measure_name(measure))
        axes.tick_params(length=0, labelsize=4 if many else 6)
        axes.spines[:].set_visible(False)
    return figure


def draw_layers(layers: pd.DataFrame, measure: str = "cka") -> Figure:
    """CKA of every pair by layer in grey, each language's mean over its pairs in its colour, the mean of all in black."""
    languages = list(dict.fromkeys([*layers.a, *layers.b]))
    figure, axes = new_figure(height=tall_enough(len(languages) + 1, 2.5))
    both = pd.concat([layers, layers.rename(columns={"a": "b", "b": "a"})])
    for _, line in layers.groupby(["a", "b"]):
        axes.plot(line.layer, line[measure], color="0.85", linewidth=0.4, zorder=1)
    colours, ends = language_colours(languages), []
    for language, lines in both.groupby("a"):
        mean = lines.groupby("layer")[measure].mean()
        axes.plot(mean.index, mean, color=colours[language], linewidth=0.9, zorder=2)
        ends.append((mean.index[-1], mean.iloc[-1], language, colours[language]))
    mean = layers.groupby("layer")[measure].mean()
    axes.plot(mean.index, mean, color="black", linewidth=1.6, zorder=3)
    ends.append((mean.index[-1], mean.iloc[-1], "mean", "black"))
    first, last = mean.index[0], mean.index[-1]
    low = min(0.0, layers[measure].min()) if layers[measure].min() < 0.3 else np.floor(10 * layers[measure].min()) / 10
    axes.set(xlim=(first, last), ylim=(low, 1), xlabel="Layer", ylabel="Linear CKA")
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.draw_without_rendering()
    label_ends(axes, ends, last + 0.04 * (last - first))
    return figure


def draw_scatters(
    pairs: pd.DataFrame, measures: list[str], outcome: str, correlations: Path | None
) -> tuple[Figure, pd.DataFrame]:
    """Figure 3 for each measure, without labels of points, and the numbers of all panels below each other."""
    colours = language_colours(list(dict.fromkeys([*pairs.a, *pairs.b])))
    figure, panels = _grid(len(measures), PAGE / 3 if len(measures) > 1 else COLUMN, 0.95)
    tables = []
    for axes, measure in zip(panels, measures, strict=True):
        table = collect(pairs, measure, outcome)
        draw_pairs(axes, table, measure, outcome, colours, size=3.5 if len(colours) < MANY else 2)
        axes.set_xlabel(measure_name(measure))
        axes.set_title(title(table[measure], table[outcome], read_mantel(correlations, measure)), fontsize=6.5)
        axes.locator_params(axis="x", nbins=4)
        tables.append(table.rename(columns={measure: "value"}).assign(measure=measure))
    figure.supylabel(OUTCOMES.get(outcome, outcome), fontsize=8)
    handles = [
        plt.Line2D([], [], marker="o", linestyle="", color=colour, markersize=3.5, label=lang) for lang, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=10, frameon=False, handletextpad=0.1, columnspacing=0.8)
    return figure, pd.concat(tables, ignore_index=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, help="CSV with a, b, the outcome and the measures")
    parser.add_argument("--layers", type=Path, help="CSV with a, b, layer, cka")
    parser.add_argument("--measures", nargs="+", help="columns to use (default: every measure)")
    parser.add_argument("--outcome", default="delta", help="column of the y-axes of the scatter plots (default: delta)")
    parser.add_argument("--correlations", type=Path, help="output of correlate_similarity.py, for p-values of permuted languages")
    for name in ("heat-maps", "layer-curves", "scatter"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", default=[], help=".pdf, .png and .csv to write")
    arguments = parser.parse_args(argv)
    if (arguments.heat_maps or arguments.scatter) and not arguments.pairs:
        raise UserError("--heat-maps and --scatter need --pairs; name the table of pairs.")
    if arguments.layer_curves and not arguments.layers:
        raise UserError("--layer-curves needs --layers; name the table with CKA by layer.")
    if arguments.heat_maps or arguments.scatter:
        pairs = read_pairs(arguments.pairs, [arguments.outcome])
        measures = arguments.measures or find_measures(pairs, arguments.outcome)
        check_numbers(pairs, [arguments.outcome, *measures], arguments.pairs)
        if arguments.heat_maps:
            save_figure(draw_heat_maps(pairs, measures), pairs[["a", "b", *measures]], arguments.heat_maps)
        if arguments.scatter:
            save_figure(*draw_scatters(pairs, measures, arguments.outcome, arguments.correlations), arguments.scatter)
    if arguments.layer_curves:
        layers = read_csv(arguments.layers, ["a", "b", "layer", "cka"])
        layers = layers.assign(a=layers.a.str.removeprefix(expert("")), b=layers.b.str.removeprefix(expert("")))
        save_figure(draw_layers(layers), layers, arguments.layer_curves)


if __name__ == "__main__":
    run_script(main)
