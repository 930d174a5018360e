"""Say what a Snakemake command would run and what that costs, without running it.

Everything that is not an option of this script goes to Snakemake: profile, targets, configuration. The plan is that of its
dry-run. Times come from study/costs.py and the profile's machine.yaml, and from the usage files of finished jobs: a job's own
time is `measured`; that of one like it is `scaled`, its estimate times measured over estimated of those that have run; the rest is
`estimate`. Hours to wait in a queue are not known and not counted.

Example:
    python workflow/scripts/audit.py --profile profiles/lumi all
    python workflow/scripts/audit.py --budget 100 --output audit --profile profiles/lumi results/paper/figures/figure2.pdf
"""

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

from study.costs import (
    PUBLISHED_TRAINING,
    Bill,
    Estimate,
    Job,
    Machine,
    bill,
    estimate,
    longest_chain,
    schedule,
    shape,
    training_gpu_hours,
)
from study.experiment import MIXED, Cell, Experiment
from study.files import UserError, atomic, run_script

Table = list[dict[str, Any]]
STATES = {"done": "#", "pending": "o", "not asked for": "-", "not applicable": " "}


@dataclass(frozen=True)
class Plan:
    """What Snakemake would do: its jobs, the experiment, and how many jobs run at once (`remote` None: all on `cores` here)."""

    jobs: list[Job]
    experiment: Experiment
    remote: int | None
    cores: int
    machine: Path


def read_plan(arguments: list[str]) -> Plan:
    """The plan of Snakemake's dry-run with the arguments of its command line.

    Snakemake's own command runs in this process, so that profiles mean what they always mean; its workflow is picked up when the
    dry-run has ended, because no output of Snakemake's lists the finished jobs and the dependencies too.

    Raises:
        UserError: if Snakemake finds something wrong, which it has then said itself.
    """
    from snakemake.api import DAGApi
    from snakemake.cli import args_to_api, parse_args

    parser, args = parse_args([*arguments, "--dry-run", "--nolock"])
    on_cluster = args.executor not in (None, "local", "dryrun")
    here = (args.local_cores if on_cluster else args.cores) or 1
    if on_cluster:
        args.cores = 1_000_000  # a dry-run is local and would cut the jobs' threads to the cores of this machine
    planned = []
    execute = DAGApi.execute_workflow

    def keep(api: DAGApi, *positional: Any, **named: Any) -> None:
        execute(api, *positional, **named)
        planned.append(api.workflow_api._workflow)

    said = io.StringIO()
    with patch.object(DAGApi, "execute_workflow", keep), redirect_stdout(said):
        args_to_api(args, parser)
    if not planned:
        print(said.getvalue(), file=sys.stderr)
        raise UserError("Snakemake can't plan this; its message stands above.")
    workflow = planned[0]
    dag = workflow.dag
    everything = list(dag.jobs)
    numbers = {job: number for number, job in enumerate(everything)}
    alike = Counter((job.rule.name, job.wildcards.get("language")) for job in everything)
    jobs = [
        Job(
            rule=job.rule.name,
            wildcards=dict(job.wildcards.items()),
            pending=dag.needrun(job),
            local=job.rule.name in workflow._localrules,  # job.is_local is true of all jobs in a dry-run
            threads=job.threads,
            resources=dict(job.resources.items()),
            needs=[numbers[need] for need in dag.dependencies[job]],
            outputs=list(map(str, job.output)),
            temporary=bool(job.temp_output),
            usage=str(job.benchmark) if job.benchmark else None,
            share=1 / alike[job.rule.name, job.wildcards.get("language")],
        )
        for job in everything
    ]
    profile = Path(args.profile[-1] if args.profile else "profiles/laptop")
    return Plan(
        jobs,
        Experiment(workflow.globals["config"]),
        args.jobs if on_cluster else None,
        here,
        (profile.parent if profile.is_file() else profile) / "machine.yaml",
    )


# Times ----------------------------------------------------------------------------------------------------------------


def measured_seconds(path: str | None) -> float | None:
    """What a finished job took: the mean of its usage file's column `s`; None if there is no such file."""
    if path is None or not Path(path).is_file():
        return None
    with open(path, encoding="utf-8", newline="") as stream:
        times = [float(row["s"]) for row in csv.DictReader(stream, delimiter="\t")]
    return sum(times) / len(times) if times else None


