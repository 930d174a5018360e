"""All-pairs CKA from one centred Gram matrix per model and layer, against comparing pair by pair.

  OMP_NUM_THREADS=1 python benchmarks/all_pairs_cka.py --layers 24

Both ways give the biased and the debiased estimate in float64, read the same matrices from memory, and are checked to agree. Pair by
pair uses the cheaper of the two textbook forms at this size (Gram matrices of sentences, since hidden > sentences), with the same
product of a matrix with its transpose. Data are drawn layer by layer, so memory holds one layer:
models x sentences x hidden x 8 bytes of input and models x sentences^2 x 8 bytes of Gram matrices.
"""

import argparse
import sys
from itertools import combinations
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
from study.cka import all_pairs_cka, centred_gram


def pair_by_pair(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Biased and debiased CKA of two matrices (sentences, hidden), each Gram matrix computed for this pair alone."""
    n = len(x)
    k, l = centred_gram(x), centred_gram(y)  # noqa: E741 (the letters of the formula)

    def ratio(product):
        return product(k, l) / np.sqrt(product(k, k) * product(l, l))

    biased = ratio(np.vdot)
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)

    def hsic1(p: np.ndarray, q: np.ndarray) -> float:
        rows_p, rows_q = p.sum(axis=1), q.sum(axis=1)
        return np.vdot(p, q) + rows_p.sum() * rows_q.sum() / ((n - 1) * (n - 2)) - 2 * rows_p @ rows_q / (n - 2)

    return biased, ratio(hsic1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in {"models": 10, "layers": 24, "sentences": 1012, "hidden": 2048}.items():
        parser.add_argument(f"--{option}", type=int, default=default, help=f"default: {default}")
    size = parser.parse_args()
    generator = np.random.default_rng(0)
    ours = theirs = difference = 0.0
    for _ in range(size.layers):
        shared = generator.standard_normal((size.sentences, size.hidden))
        models = [shared + generator.standard_normal(shared.shape) for _ in range(size.models)]
        start = perf_counter()
        together = all_pairs_cka(models, size.models)
        ours += perf_counter() - start
        start = perf_counter()
        alone = {(a, b): pair_by_pair(models[a], models[b]) for a, b in combinations(range(size.models), 2)}
        theirs += perf_counter() - start
        for (a, b), values in alone.items():
            difference = max(difference, *(abs(together[kind][a, b] - values[kind]) for kind in range(2)))
    grams, one = size.models * size.sentences**2 * 8, size.sentences * size.hidden * 8
    print(f"{size.models} models x {size.layers} layers x {size.sentences} sentences x {size.hidden} dimensions, float64")
    print(
        f"pair by pair {theirs:.2f} s, all pairs {ours:.2f} s, {theirs / ours:.1f} times faster; largest difference {difference:.1e}"
    )
    print(f"memory of the all-pairs way: Gram matrices {grams / 1e6:.0f} MB + one model's layer, centred, {2 * one / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
