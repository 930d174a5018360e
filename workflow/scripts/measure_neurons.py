"""Language-specific feed-forward units: their share per model, layer and language, and their overlap between models.

Reads a folder with one file {model}.safetensors per model, as extract_representations.py --activations writes it:

  python workflow/scripts/measure_neurons.py --activations DIR --output neurons.csv --shares shares.csv --average mean_neurons.csv

Output: a, b, layer, neuron_overlap (Jaccard index of the two models' specific units, of whatever language; empty if neither has any in
that layer) and neuron_overlap_by_chance (of random sets of the same sizes). --shares: model, layer, language, share (of the layer's
units that are specific to the language), selectivity (0 to 1, mean of the layer's units that fire most often in the language).
--average: a, b, neuron_overlap, over the units of all layers together. See study/neurons.py for the definitions.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import safe_open

from study.files import UserError, atomic, run_script
from study.neurons import jaccard, selectivity, specific_units
from study.pairs import pair_table


def read_firing(folder: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """Languages, and firing rates (layers, languages, units) per model, models sorted by name.

    Raises:
        UserError: for fewer than two models, or models that differ in shape or languages.
    """
    languages: list[str] = []
    firing: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            count = sum(name.startswith("firing.") for name in file.keys())  # noqa: SIM118 (no mapping)
            if not count:
                raise UserError(f"{path} has no tensors firing.0, firing.1, ...; write it with extract_representations.py.")
            its_languages = json.loads((file.metadata() or {}).get("languages", "[]"))
            firing[path.stem] = np.stack([file.get_tensor(f"firing.{layer}") for layer in range(count)]).astype(float)
        languages = languages or its_languages
        first = next(iter(firing))
        if its_languages != languages or firing[path.stem].shape != firing[first].shape:
            raise UserError(f"{path.stem} and {first} differ in languages or shape; extract both on the same texts.")
    if len(firing) < 2 or len(languages) < 2:
        raise UserError(f"{folder} has {len(firing)} models and {len(languages)} languages; two of each are the least.")
    return languages, firing


def overlap(sets: np.ndarray, models: list[str]) -> pd.DataFrame:
    """Table `a, b, neuron_overlap, neuron_overlap_by_chance` of boolean sets (models, units)."""
    sizes = sets.sum(axis=1)
    both = np.outer(sizes, sizes) / sets.shape[1]
    either = sizes[:, None] + sizes - both
    chance = np.divide(both, either, out=np.full_like(both, np.nan), where=either > 0)
    return pair_table(models, neuron_overlap=jaccard(sets), neuron_overlap_by_chance=chance)


def shares(model: str, languages: list[str], firing: np.ndarray, specific: np.ndarray) -> pd.DataFrame:
    """Table `model, layer, language, share, selectivity` of firing rates and specific units (layers, languages, units)."""
    rows = []
    for layer, rates in enumerate(firing):
        chosen, favourite = selectivity(rates), rates.argmax(axis=0)
        for number, language in enumerate(languages):
            mean = chosen[favourite == number].mean() if (favourite == number).any() else np.nan
            rows.append((model, layer, language, specific[layer, number].mean(), mean))
    return pd.DataFrame(rows, columns=["model", "layer", "language", "share", "selectivity"])


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--activations", type=Path, required=True, help="folder with {model}.safetensors")
    parser.add_argument(
        "--share", type=float, default=0.01, help="of all units that count as specific (default: 0.01, as in LAPE)"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write, per pair and layer")
    parser.add_argument("--shares", type=Path, help="CSV to write, per model, layer and language")
    parser.add_argument("--average", type=Path, help="CSV to write, per pair")
    arguments = parser.parse_args(argv)
    languages, firing = read_firing(arguments.activations)
    models = list(firing)
    specific = {model: specific_units(rates, arguments.share) for model, rates in firing.items()}
    sets = np.array([specific[model].any(axis=1) for model in models])  # (models, layers, units)
    layers = [overlap(sets[:, layer], models).assign(layer=layer) for layer in range(sets.shape[1])]
    table = pd.concat(layers, ignore_index=True)[["a", "b", "layer", "neuron_overlap", "neuron_overlap_by_chance"]]
    with atomic(arguments.output) as path:
        table.to_csv(path, index=False)
    if arguments.average:
        with atomic(arguments.average) as path:
            overlap(sets.reshape(len(models), -1), models)[["a", "b", "neuron_overlap"]].to_csv(path, index=False)
    if arguments.shares:
        with atomic(arguments.shares) as path:
            pd.concat([shares(model, languages, firing[model], specific[model]) for model in models]).to_csv(path, index=False)


if __name__ == "__main__":
    run_script(main)
