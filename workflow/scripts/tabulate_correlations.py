"""Correlations of the similarity measures with the change that merging brings, as a table (paper, Table 8).

  python workflow/scripts/tabulate_correlations.py --correlations correlations.csv --output table8.csv table8.tex

Takes the output of correlate_similarity.py; the CSV is that table with the measures' names in words, the LaTeX its main columns.
"""

import argparse
from pathlib import Path

import pandas as pd

from study.files import run_script
from study.measures import measure_name
from study.pairs import read_csv
from study.tables import escape, latex_float, number, write_table

# The columns of the LaTeX table: name, heading, decimals.
COLUMNS = (
    ("spearman_rho", r"$\rho$", 2),
    ("spearman_p", r"$p_S$", 3),
    ("mantel_spearman_p", r"$p_S^{\mathrm{M}}$", 3),
    ("pearson_r", r"$r$", 2),
    ("pearson_p", r"$p_P$", 3),
    ("mantel_pearson_p", r"$p_P^{\mathrm{M}}$", 3),
    ("partial_r", r"$r_{\mathrm{part}}$", 2),
)


def stars(p: float) -> str:
    """The paper's marks of a p-value."""
    return "**" if p < 0.01 else "*" if p < 0.05 else ""


def cell(row: pd.Series, column: str, digits: int) -> str:
    """One number; a p-value below what the decimals can show is given as a bound, coefficients carry the marks of their p-value."""
    value = row[column]
    if column.endswith("_p") and value < 0.5 * 10**-digits:
        return f"$<${10**-digits:.{digits}f}"
    p = {"spearman_rho": "spearman_p", "pearson_r": "pearson_p", "partial_r": "partial_p"}.get(column)
    return number(value, digits) + (stars(row[p]) if p in row else "")


def to_latex(table: pd.DataFrame) -> str:
    """One line per measure."""
    columns = [column for column in COLUMNS if column[0] in table]
    head = [" & ".join(["Measure", *(heading for _, heading, _ in columns)]) + r" \\"]
    body = [
        " & ".join([escape(row["name"]), *(cell(row, name, digits) for name, _, digits in columns)]) + r" \\"
        for _, row in table.iterrows()
    ]
    caption = (
        f"Correlation over {int(table.n.iloc[0])} language pairs of each measure with the signed change $\\Delta$ = accuracy of the "
        r"merge minus accuracy of the experts on MultiBLiMP (negative: merging loses). A positive coefficient means that pairs with a "
        r"higher value of the measure lose less; mind that some measures are distances. $\rho$: Spearman, $r$: Pearson, with naive "
        r"$p$-values that take pairs for independent (* $p<0.05$, ** $p<0.01$, before adjustment for the number of measures)."
    )
    if "mantel_spearman_p" in table:
        caption += r" Superscript M: $p$ from permuting languages instead of pairs (Mantel)."
    if "partial_r" in table:
        caption += r" $r_{\mathrm{part}}$: given one additive effect per language."
    return latex_float("l" + "r" * len(columns), head, body, caption, "correlations", wide=len(table.columns) > 7)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--correlations", type=Path, required=True, help="output of correlate_similarity.py")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help=".csv and .tex to write")
    arguments = parser.parse_args(argv)
    table = read_csv(arguments.correlations, ["measure", "n", "spearman_rho", "spearman_p", "pearson_r", "pearson_p"])
    table.insert(1, "name", [measure_name(measure) for measure in table.measure])
    write_table(arguments.output, table, to_latex(table))


if __name__ == "__main__":
    run_script(main)
