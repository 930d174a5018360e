"""A pre-training job as Megatron sees it: its plan, its data, and a Llama's weights under Megatron's names. Needs no NeMo."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from study.files import UserError, atomic, read_json, write_json
from study.models import MANIFEST, WEIGHTS, copy_tokenizer
from study.training import Recipe, recipe_from

PRECISIONS = {"bf16-mixed": torch.bfloat16, "32": torch.float32}


# The plan -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Architecture:
    """A Llama without biases and with tied embeddings, as its `config.json` says."""

    layers: int
    hidden_size: int
    feed_forward_size: int
    heads: int
    groups: int
    head_size: int
    vocabulary: int
    norm_epsilon: float
    rope_base: float

    @classmethod
    def read(cls, directory: Path) -> "Architecture":
        """The architecture of a transformers directory.

        Raises:
            UserError: if it is another one than NeMo trains here.
        """
        config = read_json(directory / "config.json")
        rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
        unsupported = [
            name
            for name, wrong in {
                "model_type": config["model_type"] != "llama",
                "tie_word_embeddings": not config.get("tie_word_embeddings"),
                "attention_bias": config.get("attention_bias"),
                "mlp_bias": config.get("mlp_bias"),
                "hidden_act": config["hidden_act"] != "silu",
                "rope_parameters": rope.get("rope_type", "default") != "default",
            }.items()
            if wrong
        ]
        if unsupported:
            raise UserError(
                f"{directory} differs from what is trained with NeMo in {', '.join(unsupported)} (config.json); take a Llama with"
                " tied embeddings, SwiGLU, plain RoPE and no biases."
            )
        heads = config["num_attention_heads"]
        return cls(
            layers=config["num_hidden_layers"],
            hidden_size=config["hidden_size"],
            feed_forward_size=config["intermediate_size"],
            heads=heads,
            groups=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or config["hidden_size"] // heads,
            vocabulary=config["vocab_size"],
            norm_epsilon=config["rms_norm_eps"],
            rope_base=rope.get("rope_theta") or config.get("rope_theta", 10_000.0),
        )

    @property
    def parameters(self) -> int:
        attention = 2 * self.hidden_size * self.head_size * (self.heads + self.groups)
        layer = attention + 3 * self.hidden_size * self.feed_forward_size + 2 * self.hidden_size
        return self.vocabulary * self.hidden_size + self.layers * layer + self.hidden_size


@dataclass(frozen=True)
class Plan:
    """A pre-training job: one process per GPU, data-parallel; tensors and layers are not divided.

    Attributes:
        micro_batch_size: sequences that a GPU holds at once.
        save_interval: steps between checkpoints to resume from; kept steps have one anyway.
    """

    architecture: Architecture
    recipe: Recipe
    processes: int
    micro_batch_size: int
    precision: str
    save_interval: int

    @property
    def accumulation(self) -> int:
        """Micro-batches of each process in a step."""
        return self.recipe.batch_size // (self.micro_batch_size * self.processes)

    @property
    def dtype(self) -> torch.dtype:
        """What weights are computed in and kept in; the optimiser's own copy is in float32."""
        return PRECISIONS[self.precision]

    @property
    def checkpoint_bytes(self) -> int:
        """A checkpoint to resume from: weights, and in float32 Adam's two moments and, of 16-bit weights, a copy."""
        return self.architecture.parameters * (12 if self.dtype == torch.float32 else 14)

    def __str__(self) -> str:
        recipe = self.recipe
        return (
            f"{self.architecture.parameters:,} parameters in {self.architecture.layers} layers; {recipe.steps:,} steps of"
            f" {recipe.tokens_per_step:,} tokens ({recipe.tokens:,}), on {self.processes} GPUs x {self.micro_batch_size} sequences x"
            f" {self.accumulation} micro-batches, {self.precision}; a checkpoint has {self.checkpoint_bytes / 1e9:,.1f} GB"
        )


def plan_of(settings: Mapping[str, Any], initial: Path, processes: int) -> Plan:
    """The job that the experiment file's `training` section asks for.

    Raises:
        UserError: if the batch cannot be divided among the processes.
    """
    plan = Plan(
        architecture=Architecture.read(initial),
        recipe=recipe_from(dict(settings)),
        processes=processes,
        micro_batch_size=settings["micro_batch_size"],
        precision=settings["precision"],
        save_interval=settings["save_interval"],
    )
    if plan.recipe.batch_size % (processes * plan.micro_batch_size):
        raise UserError(
            f"training.batch_size ({plan.recipe.batch_size}) is no multiple of {processes} processes x training.micro_batch_size"
            f" ({plan.micro_batch_size}); change one of them or the number of nodes."
        )
    return plan


# Data -----------------------------------------------------------------------------------------------------------------


def blend_of(files: Iterable[Path]) -> list[str]:
    """Weights and prefixes of Megatron datasets in turn: equal parts of each file's language, shards by their tokens.

    Args:
        files: a language each, as {"prefixes": [relative to the file, …], "tokens": [of each, …]}.

    Raises:
        UserError: if a shard is missing.
    """
    blend = []
    for file in files:
        content = read_json(file)
        for prefix, tokens in zip(content["prefixes"], content["tokens"], strict=True):
            path = file.parent / prefix
            if missing := [str(path) + end for end in (".bin", ".idx") if not Path(f"{path}{end}").is_file()]:
                raise UserError(f"{missing[0]} is missing, which {file} names; make the corpus again.")
            # Megatron scales the weights to a sum of one.
            blend += [repr(tokens / sum(content["tokens"])), str(path)]
    return blend


# Weights --------------------------------------------------------------------------------------------------------------

