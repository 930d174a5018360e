"""Writing tables: the same content as CSV in full and as a LaTeX float that needs nothing but booktabs."""

import math
from pathlib import Path

import pandas as pd

from study.files import UserError, atomic

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "_": r"\_",
        "%": r"\%",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "–": "--",
        "ρ": r"$\rho$",
        "Δ": r"$\Delta$",
        "−": "$-$",
    }
)


def escape(text: str) -> str:
    """Text with LaTeX's special characters written out."""
    return str(text).translate(_SPECIAL)


def number(value: float | None, digits: int = 1, bold: bool = False) -> str:
    """A number for LaTeX with a fixed count of decimals and a real minus sign; a dash for a missing one."""
    if value is None or math.isnan(value):
        return "--"
    text = f"{value:.{digits}f}"
    if text.startswith("-"):
        text = f"$-${text[1:]}" if float(text) else text[1:]
    return rf"\textbf{{{text}}}" if bold else text


def is_best(values: pd.Series, digits: int = 1) -> pd.Series:
    """Which values are the largest one at the printed precision (several if they tie)."""
    return values.round(digits) == values.round(digits).max()


def spanning(columns: int, text: str) -> str:
    """A line of a table that spans all its columns, in italics: a heading within the body."""
    return rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\emph{{{text}}}}} \\"


def grouped_body(rows: list[tuple[str, list[str]]]) -> list[str]:
    """Body lines of (group, cells), with the group's name above its rows and a little space between groups."""
    lines, previous = [], None
    for group, cells in rows:
        if group != previous:
            lines += [] if previous is None else [r"\addlinespace"]
            lines.append(spanning(len(cells), escape(group)))
            previous = group
        lines.append(" & ".join(cells) + r" \\")
    return lines


def latex_float(alignment: str, head: list[str], body: list[str], caption: str, label: str, wide: bool = True) -> str:
    """A LaTeX float with one tabular; `head` and `body` are lines as LaTeX wants them, the caption is LaTeX too."""
    environment = "table*" if wide else "table"
    tabular = [
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return latex_lines(environment, tabular, caption, label)


def latex_lines(environment: str, content: list[str], caption: str, label: str) -> str:
    """A float of finished lines, in the style of all our tables."""
    lines = [
        "% Needs \\usepackage{booktabs}. Generated; change the script, not this file.",
        rf"\begin{{{environment}}}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3.5pt}",
        *content,
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{label}}}",
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"


def write_table(outputs: list[Path], table: pd.DataFrame, latex: str) -> None:
    """Write each output by its extension: .csv the table (numbers with six significant digits), .tex the LaTeX.

    Raises:
        UserError: for another extension.
    """
    for output in outputs:
        if output.suffix not in (".csv", ".tex"):
            raise UserError(f"{output}: a table is written as .csv or .tex; change the name.")
        with atomic(output) as path:
            if output.suffix == ".csv":
                table.to_csv(path, index=False, float_format="%.6g")
            else:
                path.write_text(latex, encoding="utf-8")
