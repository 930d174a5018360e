"""Pre-train one model with transformers, from the shared initialisation, on equal parts of one or more token streams.

Progress is kept in the folder --state, which survives a kill; the same command then goes on from the last complete checkpoint.

Example:
    python workflow/scripts/train_model.py --initial results/laptop/models/untrained \\
        --tokens results/laptop/data/tokens/deu.npy --recipe '{"steps": 1000, …}' --seed 1 \\
        --state results/laptop/training/mono-deu --output results/laptop/models/mono-deu
"""

import sys

import numpy as np

from study.files import read_json, run_script
from study.models import MANIFEST, load_model, save_model, sha256, use_cpu
from study.training import (
    Batches,
    State,
    identity,
    model_directory,
    origin,
    recipe_from,
    refuse_again,
    set_weights,
    train,
    trainer_arguments,
    warned,
)


def main(argv: list[str] | None = None) -> None:
    parser = trainer_arguments(__doc__)
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

    for step in recipe.kept:
        set_weights(model, state.weights(step))
        manifest = origin(args.recipe, initial, args.seed, step)
        save_model(model.cpu(), args.initial, model_directory(args.output, recipe, step), manifest)
    state.remove()


if __name__ == "__main__":
    run_script(main)
