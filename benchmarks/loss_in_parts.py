"""The loss of a training step with the logits of some tokens at a time, against the logits of the whole batch.

  python benchmarks/loss_in_parts.py --tokens 1024 --hidden 64 --vocabulary 4096

Forward and backward pass of the output layer and the cross-entropy, on one thread, both ways in turn; the sizes are those of the laptop
study. The results are checked to agree.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch.nn.functional import linear_cross_entropy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
from study.models import use_cpu
from study.training import LOSS_IN_PARTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=50)
    args = parser.parse_args()
    use_cpu(1)
    torch.manual_seed(0)
    hidden = torch.randn(args.tokens, args.hidden, requires_grad=True)
    weights = (torch.randn(args.vocabulary, args.hidden) / args.hidden**0.5).requires_grad_()
    targets = torch.randint(args.vocabulary, (args.tokens,))
    ways = {"whole batch": None, "in parts": LOSS_IN_PARTS}
    times: dict[str, list[float]] = {way: [] for way in ways}
    gradients = {}
    for _ in range(args.repeats):
        for way, options in ways.items():
            hidden.grad = weights.grad = None
            start = perf_counter()
            linear_cross_entropy(hidden, weights, targets, options=options).backward()
            times[way].append(perf_counter() - start)
            gradients[way] = weights.grad
    torch.testing.assert_close(*gradients.values(), rtol=1e-3, atol=1e-6)
    whole, parts = (median(times[way]) for way in ways)
    print(f"whole batch {1000 * whole:.1f} ms, in parts {1000 * parts:.1f} ms: {whole / parts:.2f} times as fast")


if __name__ == "__main__":
    main()