# One layer's tensors that are the same in both: the name in transformers, in Megatron, and in Megatron if TransformerEngine
# computes the layer, which keeps a norm's gain with the projection after it.
_SAME = {
    "input_layernorm.weight": ("input_layernorm.weight", "self_attention.linear_qkv.layer_norm_weight"),
    "self_attn.o_proj.weight": ("self_attention.linear_proj.weight",),
    "post_attention_layernorm.weight": ("pre_mlp_layernorm.weight", "mlp.linear_fc1.layer_norm_weight"),
    "mlp.down_proj.weight": ("mlp.linear_fc2.weight",),
}
_QKV, _GATE_UP = "self_attention.linear_qkv.weight", "mlp.linear_fc1.weight"
_ENDS = {"model.embed_tokens.weight": "embedding.word_embeddings.weight", "model.norm.weight": "decoder.final_layernorm.weight"}


def to_megatron(weights: Mapping[str, Tensor], architecture: Architecture, transformer_engine: bool) -> dict[str, Tensor]:
    """A transformers Llama's weights under Megatron's names.

    Megatron stacks query, key and value of each key head's group, and the gate above the up-projection.
    """
    a = architecture
    result = {theirs: weights[ours] for ours, theirs in _ENDS.items()}
    for layer in range(a.layers):
        ours, theirs = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        for name, names in _SAME.items():
            result[theirs + names[-1 if transformer_engine else 0]] = weights[ours + name]
        parts = [weights[f"{ours}self_attn.{x}_proj.weight"].reshape(a.groups, -1, a.hidden_size) for x in "qkv"]
        result[theirs + _QKV] = torch.cat(parts, dim=1).reshape(-1, a.hidden_size)
        result[theirs + _GATE_UP] = torch.cat([weights[f"{ours}mlp.{x}_proj.weight"] for x in ("gate", "up")])
    return result


def from_megatron(weights: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """The inverse, for layers with or without TransformerEngine."""
    a = architecture
    result = {ours: weights[theirs] for ours, theirs in _ENDS.items()}
    rows = [a.head_size * a.heads // a.groups, a.head_size, a.head_size]
    for layer in range(a.layers):
        ours, theirs = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        for name, names in _SAME.items():
            result[ours + name] = next(weights[theirs + x] for x in names if theirs + x in weights)
        parts = weights[theirs + _QKV].reshape(a.groups, -1, a.hidden_size).split(rows, dim=1)
        for x, part in zip("qkv", parts, strict=True):
            result[f"{ours}self_attn.{x}_proj.weight"] = part.reshape(-1, a.hidden_size)
        for x, part in zip(("gate", "up"), weights[theirs + _GATE_UP].chunk(2), strict=True):
            result[f"{ours}mlp.{x}_proj.weight"] = part
    return result


def read_weights(directory: Path) -> dict[str, Tensor]:
    """All tensors of a transformers directory's safetensors files."""
    weights: dict[str, Tensor] = {}
    for file in sorted(directory.glob("*.safetensors")):
        weights |= load_file(file)
    return weights


def write_weights(weights: Mapping[str, Tensor], initial: Path, directory: Path) -> None:
    """Write weights of the initial model's architecture as a transformers directory, without its manifest."""
    (directory / MANIFEST).unlink(missing_ok=True)
    copy_tokenizer(initial, directory)
    config = read_json(initial / "config.json")
    # Version 5 of transformers says `dtype`, earlier ones `torch_dtype`, and each reads the other's.
    config.pop("torch_dtype", None)
    config["dtype"] = str(next(iter(weights.values())).dtype).removeprefix("torch.")
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if (initial / "generation_config.json").is_file():
        (directory / "generation_config.json").write_bytes((initial / "generation_config.json").read_bytes())
    with atomic(directory / WEIGHTS) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary, metadata={"format": "pt"})


# A run's folder ---------------------------------------------------------------------------------------------------------


class State:
    """What a run leaves to go on from: which run it is, the last complete checkpoint, the metrics of each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics, self.partial = folder / "metrics.jsonl", folder / "partial"

    def claim(self, identity: Mapping[str, Any], write: bool) -> None:
        """Begin a run in the folder, or go on with it; of several processes, one writes.

        Raises:
            UserError: if it holds another run.
        """
        run, identity = self.folder / "run.json", json.loads(json.dumps(identity))
        if not run.is_file():
            if write:
                write_json(run, identity)
        elif (known := read_json(run)) != identity:
            differing = [key for key in identity if known.get(key) != identity[key]]
            raise UserError(
                f"{self.folder} holds a run with another {', '.join(differing)}; undo the change, or delete the folder to train anew."
            )

    def checkpoint(self, step: int) -> Path:
        return self.folder / f"step-{step}"

    def last(self) -> int:
        """The step of the last complete checkpoint; 0 if there is none."""
        return max((int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*")), default=0)

    def replace_checkpoint(self, step: int) -> None:
        """What lies in `partial` is complete; earlier checkpoints are no longer needed."""
        earlier = list(self.folder.glob("step-*"))
        self.partial.rename(self.checkpoint(step))
        for path in earlier:
            shutil.rmtree(path)

    def forget_metrics_after(self, step: int) -> None:
        """Forget steps that were done after the last checkpoint and are done again."""
        lines = self.metrics.read_text(encoding="utf-8").splitlines() if self.metrics.is_file() else []
        known = [f"{line}\n" for line in lines if json.loads(line)["step"] <= step]
        self.metrics.write_text("".join(known), encoding="utf-8")

    def finish(self, step: int) -> None:
        """Free the disk; the empty folder of the last step says that nothing is left to train."""
        shutil.rmtree(self.folder / "index", ignore_errors=True)
        for path in self.checkpoint(step).iterdir():
            shutil.rmtree(path)
