"""Pre-train one model with NeMo on Megatron datasets, from the shared initialisation; runs in the environment of envs/nemo.txt.

Start one process per GPU, each with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in its environment (launch.sh, torchrun);
without them a single process trains alone. The folder --state survives a kill or the end of a job's time; the same command then
goes on from the last complete checkpoint.

Example:
    python workflow/scripts/pretrain_nemo.py --initial results/paper/models/untrained \\
        --tokens results/paper/data/megatron/deu.json --recipe '{"steps": 47684, …}' --seed 1 \\
        --state results/paper/training/mono-deu --output results/paper/models/mono-deu
"""

import os
import socket
import sys

from study.files import UserError, read_json, run_script
from study.megatron import State, blend_of, plan_of
from study.models import MANIFEST, WEIGHTS, sha256, write_manifest
from study.training import hopeless, identity, model_directory, origin, refuse_again, trainer_arguments

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
    args = trainer_arguments(__doc__).parse_args(argv)

    here = place()
    first = here["rank"] == 0
    # What stops a training is looked for by every process: one that went on alone would wait for the others.
    if first or args.attempt > 1:
        refuse_again(args.state, args.attempt)
    initial = read_json(args.initial / MANIFEST)
    try:
        plan = plan_of(args.recipe, args.initial, here["processes"])
        recipe, state, blend = plan.recipe, State(args.state), blend_of(args.tokens)
        run = identity(recipe, args.seed, initial["sha256"], [sha256(path) for path in args.tokens])
        state.claim(run | {"precision": plan.precision}, write=first)
    except UserError as error:
        raise hopeless(args.state, str(error)) if first else error from None
    if first:
        print(f"{args.output.name}: {plan}; from step {state.last()}", file=sys.stderr, flush=True)
    if state.last() < recipe.steps:
        from study.nemo import pretrain

        pretrain(plan, blend, args.initial, args.output, state, args.seed, here["processes_per_node"])

    if first:
        for step in recipe.kept:
            directory = model_directory(args.output, recipe, step)
            if not (directory / WEIGHTS).is_file():
                raise UserError(f"{directory} has lost its weights; delete {args.state} to train anew.")
            size = {"parameters": plan.architecture.parameters}
            write_manifest(directory, size | origin(args.recipe, initial, args.seed, step))
        state.finish(recipe.steps)


if __name__ == "__main__":
    run_script(main)
