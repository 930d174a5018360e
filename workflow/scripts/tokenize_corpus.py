"""Turn a corpus into one stream of token ids: <bos> document <eos> <bos> document <eos> …

Example:
    python workflow/scripts/tokenize_corpus.py --tokenizer results/laptop/data/tokenizer \\
        --corpora results/laptop/data/corpora/deu.jsonl --output results/laptop/data/tokens/deu.npy
"""

import argparse
from pathlib import Path

import numpy as np
from more_itertools import chunked
from tokenizers import Tokenizer

from study.files import UserError, atomic, run_script
from study.text import read_documents


def tokenize(tokenizer: Tokenizer, corpora: list[Path]) -> np.ndarray:
    """The token ids of all documents as one array of shape (tokens,), in the smallest unsigned type that holds them.

    Raises:
        UserError: if there is no document.
    """
    end = tokenizer.token_to_id("<eos>")
    dtype = np.min_scalar_type(tokenizer.get_vocab_size())
    parts = [
        np.array([*encoding.ids, end], dtype=dtype)
        for corpus in corpora
        for documents in chunked(read_documents(corpus), 1000)
        for encoding in tokenizer.encode_batch_fast(documents)
    ]
    if not parts:
        raise UserError(f"No document in {', '.join(map(str, corpora))}.")
    return np.concatenate(parts)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    tokens = tokenize(Tokenizer.from_file(str(args.tokenizer / "tokenizer.json")), args.corpora)
    with atomic(args.output) as path:
        np.save(path, tokens)


if __name__ == "__main__":
    run_script(main)
