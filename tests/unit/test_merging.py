"""mergekit's merges against direct computations with torch, on small models."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from study.files import UserError
from study.merging import merge
from study.models import save_model

COUNT, WEIGHT, DENSITY = 3, 0.1, 0.75


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A base and three models at random distances from it."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    save_model(model, folder, folder / "base", {"parents": []})
    for number in range(COUNT):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))
        save_model(model, folder, folder / f"m{number}", {"parents": [], "tokens": 100})
    return folder


def tensors(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def run(models: Path, method: dict, output: str, base: bool, seed: int = 1, dtype: str = "float32") -> dict[str, torch.Tensor]:
    parents = [models / f"m{number}" for number in range(COUNT)]
    merge(method, parents, models / "base" if base else None, dtype, seed, models / output)
    return tensors(models / output)


def test_linear_is_the_mean(models):
    merged = run(models, {"merge_method": "linear", "model_parameters": {"weight": WEIGHT}}, "linear", base=False)
    parents = [tensors(models / f"m{number}") for number in range(COUNT)]
    for name, tensor in merged.items():
        expected = torch.stack([parent[name] for parent in parents]).mean(0)
        assert torch.allclose(tensor, expected, atol=1e-6), name


def test_a_checkpoint_is_not_taken_for_a_revision(models):
    (models / "m0@5").mkdir(exist_ok=True)
    for file in (models / "m1").iterdir():
        (models / "m0@5" / file.name).write_bytes(file.read_bytes())
    linear = {"merge_method": "linear", "model_parameters": {"weight": 0.5}}
    merge(linear, [models / "m0@5", models / "m2"], None, "float32", 1, models / "checkpoints")
    a, b = tensors(models / "m1"), tensors(models / "m2")
    for name, tensor in tensors(models / "checkpoints").items():
        assert torch.allclose(tensor, (a[name] + b[name]) / 2, atol=1e-6), name


def ties(base: torch.Tensor, others: list[torch.Tensor]) -> torch.Tensor:
    """TIES (Yadav et al. 2023): trim, elect a sign, average what agrees with it."""
    trimmed = []
    for other in others:
        delta = other - base
        kept = int(DENSITY * delta.numel())
        threshold = delta.abs().flatten().sort(descending=True).values[kept - 1]
        trimmed.append(torch.where(delta.abs() >= threshold, delta, 0.0))
    deltas = torch.stack(trimmed)
    sign = torch.where((WEIGHT * deltas).sum(0) >= 0, 1.0, -1.0)
    agrees = (deltas.sign() == sign) & (deltas != 0)
    weight = (WEIGHT * agrees).sum(0)
    mean = (WEIGHT * deltas * agrees).sum(0) / torch.where(weight == 0, 1.0, weight)
    return base + mean


def test_ties_equals_a_direct_computation(models):
    method = {"merge_method": "ties", "model_parameters": {"weight": WEIGHT, "density": DENSITY}}
    merged = run(models, method, "ties", base=True)
    base, parents = tensors(models / "base"), [tensors(models / f"m{number}") for number in range(COUNT)]
    for name, tensor in merged.items():
        assert torch.allclose(tensor, ties(base[name], [parent[name] for parent in parents]), atol=1e-5), name


def test_dare_ties_equals_a_direct_computation_in_expectation(models):
    """The mean over many seeds against the mean over as many draws of our own: dropped at random, rescaled to the former L1
    norm, sign elected, agreeing entries summed with their weights (mergekit does not normalise here by default)."""
    method = {"merge_method": "dare_ties", "model_parameters": {"weight": WEIGHT, "density": DENSITY}}
    name = "model.layers.0.mlp.down_proj.weight"
    base, parents = tensors(models / "base")[name], [tensors(models / f"m{number}")[name] for number in range(COUNT)]
    draws = [run(models, method, "dare", base=True, seed=seed)[name] for seed in range(30)]
    generator = torch.Generator().manual_seed(0)

    def direct() -> torch.Tensor:
        deltas = []
        for parent in parents:
            delta = parent - base
            dropped = delta * torch.bernoulli(torch.full_like(delta, DENSITY), generator=generator)
            deltas.append(dropped * (delta.abs().sum() / dropped.abs().sum()))
        stacked = WEIGHT * torch.stack(deltas)
        sign = torch.where(stacked.sum(0) >= 0, 1.0, -1.0)
        return base + (stacked * (stacked.sign() == sign)).sum(0)

    samples = torch.stack([direct() for _ in range(4000)])
    ours, theirs = samples.mean(0), torch.stack(draws).mean(0)
    error = samples.std(0) / len(draws) ** 0.5
    z = ((theirs - ours) / error.clamp_min(1e-9)).flatten()
    # 384 entries: standard normal if the two agree; a missing rescaling or normalisation moves the mean by many.
    assert z.abs().mean().item() == pytest.approx((2 / torch.pi) ** 0.5, abs=0.15)
    step = ((theirs - base) * (ours - base)).sum() / ((ours - base) ** 2).sum()
    assert step.item() == pytest.approx(1, abs=0.03)


def test_a_seeded_random_merge_is_the_same_again(models):
    method = {"merge_method": "dare_ties", "model_parameters": {"weight": WEIGHT, "density": DENSITY}}
    manifests = []
    for output, seed in (("d1", 7), ("d2", 7), ("d3", 8)):
        run(models, method, output, base=True, seed=seed)
        manifests.append(json.loads((models / output / "model.json").read_text()))
    assert manifests[0]["sha256"] == manifests[1]["sha256"] != manifests[2]["sha256"]
    assert [parent["model"] for parent in manifests[0]["parents"]] == ["m0", "m1", "m2"]
    assert manifests[0]["tokens"] == 300


def test_any_other_method_of_mergekit_works(models):
    method = {"merge_method": "task_arithmetic", "model_parameters": {"weight": 1.0}, "parameters": {"normalize": False}}
    merged = run(models, method, "arithmetic", base=True)
    base, parents = tensors(models / "base"), [tensors(models / f"m{number}") for number in range(COUNT)]
    name = "model.embed_tokens.weight"
    expected = base[name] + sum(parent[name] - base[name] for parent in parents)
    assert torch.allclose(merged[name], expected, atol=1e-5)


def test_an_unknown_method_is_one_sentence(models):
    with pytest.raises(UserError, match="mergekit refused the merge nonsense"):
        run(models, {"merge_method": "no_such_method"}, "nonsense", base=False)


def test_models_that_do_not_fit_are_refused(models, tmp_path):
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    save_model(LlamaForCausalLM(config), models, models / "wide", {"parents": []})
    linear = {"merge_method": "linear", "model_parameters": {"weight": 0.5}}
    with pytest.raises(UserError, match=r"wide and m0 cannot be merged: .* has shape"):
        merge(linear, [models / "m0", models / "wide"], None, "float32", 1, tmp_path / "out")
    save_model(LlamaForCausalLM(config), models, models / "foreign", {"parents": []})
    (models / "foreign" / "tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(UserError, match="foreign has another tokenizer than m0"):
        merge(linear, [models / "m0", models / "foreign"], None, "float32", 1, tmp_path / "out")
