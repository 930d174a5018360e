"""Correlation of each similarity measure with what merging does to a pair of languages, and how much weight it bears (Table 8).

Needs no model, only a CSV with one row per pair: a, b, the outcome, and one column per measure:

  python workflow/scripts/correlate_similarity.py --pairs pairs.csv --outcome delta --output correlations.csv

--outcome delta_floor or delta_share, where the table has them, takes the untrained model's accuracy as the floor instead.

Sign: an outcome grows with the quality of the merge. `delta` is merged minus expert accuracy, a negative number, so a positive
coefficient says: the higher the measure, the smaller the loss. Against the loss itself (expert minus merged) every sign turns.
A measure may be a similarity (CKA, cosine) or a distance (lang2vec, L2); mind which when reading its sign.

Columns of the output beside the coefficients and their naive p-values, which take the pairs for independent:
  mantel_spearman_p, mantel_pearson_p     languages permuted instead of pairs; empty if too many pairs are missing
  {spearman,pearson}_{low,high}           95 % bootstrap interval, languages drawn with replacement
  {spearman,pearson}_loo_{min,max}        range when one language is left out at a time
  partial_r, partial_p                    Pearson's r given one additive effect per language
  *_p_holm                                each p-value adjusted for the number of measures (Holm)
  reading                                 the sign of rho in words
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from study.files import UserError, atomic, run_script
from study.pairs import check_numbers, read_pairs
from study.statistics import bootstrap_over_languages, holm, leave_one_language_out, mantel, partial_correlation

# Outcomes in words; tabulate_pairs.py makes these columns.
OUTCOMES = {
    "delta": "merged minus expert accuracy (negative: merging loses)",
    "delta_floor": "merged accuracy minus that of the untrained model",
    "delta_share": "the share of the expert's advantage over the untrained model that the merge keeps",
}
NO_MEASURES = ("delta", "accuracy", "expert", "floor")  # how columns begin that tell how models score, so are never a measure
LEVEL = 0.05


def find_measures(table: pd.DataFrame, outcome: str) -> list[str]:
    """All numeric columns that are neither a name nor an outcome, and that vary: a constant correlates with nothing."""
    numeric = table.drop(columns=["a", "b", outcome]).select_dtypes("number").columns
    return [column for column in numeric if not column.startswith(NO_MEASURES) and table[column].nunique() > 1]


def correlate(table: pd.DataFrame, outcome: str, measures: list[str], permutations: int = 9999, seed: int = 0) -> pd.DataFrame:
    """One row of coefficients and robustness columns (see the module's text) per measure.

    Raises:
        UserError: if a column is constant, so that it correlates with nothing.
    """
    constant = [column for column in [outcome, *measures] if table[column].nunique() == 1]
    if constant:
        raise UserError(f"{', '.join(constant)} has the same value for every pair, so no correlation exists; leave it out.")
    numbers, _ = pd.factorize(np.concatenate([table.a, table.b]), sort=True)
    i, j = np.split(numbers, 2)
    y = table[outcome].to_numpy(dtype=float)
    rows = []
    for measure in measures:
        x = table[measure].to_numpy(dtype=float)
        row = {"measure": measure, "n": len(table)}
        row["spearman_rho"], row["spearman_p"] = stats.spearmanr(x, y)
        row["pearson_r"], row["pearson_p"] = stats.pearsonr(x, y)
        row["mantel_pearson_p"], row["mantel_spearman_p"] = mantel(x, y, i, j, permutations, seed)
        intervals, ranges = bootstrap_over_languages(x, y, i, j, seed=seed), leave_one_language_out(x, y, i, j)
        for number, name in enumerate(["pearson", "spearman"]):
            row[f"{name}_low"], row[f"{name}_high"] = intervals[number]
            row[f"{name}_loo_min"], row[f"{name}_loo_max"] = ranges[number]
        row["partial_r"], row["partial_p"] = partial_correlation(x, y, i, j)
        rows.append(row)
    result = pd.DataFrame(rows)
    for column in [column for column in result if column.endswith("_p")]:
        result[f"{column}_holm"] = holm(result[column])
    result["reading"] = [
        f"higher {row.measure}, {'better' if row.spearman_rho > 0 else 'worse'} merge" for row in result.itertuples()
    ]
    return result


def describe(result: pd.DataFrame, outcome: str, languages: int) -> str:
    """A paragraph in words on what survives which test, the signs stated."""

    def those(condition: pd.Series, coefficient: str = "spearman_rho") -> str:
        found = result[condition]
        return (
            ", ".join(f"{name} ({value:+.2f})" for name, value in zip(found.measure, found[coefficient], strict=True)) or "none"
        )

    meaning = OUTCOMES.get(outcome, "larger for a better merge")
    naive, adjusted = result.spearman_p < LEVEL, result.spearman_p_holm < LEVEL
    permuted, permuted_holm = result.mantel_spearman_p < LEVEL, result.mantel_spearman_p_holm < LEVEL
    resampled = result.spearman_low * result.spearman_high > 0
    stable = result.spearman_loo_min * result.spearman_loo_max > 0
    partial = result.partial_p < LEVEL
    same_sign = result.partial_r * result.spearman_rho > 0
    permutation = (
        "The permutation of languages was not possible, since some pairs of languages are missing."
        if result.mantel_spearman_p.isna().all()
        else f"When languages instead of pairs are permuted (Mantel): {those(permuted)}; with Holm's adjustment: {those(permuted_holm)}."
    )
    return (
        f"The outcome `{outcome}` is {meaning}; a positive rho means that pairs with a higher value of the measure merge better "
        f"(against the loss, its negative, every sign turns). Spearman's rho over {result.n.iloc[0]} pairs of {languages} languages "
        f"has p < {LEVEL} for {int(naive.sum())} of {len(result)} measures if pairs are taken for independent: {those(naive)}; "
        f"after Holm's adjustment for {len(result)} measures: {those(adjusted)}. Pairs share languages, however. {permutation} "
        f"The interval from resampled languages leaves out zero for: {those(resampled)}. "
        f"The sign stays the same whichever language is left out for: {those(stable)}. "
        f"Given one additive effect per language, Pearson's r has p < {LEVEL} for: {those(partial, 'partial_r')}. "
        f"All of these checks are passed by: {those(adjusted & permuted_holm & resampled & stable & partial & same_sign)}.\n"
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="CSV with a, b, the outcome and the measures")
    parser.add_argument("--outcome", default="delta", help="column to correlate with (default: delta)")
    parser.add_argument("--measures", nargs="+", help="columns to use (default: every other numeric one that is no outcome)")
    parser.add_argument("--permutations", type=int, default=9999, help="random orders of the languages (default: 9999)")
    parser.add_argument("--seed", type=int, default=0, help="of permutations and resamples (default: 0)")
    parser.add_argument("--paragraph", type=Path, help="Markdown file to write: what survives, in words")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    table = read_pairs(arguments.pairs, [arguments.outcome, *(arguments.measures or [])])
    measures = arguments.measures or find_measures(table, arguments.outcome)
    if not measures:
        raise UserError(f"{arguments.pairs} has no column of a measure; add one numeric column per measure.")
    check_numbers(table, [arguments.outcome, *measures], arguments.pairs)
    result = correlate(table, arguments.outcome, measures, arguments.permutations, arguments.seed)
    with atomic(arguments.output) as path:
        result.to_csv(path, index=False)
    if arguments.paragraph:
        languages = pd.unique(pd.concat([table.a, table.b])).size
        with atomic(arguments.paragraph) as path:
            path.write_text(describe(result, arguments.outcome, languages), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
