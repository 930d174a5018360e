"""Merge models with mergekit.

Example:
    python workflow/scripts/merge_models.py --method '{"merge_method": "ties", "model_parameters": {"weight": 0.1,
        "density": 0.75}}' --models results/laptop/models/mono-{deu,eng} --base results/laptop/models/untrained \\
        --dtype float32 --seed 1 --output results/laptop/models/merged-ties
"""

import argparse
import json
from pathlib import Path

from study.files import run_script
from study.merging import merge
from study.models import use_cpu


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", type=json.loads, required=True, help="a block of the experiment file's merging.methods")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    use_cpu(args.threads)
    merge(args.method, args.models, args.base, args.dtype, args.seed, args.output)


if __name__ == "__main__":
    run_script(main)