def family(job: Job) -> str:
    """What jobs are compared with each other: those whose usage files lie in one folder."""
    if not job.usage:
        return job.rule
    parts = Path(job.usage).parts
    return Path(parts[parts.index("usage") + 1]).stem


def times(jobs: list[Job], estimates: list[Estimate]) -> list[tuple[float, str]]:
    """Seconds of each job, and whether they are `measured`, `scaled` or an `estimate`."""
    measured = [measured_seconds(job.usage) for job in jobs]
    took: dict[str, list[float]] = {}
    for job, seconds, guess in zip(jobs, measured, estimates, strict=True):
        if seconds is not None:
            total = took.setdefault(family(job), [0.0, 0.0])
            total[0] += seconds
            total[1] += guess.seconds
    found = []
    for job, seconds, guess in zip(jobs, measured, estimates, strict=True):
        if seconds is not None:
            found.append((seconds, "measured"))
        elif family(job) in took and guess.seconds:
            total = took[family(job)]
            found.append((guess.seconds * total[0] / total[1], "scaled"))
        else:
            found.append((guess.seconds, "estimate"))
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


def job_table(plan: Plan, machine: Machine) -> Table:
    """A row for each job with what it is billed."""
    estimates = [estimate(job, plan.experiment, machine) for job in plan.jobs]
    rows = []
    for job, guess, (seconds, source) in zip(plan.jobs, estimates, times(plan.jobs, estimates), strict=True):
        billed: Bill = bill(job, seconds, machine)
        rows.append(
            {
                "rule": job.rule,
                "wildcards": " ".join(f"{name}={value}" for name, value in job.wildcards.items()),
                "state": "pending" if job.pending else "done",
                "where": "here" if job.local or plan.remote is None else job.resources.get("slurm_partition", ""),
                "gpus": 0 if job.local else job.gpus,
                "cores": job.threads if job.local else job.cores,
                "memory_mb": "" if job.local else job.resources.get("mem_mb", ""),
                "limit_minutes": "" if job.local else job.resources.get("runtime", ""),
                "seconds": round(seconds, 2),
                "time": source,
                "estimated_seconds": round(guess.seconds, 2),
                "gpu_hours": billed.gpu_hours,
                "cpu_hours": billed.cpu_hours,
                "node_hours": billed.node_hours,
                "download_bytes": round(guess.download),
                "disk_bytes": round(guess.disk),
                "usage": job.usage or "",
            }
        )
    return rows


def rule_table(rows: Table) -> Table:
    """A row for each rule, numbered rules (batches of a sweep) together, and last the total. Hours are those of pending jobs."""
    groups: dict[str, Table] = {}
    for row in rows:
        head, _, tail = row["rule"].rpartition("_")
        groups.setdefault(f"{head}_*" if head and tail.isdigit() else row["rule"], []).append(row)
    return [*(_sum(name, members) for name, members in groups.items()), _sum("total", rows)]


def _sum(name: str, rows: Table) -> dict[str, Any]:
    pending = [row for row in rows if row["state"] == "pending"]
    done = [row for row in rows if row["state"] == "done"]
    measured = [row["seconds"] for row in done if row["time"] == "measured"]
    return {
        "rule": name,
        "pending": len(pending),
        "done": len(done),
        "gpu_hours": sum(row["gpu_hours"] for row in pending),
        "cpu_hours": sum(row["cpu_hours"] for row in pending),
        "node_hours": sum(row["node_hours"] for row in pending),
        "longest_minutes": max((row["seconds"] for row in pending), default=0.0) / 60,
        "limit_minutes": max((row["limit_minutes"] for row in pending if row["limit_minutes"] != ""), default=""),
        "download_gb": sum(row["download_bytes"] for row in pending) / 1e9,
        "time": " + ".join(sorted({row["time"] for row in pending})),
        "measured_jobs": len(measured),
        "measured_seconds": sum(measured),
    }


