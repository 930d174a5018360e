"""Print a finished study's headline (Table 1) and where its tables, figures and numbers are.

Example:
    python workflow/scripts/show_results.py results/laptop
"""

import argparse
import csv
from pathlib import Path

from study.files import UserError, run_script


def headline(path: Path) -> str:
    """Table 1 for a terminal: a row a model, a column a benchmark, means over languages."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    benchmarks = list(dict.fromkeys(row["benchmark"] for row in rows))
    models = list(dict.fromkeys(row["label"] for row in rows))
    mean = {(row["label"], row["benchmark"]): f"{float(row['mean']):.1f}" for row in rows if row["mean"]}
    width = max(map(len, models))
    lines = [" " * width + "".join(f"{benchmark:>12}" for benchmark in benchmarks)]
    lines += [f"{model:<{width}}" + "".join(f"{mean.get((model, b), '–'):>12}" for b in benchmarks) for model in models]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/{run}")
    args = parser.parse_args(argv)

    overview = args.results / "tables" / "table1.csv"
    if not overview.is_file():
        raise UserError(f"{overview} does not exist; run the workflow first.")
    print("\nTable 1: means over languages (chrF++ for flores200, else accuracy in percent)\n")
    print(headline(overview))
    print(f"\nTables        {args.results}/tables/table*.csv, .tex")
    print(f"Figures       {args.results}/figures/figure*.pdf, .png, .csv")
    print(f"Correlations  {args.results}/correlations.csv; in words: {args.results}/correlations.md")
    print(f"Every score   {args.results}/scores/   every item: {args.results}/items/")


if __name__ == "__main__":
    run_script(main)
