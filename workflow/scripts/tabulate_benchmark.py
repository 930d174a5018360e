"""Scores of every model in every language on one benchmark, with intervals (paper, Tables 2-6).

  python workflow/scripts/tabulate_benchmark.py --experiment results/laptop/experiment.json \\
      --scores results/laptop/scores --benchmark multiblimp --output table2.csv table2.tex

CSV: group, row, label, model, language, benchmark, metric, score, se, low, high, n: accuracies in percent, chrF++ from 0 to 100, the
interval 95 %. The row `mono` holds each language's own expert; `untrained` is the floor that training starts from.
"""

import argparse
import math
from pathlib import Path

import pandas as pd

from study.experiment import Experiment
from study.files import run_script
from study.scores import CHRF, load_experiment, table_scores
from study.tables import escape, grouped_body, is_best, latex_float, number, write_table

WIDEST = 13  # languages beside each other on a page


def to_latex(table: pd.DataFrame, experiment: Experiment, benchmark: str) -> str:
    """The table with one column per language of the experiment, many of them in parts below each other, the best scores in bold."""
    best = table.groupby("language")["score"].transform(is_best)
    cells = {(t.row, t.language): number(t.score, bold=bold) for t, bold in zip(table.itertuples(), best, strict=True)}
    rows = table.drop_duplicates("row")
    size = math.ceil(len(experiment.languages) / math.ceil(len(experiment.languages) / WIDEST))
    lines: list[str] = []
    for start in range(0, len(experiment.languages), size):
        languages = experiment.languages[start : start + size]
        lines += [r"\midrule"] * (start > 0) + [" & ".join(["Model", *map(escape, languages)]) + r" \\", r"\midrule"]
        lines += grouped_body(
            [
                (t.group, [escape(t.label), *(cells.get((t.row, language), "--") for language in languages)])
                for t in rows.itertuples()
            ]
        )
    head, body = lines[:1], lines[2:]
    metric = table.metric.iloc[0]
    unit = "chrF++" if metric.startswith(CHRF) else "accuracy in percent"
    widest = 1.96 * table.se.max()
    caption = (
        f"{escape(experiment.benchmarks[benchmark]['label'])}: {unit} (metric \\texttt{{{escape(metric)}}}, higher is better) per "
        "model and language. Bold: the best of each column. "
        "Experts are each tested in their own language; the untrained model is the floor. "
        f"The widest 95\\,\\% interval is $\\pm${widest:.1f}; all of them are in the CSV."
    )
    if len(experiment.benchmark_languages(benchmark)) < len(experiment.languages):
        caption += " --: the benchmark does not have the language."
    if metric.startswith(CHRF):
        caption += " Corpus chrF++ over all sentences; from English, and from French for the column eng."
    return latex_float("l" + "r" * size, head, body, caption, benchmark)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--scores", type=Path, required=True, help="folder of score files")
    parser.add_argument("--benchmark", required=True, help="which benchmark")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".csv and .tex to write")
    arguments = parser.parse_args(argv)
    experiment = load_experiment(arguments.experiment)
    table = table_scores(experiment, arguments.benchmark, arguments.scores)
    write_table(arguments.output, table, to_latex(table, experiment, arguments.benchmark))


if __name__ == "__main__":
    run_script(main)
