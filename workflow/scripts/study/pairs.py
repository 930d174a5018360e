"""Tables with one row per pair of languages or models: making them and reading them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from study.files import UserError


def pair_table(names: list[str], **measures: np.ndarray) -> pd.DataFrame:
    """Rows `a, b, <measure>...` for each pair of names in their order, from symmetric matrices (names, names)."""
    i, j = np.triu_indices(len(names), k=1)
    a, b = zip(*combinations(names, 2), strict=True)
    return pd.DataFrame({"a": a, "b": b} | {measure: matrix[i, j] for measure, matrix in measures.items()})


def read_csv(path: Path | str, columns: list[str]) -> pd.DataFrame:
    """Read a CSV that has these columns; names of languages and models stay text.

    Raises:
        UserError: if it is no table, or a column is missing.
    """
    try:
        table = pd.read_csv(path, dtype={"a": str, "b": str, "model": str, "language": str}, keep_default_na=True)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV table ({error}).") from None
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; it has {', '.join(table.columns)}.")
    return table


def check_numbers(table: pd.DataFrame, columns: list[str], path: Path | str) -> None:
    """Refuse a column with anything but finite numbers, naming the first bad line of the file.

    Raises:
        UserError: if there is one.
    """
    for column in columns:
        bad = ~np.isfinite(pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float))
        if bad.any():
            line = int(bad.argmax()) + 2
            raise UserError(f"{path}, line {line}: {column} is not a finite number; mend it, or leave out that row or column.")


def read_pairs(path: Path | str, columns: list[str]) -> pd.DataFrame:
    """Read a table of language pairs `a, b, <columns>...`, in which each unordered pair stands once.

    Raises:
        UserError: for a missing column, fewer than four pairs, a language paired with itself, or a pair given twice.
    """
    table = read_csv(path, ["a", "b", *columns])
    if table[["a", "b"]].isna().any(axis=None):
        raise UserError(f"{path} has a row without a or b; each row needs two names.")
    if len(table) < 4:
        raise UserError(f"{path} has {len(table)} pairs; a correlation with tests needs at least four.")
    seen: set[frozenset[str]] = set()
    for line, (a, b) in enumerate(zip(table.a, table.b, strict=True), start=2):
        if a == b:
            raise UserError(f"{path}, line {line}: {a} is paired with itself; leave out that row.")
        if frozenset((a, b)) in seen:
            raise UserError(f"{path}, line {line}: the pair {a}, {b} is there twice (order does not count); keep one row.")
        seen.add(frozenset((a, b)))
    return table
