"""Write one benchmark of the miniature world in one language, in the file format of the real benchmark.

Example:
    python workflow/scripts/generate_benchmark.py --benchmark belebele --language deu --items 150 --seed 1 \\
        --output results/laptop/data/benchmarks/belebele/deu/test.jsonl
    python workflow/scripts/generate_benchmark.py --benchmark flores200 --language deu --items 100 --seed 1 \\
        --output results/laptop/data/benchmarks/flores200/deu/{dev,devtest}.txt
"""

import argparse
import csv
import json
from pathlib import Path

from miniature.benchmarks import MAKERS, translations
from miniature.languages import load
from study.files import UserError, atomic, run_script


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", required=True, choices=[*MAKERS, "flores200"])
    parser.add_argument("--language", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--output", type=Path, nargs="+", required=True, help=".tsv, .jsonl, or for flores200 dev.txt devtest.txt"
    )
    args = parser.parse_args(argv)

    language = load(args.language)
    if args.benchmark == "flores200":
        splits = translations(language, args.items, args.seed)
        for output in args.output:
            with atomic(output) as path:
                path.write_text("".join(f"{sentence}\n" for sentence in splits[output.stem]), encoding="utf-8")
        return
    rows = MAKERS[args.benchmark](language, args.items, args.seed)
    if len(rows) < args.items:
        raise UserError(f"The miniature world has only {len(rows)} items of {args.benchmark} in {args.language}; ask for fewer.")
    (output,) = args.output
    with atomic(output) as path, open(path, "w", encoding="utf-8", newline="") as stream:
        if output.suffix == ".tsv":
            table = csv.DictWriter(stream, rows[0], delimiter="\t", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        else:
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    run_script(main)
