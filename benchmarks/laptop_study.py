"""Run the laptop study from scratch for some seeds: how long its parts take, and whether it shows what the paper found.

The whole run is compared with its training jobs alone, in the same run on the same machine: data, then training, then the rest
(merging, scoring, similarity, tables and figures). Needs about a quarter of an hour a seed on two cores.

Example:
    python benchmarks/laptop_study.py --seeds 1 2 3
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from project import Project  # noqa: E402


def seconds(project: Project, *targets: str) -> float:
    """How long Snakemake takes to build the targets."""
    start = time.monotonic()
    project.snakemake(*targets)
    return time.monotonic() - start


def findings(results: Path) -> list[tuple[str, str, bool]]:
    """The paper's findings in miniature: what is claimed, what was measured, whether it holds."""
    table = pd.read_csv(results / "tables/table1.csv").set_index(["row", "benchmark"])
    pairs = pd.read_csv(results / "pairs.csv")

    def mean(row: str, benchmark: str) -> float:
        return table.loc[(row, benchmark), "mean"]

    experts, mixed, floor = (mean(row, "multiblimp") for row in ("mono", "mixed", "untrained"))
    merged = {row: mean(row, "multiblimp") for row in table.index.levels[0] if row.startswith("merged-")}
    chance = {
        name: 100 * b["chance"]
        for name, b in json.loads((results / "experiment.json").read_text())["evaluation"]["benchmarks"].items()
    }
    loss = -100 * pairs.delta.mean()
    rows = [
        ("experts >= 93 % MultiBLiMP", f"{experts:.1f}", experts >= 93),
        ("mixed >= 85 % MultiBLiMP", f"{mixed:.1f}", mixed >= 85),
        *((f"{row} within 7 points of untrained ({floor:.1f})", f"{m:.1f}", abs(m - floor) <= 7) for row, m in merged.items()),
        ("pairs lose >= 25 points", f"{loss:.1f}", loss >= 25),
    ]
    for row in ("mono", "mixed"):
        above = [b for b in ("belebele", "hellaswag", "xcsqa") if table.loc[(row, b), "low"] > chance[b]]
        rows.append((f"{row} above chance on two of three", ", ".join(above), len(above) >= 2))
    chrf = min(mean("mono", "flores200"), mean("mixed", "flores200"))
    best = max(mean(row, "flores200") for row in merged)
    rows.append(("chrF++ of experts and mixed well above the merges'", f"{chrf:.1f} and {best:.1f}", chrf > 2 * best))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    experiment = yaml.safe_load((ROOT / "profiles/laptop/experiment.yaml").read_text(encoding="utf-8"))
    results, languages = f"results/{experiment['run']}", experiment["languages"]
    models = ["mixed", *(f"mono-{language}" for language in languages)]
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder) / "project")
            project.write_experiment({**experiment, "seed": seed})
            tokens = (f"{results}/data/tokens/{language}.npy" for language in languages)
            data = seconds(project, f"{results}/models/untrained/model.json", *tokens)
            training = seconds(project, *(f"{results}/models/{model}/model.json" for model in models))
            rest = seconds(project, "all")
            total = data + training + rest
            print(f"seed {seed}: data {data:.0f} s, training {training:.0f} s, the rest {rest:.0f} s;", end=" ")
            print(f"whole run / training alone = {total / training:.2f}")
            for claim, value, holds in findings(project.folder / results):
                print(f"  {'yes' if holds else 'NO '}  {claim}: {value}", flush=True)


if __name__ == "__main__":
    main()
