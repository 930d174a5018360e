"""Linear CKA of every pair of models, layer by layer.

Reads a folder with one file per model, {model}.safetensors, holding tensors layer.{i} of shape (sentences, hidden):

  python workflow/scripts/compute_cka.py --representations DIR --output cka.csv --average mean_cka.csv

The output has the columns a, b, layer, cka (biased, as in the paper) and cka_debiased (may be negative). --average writes one row per
pair: both as means over layers, and cka for the lower, middle and upper third of the layers.
Memory: models x sentences^2 x 8 bytes (10 models, 1012 sentences: 82 MB), plus one matrix.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from study.cka import all_pairs_cka
from study.files import atomic, run_script
from study.pairs import pair_table
from study.representations import Representations


def compute_layers(representations: Representations) -> pd.DataFrame:
    """Table `a, b, layer, cka, cka_debiased`, layer by layer."""
    tables = []
    for layer in representations.layers:
        matrices = (representations.matrix(model, layer) for model in representations.models)
        biased, debiased = all_pairs_cka(matrices, len(representations.models))
        table = pair_table(representations.models, cka=biased, cka_debiased=debiased)
        table.insert(2, "layer", layer)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def average_layers(table: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: means over all layers, and of `cka` over thirds of the depth (the lower ones larger if it does not divide).

    Models of fewer than three layers have no thirds.
    """
    pairs = table.groupby(["a", "b"], sort=False)
    means = pairs[["cka", "cka_debiased"]].mean()
    layers_there = np.unique(table.layer)
    thirds = np.array_split(layers_there, 3) if len(layers_there) >= 3 else []
    for name, layers in zip(["lower", "middle", "upper"], thirds, strict=False):
        means[f"cka_{name}"] = table[table.layer.isin(layers)].groupby(["a", "b"], sort=False).cka.mean()
    return means.reset_index()


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--representations", type=Path, required=True, help="folder with {model}.safetensors")
    parser.add_argument("--output", type=Path, required=True, help="CSV to write, per layer")
    parser.add_argument("--average", type=Path, help="CSV to write, averaged over layers")
    arguments = parser.parse_args(argv)
    table = compute_layers(Representations(arguments.representations))
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False)
    if arguments.average:
        with atomic(arguments.average) as path:
            average_layers(table).to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
