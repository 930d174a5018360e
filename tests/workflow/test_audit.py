"""The audit beside Snakemake's own dry-run: fresh clone, single target, finished study, budget."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Project


def audit(project: Project, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "workflow/scripts/audit.py", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "SBATCH_ACCOUNT"}
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, env=environment)


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / f"{name}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> tuple[Project, Path]:
    """A fresh clone with the paper's experiment, and the audit of all of it on LUMI."""
    project = Project(tmp_path_factory.mktemp("paper") / "project")
    result = audit(project, "--profile", "profiles/lumi", "--output", "audit", "all")
    assert result.returncode == 0, result.stderr
    assert "SBATCH_ACCOUNT" not in result.stdout + result.stderr
    return project, project.folder / "audit"


def pending_by_rule(jobs: list[dict[str, str]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for job in jobs:
        if job["state"] == "pending":
            counts[job["rule"]] = counts.get(job["rule"], 0) + 1
    return counts


def test_the_jobs_are_those_of_the_dry_run_and_the_totals_their_sum(paper):
    project, folder = paper
    jobs, rules = table(folder, "jobs"), table(folder, "rules")
    assert pending_by_rule(jobs) == project.pending("all", profile="profiles/lumi")
    assert rules[-1]["rule"] == "total" and int(rules[-1]["pending"]) == len(jobs)
    for hours in ("gpu_hours", "cpu_hours", "node_hours"):
        total = sum(float(job[hours]) for job in jobs)
        assert float(rules[-1][hours]) == pytest.approx(total) and total > 0
        assert sum(float(rule[hours]) for rule in rules[:-1]) == pytest.approx(total)


def test_each_kind_of_job_asks_for_its_partition(paper):
    jobs = table(paper[1], "jobs")
    for job in jobs:
        if job["rule"].startswith(("score_", "extract_")):
            expected = ("small-g", "1", "7", "60000")
        elif job["rule"].startswith("merge_"):
            expected = ("small", "0", "16", "32000")
        elif job["rule"].startswith(("compute_", "compare_parameters", "measure_n")):
            expected = ("small", "0", job["cores"], str(2000 * int(job["cores"])))
        else:
            expected = ("here", "0", job["cores"], "")
        assert (job["where"], job["gpus"], job["cores"], job["memory_mb"]) == expected, job["rule"]
        if job["where"] != "here":
            assert float(job["seconds"]) < 60 * float(job["limit_minutes"])


def test_every_score_is_pending_in_a_fresh_clone(paper):
    states = [cell["state"] for cell in table(paper[1], "coverage")]
    # Tables: 8 models and the experts on 9 + 10 + 10 + 9 + 10 cells; Figure 1: 47 steps x 2 x 9; 2: 9 x 9 + 8; 3: 81; Table 7: 1
    assert states.count("pending") == 8 * 48 + 48 + 47 * 18 + 9 * 9 + 8 + 81 + 1
    assert "done" not in states
    page = (paper[1] / "audit.html").read_text()
    assert "score_pairs_*" in page and "merged-linear@*" in page


def test_a_single_target_and_the_budget(paper):
    project, _ = paper
    target = "results/paper/figures/figure2.pdf"
    arguments = ("--profile", "profiles/lumi", target)
    result = audit(project, "--budget", "0.01", "--output", "figure2", *arguments)
    assert result.returncode == 1 and "more than the budget of 0.0" in result.stderr and "Traceback" not in result.stderr
    jobs = table(project.folder / "figure2", "jobs")
    assert pending_by_rule(jobs) == project.pending(target, profile="profiles/lumi")
    assert not any(job["rule"].startswith(("score_pairs", "score_steps", "merge", "tabulate")) for job in jobs)
    assert audit(project, "--budget", "1000", *arguments).returncode == 0


def test_a_study_without_an_account_stops_before_its_first_job(paper):
    project, _ = paper
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/lumi", "results/paper/scores/mixed/multiblimp/eng.json"]
    environment = {key: value for key, value in os.environ.items() if key != "SBATCH_ACCOUNT"}
    result = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, env=environment)
    said = result.stdout + result.stderr
    assert result.returncode == 1 and said.count("$SBATCH_ACCOUNT is not set") == 1
    assert "Traceback" not in said and not (project.folder / "results").exists()


def test_the_generic_profile_plans_the_same_jobs(paper):
    project, folder = paper
    assert project.pending("all", profile="profiles/slurm") == pending_by_rule(table(folder, "jobs"))


def test_what_snakemake_refuses_is_said(paper):
    result = audit(paper[0], "--profile", "profiles/lumi", "results/paper/figures/figure9.pdf")
    assert result.returncode == 1 and "figure9.pdf" in result.stderr and "Traceback" not in result.stderr


def test_lines_of_the_profiles_have_reasons():
    for line in (ROOT / "profiles/lumi/machine.yaml").read_text().splitlines():
        if line.startswith("  ") and "{" not in line and not line.lstrip().startswith("#"):
            assert "#" in line or "grams_per_kwh" in line, line
    assert set(yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["set-resources"]) == set(
        yaml.safe_load((ROOT / "profiles/lumi/config.yaml").read_text())["set-resources"]
    )
