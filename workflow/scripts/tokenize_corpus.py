"""Turn a corpus into one stream of token ids: <bos> document <eos> <bos> document <eos> …

Example:
    python workflow/scripts/tokenize_corpus.py --tokenizer results/laptop/data/tokenizer \\
        --corpora results/laptop/data/corpora/deu.jsonl --output results/laptop/data/tokens/deu.npy
"""

import argparse
from pathlib import Path

import numpy as np

from study.files import atomic, run_script
from study.tokens import documents_as_ids, read_tokenizer


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--limit", type=int, help="tokens of each file at most (default: all)")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    tokenizer, end = read_tokenizer(args.tokenizer)
    dtype = np.min_scalar_type(tokenizer.get_vocab_size())
    parts = [ids for corpus in args.corpora for ids in documents_as_ids(tokenizer, end, corpus, dtype, args.limit)]
    with atomic(args.output) as path:
        np.save(path, np.concatenate(parts))


if __name__ == "__main__":
    run_script(main)
