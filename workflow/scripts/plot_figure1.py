"""MultiBLiMP accuracy through training, of the mixed model and of the merge of all experts at each step (paper, Figure 1).

  python workflow/scripts/plot_figure1.py --experiment results/laptop/experiment.json \\
      --scores results/laptop/scores --output figure1.pdf figure1.png figure1.csv

One line per language (mixed: solid, merged: dashed), the means over languages in black, 95 % bands, and the untrained model's mean as
the floor. CSV: model, step, language (`mean` for the mean), score, low, high in percent.
"""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from study.experiment import MIXED, UNTRAINED, Cell, Experiment
from study.files import run_script
from study.scores import mean_over_languages, read_scores
from study.style import MANY, accuracy_limits, draw_floor, figure_of_scores, label_ends, language_colours, new_figure, tall_enough

MODELS = {MIXED: ("-", "mixed, mean"), "merged-linear": ((0, (2.5, 1.2)), "merged, mean")}
MEAN = "mean"


def collect(experiment: Experiment, scores: Path) -> pd.DataFrame:
    """The plotted numbers: both models and their means at each step, the untrained model as step 0."""
    languages = experiment.benchmark_languages("multiblimp")
    points = [(model, step, experiment.step_model(model, step)) for model in MODELS for step in experiment.steps]
    points.append((UNTRAINED, 0, UNTRAINED))
    table = read_scores(experiment, [Cell(name, "multiblimp", lang) for *_, name in points for lang in languages], scores)
    names = pd.DataFrame(points, columns=["row", "step", "model"])
    table = names.merge(table, on="model").drop(columns="model").rename(columns={"row": "model"})
    means = mean_over_languages(table, ["model", "step"]).rename(columns={"mean": "score"}).assign(language=MEAN)
    return pd.concat([table, means])[["model", "step", "language", "score", "low", "high"]].reset_index(drop=True)


def draw(table: pd.DataFrame, languages: list[str]) -> Figure:
    """The figure of such a table, in which every model has at least one step."""
    present = [language for language in languages if language in set(table.language)]
    figure, axes = new_figure(height=tall_enough(len(present), 2.75))
    colours = language_colours(languages)
    lines = table[table.model.isin(MODELS)]
    last = lines.step.max()
    axes.set(xlim=(0, last), ylim=accuracy_limits(table[["score", "low"]].to_numpy()))
    thousands = last > 5000
    axes.set(xlabel="Training step (thousands)" if thousands else "Training step", ylabel="MultiBLiMP accuracy (%)")
    if thousands:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}")
    for language in [*present, MEAN]:
        colour, mean = ("black", True) if language == MEAN else (colours[language], False)
        for model, (dashes, label) in MODELS.items():
            line = lines[(lines.model == model) & (lines.language == language)].sort_values("step")
            style = {"linewidth": 1.5, "zorder": 3, "label": label} if mean else {"linewidth": 0.8, "zorder": 2}
            axes.plot(line.step, line.score, color=colour, linestyle=dashes, **style)
            axes.fill_between(line.step, line.low, line.high, color=colour, alpha=0.2 if mean else 0.08, linewidth=0)
    floor = table[(table.model == UNTRAINED) & (table.language == MEAN)]
    if len(floor):
        draw_floor(axes, floor.score.iloc[0])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, handlelength=2.4, columnspacing=1.2)
    figure.draw_without_rendering()  # the labels' places depend on the layout
    # Of many lines only those of the mixed model are labelled; the merged ones have the same colours.
    labelled = list(MODELS) if len(present) < MANY else [MIXED]
    ends = lines[lines.model.isin(labelled) & (lines.step == last) & (lines.language != MEAN)]
    label_ends(axes, [(last, end.score, end.language, colours[end.language]) for end in ends.itertuples()], 1.03 * last)
    return figure


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    figure_of_scores(__doc__, collect, draw, argv)


if __name__ == "__main__":
    run_script(main)
