"""Make merges one after the other, score each, and drop its weights: hundreds of merges never lie on the disk together.

Each merge is a JSON object: its name, the models it averages, and the cells to score. A merge of one model is that model itself,
which is scored as it is.

Example:
    python workflow/scripts/score_merges.py --merges '[{"name": "pair-deu+eng", "models": ["mono-deu", "mono-eng"],
        "method": {"merge_method": "linear", "model_parameters": {"weight": 0.5}},
        "cells": ["multiblimp/deu", "multiblimp/eng"]}]' --models results/laptop/models \\
        --data results/laptop/data/benchmarks --settings '{"multiblimp": {"shots": 0}}' \\
        --scores results/laptop/scores --items results/laptop/items
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from study.files import read_json, run_script
from study.merging import merge
from study.models import MANIFEST, use_cpu


def weights_of(directory: Path) -> dict[str, Any]:
    """All tensors of a model directory."""
    from safetensors.torch import load_file

    return {name: tensor for path in sorted(directory.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merges", type=json.loads, required=True, help="JSON list of {name, models, cells, method, base}")
    parser.add_argument("--models", type=Path, required=True, help="folder of model directories")
    parser.add_argument("--data", type=Path, required=True, help="folder of benchmarks")
    parser.add_argument("--settings", type=json.loads, required=True, help="the experiment file's evaluation.benchmarks as JSON")
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--items", type=Path, required=True)
    parser.add_argument("--dtype", default="float32", help="of the evaluation")
    parser.add_argument("--merge-dtype", default="float32")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    from study.scoring import Scorer, write_result

    use_cpu(args.threads)
    scorer = None
    for number, task in enumerate(args.merges, 1):
        start = time.monotonic()
        parents = [args.models / name for name in task["models"]]
        with tempfile.TemporaryDirectory(prefix=f"{task['name']}-") as folder:
            directory = parents[0]
            if len(parents) > 1:
                directory = Path(folder, task["name"])
                base = args.models / task["base"] if task.get("base") else None
                merge(task["method"], parents, base, args.merge_dtype, args.seed, directory)
            if scorer is None:
                scorer = Scorer.load(
                    directory, args.data, args.settings, args.dtype, args.device, batch_size=args.batch_size, seed=args.seed
                )
            else:
                # In place: the benchmarks are read and tokenised once for all merges. Tied weights are stored once.
                scorer.lm.model.load_state_dict(weights_of(directory), strict=False)
                scorer.lm.model.tie_weights()
            checksum = read_json(directory / MANIFEST)["sha256"]
        for cell in task["cells"]:
            benchmark, language = cell.split("/")
            write_result(
                scorer.score(benchmark, language), task["name"], checksum, args.scores / task["name"], args.items / task["name"]
            )
        seconds = time.monotonic() - start
        print(
            f"{number}/{len(args.merges)} {task['name']}: {len(task['cells'])} cells, {seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    run_script(main)
