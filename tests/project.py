"""A copy of the project with an experiment of its own, in which a test runs Snakemake as a user does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "experiments", "workflow", "profiles", "data", "envs")
LANGUAGES = ["eng", "fra", "tur", "zho"]  # all that a benchmark can lack, four scripts' worth of grammar, six pairs


class Project:
    """A copy of the project's files, with its own experiment file and results."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / part)

    def write_experiment(self, experiment: dict) -> None:
        (self.folder / "profiles/laptop/experiment.yaml").write_text(yaml.safe_dump(experiment, sort_keys=False))

    def snakemake(self, *arguments: str, profile: str = "profiles/laptop", check: bool = True) -> subprocess.CompletedProcess:
        """Run Snakemake as a user does; standard output and error as text."""
        command = [sys.executable, "-m", "snakemake", "--profile", profile, *arguments]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env={**os.environ, "PATH": path})
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{result.stdout[-4000:]}\n{result.stderr[-8000:]}")
        return result

    def pending(self, *targets: str, profile: str = "profiles/laptop") -> dict[str, int]:
        """How many jobs of each rule a dry-run would start."""
        lines = self.snakemake(*targets, "--dry-run", "--quiet", "rules", profile=profile).stdout.splitlines()
        table = [line.split() for line in lines]
        return {row[0]: int(row[1]) for row in table if len(row) == 2 and row[1].isdigit() and row[0] != "total"}

    def results(self, *parts: str) -> Path:
        return self.folder.joinpath("results", "test", *parts)


def small_experiment() -> dict:
    """The laptop's experiment with less of everything."""
    experiment = yaml.safe_load((ROOT / "profiles/laptop/experiment.yaml").read_text())
    experiment["run"] = "test"
    experiment["languages"] = LANGUAGES
    experiment["data"]["corpora"]["miniature"]["documents"] = 1500
    experiment["data"]["benchmarks"]["miniature"]["items"] = dict.fromkeys(experiment["evaluation"]["benchmarks"], 20)
    experiment["data"]["tokenizer"]["vocabulary"] = 800
    experiment["models"]["architecture"] |= {"hidden_size": 32, "heads": 2, "feed_forward_size": 64}
    experiment["training"] |= {"steps": 60, "save_steps": [20, 40]}
    experiment["merging"] |= {"nested": ["eng", "zho", "fra", "tur"], "steps": [20, 60]}
    experiment["evaluation"]["benchmarks"]["belebele"]["shots"] = 1
    experiment["evaluation"]["sweep_batch"] = 10
    return experiment
