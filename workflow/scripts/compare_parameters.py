"""Cosine, L2 distance and stable-rank difference of every pair of models' weights, each weight read once.

  python workflow/scripts/compare_parameters.py --models models/mono-ara models/mono-deu models/mono-eng --output parameters.csv

Takes any number of folders with safetensors of one architecture, whole or in shards; a model is named after its folder. Columns:
a, b, cosine (all parameters as one vector), cosine_layerwise (mean over weight matrices), l2, stable_rank_difference (mean over weight
matrices). An output layer that config.json calls tied is left out. Memory: one tensor of each model.
"""

import argparse
from pathlib import Path

from study.files import atomic, run_script
from study.pairs import pair_table
from study.parameters import Weights, compare


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", required=True, help="folders with model.safetensors or its shards")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args(argv)
    models = [Weights(folder) for folder in arguments.models]
    table = pair_table([model.name for model in models], **compare(models))
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
