"""Make the random initialisation that all trained models share (step 0, the base of TIES and DARE, the floor of all scores).

Example:
    python workflow/scripts/initialise_model.py --tokenizer results/laptop/data/tokenizer --seed 1 \\
        --architecture '{"hidden_size": 64, "layers": 4, "heads": 4, "feed_forward_size": 176, "context": 256,
        "initializer_range": 0.02}' --output results/laptop/models/untrained
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from study.files import run_script
from study.models import load_tokenizer, save_model


def initialise(architecture: dict[str, Any], tokenizer: Any, seed: int) -> LlamaForCausalLM:
    """A randomly initialised Llama with tied embeddings: matrices from N(0, initializer_range²), gains one."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture["hidden_size"],
        intermediate_size=architecture["feed_forward_size"],
        num_hidden_layers=architecture["layers"],
        num_attention_heads=architecture["heads"],
        num_key_value_heads=architecture["heads"],
        max_position_embeddings=architecture["context"],
        initializer_range=architecture["initializer_range"],
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", type=json.loads, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    model = initialise(args.architecture, load_tokenizer(args.tokenizer), args.seed)
    save_model(model, args.tokenizer, args.output, {"parents": [], "seed": args.seed, "step": 0, "tokens": 0})


if __name__ == "__main__":
    run_script(main)
