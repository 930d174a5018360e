"""Fetch one file of a benchmark from the Hugging Face hub and write it in the form that the study reads.

Only plain files are read (.tsv, .jsonl, .parquet), never a dataset's loading script. What becomes what: .tsv is copied; rows become
.jsonl; for a .txt, the `text` of each row becomes a line, in the order of the rows' `id`.

Two repairs, both of form: X-CSQA's parquet holds the choices as two lists, which become the list of {label, text} of the original
files; and four endings of alexandrainst/m_hellaswag in Chinese are {"zh": …, "en": …}, of which the text's own language is taken.

HellaSwag. The published evaluation took jon-tow/okapi_hellaswag at commit 96ed8e0d, which is a loading script over Okapi's files.
alexandrainst/m_hellaswag has the same translations as plain files and is what lighteval uses today for most of these languages. Whether
it holds the same rows in the same order is not known here, so another thousand items may be drawn than were published.
FLORES. facebook/flores is a loading script; openlanguagedata/flores_plus is its maintained successor, with corrections in some languages.

Example:
    python workflow/scripts/download_benchmark.py --repository facebook/belebele --path data/deu_Latn.jsonl --language deu \\
        --output results/paper/data/benchmarks/belebele/deu/test.jsonl
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from study.files import UserError, atomic, run_script
from study.hub import fetch_dataset_file, repository_arguments
from study.languages import language
from study.models import sha256

Row = dict[str, Any]


def read_rows(file: Path, suffix: str) -> list[Row]:
    """The rows of a .jsonl or .parquet file.

    Raises:
        UserError: for another kind of file, or one that cannot be read as its kind.
    """
    try:
        if suffix == ".parquet":
            from pyarrow.parquet import read_table

            return read_table(file).to_pylist()
        if suffix == ".jsonl":
            return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as {suffix}: {error}.") from None
    raise UserError(f"Rows are read from .jsonl and .parquet, not from {suffix}; name another file of this dataset.")


def mended(row: Row, short: str) -> Row:
    """The row in the benchmark's original form; see above. `short` is the language's two-letter code."""
    choices = row["question"].get("choices") if isinstance(row.get("question"), dict) else None
    if isinstance(choices, dict):
        pairs = zip(choices["label"], choices["text"], strict=True)
        row = {**row, "question": {**row["question"], "choices": [{"label": label, "text": text} for label, text in pairs]}}
    if "endings" in row:
        row = {**row, "endings": [ending[short] if isinstance(ending, dict) else ending for ending in row["endings"]]}
    return row


def sentences(rows: list[Row]) -> list[str]:
    """The sentences of a parallel corpus in the order of their `id`, each on one line."""
    return [" ".join(row["text"].split()) for row in sorted(rows, key=lambda row: row["id"])]


def main(argv: list[str] | None = None) -> None:
    parser = repository_arguments(__doc__)
    parser.add_argument("--path", required=True, help="the file in the repository")
    parser.add_argument("--language", required=True, help="ISO 639-3 code")
    parser.add_argument("--output", type=Path, required=True, help=".tsv, .jsonl or .txt")
    args = parser.parse_args(argv)

    short = language(args.language).short
    file = fetch_dataset_file(args.repository, args.revision, args.path)
    with atomic(args.output) as temporary:
        if args.output.suffix == Path(args.path).suffix == ".tsv":
            shutil.copyfile(file, temporary)
        else:
            try:
                rows = [mended(row, short) for row in read_rows(file, Path(args.path).suffix)]
                lines = (
                    sentences(rows)
                    if args.output.suffix == ".txt"
                    else [json.dumps(row, ensure_ascii=False, default=str) for row in rows]
                )
            except (KeyError, AttributeError) as error:
                raise UserError(f"{args.path} of {args.repository} lacks {error}; name the right file of this dataset.") from None
            if not lines:
                raise UserError(f"{args.path} of {args.repository} has no rows; name the right file of this dataset.")
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{file}: sha256 {sha256(file)}", file=sys.stderr)  # the cache's path holds the commit


if __name__ == "__main__":
    run_script(main)
