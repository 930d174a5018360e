"""Run the laptop study from scratch for some seeds: how long its parts take, and whether it shows what the paper found.

The whole run is compared with its training jobs alone, in the same run on the same machine: data, then training, then the rest
(merging, scoring, similarity, tables and figures). Needs about ten minutes a seed on two cores.

Example:
    python benchmarks/laptop_study.py --seeds 1 2 3
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "data", "envs")


def copy_project(folder: Path, seed: int) -> dict:
    """A copy of the project whose laptop experiment has another seed; returns that experiment."""
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
    path = folder / "profiles/laptop/experiment.yaml"
    experiment = {**yaml.safe_load(path.read_text(encoding="utf-8")), "seed": seed}
    path.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
    return experiment


def run(folder: Path, *targets: str) -> float:
    """Seconds that Snakemake takes to build the targets."""
    start = time.monotonic()
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/laptop", *targets]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stdout[-2000:] + result.stderr[-4000:])
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
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            experiment = copy_project(project, seed)
            results = f"results/{experiment['run']}"
            languages = experiment["languages"]
            data = run(project, f"{results}/models/untrained/model.json", *(f"{results}/data/tokens/{x}.npy" for x in languages))
            models = ["mixed", *(f"mono-{language}" for language in languages)]
            training = run(project, *(f"{results}/models/{model}/model.json" for model in models))
            rest = run(project, "all")
            total = data + training + rest
            print(f"seed {seed}: data {data:.0f} s, training {training:.0f} s, the rest {rest:.0f} s;", end=" ")
            print(f"whole run / training alone = {total / training:.2f}")
            for claim, value, holds in findings(project / results):
                print(f"  {'yes' if holds else 'NO '}  {claim}: {value}", flush=True)


if __name__ == "__main__":
    main()