def coverage(plan: Plan) -> Table:
    """The state of every score: a row for each model, benchmark and language of the study."""
    experiment = plan.experiment
    planned = {path: job.pending for job in plan.jobs for path in job.outputs}
    cells = set(experiment.all_cells())
    models = dict.fromkeys([*experiment.multilingual, *experiment.experts, *(cell.model for cell in sorted(cells))])
    rows = []
    for model in models:
        for benchmark in experiment.benchmarks:
            for language in experiment.languages:
                cell = Cell(model, benchmark, language)
                path = experiment.score(cell)
                if cell not in cells:
                    state = "not applicable"
                elif path in planned:
                    state = "pending" if planned[path] else "done"
                else:
                    state = "done" if Path(path).is_file() else "not asked for"
                rows.append({"model": model, "benchmark": benchmark, "language": language, "state": state})
    return rows


def summary(plan: Plan, machine: Machine, rows: Table) -> list[tuple[str, str]]:
    """The totals in words: what they are, and how much."""
    seconds = [row["seconds"] for row in rows]
    wall, peak = schedule(plan.jobs, seconds, [row["disk_bytes"] for row in rows], plan.remote, plan.cores)
    total = _sum("total", rows)
    measured = [row for row in rows if row["state"] == "done" and row["time"] == "measured"]
    limit = f"{plan.remote} jobs at once, {plan.cores} cores here" if plan.remote else f"{plan.cores} cores"
    lines = [
        ("Jobs", f"{total['pending']:,} pending, {total['done']:,} done"),
        ("GPU-hours", f"{total['gpu_hours']:,.1f} pending, as billed"),
        ("CPU-hours", f"{total['cpu_hours']:,.1f} pending, of cores of jobs without a GPU"),
        ("Node-hours", f"{total['node_hours']:,.1f} pending, as billed" if machine.partitions else "–"),
        ("Longest chain", f"{_duration(longest_chain(plan.jobs, seconds))}: no number of machines is faster"),
        ("Wall time", f"{_duration(wall)} with {limit}, waiting in the queue not counted"),
        ("Download", f"{total['download_gb']:,.1f} GB"),
        ("Disk", f"{peak / 1e9:,.1f} GB at the peak of that schedule"),
        ("Energy", f"{_energy(machine, total['gpu_hours'], total['cpu_hours'])} ({machine.energy['grams_per_kwh']} g/kWh)"),
        ("Measured", f"{len(measured):,} of {total['done']:,} done jobs"),
    ]
    if measured:
        spent = [sum(row[hours] for row in measured) for hours in ("gpu_hours", "cpu_hours")]
        took = f"{_duration(total['measured_seconds'])} in all: {spent[0]:,.1f} GPU-hours, {spent[1]:,.1f} CPU-hours"
        lines.append(("They took", f"{took}, {_energy(machine, *spent)}"))
    if adopted := adopted_training(plan.experiment, machine):
        lines.append(("Not counted", adopted))
    return lines


def adopted_training(experiment: Experiment, machine: Machine) -> str:
    """What training the adopted models took, which no job here repeats; the published figure checks the arithmetic."""
    models = experiment.config["models"]
    blocks = [*[models["experts"]] * len(experiment.experts), models[MIXED]]
    tokens = [block["tokens"] for block in blocks if "hub" in block and block.get("tokens")]
    if not tokens:
        return ""
    model = shape(experiment)
    hours = [training_gpu_hours(model, number, model["context"], machine) for number in tokens]
    co2 = machine.co2_kg(machine.energy_kwh(hours[-1], 0))
    published = PUBLISHED_TRAINING
    return (
        f"training the {len(hours)} adopted models, {sum(hours):,.0f} GPU-hours: {hours[-1]:,.0f} and {co2:,.0f} kg CO2 for one"
        f" (the paper: {published['gpu_hours']:,} and {published['co2_kg']} kg)"
    )


