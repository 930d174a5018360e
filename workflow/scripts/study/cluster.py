"""Before a run submits its first job to Slurm: are account and cache there, and are jobs of an earlier run still in the queue?"""

import getpass
import os
import shlex
import subprocess
import sys
import time
from typing import Any

SECONDS_BETWEEN_LOOKS = 15


def prepare(workflow: Any) -> None:
    """What is to be done when Snakemake starts its jobs with Slurm: stop with one sentence, or wait, or nothing.

    Args:
        workflow: Snakemake's, with its plan.
    """
    if workflow.local_exec:
        return
    notice_cancelled_jobs()
    planned = list(workflow.dag.needrun_jobs())
    if any(job.rule.name in ("download_model", "download_checkpoint") for job in planned):
        require_cache()
    jobs = [job for job in planned if not job.is_local]
    require_account({str(job.resources.get("slurm_account") or "") for job in jobs} - {""})
    names = {slurm_name(job.rule.name, job.wildcards) for job in jobs}
    if wait_for_earlier_jobs(names):
        # What is there now was not when this run was planned: plan anew, with the same command.
        workflow.persistence.unlock()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def require_cache() -> None:
    """End with one sentence where models would be downloaded into the home folder, which on a cluster is small."""
    if not (os.environ.get("HF_HOME") or os.environ.get("HF_HUB_CACHE")):
        sys.exit(
            "HF_HOME is not set, so the models would be downloaded into your home folder. Name a folder that has room for them and that"
            " all nodes see, e.g. `export HF_HOME=/scratch/<project>/huggingface`, and start again."
        )


def require_account(accounts: set[str]) -> None:
    """End with one sentence where Slurm's account comes from a variable that is not set, or is none of the user's."""
    for account in accounts:
        if account.startswith("$"):
            sys.exit(f"{account} is not set. Give the Slurm account that pays, `export {account[1:]}=…`, and start again.")
    command = f"sacctmgr --noheader --parsable2 show associations user={getpass.getuser()} format=account"
    known = set(ask_slurm(command))
    if known and (unknown := accounts - known):
        sys.exit(
            f"Slurm has no account {', '.join(sorted(unknown))} for you, only {', '.join(sorted(known))}. Give one of them in the"
            " variable SBATCH_ACCOUNT, or as slurm_account in the profile, and start again."
        )


def wait_for_earlier_jobs(names: set[str]) -> bool:
    """Wait until no job with one of these names, submitted from this folder, is in the queue; tell whether any was.

    Snakemake that was killed leaves its jobs behind. They go on, but the next Snakemake does not know of them and would submit the same
    jobs beside them.
    """
    waited = False
    while jobs := earlier_jobs(names):
        if not waited:
            print(
                f"{len(jobs)} jobs of an earlier run are still in Slurm's queue. This run goes on when they have ended, so that nothing"
                f" is done twice. To give them up instead, in another terminal: scancel {' '.join(jobs)}",
                file=sys.stderr,
                flush=True,
            )
        waited = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return waited


def earlier_jobs(names: set[str]) -> list[str]:
    """The numbers of the jobs in the queue that were submitted from this folder and have one of these names."""
    here = os.path.realpath(".")
    rows = (row.split("|", 2) for row in ask_slurm(f"squeue --noheader --user={getpass.getuser()} --format=%i|%Z|%k"))
    return [number for number, folder, comment in rows if os.path.realpath(folder) == here and comment in names]


def notice_cancelled_jobs() -> None:
    """Let Snakemake's plugin see that a job was cancelled.

    It compares states with CANCELLED, but `sacct` says who did it, too, as in "CANCELLED by 1000", so that the plugin (2.8.0) takes the
    job for running and waits for it for ever.
    """
    import snakemake_executor_plugin_slurm  # here, because only the driver needs it and it is slow to import

    query = snakemake_executor_plugin_slurm.query_job_status

    async def query_plain_states(*arguments: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(*arguments)
        return states and {number: state.split()[0] for number, state in states.items()}, seconds

    snakemake_executor_plugin_slurm.query_job_status = query_plain_states


def slurm_name(rule: str, wildcards: list[str]) -> str:
    """The comment by which Snakemake's plugin marks a job in Slurm."""
    name = f"rule_{rule}"
    return f"{name}_wildcards_{'_'.join(wildcards).replace('/', '_')}" if wildcards else name


def ask_slurm(command: str) -> list[str]:
    """The lines that one of Slurm's commands prints; none where it is missing or fails, which the submission then reports."""
    try:
        return subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
