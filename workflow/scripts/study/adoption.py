"""Taking a published model into the study: which of its files, and how many parameters they hold."""

from math import prod
from pathlib import Path

from safetensors import safe_open

from study.files import UserError

KEPT = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
)


def kept_files(folder: Path) -> list[Path]:
    """The files of a model directory that the study needs.

    Raises:
        UserError: if it lacks weights in safetensors, a configuration or a tokenizer.
    """
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} has no weights in safetensors; other formats can run code and are not read. Name a revision that has them: on the "
            "hub, a pull request of its conversion service often does (its commit under models.revisions)."
        )
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise UserError(f"{folder} has no {name}; save the model and its tokenizer with transformers, and adopt that.")
    return sorted({file for pattern in KEPT for file in folder.glob(pattern)})


def parameters(folder: Path) -> int:
    """The number of parameters in a directory's safetensors files, read from their headers."""
    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            count += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count
