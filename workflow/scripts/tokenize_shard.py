"""Tokenise documents into Megatron's format: SHARD.bin with the ids, SHARD.idx with the documents' boundaries.

They are read piece by piece. The index appears last and only when both files are complete; its name without .idx is what Megatron
calls a prefix. Every document is <bos> … <eos>, as tokenize_corpus.py writes it too.

Example:
    python workflow/scripts/tokenize_shard.py --tokenizer results/paper/data/tokenizer --threads 16 --limit 500000000 \\
        --corpus results/paper/data/shards/deu/00001 --output results/paper/data/megatron/deu/00001.idx
"""

import argparse
import os
import sys
import time
from pathlib import Path

from study.files import atomic, run_script
from study.tokens import documents_as_ids, read_tokenizer

REPORT_SECONDS = 30


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json and tokenizer_config.json")
    parser.add_argument("--corpus", type=Path, required=True, help=".parquet, .jsonl or text, also .gz and .zst; or a folder")
    parser.add_argument("--limit", type=int, help="tokens at most (default: all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="the index; the ids lie beside it as .bin")
    args = parser.parse_args(argv)

    # Read by the tokenizers library when it first tokenises.
    os.environ.update(TOKENIZERS_PARALLELISM="true", RAYON_NUM_THREADS=str(args.threads))
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    tokenizer, end = read_tokenizer(args.tokenizer)
    dtype = DType.optimal_dtype(tokenizer.get_vocab_size())
    name = f"{args.output.parent.name}/{args.output.stem}"
    began = reported = time.monotonic()
    count = 0
    args.output.unlink(missing_ok=True)  # before the ids that it describes are replaced
    with atomic(args.output) as index, atomic(args.output.with_suffix(".bin")) as data:
        builder = IndexedDatasetBuilder(str(data), dtype)
        for ids in documents_as_ids(tokenizer, end, args.corpus, dtype, args.limit):
            builder.add_document(ids, [len(ids)])
            count += len(ids)
            if (now := time.monotonic()) - reported > REPORT_SECONDS:
                reported = now
                print(f"{name}  {progress(count, args.limit, now - began)}", file=sys.stderr, flush=True)
        builder.finalize(str(index))
    print(f"{name}  {progress(count, args.limit, time.monotonic() - began)}", file=sys.stderr)


def progress(count: int, limit: int | None, seconds: float) -> str:
    """How many tokens there are and how fast they come."""
    of = f" of at most {limit:,}" if limit else ""
    return f"{count:,}{of} tokens  {count / seconds:,.0f} tokens/s"


if __name__ == "__main__":
    run_script(main)
