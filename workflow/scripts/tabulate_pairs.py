"""What merging two experts changes, for every pair, beside how similar the two are: the table behind Figure 3 and Table 8.

  python workflow/scripts/tabulate_pairs.py --experiment results/laptop/experiment.json --scores results/laptop/scores \\
      --similarity results/laptop/similarity/cka.csv own=results/laptop/similarity/cka_own.csv --output results/laptop/pairs.csv

MultiBLiMP accuracies are fractions. Columns: a, b; accuracy_{a,b} of the merge, expert_{a,b} of each language's expert, floor_{a,b} of
the untrained model; then means over the pair's languages (a language that the benchmark lacks leaves the other one alone; a pair that it
lacks both of is left out):
  delta         merged - expert, a negative number where merging loses
  delta_floor   merged - untrained
  delta_share   (merged - untrained) / (expert - untrained)
then the columns of each similarity file, matched by pair in either order, models mono-{language} standing for their language.
A file given as NAME=FILE has its columns renamed to NAME_{column}, for variants of one measure.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from study.experiment import UNTRAINED, Cell, Experiment, expert, pair
from study.files import UserError, atomic, run_script
from study.pairs import check_numbers, read_csv
from study.scores import load_experiment, read_scores
from study.statistics import floor_corrected

BENCHMARK = "multiblimp"


def tabulate_changes(experiment: Experiment, scores: Path) -> pd.DataFrame:
    """One row per pair of the experiment, without the similarity measures."""
    languages = experiment.benchmark_languages(BENCHMARK)
    models = [(expert(language), language) for language in languages] + [(UNTRAINED, language) for language in languages]
    cells = [*experiment.pair_cells(), *(Cell(model, BENCHMARK, language) for model, language in models)]
    table = read_scores(experiment, cells, scores)
    accuracy = (table.score / 100).set_axis(pd.MultiIndex.from_frame(table[["model", "language"]])).to_dict()

    def values(named: list[tuple[str, str]]) -> np.ndarray:
        return np.array([accuracy.get(name, np.nan) for name in named])

    rows = pd.DataFrame([both for both in experiment.pairs if {*both} & {*languages}], columns=["a", "b"])
    merged = np.column_stack([values([(pair(p.a, p.b), p[i]) for p in rows.itertuples(name="P")]) for i in (1, 2)])
    own = np.column_stack([values([(expert(language), language) for language in rows[side]]) for side in "ab"])
    floor = np.column_stack([values([(UNTRAINED, language) for language in rows[side]]) for side in "ab"])
    for name, matrix in (("accuracy", merged), ("expert", own), ("floor", floor)):
        rows[f"{name}_a"], rows[f"{name}_b"] = matrix.T
    above, share = floor_corrected(merged, own, floor)
    for name, matrix in (("delta", merged - own), ("delta_floor", above), ("delta_share", share)):
        rows[name] = pd.DataFrame(matrix).mean(axis=1)  # skips a missing language
    return rows


def read_similarity(argument: str) -> pd.DataFrame:
    """A similarity file's measures, indexed by its pairs as sets of languages.

    Raises:
        UserError: if it has no measure, a pair twice, or a value that is no number.
    """
    prefix, _, path = argument.rpartition("=")
    table = read_csv(path, ["a", "b"])
    measures = [column for column in table.select_dtypes("number") if column not in ("a", "b")]
    if not measures:
        raise UserError(f"{path} has no measure: give columns a, b and one of numbers for each measure.")
    check_numbers(table, measures, path)
    table.index = pd.Index([_pair_key(a, b) for a, b in zip(table.a, table.b, strict=True)], tupleize_cols=False)
    if table.index.has_duplicates:
        raise UserError(f"{path} has more than one row for a pair of languages; give the table that averages over layers.")
    return table[measures].add_prefix(f"{prefix}_" if prefix else "")


def _pair_key(a: str, b: str) -> str:
    """A pair of languages or their experts in alphabetical order."""
    return "+".join(sorted(name.removeprefix(expert("")) for name in (a, b)))


def join_similarity(pairs: pd.DataFrame, arguments: list[str]) -> pd.DataFrame:
    """The pairs with the measures of all files.

    Raises:
        UserError: if a file lacks a pair, or has a measure that the table has already.
    """
    keys = [_pair_key(a, b) for a, b in zip(pairs.a, pairs.b, strict=True)]
    for argument in arguments:
        measures = read_similarity(argument)
        missing = [key for key in keys if key not in measures.index]
        if missing:
            raise UserError(
                f"{argument} lacks {len(missing)} of {len(keys)} pairs, the first is {missing[0]}; make it for all languages."
            )
        twice = [column for column in measures if column in pairs]
        if twice:
            raise UserError(
                f"{argument}: there is a column {twice[0]} already; give the file as NAME=FILE to rename its columns."
            )
        pairs = pd.concat([pairs, measures.loc[keys].set_axis(pairs.index)], axis=1)
    return pairs


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="experiment.json of the run")
    parser.add_argument("--scores", type=Path, required=True, help="folder of score files")
    parser.add_argument("--similarity", nargs="*", default=[], metavar="[NAME=]FILE", help="CSVs with a, b and measures")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    pairs = tabulate_changes(load_experiment(arguments.experiment), arguments.scores)
    pairs = join_similarity(pairs, arguments.similarity)
    with atomic(arguments.output) as path:
        pairs.to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
