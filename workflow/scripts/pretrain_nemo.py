"""Pre-train one model with NeMo on Megatron datasets, from the shared initialisation; runs in the environment of envs/nemo.txt.

Start one process per GPU, each with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in its environment (launch.sh, torchrun);
without them a single process trains alone. The folder --state survives a kill or the end of a job's time; the same command then
goes on from the last complete checkpoint.

Example:
    python workflow/scripts/pretrain_nemo.py --initial results/paper/models/untrained \\
        --tokens results/paper/data/megatron/deu.json --recipe '{"steps": 47684, …}' --seed 1 \\
        --state results/paper/training/mono-deu --output results/paper/models/mono-deu
"""

import argparse
import json
import os
import socket
import sys
from pathlib import Path

from study.files import UserError, read_json, run_script
from study.megatron import State, blend_of, plan_of
from study.models import MANIFEST, WEIGHTS, sha256, write_manifest
from study.training import hopeless, identity, refuse_again

ALONE = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}


def place() -> dict[str, int]:
    """This process's place among all, from the environment; alone if that says nothing.

    Raises:
        UserError: if it says only a part.
    """
    if "WORLD_SIZE" not in os.environ:
        with socket.socket() as free:
            free.bind((ALONE["MASTER_ADDR"], 0))
            os.environ.update(ALONE | {"MASTER_PORT": str(free.getsockname()[1])})
    if missing := [name for name in (*ALONE, "MASTER_PORT") if name not in os.environ]:
        raise UserError(f"{', '.join(missing)} not set beside WORLD_SIZE; start the processes with launch.sh or torchrun.")
    world = int(os.environ["WORLD_SIZE"])
    # On each node: torchrun says it, or Slurm does; else all are on this one.
    here = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or world
    return {"rank": int(os.environ["RANK"]), "processes": world, "processes_per_node": min(int(here), world)}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--initial", type=Path, required=True, help="model directory to start from")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="one .json of Megatron datasets per language")
    parser.add_argument("--recipe", type=json.loads, required=True, help="the experiment file's training section as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for what is needed to resume")
    parser.add_argument("--stop-at", type=int, help="end after this kept step; default: the last")
    parser.add_argument("--output", type=Path, required=True, help="model directory; kept steps go to OUTPUT@STEP")
    parser.add_argument("--attempt", type=int, default=1, help="number of this attempt in the run of the workflow")
    args = parser.parse_args(argv)

    here = place()
    first = here["rank"] == 0
    # What stops a training is looked for by every process: one that went on alone would wait for the others.
    if first or args.attempt > 1:
        refuse_again(args.state, args.attempt)
    initial = read_json(args.initial / MANIFEST)
    try:
        plan = plan_of(args.recipe, args.initial, here["processes"])
        stop_at = args.stop_at or plan.recipe.steps
        if stop_at not in plan.kept:
            raise UserError(f"--stop-at {stop_at} is neither in training.save_steps nor the last step.")
        state, blend = State(args.state, args.output, plan.recipe.steps), blend_of(args.tokens)
        run = identity(plan.recipe, args.seed, initial["sha256"], [sha256(path) for path in args.tokens])
        state.claim(run | {"precision": plan.precision}, write=first)
    except UserError as error:
        raise hopeless(args.state, str(error)) if first else error from None
    if first:
        print(f"{args.output.name}: {plan}; from step {state.last()} to {stop_at}", file=sys.stderr, flush=True)
    if state.last() < stop_at:
        from study.nemo import pretrain

        pretrain(plan, blend, args.initial, state, args.seed, stop_at, here["processes_per_node"])

    if first:
        for step in (step for step in plan.kept if step <= stop_at):
            directory = state.kept(step)
            if not (directory / WEIGHTS).is_file():
                raise UserError(f"{directory} has lost its weights; delete {args.state} to train anew.")
            if (directory / MANIFEST).is_file():
                continue  # of an earlier job
            manifest = {
                "parents": [{"model": initial["model"], "sha256": initial["sha256"]}],
                "parameters": plan.architecture.parameters,
                "recipe": args.recipe,
                "seed": args.seed,
                "step": step,
                "tokens": step * plan.tokens_per_step,
            }
            write_manifest(directory, manifest)
        if stop_at == plan.recipe.steps:
            state.finish()


if __name__ == "__main__":
    run_script(main)
