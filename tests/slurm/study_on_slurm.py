"""A small study that runs through the profile for LUMI, and what Slurm's queue and accounting say about its jobs."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml
from one_machine import output_of
from project import Project, small_experiment

LANGUAGES = ["eng", "fra", "zho"]
PROFILE = "profiles/lumi/config.yaml"
# Only the waiting is shorter than on LUMI.
QUICK = [
    *("--seconds-between-status-checks", "5", "--slurm-init-seconds-before-status-checks", "5"),
    *("--max-jobs-per-timespan", "10/10s", "--latency-wait", "5"),
]


class StudyOnSlurm(Project):
    """A copy of the project with a study of three languages, one kind of merge and 20 steps of training."""

    drivers: ClassVar[list[subprocess.Popen]] = []  # all that were started

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        experiment = small_experiment()
        experiment["languages"] = LANGUAGES
        experiment["data"]["corpora"]["miniature"]["documents"] = 300
        experiment["training"] |= {"steps": 20, "save_steps": [5, 10, 15]}
        experiment["merging"] |= {"nested": LANGUAGES, "steps": [10, 20]}
        experiment["merging"]["methods"] = {"linear": experiment["merging"]["methods"]["linear"]}
        self.write_experiment(experiment)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change this copy of a file of the project."""
        content = (self.folder / path).read_text()
        assert content.count(old) == 1, f"{path} has {old!r} {content.count(old)} times"
        (self.folder / path).write_text(content.replace(old, new))

    def set_resources(self, **rules: dict) -> None:
        """Change what rules ask for in this copy of the profile."""
        path = self.folder / PROFILE
        profile = yaml.safe_load(path.read_text())
        for rule, resources in rules.items():
            profile["set-resources"][rule] = {**profile["set-resources"].get(rule, {}), **resources}
        path.write_text(yaml.safe_dump(profile, sort_keys=False))

    def start(self, *targets: str) -> subprocess.Popen:
        """Start Snakemake as a user does on LUMI; what it says is added to driver.log."""
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/lumi", *targets, *QUICK]
        command += ["--configfile", "profiles/laptop/experiment.yaml"]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with self.log.open("a") as log:
            driver = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env={**os.environ, "PATH": path})
        self.drivers.append(driver)
        return driver

    @property
    def log(self) -> Path:
        return self.folder / "driver.log"

    def jobs(self) -> list["Job"]:
        """All jobs of this study in Slurm's accounting, in the order of their submission."""
        fields = "JobIDRaw,State,Partition,Timelimit,AllocTRES,Submit,End,Comment,WorkDir"
        rows = output_of("sacct", "--allocations", "--parsable2", "--noheader", f"--format={fields}", "--starttime=now-2hours")
        jobs = [row.split("|") for row in rows.splitlines()]
        return [Job(*job[:-1]) for job in sorted(jobs, key=lambda job: int(job[0])) if job[-1] == str(self.folder)]

    def states(self, name: str) -> list[str]:
        """How the attempts at a job ended, first to last; of one that has not, the accounting does not know the name."""
        return [job.state.split()[0] for job in self.jobs() if job.name == name]

    def running(self, name: str) -> str | None:
        """The number of the job of this name that is running now."""
        rows = output_of("squeue", "--noheader", "--states=RUNNING", "--format=%i|%Z|%k").splitlines()
        here = [row.split("|") for row in rows if row.split("|")[1] == str(self.folder)]
        found = [number for number, _, comment in here if name_of(comment) == name]
        return found[0] if found else None


def name_of(comment: str) -> str:
    """rule:wildcards, from the comment that the plugin gives a job."""
    return comment.removeprefix("rule_").replace("_wildcards_", ":", 1)


@dataclass(frozen=True)
class Job:
    """A job in Slurm's accounting."""

    number: str
    state: str
    partition: str
    limit: str
    allocated: str
    submitted: str
    ended: str
    comment: str

    @property
    def name(self) -> str:
        return name_of(self.comment)

    @property
    def rule(self) -> str:
        return self.name.partition(":")[0]

    @property
    def resources(self) -> dict[str, str]:
        return dict(pair.split("=") for pair in self.allocated.split(","))

    @property
    def memory(self) -> float:
        """In MiB, on all nodes together."""
        size = self.resources["mem"]
        return float(size[:-1]) * {"M": 1, "G": 1024}[size[-1]]
