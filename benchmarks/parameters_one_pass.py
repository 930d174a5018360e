"""Cosine, L2 and stable ranks of all pairs from one pass over the weights, against comparing pair by pair.

  OMP_NUM_THREADS=1 python benchmarks/parameters_one_pass.py --models 10

Writes random models of a Llama-like shape to a temporary folder, compares them both ways with the same code (pair by pair is the same
comparison of two models at a time), checks that the results agree, and counts the bytes of weights that each way reads.
"""

import argparse
import sys
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
from study.parameters import BLOCK, Weights, compare


def write_model(folder: Path, seed: int, layers: int, hidden: int) -> None:
    """Random bfloat16 weights: an embedding, `layers` blocks of attention and feed-forward matrices, and norm gains."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"model.embed_tokens.weight": (16 * hidden, hidden), "model.norm.weight": (hidden,)}
    for layer in range(layers):
        shapes |= {f"model.layers.{layer}.self_attn.{part}_proj.weight": (hidden, hidden) for part in "qkvo"}
        shapes |= {f"model.layers.{layer}.mlp.{part}_proj.weight": (4 * hidden, hidden) for part in ("gate", "up")}
        shapes |= {f"model.layers.{layer}.mlp.down_proj.weight": (hidden, 4 * hidden)}
    folder.mkdir()
    save_file(
        {name: torch.randn(shape, generator=generator).bfloat16() for name, shape in shapes.items()}, folder / "model.safetensors"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"models": 10, "layers": 4, "hidden": 256}.items():
        parser.add_argument(f"--{option}", type=int, default=default, help=f"default: {default}")
    size = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folders = [Path(temporary) / f"m{seed}" for seed in range(size.models)]
        for seed, folder in enumerate(folders):
            write_model(folder, seed, size.layers, size.hidden)
        stored = sum((folder / "model.safetensors").stat().st_size for folder in folders)
        start = perf_counter()
        models = [Weights(folder) for folder in folders]
        together = compare(models)
        ours, once = perf_counter() - start, sum(model.bytes_read for model in models)
        start = perf_counter()
        often, difference = 0, 0.0
        for a, b in combinations(range(size.models), 2):
            pair = [Weights(folders[a]), Weights(folders[b])]
            alone = compare(pair)
            often += sum(model.bytes_read for model in pair)
            difference = max(
                difference, *(abs(alone[name][0, 1] / together[name][a, b] - 1) for name in ("l2", "stable_rank_difference"))
            )
        theirs = perf_counter() - start
    tensor = max(2 * int(np.prod(shape)) for shape in models[0].shapes.values())
    bound = size.models * (tensor + 8 * BLOCK) + 2 * 4 * tensor
    print(f"{size.models} models, {stored / 1e6:.0f} MB on disk; the largest tensor has {tensor / 1e6:.1f} MB")
    print(
        f"pair by pair {theirs:.2f} s, one pass {ours:.2f} s, {theirs / ours:.1f} times faster; largest relative difference {difference:.0e}"
    )
    print(
        f"bytes read: one pass {once:,} ({once / stored:.3f} of the files), pair by pair {often:,}: {often / once:.1f} times as many"
    )
    print(
        f"memory of one pass: one tensor and one float64 block of each model, and the norm of one tensor: at most {bound / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
