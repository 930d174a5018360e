"""Model directories: what transformers loads, plus `model.json`, the manifest that the workflow's rules depend on."""

import ctypes
import hashlib
import json
from pathlib import Path
from typing import Any

from study.files import UserError, read_json, write_json

WEIGHTS = "model.safetensors"
MANIFEST = "model.json"


def sha256(path: Path | str) -> str:
    """The file's SHA-256, read in pieces."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def use_cpu(threads: int) -> None:
    """Compute with this many threads, and keep freed memory instead of giving each large tensor back to the system.

    Training a small model frees and takes the same tens of megabytes in every step; with glibc's defaults the system maps and
    clears these pages anew each time, which took two fifths of a step. Elsewhere than on glibc nothing is changed.
    """
    import torch

    torch.set_num_threads(threads)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 128 << 20)


def load_model(directory: Path | str, dtype: str = "float32") -> Any:
    """A causal language model in evaluation mode, in `dtype` from the start (no float32 copy on the way).

    Raises:
        UserError: if the directory holds no model.
    """
    from transformers import AutoModelForCausalLM

    if not (Path(directory) / "config.json").is_file():
        raise UserError(f"{directory} holds no model (config.json is missing).")
    return AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, local_files_only=True, trust_remote_code=False).eval()


def load_tokenizer(directory: Path | str) -> Any:
    """The tokenizer of a model directory."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)


def save_model(model: Any, tokenizer_directory: Path | str, directory: Path | str, manifest: dict[str, Any]) -> None:
    """Write a model directory; the manifest comes last, so a directory with one is complete.

    Args:
        model: a transformers model.
        tokenizer_directory: where the tokenizer's files are copied from.
        directory: the folder to write.
        manifest: what to say of the model's origin; its name, size and checksum are added.
    """
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    directory = Path(directory)
    (directory / MANIFEST).unlink(missing_ok=True)
    model.save_pretrained(directory)
    copy_tokenizer(tokenizer_directory, directory)
    _make_readable_by_older_transformers(directory)
    write_manifest(directory, {"parameters": sum(p.numel() for p in model.parameters()), **manifest})


def write_manifest(directory: Path | str, manifest: dict[str, Any]) -> None:
    """Write `model.json`: the model's name, the checksum of its weights, and what `manifest` says."""
    directory = Path(directory)
    # Of several shards, the checksum of their checksums in the order of their names.
    checksums = [sha256(path) for path in sorted(directory.glob("*.safetensors"))]
    checksum = checksums[0] if len(checksums) == 1 else hashlib.sha256("".join(checksums).encode()).hexdigest()
    write_json(directory / MANIFEST, {"model": directory.name, "sha256": checksum, **manifest})


def copy_tokenizer(source: Path | str, directory: Path | str) -> None:
    """Copy the tokenizer's files."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (Path(directory) / name).write_bytes((Path(source) / name).read_bytes())


def _make_readable_by_older_transformers(directory: Path) -> None:
    """Say RoPE's base where transformers 4 looks for it; it would else take 10,000 without a word."""
    path = directory / "config.json"
    config = read_json(path)
    rope = config.get("rope_parameters") or {}
    if "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
