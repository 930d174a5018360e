"""Take a model from a local directory into the study: link its files and write its manifest.

Example:
    python workflow/scripts/adopt_model.py --source /data/EuroLLM-1.7B --output results/mine/models/eurollm-1.7b
"""

import argparse
from pathlib import Path

from safetensors import safe_open

from study.files import UserError, run_script
from study.models import write_manifest

KEPT = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json")


def parameters(files: list[Path]) -> int:
    """The number of parameters in safetensors files, read from their headers."""
    count = 0
    for file in files:
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                size = 1
                for length in tensors.get_slice(name).get_shape():
                    size *= length
                count += size
    return count


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="a directory that transformers loads")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    weights = sorted(args.source.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{args.source} has no weights in safetensors; other formats can run code and are not read.")
    args.output.mkdir(parents=True, exist_ok=True)
    for pattern in KEPT:
        for file in args.source.glob(pattern):
            link = args.output / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
    write_manifest(args.output, {"parents": [], "source": str(args.source), "parameters": parameters(weights)})


if __name__ == "__main__":
    run_script(main)
