"""Merging models with mergekit (Goddard et al. 2024), into a directory."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from study.files import UserError, read_json
from study.models import MANIFEST, copy_tokenizer, sha256, write_manifest


def mergekit_config(method: Mapping[str, Any], models: Sequence[Path], base: Path | None, dtype: str) -> dict[str, Any]:
    """The configuration that mergekit reads.

    Args:
        method: the experiment file's block: `merge_method`, and optionally `parameters` (of the merge) and
            `model_parameters` (given to each model).
        models: directories, in order.
        base: the model that task vectors start from, for methods that have one.
        dtype: of the computation and of the result.
    """

    def reference(model: Path) -> dict[str, Any]:
        # As a plain string, mergekit would take what follows the @ of a checkpoint's name for a revision.
        return {"model": {"path": str(model)}}

    config: dict[str, Any] = {
        "merge_method": method["merge_method"],
        "models": [{"model": reference(model), "parameters": dict(method.get("model_parameters", {}))} for model in models],
        "parameters": dict(method.get("parameters", {})),
        "dtype": dtype,
    }
    if base is not None:
        config["base_model"] = reference(base)
    return config


def check_compatible(models: Sequence[Path]) -> None:
    """Refuse models that cannot be merged: other tensors, other shapes, another tokenizer.

    Raises:
        UserError: naming the two models and what differs.
    """
    first = models[0]
    for model in models[1:]:
        if sha256(first / "tokenizer.json") != sha256(model / "tokenizer.json"):
            raise UserError(f"{model.name} has another tokenizer than {first.name}: their embeddings mean different tokens, "
                            "so they cannot be merged.")  # fmt: skip
        shapes, others = _shapes(first), _shapes(model)
        differing = sorted(name for name in shapes.keys() | others.keys() if shapes.get(name) != others.get(name))
        if differing:
            name = differing[0]
            raise UserError(
                f"{model.name} and {first.name} cannot be merged: {name} has shape {others.get(name)} in one and "
                f"{shapes.get(name)} in the other."
            )


def _shapes(model: Path) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, "pt") as tensors:
            shapes |= {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return shapes


def merge(
    method: Mapping[str, Any], models: Sequence[Path], base: Path | None, dtype: str, seed: int, output: Path
) -> dict[str, Any]:
    """Merge `models` into the directory `output` and return its manifest.

    Args:
        seed: for methods that drop parameters at random.

    Raises:
        UserError: if the models do not fit together or mergekit does not know the method.
    """
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions
    from pydantic import ValidationError

    check_compatible([*models, *([base] if base else [])])
    config = mergekit_config(method, models, base, dtype)
    logging.getLogger("mergekit").setLevel(logging.WARNING)
    # One thread and no GPU are named, so that a seeded merge is the same everywhere.
    options = MergeOptions(random_seed=seed, copy_tokenizer=False, write_model_card=False, quiet=True, device="cpu")
    output.mkdir(parents=True, exist_ok=True)
    (output / MANIFEST).unlink(missing_ok=True)
    try:
        run_merge(MergeConfiguration.model_validate(config), str(output), options)
    except (ValidationError, RuntimeError, ValueError) as error:
        raise UserError(f"mergekit refused the merge {output.name}: {error}") from error
    copy_tokenizer(models[0], output)
    parents = [read_json(model / MANIFEST) for model in models]
    manifest = {
        "parents": [{key: parent[key] for key in ("model", "sha256")} for parent in parents],
        "base": read_json(base / MANIFEST)["sha256"] if base else None,
        "merge": dict(method),
        "dtype": dtype,
        "seed": seed,
        "parameters": parents[0].get("parameters"),
        "tokens": sum(parent.get("tokens") or 0 for parent in parents) or None,
    }
    write_manifest(output, manifest)
    return manifest