def _energy(machine: Machine, gpu_hours: float, cpu_hours: float) -> str:
    kwh = machine.energy_kwh(gpu_hours, cpu_hours)
    return " ".join(
        f"{x:,.0f} {unit}" if x >= 10 else f"{x:.2g} {unit}" for x, unit in ((kwh, "kWh,"), (machine.co2_kg(kwh), "kg CO2"))
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# Output ---------------------------------------------------------------------------------------------------------------

COLUMNS = {
    "rule": ("rule", ""),
    "pending": ("pending", ",d"),
    "done": ("done", ",d"),
    "gpu_hours": ("GPU-h", ",.1f"),
    "cpu_hours": ("CPU-h", ",.1f"),
    "node_hours": ("node-h", ",.2f"),
    "longest_minutes": ("longest, min", ",.1f"),
    "limit_minutes": ("limit, min", ""),
    "download_gb": ("download, GB", ",.1f"),
    "time": ("time from", ""),
    "measured_jobs": ("measured", ",d"),
    "measured_seconds": ("took, s", ",.0f"),
}


def shown(rules: Table) -> list[list[str]]:
    """The table of rules as text, a heading first; zeros are left out, for what matters to stand out."""
    body = [[format(row[key], form) if row[key] else "" for key, (_, form) in COLUMNS.items()] for row in rules]
    return [[title for title, _ in COLUMNS.values()], *body]


def aligned(lines: list[list[str]]) -> str:
    """Columns for a terminal: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = [list(COLUMNS).index("rule"), list(COLUMNS).index("time")]
    return "\n".join(
        "  ".join(c.ljust(w) if i in words else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )


def grid(rows: Table, experiment: Experiment) -> list[list[str]]:
    """The coverage by model and benchmark, a sign for each language; sweeps (pairs, nested merges, steps) a line each."""
    states: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        states.setdefault(row["model"], {}).setdefault(row["benchmark"], []).append(row["state"])
    sweeps: dict[str, dict[str, list[str]]] = {}
    lines = [["", *experiment.benchmarks]]
    for model, benchmarks in states.items():
        if model in experiment.multilingual or model in experiment.experts:
            lines.append([model, *("".join(STATES[state] for state in found) for found in benchmarks.values())])
        else:
            name = f"{model.partition('@')[0]}@*" if "@" in model else f"{model.partition('-')[0]}-*"
            for benchmark, found in benchmarks.items():
                sweeps.setdefault(name, {}).setdefault(benchmark, []).extend(found)
    for name, benchmarks in sweeps.items():
        counts = [[state for state in found if state != "not applicable"] for found in benchmarks.values()]
        lines.append([name, *(f"{found.count('done')}/{len(found)}" if found else "" for found in counts)])
    return lines


STYLE = """
body {font: 14px sans-serif}
td {padding: 2px 10px; font-family: monospace; white-space: pre}
.rules td {text-align: right}
.rules td:first-child {text-align: left}
.rules tr:first-child, .scores tr:first-child {font-weight: bold}
"""


def as_html(title: str, lines: Iterable[Iterable[str]], style: str) -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>\n" for line in lines)
    return f"<h2>{escape(title)}</h2>\n<table class='{style}'>\n{body}</table>\n"


def write_csv(path: Path, rows: Table) -> None:
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--budget", type=float, help="end with an error if more GPU-hours than this are pending")
    parser.add_argument("--machine", type=Path, help="what hours cost (default: machine.yaml of the profile)")
    parser.add_argument("--output", type=Path, help="folder for jobs.csv, rules.csv, coverage.csv and audit.html")
    args, arguments = parser.parse_known_args(argv)

    plan = read_plan(arguments)
    machine = Machine.read(args.machine or plan.machine)
    jobs = job_table(plan, machine)
    rules, cells = rule_table(jobs), coverage(plan)
    totals, lines = summary(plan, machine, jobs), grid(cells, plan.experiment)
    key = f"{' '.join(plan.experiment.languages)}.  # done, o pending, - not asked for; sweeps: done/all."
    print(aligned(shown(rules)))
    print("\n" + "\n".join(f"{name:<14}{text}" for name, text in totals))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\nScores in {key}")
    print("\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines))
    if args.output:
        write_csv(args.output / "jobs.csv", jobs)
        write_csv(args.output / "rules.csv", rules)
        write_csv(args.output / "coverage.csv", cells)
        with atomic(args.output / "audit.html") as temporary:
            temporary.write_text(
                f"<!doctype html>\n<meta charset='utf-8'>\n<title>Compute</title>\n<style>{STYLE}</style>\n"
                + as_html("In total", totals, "totals")
                + as_html("By rule", shown(rules), "rules")
                + as_html(f"Scores in {key}", lines, "scores"),
                encoding="utf-8",
            )
    pending = rules[-1]["gpu_hours"]
    if args.budget is not None and pending > args.budget:
        raise UserError(f"{pending:,.1f} GPU-hours are pending, more than the budget of {args.budget:,.1f}.")


if __name__ == "__main__":
    run_script(main)
