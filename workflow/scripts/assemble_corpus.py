"""List a language's tokenised shards for Megatron, with their sizes, after checking that they have the tokens asked for.

The list is {"prefixes": ["deu/00001", …], "tokens": [500000000, …]}; prefixes are relative to its folder.

Example:
    python workflow/scripts/assemble_corpus.py --shards results/paper/data/megatron/deu/*.idx --language deu \\
        --tokens 10000000000 --output results/paper/data/megatron/deu.json
"""

import argparse
import os
from pathlib import Path

from study.files import UserError, run_script, write_json
from study.languages import language


def count_tokens(prefix: str) -> int:
    """The number of tokens in a shard."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    dataset = IndexedDataset(prefix)  # named, since its arrays are views of a file that is unmapped with it
    return int(dataset.sequence_lengths.sum())


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, nargs="+", required=True, help="the shards' .idx files")
    parser.add_argument("--language", required=True, help="ISO 639-3 code, for the message")
    parser.add_argument("--tokens", type=int, default=0, help="that they must have together at least (default: any number)")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    prefixes = [str(index.with_suffix("")) for index in args.shards]
    tokens = [count_tokens(prefix) for prefix in prefixes]
    if sum(tokens) < args.tokens:
        raise UserError(
            f"{language(args.language).name} has {sum(tokens):,} of {args.tokens:,} tokens in {len(tokens)} shards, the smallest "
            f"of {min(tokens):,}; raise data.corpora.hub.shards, so that less is asked of each."
        )
    folder = args.output.parent
    write_json(args.output, {"prefixes": [os.path.relpath(prefix, folder) for prefix in prefixes], "tokens": tokens})


if __name__ == "__main__":
    run_script(main)
