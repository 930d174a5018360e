"""A similarity measure of each pair of experts against what merging them changes (paper, Figure 3).

  python workflow/scripts/plot_figure3.py --pairs results/laptop/pairs.csv --measure cka --outcome delta \\
      --correlations results/laptop/correlations.csv --output figure3.pdf figure3.png figure3.csv

Needs no model: data/published/pairs.csv with --measure cka_english gives the paper's figure. Every point is a pair of languages, its two
halves in their colours (of more than 60 pairs only the 30 farthest from the line are named); the line is the least-squares fit with the 95 % confidence band of the regression (pairs taken for
independent). The change is merged minus expert accuracy in points, so a higher point is a better merge. --correlations adds the p-values
from permuting languages instead of pairs. CSV: a, b, the measure, the change, fit, low, high, and for the change from the experts the
untrained model's (`untrained`; the dashed line is its mean), if the pairs say it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from study.files import UserError, run_script
from study.measures import measure_name
from study.pairs import check_numbers, read_csv, read_pairs
from study.placement import label_points
from study.style import GREY, draw_floor, language_colours, new_figure, save_figure

LABELLED, FARTHEST = 60, 30  # pairs that all have names in the figure; of more, how many have
OUTCOMES = {
    "delta": "Change in accuracy, merged $-$ expert (points)",
    "delta_floor": "Accuracy, merged $-$ untrained (points)",
    "delta_share": "Share of the experts' gain kept (%)",
}


def regression(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares line of y on x at some places, and half the width of the 95 % confidence band of its mean response.

    t(0.975, n - 2) s sqrt(1/n + (x - mean)^2 / Sxx), with s^2 the residual variance on n - 2 degrees of freedom.
    """
    n = len(x)
    fit = stats.linregress(x, y)
    residual = y - fit.intercept - fit.slope * x
    s = np.sqrt(residual @ residual / (n - 2))
    width = stats.t.ppf(0.975, n - 2) * s * np.sqrt(1 / n + (at - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2))
    return fit.intercept + fit.slope * at, width


def p_value(p: float) -> str:
    """A p-value for a title."""
    return "$p$ < 0.001" if p < 0.0005 else f"$p$ = {p:.3f}"


def title(x: np.ndarray, y: np.ndarray, mantel: dict[str, float]) -> str:
    """Both coefficients with their naive p-value and, where there is one, that of permuted languages."""
    lines = []
    for name, test, column in ((r"$\rho$", stats.spearmanr, "mantel_spearman_p"), ("$r$", stats.pearsonr, "mantel_pearson_p")):
        coefficient, p = test(x, y)
        permuted = f"; Mantel {p_value(mantel[column])}" if np.isfinite(mantel.get(column, np.nan)) else ""
        lines.append(f"{name} = {coefficient:.2f}  ({p_value(p)}{permuted})".replace("-", "−"))
    return "\n".join(lines)


def collect(pairs: pd.DataFrame, measure: str, outcome: str) -> pd.DataFrame:
    """The plotted numbers: the outcome in points, the fit and its band at each pair, and the outcome of the untrained model if known."""
    table = pairs[["a", "b", measure]].assign(**{outcome: 100 * pairs[outcome]})
    x, y = table[measure].to_numpy(float), table[outcome].to_numpy(float)
    fit, width = regression(x, y, x)
    table = table.assign(fit=fit, low=fit - width, high=fit + width)
    if outcome == "delta" and "delta_floor" in pairs:
        table["untrained"] = 100 * (pairs.delta - pairs.delta_floor)
    return table


def draw_pairs(axes: Axes, table: pd.DataFrame, measure: str, outcome: str, colours: dict[str, str], size: float = 4.5) -> None:
    """Points with halves in two languages' colours, the fit and its band; limits are final afterwards."""
    x, y = table[measure].to_numpy(float), table[outcome].to_numpy(float)
    places = np.linspace(x.min(), x.max(), 100)
    fit, width = regression(x, y, places)
    axes.fill_between(places, fit - width, fit + width, color="0.88", linewidth=0, zorder=0)
    axes.plot(places, fit, color=GREY, linewidth=1, zorder=0.5)
    for row, x_i, y_i in zip(table.itertuples(), x, y, strict=True):
        axes.plot(
            x_i,
            y_i,
            marker="o",
            markersize=size,
            fillstyle="left",
            markerfacecolor=colours[row.a],
            markerfacecoloralt=colours[row.b],
            markeredgecolor="white",
            markeredgewidth=0.3,
            zorder=3,
        )
    margin = np.array([-0.06, 0.06])
    if "untrained" in table:
        value = table.untrained.mean()
        draw_floor(axes, value)
        place = {"xycoords": ("axes fraction", "data"), "xytext": (2, 0), "textcoords": "offset points"}
        axes.annotate("untrained", (1, value), **place, rotation=270, va="center", fontsize=6.5, color="0.3")
        y = np.append(y, value)
    axes.set(xlim=[x.min(), x.max()] + margin * np.ptp(x), ylim=[y.min(), y.max()] + margin * np.ptp(y))


def draw(table: pd.DataFrame, measure: str, outcome: str, mantel: dict[str, float]) -> Figure:
    """The figure of such a table."""
    figure, axes = new_figure(height=3.3)
    colours = language_colours(sorted({*table.a, *table.b}))
    draw_pairs(axes, table, measure, outcome, colours, size=4.5 if len(table) <= LABELLED else 2.5)
    axes.set(xlabel=measure_name(measure), ylabel=OUTCOMES.get(outcome, outcome))
    axes.set_title(title(table[measure], table[outcome], mantel))
    far = (table[outcome] - table.fit).abs().nlargest(FARTHEST).index
    named = table if len(table) <= LABELLED else table.loc[far]
    label_points(axes, named[measure], named[outcome], [f"{a}–{b}" for a, b in zip(named.a, named.b, strict=True)], size=5)
    return figure


def read_mantel(path: Path | None, measure: str) -> dict[str, float]:
    """A measure's line of correlations.csv, or nothing without that file.

    Raises:
        UserError: if the file does not have the measure.
    """
    if path is None:
        return {}
    table = read_csv(path, ["measure"]).set_index("measure")
    if measure not in table.index:
        raise UserError(f"{path} has no measure {measure}; it has {', '.join(table.index)}.")
    return table.loc[measure].to_dict()


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV with a, b, the outcome and the measure")
    parser.add_argument("--measure", default="cka", help="column of the x-axis (default: cka)")
    parser.add_argument("--outcome", default="delta", help="column of the y-axis, a fraction (default: delta)")
    parser.add_argument("--correlations", type=Path, help="output of correlate_similarity.py, for p-values of permuted languages")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".pdf, .png and .csv to write")
    arguments = parser.parse_args(argv)
    pairs = read_pairs(arguments.pairs, [arguments.measure, arguments.outcome])
    check_numbers(pairs, [arguments.measure, arguments.outcome], arguments.pairs)
    table = collect(pairs, arguments.measure, arguments.outcome)
    mantel = read_mantel(arguments.correlations, arguments.measure)
    save_figure(draw(table, arguments.measure, arguments.outcome, mantel), table, arguments.output)


if __name__ == "__main__":
    run_script(main)
