"""Train the subword tokenizer that all models share: byte-level BPE on equal parts of all corpora.

Example:
    python workflow/scripts/train_tokenizer.py --corpora results/laptop/data/corpora/*.jsonl --vocabulary 2048 \\
        --output results/laptop/data/tokenizer
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from study.files import atomic, run_script, write_json
from study.text import read_documents

SPECIAL_TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>"]  # in the order of the Gemma tokenizer
DOCUMENTS = 5000  # per corpus: more of the same small world changes no merge that matters


def train_tokenizer(corpora: list[Path], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer that puts <bos> before every text, as the paper's does."""

    def texts() -> Iterator[str]:
        for corpus in corpora:
            for _, text in zip(range(DOCUMENTS), read_documents(corpus), strict=False):
                yield text

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", SPECIAL_TOKENS.index("<bos>"))]
    )
    return tokenizer


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, nargs="+", required=True)
    parser.add_argument("--vocabulary", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    args = parser.parse_args(argv)

    tokenizer = train_tokenizer(args.corpora, args.vocabulary)
    write_json(
        args.output / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",  # the name that transformers 4 and 5 both know
            "bos_token": "<bos>",
            "eos_token": "<eos>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "clean_up_tokenization_spaces": False,
        },
    )
    with atomic(args.output / "tokenizer.json") as path:
        tokenizer.save(str(path))


if __name__ == "__main__":
    run_script(main)
