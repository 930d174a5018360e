"""Mean and coefficient of variation over languages of every model on every benchmark (paper, Table 1).

  python workflow/scripts/tabulate_overview.py --experiment results/laptop/experiment.json \\
      --scores results/laptop/scores --models results/laptop/models --output table1.csv table1.tex

CSV: group, row, label, parameters, tokens, benchmark, metric, languages, mean, se, low, high, cv. Every row averages the same
languages, namely all that the experiment and the benchmark have; their names are in the column `averaged`. (The paper's Table 1
averages other sets: check_published.py.) The interval is 95 %, from the languages' standard errors, their items taken for independent.
Parameters come from the manifests in --models; tokens from the experiment, a merge counting those of all its experts.
"""

import argparse
from pathlib import Path

import pandas as pd

from study.experiment import BENCHMARKS, MIXED, UNTRAINED, Experiment, expert
from study.files import UserError, read_json, run_script
from study.scores import EXPERTS, load_experiment, mean_over_languages, table_scores
from study.tables import escape, grouped_body, is_best, latex_float, number, write_table


def benchmarks_of(experiment: Experiment) -> list[str]:
    """The experiment's benchmarks in the paper's order."""
    return sorted(experiment.benchmarks, key=BENCHMARKS.index)


def overview(experiment: Experiment, scores: Path) -> pd.DataFrame:
    """One row per row of the table and benchmark."""
    tables = []
    for benchmark in benchmarks_of(experiment):
        table = mean_over_languages(table_scores(experiment, benchmark, scores), ["group", "row", "label", "benchmark", "metric"])
        tables.append(table.assign(averaged=" ".join(experiment.benchmark_languages(benchmark))))
    return pd.concat(tables, ignore_index=True)


def tokens(experiment: Experiment, row: str) -> float | None:
    """Training tokens of a row's model (experts: of each), or None where the experiment does not say."""
    models = experiment.config["models"]
    if row == UNTRAINED:
        return 0
    if row in experiment.baselines:
        return experiment.baselines[row].get("tokens")
    block = models[MIXED] if row == MIXED else models["experts"]
    training = experiment.config.get("training", {})
    counts = [training.get(key) for key in ("steps", "batch_size", "sequence_length")]
    each = block.get("tokens") or (counts[0] * counts[1] * counts[2] if all(counts) else None)
    return each * len(experiment.languages) if each and row in experiment.merged else each


def parameters(experiment: Experiment, row: str, models: Path | None) -> float | None:
    """Parameters of a row's model from its manifest, or None without manifests."""
    if models is None:
        return None
    return read_json(models / (expert(experiment.languages[0]) if row == EXPERTS else row) / "model.json").get("parameters")


def scale(values: pd.Series) -> tuple[float, str]:
    """The divisor and letter, thousand to billion, that suit the largest value."""
    return next((unit for unit in ((1e9, "B"), (1e6, "M")) if values.max() >= unit[0] / 2), (1e3, "k"))


def to_latex(table: pd.DataFrame, experiment: Experiment) -> str:
    """Rows are models, two columns per benchmark; the best mean of each in bold."""
    best = table.groupby("benchmark")["mean"].transform(is_best)
    cells = {
        (t.row, t.benchmark): [number(t.mean, bold=bold), number(t.cv, 2)]
        for t, bold in zip(table.itertuples(), best, strict=True)
    }
    rows = table.drop_duplicates("row")
    sizes = [(name, *scale(rows[name])) for name in ("parameters", "tokens") if rows[name].notna().any()]
    body = []
    for t in rows.itertuples():
        size = [number(getattr(t, name) / divisor, 2).removesuffix("0").removesuffix(".0") for name, divisor, _ in sizes]
        star = "*" if t.row == EXPERTS and size else ""
        body.append(
            (t.group, [escape(t.label) + star, *size, *(cell for b in benchmarks_of(experiment) for cell in cells[t.row, b])])
        )
    names = {"parameters": "Params", "tokens": "Tokens"}
    start = 2 + len(sizes)
    labels = [rf"\multicolumn{{2}}{{c}}{{{escape(experiment.benchmarks[b]['label'])}}}" for b in benchmarks_of(experiment)]
    rules = [rf"\cmidrule(lr){{{start + 2 * i}-{start + 2 * i + 1}}}" for i in range(len(labels))]
    head = [
        " & ".join(["Model", *(f"{names[name]}/{letter}" for name, _, letter in sizes), *labels]) + r" \\",
        "".join(rules),
        " & ".join(["", *[""] * len(sizes), *[r"$\mu$ & CV"] * len(labels)]) + r" \\",
    ]
    sets = table.groupby("averaged", sort=False)["benchmark"].unique()
    averaged = "; ".join(
        f"{escape(', '.join(experiment.benchmarks[b]['label'] for b in benchmarks))}: "
        + (f"{len(names)} ({escape(languages)})" if len(names := languages.split()) < 15 else f"{len(names)} (named in the CSV)")
        for languages, benchmarks in sets.items()
    )
    widest = 1.96 * table.se.max()
    caption = (
        r"Mean over languages ($\mu$; accuracy in percent, chrF++ for translation) and coefficient of variation over languages (CV, in "
        "percent: sample standard deviation by mean). Every row averages the same languages, each with equal weight: "
        f"{averaged}. Bold: the best mean of each column. The widest 95\\,\\% interval of a mean is $\\pm${widest:.1f}; all are in the CSV. "
        "Belebele and FLORES-200 are parallel, so errors of languages are not quite independent there. The untrained model is the floor."
    )
    if sizes:
        caption += " *Of each expert; a merge counts the tokens of all its experts."
    return latex_float("l" + "r" * (len(sizes) + 2 * len(labels)), head, grouped_body(body), caption, "overview")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--scores", type=Path, required=True, help="folder of score files")
    parser.add_argument("--models", type=Path, help="folder of models, for their numbers of parameters")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".csv and .tex to write")
    arguments = parser.parse_args(argv)
    if arguments.models and not arguments.models.is_dir():
        raise UserError(f"{arguments.models} is no folder; give the one with {{model}}/model.json.")
    experiment = load_experiment(arguments.experiment)
    table = overview(experiment, arguments.scores)
    sizes = {row: (parameters(experiment, row, arguments.models), tokens(experiment, row)) for row in table.row.unique()}
    for i, name in enumerate(("parameters", "tokens")):
        table.insert(3 + i, name, pd.Series([sizes[row][i] for row in table.row], dtype=float))
    write_table(arguments.output, table, to_latex(table, experiment))


if __name__ == "__main__":
    run_script(main)
