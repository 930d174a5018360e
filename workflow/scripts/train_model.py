"""Pre-train one model with transformers, from the shared initialisation, on equal parts of one or more token streams.

Progress is kept in the folder --state, which survives a kill; the same command then goes on from the last complete checkpoint.

Example:
    python workflow/scripts/train_model.py --initial results/laptop/models/untrained \\
        --tokens results/laptop/data/tokens/deu.npy --recipe '{"steps": 1000, …}' --seed 1 \\
        --state results/laptop/training/mono-deu --output results/laptop/models/mono-deu
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from study.files import read_json, run_script
from study.models import MANIFEST, load_model, save_model, sha256, use_cpu
from study.training import Batches, State, identity, recipe_from, refuse_again, set_weights, train, warned


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--initial", type=Path, required=True, help="model directory to start from")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="token streams, .npy")
    parser.add_argument("--recipe", type=json.loads, required=True, help="the experiment file's training section as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for what is needed to resume")
    parser.add_argument("--output", type=Path, required=True, help="model directory; kept steps go to OUTPUT@STEP")
    parser.add_argument("--attempt", type=int, default=1, help="number of this attempt in the run of the workflow")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args(argv)

    refuse_again(args.state, args.attempt)
    use_cpu(args.threads)
    recipe = recipe_from(args.recipe)
    initial = read_json(args.initial / MANIFEST)
    state = State(args.state, identity(recipe, args.seed, initial["sha256"], [sha256(path) for path in args.tokens]))
    model = load_model(args.initial).to(args.device)
    batches = Batches([np.load(path, mmap_mode="r") for path in args.tokens], recipe, args.seed)
    print(f"training {args.output.name}: {recipe.steps} steps, {recipe.tokens:,} tokens", file=sys.stderr)
    with warned() as stop:
        train(model, batches, recipe, state, lambda line: print(f"{args.output.name}  {line}", file=sys.stderr, flush=True), stop)

    for step in sorted({*recipe.save_steps, recipe.steps}):
        set_weights(model, state.weights(step))
        directory = args.output if step == recipe.steps else args.output.with_name(f"{args.output.name}@{step}")
        manifest = {
            "parents": [{"model": initial["model"], "sha256": initial["sha256"]}],
            "recipe": args.recipe,
            "seed": args.seed,
            "step": step,
            "tokens": step * recipe.batch_size * recipe.sequence_length,
        }
        save_model(model.cpu(), args.initial, directory, manifest)
    state.remove()


if __name__ == "__main__":
    run_script(main)
