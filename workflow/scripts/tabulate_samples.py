"""Generated translations of the same sentences by every model, and how often each model fails in which way (paper, Table 7).

  python workflow/scripts/tabulate_samples.py --experiment results/laptop/experiment.json --items results/laptop/items \\
      --sentences dev/eng_Latn.dev dev/deu_Latn.dev ... --output table7.csv table7.tex --counts table7_counts.csv

--sentences are the development sentences (one per line) that the language identifier learns from: one file per language of the
experiment, in its order. The LaTeX has the first sentences, as many as the experiment says, and the counts over all of them. The CSV
has every item with its error modes: copy (of the input), other_language, no_language (nonsense), no_stop (the limit of new tokens was
reached), repetition (or numerals), empty; study/generations.py has the rules. --counts: model, label, n, the percentage of each mode, and of none.
"""

import argparse
import unicodedata
from pathlib import Path

import pandas as pd

from study.experiment import Experiment
from study.files import UserError, atomic, run_script
from study.generations import MODES, classify, identify, train_identifier
from study.scores import load_experiment
from study.tables import escape, latex_lines, number, write_table

CHARACTERS = 200  # of an output that are shown, as in the paper
COLUMNS = ["source", "reference", "hypothesis", "hit_limit"]


def model_labels(experiment: Experiment) -> dict[str, str]:
    """The models of the table, in its order, with their labels."""
    labels = {row.model: row.label for row in experiment.rows}
    return {model: labels.get(model, f"Expert {model.removeprefix('mono-')}") for model in experiment.sample_models()}


def read_items(items: Path, model: str, target: str) -> pd.DataFrame:
    """A model's generations.

    Raises:
        UserError: if the file or a column is missing.
    """
    path = items / model / "flores200" / f"{target}.parquet"
    if not path.exists():
        raise UserError(f"{path} does not exist; score {model} on flores200 first, or mend --items.")
    table = pd.read_parquet(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; score {model} on flores200 again.")
    return table.reset_index(drop=True)


def read_sentences(paths: list[Path], languages: list[str]) -> dict[str, list[str]]:
    """Sentences per language.

    Raises:
        UserError: if there is not one file per language, or one has no sentences.
    """
    if len(paths) != len(languages):
        raise UserError(
            f"--sentences has {len(paths)} files for {len(languages)} languages ({' '.join(languages)}); give one for each."
        )
    sentences = {language: path.read_text(encoding="utf-8").splitlines() for language, path in zip(languages, paths, strict=True)}
    for path, lines in zip(paths, sentences.values(), strict=True):
        if not any(line.strip() for line in lines):
            raise UserError(f"{path} has no sentences; it must have one per line.")
    return sentences


def count_modes(table: pd.DataFrame) -> pd.DataFrame:
    """Per model the number of items and the percentage of each error mode, and of none of them."""
    modes = list(MODES)
    shares = table.assign(none=~table[modes].any(axis=1)).groupby(["model", "label"], sort=False)[[*modes, "none"]].mean() * 100
    shares.insert(0, "n", table.groupby(["model", "label"], sort=False).size())
    return shares.reset_index()


def shown(text: str) -> str:
    """An output's first line, cut to the characters shown, without what a printer cannot show."""
    line = text.strip().split("\n")[0]
    printable = "".join(c if unicodedata.category(c)[0] not in "C" and c != "\ufffd" else "\u00b7" for c in line)
    return printable[:CHARACTERS] + ("…" if len(printable) > CHARACTERS else "")


def to_latex(table: pd.DataFrame, counts: pd.DataFrame, sentences: int, direction: tuple[str, str], accuracy: float) -> str:
    """Counts above, then the first sentences with every model's output."""
    modes = [*MODES, "none"]
    lines = [
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(modes)}@{{}}}}",
        r"\toprule",
        " & ".join(["Share of outputs (\\%)", *map(escape, MODES.values()), "none of these"]) + r" \\",
        r"\midrule",
        *(
            " & ".join([escape(row["label"]), *(number(row[mode], 0) for mode in modes)]) + r" \\"
            for row in counts.to_dict("records")
        ),
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\medskip",
        r"\begin{tabular}{@{}lp{0.78\linewidth}@{}}",
        r"\toprule",
    ]
    models = table.drop_duplicates("model")
    for i in range(min(sentences, len(table) // len(models))):
        items = table[table.position == i]
        lines += [r"\midrule"] if i else []
        lines += [
            rf"\emph{{Source}} & {escape(items.source.iloc[0])} \\",
            rf"\emph{{Reference}} & {escape(items.reference.iloc[0])} \\",
        ]
        lines += [r"\addlinespace"]
        lines += [rf"{escape(t.label)} & {escape(shown(t.hypothesis)) or '(nothing)'} \\" for t in items.itertuples()]
    lines += [r"\bottomrule", r"\end{tabular}"]
    source, target = direction
    caption = (
        f"Translations from {source} to {target} by every model: how often an output shows an error mode (over {int(counts.n.iloc[0])} "
        f"sentences; one output can show several), and the outputs for the same sentences (first line, {CHARACTERS} characters). The modes "
        "are counted by rule: empty has no word; copied is the input; no language has mixed scripts or none that is identified; no stop "
        "reached the limit of new tokens; repetition repeats itself or consists of numerals. The language is identified by a character n-gram model trained on the development sentences, which is "
        f"right for {100 * accuracy:.1f}\\,\\% of the references. Prompts and decoding are those of the translation benchmark, not the "
        "zero-shot instruction of the paper's Table 7."
    )
    note = "% Outputs may be in any script: compile with XeLaTeX or LuaLaTeX and a font that has it.\n"
    return note + latex_lines("table*", lines, caption, "samples")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--items", type=Path, required=True, help="folder of per-item files")
    parser.add_argument("--sentences", type=Path, nargs="+", required=True, help="text files, one per language in its order")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".csv and .tex to write")
    parser.add_argument("--counts", type=Path, help="CSV of the error modes to write")
    arguments = parser.parse_args(argv)
    experiment = load_experiment(arguments.experiment)
    samples = experiment.config["evaluation"]["samples"]
    source, target = samples["direction"]
    identifier = train_identifier(read_sentences(arguments.sentences, experiment.languages))
    tables = []
    for model, label in model_labels(experiment).items():
        items = classify(read_items(arguments.items, model, target), target, identifier)
        items.insert(0, "model", model)
        items.insert(1, "label", label)
        tables.append(items.assign(position=range(len(items))))
    table = pd.concat(tables, ignore_index=True)
    counts = count_modes(table)
    references = tables[0].reference.tolist()
    accuracy = sum(language == target for language in identify(identifier, references)) / len(references)
    write_table(
        arguments.output,
        table.drop(columns="position"),
        to_latex(table, counts, samples["sentences"], (source, target), accuracy),
    )
    if arguments.counts:
        with atomic(arguments.counts) as path:
            counts.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_script(main)
