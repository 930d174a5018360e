"""Mutual nearest-neighbour overlap of every pair of models, layer by layer.

Two models agree as far as the same sentences are neighbours in both (Huh et al. 2024); scale and rotation do not matter.

  python workflow/scripts/measure_neighbours.py --representations DIR --output neighbours.csv --average mean_neighbours.csv

Reads the same folder as compute_cka.py. Columns: a, b, layer, neighbour_overlap (0 to 1; unrelated models share about k / (n - 1)).
"""

import argparse
from pathlib import Path

import pandas as pd

from study.files import atomic, run_script
from study.neighbours import nearest_neighbours, neighbour_overlap
from study.pairs import pair_table
from study.representations import Representations


def measure_layers(representations: Representations, k: int) -> pd.DataFrame:
    """Table `a, b, layer, neighbour_overlap`."""
    tables = []
    for layer in representations.layers:
        neighbours = [nearest_neighbours(representations.matrix(model, layer), k) for model in representations.models]
        table = pair_table(representations.models, neighbour_overlap=neighbour_overlap(neighbours))
        table.insert(2, "layer", layer)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--representations", type=Path, required=True, help="folder with {model}.safetensors")
    parser.add_argument("--neighbours", type=int, default=10, help="k, the neighbours of a sentence (default: 10)")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write, per layer")
    parser.add_argument("--average", type=Path, help="CSV to write, averaged over layers")
    arguments = parser.parse_args(argv)
    table = measure_layers(Representations(arguments.representations), arguments.neighbours)
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False)
    if arguments.average:
        with atomic(arguments.average) as path:
            table.groupby(["a", "b"], sort=False).neighbour_overlap.mean().reset_index().to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
