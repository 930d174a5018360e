"""The audit beside Snakemake's own dry-run: fresh clone, single target, finished study, budget."""

import copy
import csv
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, Project


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
    before = os.times()
    result = audit(project, "--profile", "profiles/lumi", "--output", "audit", "all")
    after = os.times()
    assert result.returncode == 0, result.stderr
    # Of a processor, not of the clock, for the machine may be busy with other things.
    assert after.children_user + after.children_system - before.children_user - before.children_system < 15
    assert "SBATCH_ACCOUNT" not in result.stdout + result.stderr
    return project, project.folder / "audit"


def seconds_used(file: Path) -> float:
    """The wall time in one of Snakemake's usage files: `s` in the line below the headings."""
    headings, values = (line.split("\t") for line in file.read_text().splitlines())
    return float(dict(zip(headings, values, strict=True))["s"])


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


def test_a_mixed_model_that_is_trained_here_costs_what_the_paper_says(tmp_path):
    project = Project(tmp_path / "project")
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    config["models"]["mixed"] = {"train": True}
    (project.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    target = "results/paper/models/mixed/model.json"
    assert audit(project, "--profile", "profiles/lumi", "--output", "audit", target).returncode == 0
    jobs = table(project.folder / "audit", "jobs")
    assert pending_by_rule(jobs) == project.pending(target, profile="profiles/lumi")
    [training] = [job for job in jobs if job["rule"] == "pretrain_mixed"]
    assert (training["where"], training["gpus"], training["cores"]) == ("standard-g", "128", str(16 * 56))
    assert float(training["gpu_hours"]) == pytest.approx(3000, rel=0.2)


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


def test_after_a_study_nothing_is_pending_and_the_measured_times_are_shown(finished_project):
    result = audit(finished_project, "--profile", "profiles/laptop", "--output", "audit", "all")
    assert result.returncode == 0, result.stderr
    folder = finished_project.folder / "audit"
    rules, jobs = table(folder, "rules"), table(folder, "jobs")
    assert rules[-1]["pending"] == "0" and pending_by_rule(jobs) == {}
    used = [seconds_used(file) for file in finished_project.results("usage").rglob("*.tsv")]
    assert int(rules[-1]["measured_jobs"]) == len(used) > 20
    assert float(rules[-1]["measured_seconds"]) == pytest.approx(sum(used), abs=0.01 * len(used))
    assert f"{len(used)} of {len(jobs)} done jobs" in result.stdout
    states = {cell["state"] for cell in table(folder, "coverage")}
    assert states == {"done", "not applicable"}


def test_the_report_has_a_page_of_it(finished_project):
    """Made by a job of the workflow, which plans the same workflow anew while it runs."""
    finished_project.snakemake("audit")
    rules = table(finished_project.results("audit"), "rules")
    assert rules[-1]["pending"] == "0" and int(rules[-1]["measured_jobs"]) > 20
    assert "audit" not in {rule["rule"] for rule in rules}
    page = finished_project.results("audit/audit.html").read_text()
    assert "0 pending" in page and "score_pairs_*" in page
    assert finished_project.pending("audit") == {}
    finished_project.snakemake("--report", "report.html", "all", "audit")
    assert "what the study took" in (finished_project.folder / "report.html").read_text()


def test_what_is_pending_takes_what_its_like_took(finished_project, tmp_path):
    """With one expert gone, its training is as long as that of the others was; what follows keeps its own time."""
    project = copy.copy(finished_project)
    project.folder = shutil.copytree(finished_project.folder, tmp_path / "project", symlinks=True)
    lost = project.results("usage/train_expert/fra.tsv")
    others = [seconds_used(file) for file in lost.parent.glob("*.tsv") if file != lost]
    lost.unlink()
    project.results("models/mono-fra/model.json").unlink()
    assert audit(project, "--profile", "profiles/laptop", "--output", "audit", "all", "models").returncode == 0
    jobs, rules = table(project.folder / "audit", "jobs"), table(project.folder / "audit", "rules")
    assert pending_by_rule(jobs) == project.pending("all", "models")
    [training] = [job for job in jobs if job["rule"] == "train_expert" and job["state"] == "pending"]
    assert training["time"] == "scaled" and float(training["seconds"]) == pytest.approx(sum(others) / len(others), abs=0.01)
    usage = project.results("usage/score_all_experts/fra.tsv")
    [scoring] = [job for job in jobs if job["usage"] == str(usage.relative_to(project.folder))]
    assert scoring["state"] == "pending" and scoring["time"] == "measured"
    assert float(scoring["seconds"]) == pytest.approx(seconds_used(usage), abs=0.01)
    pending = [job for job in jobs if job["state"] == "pending"]
    assert float(rules[-1]["cpu_hours"]) == pytest.approx(sum(float(job["cpu_hours"]) for job in pending))


LAPTOP_USAGE = ROOT / "tests/data/laptop_usage.csv"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("laptop") / "project")


@pytest.mark.parametrize("half", ["none", "first", "random", "other"])
def test_half_of_a_study_tells_what_the_rest_takes(laptop, half):
    """Estimated and measured time of each rule, within a factor of two: from none of its jobs, the first half, and random halves.

    The measured times are those of a whole run of the study in miniature with seed 3 on two CPU cores, in the order in which its jobs
    ended. From none: the numbers of profiles/laptop/machine.yaml fit such a machine, which the halves do not depend on.
    """
    with open(LAPTOP_USAGE, encoding="utf-8", newline="") as stream:
        measured = {row["file"]: float(row["s"]) for row in csv.DictReader(stream)}
    order = random.Random(half).sample(list(measured), len(measured)) if half in ("random", "other") else list(measured)
    families: dict[str, list[str]] = {}
    for file in order:
        families.setdefault(Path(file).parts[0], []).append(file)
    done = [] if half == "none" else [file for files in families.values() for file in files[: len(files) // 2]]
    shutil.rmtree(laptop.folder / "results", ignore_errors=True)
    for file in done:
        path = laptop.folder / "results/laptop/usage" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{measured[file]}\t-\n")
    assert audit(laptop, "--profile", "profiles/laptop", "--output", "audit", "all").returncode == 0
    jobs = {row["usage"].removeprefix("results/laptop/usage/"): row for row in table(laptop.folder / "audit", "jobs")}
    assert set(measured) <= set(jobs)
    for name, files in families.items():
        rest = [file for file in files if file not in done]
        assert {jobs[file]["time"] for file in rest} == {"scaled" if len(rest) < len(files) else "estimate"}
        ratio = sum(float(jobs[file]["seconds"]) for file in rest) / sum(measured[file] for file in rest)
        assert 1 / 2 < ratio < 2, (name, ratio)


def test_a_study_without_an_account_stops_before_its_first_job(paper):
    project, _ = paper
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/lumi", "results/paper/scores/mixed/multiblimp/eng.json"]
    environment = {key: value for key, value in os.environ.items() if key != "SBATCH_ACCOUNT"} | {"HF_HOME": str(project.folder)}
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
