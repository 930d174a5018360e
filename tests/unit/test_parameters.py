"""Weight measures against direct computation on flattened vectors and full decompositions."""

import json

import compare_parameters
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from study import parameters
from study.files import UserError

SHAPES = {"model.embed_tokens.weight": (50, 12), "model.layers.0.mlp.up_proj.weight": (30, 12), "model.norm.weight": (12,)}


def make(folder, name, seed, shapes=SHAPES, dtype=torch.float32, **extra):
    generator = torch.Generator().manual_seed(seed)
    tensors = {key: torch.randn(shape, generator=generator).to(dtype) for key, shape in shapes.items()} | extra
    (folder / name).mkdir()
    save_file(tensors, folder / name / "model.safetensors")
    return folder / name, tensors


def run(folder, *models):
    output = folder / "parameters.csv"
    compare_parameters.main(["--models", *map(str, models), "--output", str(output)])
    return pd.read_csv(output)


def flat(tensors):
    return np.concatenate([tensor.double().numpy().ravel() for tensor in tensors.values()])


def rank(matrix):
    singular = np.linalg.svd(matrix.double().numpy(), compute_uv=False)
    return np.sum(singular**2) / singular[0] ** 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_contract_against_direct_computation(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(parameters, "BLOCK", 64)  # several blocks per tensor, the last one shorter
    folders, models = zip(*[make(tmp_path, f"m{seed}", seed, dtype=dtype) for seed in range(3)], strict=True)
    table = run(tmp_path, *folders)
    assert list(table) == ["a", "b", "cosine", "cosine_layerwise", "l2", "stable_rank_difference"]
    assert table[["a", "b"]].to_numpy().tolist() == [["m0", "m1"], ["m0", "m2"], ["m1", "m2"]]
    for row, (a, b) in zip(table.itertuples(), [(0, 1), (0, 2), (1, 2)], strict=True):
        x, y = flat(models[a]), flat(models[b])
        assert row.cosine == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
        assert row.l2 == pytest.approx(np.linalg.norm(x - y))
        matrices = [(models[a][key], models[b][key]) for key in SHAPES if len(SHAPES[key]) == 2]
        cosines = [torch.cosine_similarity(p.double().flatten(), q.double().flatten(), dim=0).item() for p, q in matrices]
        assert row.cosine_layerwise == pytest.approx(np.mean(cosines))
        assert row.stable_rank_difference == pytest.approx(np.mean([abs(rank(p) - rank(q)) for p, q in matrices]))


def test_a_scaled_copy_has_cosine_one_and_the_same_ranks(tmp_path):
    a, tensors = make(tmp_path, "a", 0)
    (tmp_path / "b").mkdir()
    save_file({key: -2 * value for key, value in tensors.items()}, tmp_path / "b" / "model.safetensors")
    row = run(tmp_path, a, tmp_path / "b").iloc[0]
    assert (row.cosine, row.cosine_layerwise, row.stable_rank_difference) == pytest.approx((-1, -1, 0), abs=1e-12)
    assert row.l2 == pytest.approx(3 * np.linalg.norm(flat(tensors)))


def test_equal_models_have_no_distance(tmp_path):
    assert run(tmp_path, make(tmp_path, "a", 0)[0], make(tmp_path, "b", 0)[0]).l2[0] == pytest.approx(0, abs=1e-6)


def test_the_stable_rank_of_known_spectra():
    assert parameters.stable_rank(torch.eye(8), 8.0) == pytest.approx(8)
    assert parameters.stable_rank(torch.outer(torch.arange(1.0, 5), torch.ones(3)), 90.0) == pytest.approx(1)
    assert np.isnan(parameters.stable_rank(torch.zeros(3, 3), 0.0))


def test_lanczos_agrees_with_the_full_decomposition(monkeypatch):
    matrix = torch.randn(150, 90, generator=torch.Generator().manual_seed(1))
    square = float(matrix.double().square().sum())
    monkeypatch.setattr(parameters, "EXACT_ELEMENTS", 10)
    assert parameters.stable_rank(matrix, square) == pytest.approx(rank(matrix), rel=1e-5)


def test_a_tied_output_layer_is_left_out_and_an_untied_one_is_not(tmp_path):
    head = torch.ones(50, 12)
    without = run(tmp_path, make(tmp_path, "a", 0)[0], make(tmp_path, "b", 1)[0]).cosine[0]
    folders = [make(tmp_path, name, seed, **{"lm_head.weight": head})[0] for name, seed in [("c", 0), ("d", 1)]]
    assert run(tmp_path, *folders).cosine[0] > without + 0.1
    for folder in folders:
        (folder / "config.json").write_text(json.dumps({"tie_word_embeddings": True}))
    assert run(tmp_path, *folders).cosine[0] == pytest.approx(without)


def test_shards_equal_the_whole_and_each_weight_is_read_once(tmp_path):
    whole, tensors = make(tmp_path, "whole", 0)
    sharded = tmp_path / "sharded"
    sharded.mkdir()
    places = {name: f"model-{number}.safetensors" for number, name in enumerate(tensors)}
    for name, place in places.items():
        save_file({name: tensors[name]}, sharded / place)
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    models = [parameters.Weights(whole), parameters.Weights(sharded), parameters.Weights(make(tmp_path, "other", 1)[0])]
    measures = parameters.compare(models)
    assert measures["cosine"][0, 1] == pytest.approx(1)
    assert measures["l2"][0, 2] == pytest.approx(measures["l2"][1, 2])
    assert [model.bytes_read for model in models] == [4 * (50 * 12 + 30 * 12 + 12)] * 3


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (SHAPES | {"model.norm.weight": (13,)}, r"model.norm.weight has shape \(12,\) in a but \(13,\) in b"),
        (SHAPES | {"more.weight": (2,)}, "b has a tensor more.weight and a has not"),
    ],
)
def test_different_architectures_are_refused(tmp_path, shapes, message):
    with pytest.raises(UserError, match=message):
        run(tmp_path, make(tmp_path, "a", 0)[0], make(tmp_path, "b", 1, shapes)[0])


def test_other_bad_input_is_refused(tmp_path):
    a = make(tmp_path, "a", 0)[0]
    with pytest.raises(UserError, match="at least two"):
        run(tmp_path, a)
    with pytest.raises(UserError, match="own name"):
        run(tmp_path, a, a)
    with pytest.raises(UserError, match="no safetensors"):
        run(tmp_path, a, tmp_path)
    broken = make(tmp_path, "broken", 0, **{"model.norm.weight": torch.full((12,), torch.nan)})[0]
    with pytest.raises(UserError, match=r"model\.norm\.weight of broken has values that are not finite"):
        run(tmp_path, a, broken)
