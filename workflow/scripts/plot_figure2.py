"""MultiBLiMP accuracy of linear merges of more and more experts (paper, Figure 2).

  python workflow/scripts/plot_figure2.py --experiment results/laptop/experiment.json \\
      --scores results/laptop/scores --output figure2.pdf figure2.png figure2.csv

From left to right one more expert is merged, in the configured order; each merge is tested in every language. The first is an expert
alone. The untrained model's mean is the floor. CSV: count, added, language (`mean` for the mean), score, low, high in percent.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from study.experiment import UNTRAINED, Cell, Experiment
from study.files import run_script
from study.scores import mean_over_languages, read_scores
from study.style import (
    COLUMN,
    MANY,
    PAGE,
    accuracy_limits,
    draw_floor,
    figure_of_scores,
    label_ends,
    language_colours,
    new_figure,
    tall_enough,
)

MEAN = "mean"


def collect(experiment: Experiment, scores: Path) -> pd.DataFrame:
    """The plotted numbers: each merge and its mean; the untrained model as a merge of none."""
    languages = experiment.benchmark_languages("multiblimp")
    names = pd.DataFrame({"count": 0, "added": "", "model": UNTRAINED}, index=[0])
    for count, (language, model) in enumerate(zip(experiment.nested_order, experiment.nested_models, strict=True), start=1):
        names.loc[count] = [count, language, model]
    table = read_scores(experiment, [Cell(model, "multiblimp", lang) for model in names.model for lang in languages], scores)
    table = names.merge(table, on="model")
    means = mean_over_languages(table, ["count", "added"]).rename(columns={"mean": "score"}).assign(language=MEAN)
    return pd.concat([table, means])[["count", "added", "language", "score", "low", "high"]].reset_index(drop=True)


def draw(table: pd.DataFrame, languages: list[str]) -> Figure:
    """The figure of such a table."""
    lines = table[table["count"] > 0]
    last = lines["count"].max()
    present = [language for language in languages if language in set(lines.language)]
    figure, axes = new_figure(COLUMN if last < MANY else PAGE, tall_enough(len(present) + 1, 2.5))
    colours = language_colours(languages)
    axes.set(xlim=(0.7, last), ylim=accuracy_limits(table[["score", "low"]].to_numpy()))
    axes.set(xlabel="Experts merged", ylabel="MultiBLiMP accuracy (%)")
    added = lines.drop_duplicates("count").sort_values("count")
    axes.set_xticks(added["count"], [f"{t.count}\n{'+' if t.count > 1 else ''}{t.added}" for t in added.itertuples(name="T")])
    axes.tick_params(axis="x", labelsize=6.5 if last < MANY else 4.5)
    for language in [*present, MEAN]:
        colour, mean = ("black", True) if language == MEAN else (colours[language], False)
        line = lines[lines.language == language].sort_values("count")
        style = {"linewidth": 1.5, "zorder": 3, "label": "mean of languages"} if mean else {"linewidth": 0.8, "zorder": 2}
        axes.plot(line["count"], line.score, color=colour, marker="o", markersize=2, **style)
        axes.fill_between(line["count"], line.low, line.high, color=colour, alpha=0.2 if mean else 0.08, linewidth=0)
    floor = table[(table["count"] == 0) & (table.language == MEAN)]
    if len(floor):
        draw_floor(axes, floor.score.iloc[0])
    axes.legend(loc="upper right", frameon=False, handlelength=2.4)
    figure.draw_without_rendering()  # the labels' places depend on the layout
    ends = lines[lines["count"] == last]
    label_ends(
        axes, [(last, end.score, end.language, colours.get(end.language, "black")) for end in ends.itertuples()], 1.035 * last
    )
    return figure


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    figure_of_scores(__doc__, collect, draw, argv)


if __name__ == "__main__":
    run_script(main)
