"""Corpora as files of documents: plain text with blank lines between documents, or JSONL or Parquet with a `text` field."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from study.files import UserError


def open_text(path: Path | str) -> TextIO:
    """A text file for reading, decompressed if its name ends in .gz or .zst."""
    path = Path(path)
    if path.suffix not in (".gz", ".zst"):
        return open(path, encoding="utf-8")
    # Arrow's readers notice a file that is cut short, which those of the zstandard package do not.
    import pyarrow

    return io.TextIOWrapper(pyarrow.input_stream(str(path), compression="detect"), encoding="utf-8")


def read_documents(path: Path | str) -> Iterator[str]:
    """The documents of a corpus file, or of all files of a folder in the order of their names; empty ones left out.

    Raises:
        UserError: if the file is missing or cut short, or a line of JSONL or a Parquet file has no text.
    """
    path = Path(path)
    if path.is_dir():
        for file in sorted(path.iterdir()):
            yield from read_documents(file)
        return
    if not path.is_file():
        raise UserError(f"The corpus {path} does not exist.")
    if path.suffix == ".parquet":
        yield from _parquet(path)
        return
    try:
        with open_text(path) as lines:
            yield from _jsonl(path, lines) if ".jsonl" in path.suffixes else _plain(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The corpus {path} is damaged or cut short ({error}); fetch it again.") from None


def _jsonl(path: Path, lines: TextIO) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text = json.loads(line)["text"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise UserError(f'{path}, line {number}: each line must be JSON with a "text" field.') from None
        if text.strip():
            yield text


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            if "text" not in file.schema_arrow.names:
                raise UserError(f"{path} has no column `text`, only {', '.join(file.schema_arrow.names)}.")
            for batch in file.iter_batches(1000, columns=["text"]):
                yield from (text for text in batch["text"].to_pylist() if text and text.strip())
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise UserError(f"The corpus {path} is damaged or cut short ({error}); fetch it again.") from None


def _plain(lines: TextIO) -> Iterator[str]:
    document: list[str] = []
    for line in lines:
        if line.strip():
            document.append(line.rstrip("\n"))
        elif document:
            yield "\n".join(document)
            document = []
    if document:
        yield "\n".join(document)
