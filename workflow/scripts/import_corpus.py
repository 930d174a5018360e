"""Read training documents from text, JSONL or Parquet files, also compressed, and write them one JSON object a line.

Example:
    python workflow/scripts/import_corpus.py --files wiki.txt.gz news.jsonl.zst --output results/mine/data/corpora/deu.jsonl
"""

import argparse
import json
from pathlib import Path

from study.files import UserError, atomic, run_script
from study.text import read_documents


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, nargs="+", required=True, help=".txt or .jsonl, also .gz and .zst; or .parquet")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    count = 0
    with atomic(args.output) as path, open(path, "w", encoding="utf-8") as lines:
        for file in args.files:
            for text in read_documents(file):
                lines.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
                count += 1
        if not count:
            raise UserError(f"There is no text in {', '.join(map(str, args.files))}.")


if __name__ == "__main__":
    run_script(main)
