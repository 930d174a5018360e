"""Language-specific units against closed forms and a planted truth."""

import json

import measure_neurons
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from scipy import stats

from study.files import UserError
from study.neurons import jaccard, selectivity, specific_units

RANDOM = np.random.default_rng(0)


def test_selectivity_of_known_rates():
    rates = np.array([[0.5, 0.9, 0.0, 0.4], [0.5, 0.0, 0.0, 0.4], [0.5, 0.0, 0.0, 0.0], [0.5, 0.0, 0.0, 0.0]])
    assert selectivity(rates) == pytest.approx([0, 1, 0, 0.5])


def test_selectivity_against_scipy():
    rates = RANDOM.random((5, 20))
    assert selectivity(rates) == pytest.approx(1 - stats.entropy(rates, axis=0, base=5))


def test_jaccard_by_hand():
    sets = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
    assert jaccard(sets) == pytest.approx(np.array([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, np.nan]]), nan_ok=True)


def planted():
    """Rates (2 layers, 3 languages, 100 units): units 0-3 of layer 1 fire often in one language; 4 rarely, in one; 5 often in all."""
    rates = np.full((2, 3, 100), 0.3) + 0.02 * RANDOM.random((2, 3, 100))
    for unit, language in enumerate([0, 0, 1, 2]):
        rates[1, :, unit] = 0.01
        rates[1, language, unit] = 0.9
    rates[1, :, 4] = [0.02, 0, 0]
    rates[1, :, 5] = 0.9
    return rates


def test_planted_units_are_found_and_nothing_else():
    found = specific_units(planted(), share=0.02)
    assert np.argwhere(found).tolist() == [[1, 0, 0], [1, 0, 1], [1, 1, 2], [1, 2, 3]]


def save(folder, name, rates, languages=("ara", "deu", "eng")):
    folder.mkdir(exist_ok=True)
    tensors = {f"firing.{i}": torch.tensor(layer, dtype=torch.float32) for i, layer in enumerate(rates)}
    save_file(tensors, folder / f"{name}.safetensors", metadata={"languages": json.dumps(languages)})


def test_command(tmp_path):
    folder = tmp_path / "activations"
    save(folder, "p", planted())
    moved = planted()
    moved[1, :, [2, 7]] = moved[1, :, [7, 2]]
    save(folder, "q", moved)
    output, shares, average = (tmp_path / f"{name}.csv" for name in ["neurons", "shares", "average"])
    options = ["--share", "0.02", "--output", str(output), "--shares", str(shares), "--average", str(average)]
    measure_neurons.main(["--activations", str(folder), *options])
    firing = measure_neurons.read_firing(folder)[1]
    table = pd.read_csv(output)
    assert list(table) == ["a", "b", "layer", "neuron_overlap", "neuron_overlap_by_chance"]
    assert np.isnan(table.neuron_overlap[0])
    assert table.neuron_overlap[1] == pytest.approx(3 / 5)
    assert table.neuron_overlap_by_chance[1] == pytest.approx((4 * 4 / 100) / (8 - 4 * 4 / 100))
    assert pd.read_csv(average).neuron_overlap[0] == pytest.approx(3 / 5)
    table = pd.read_csv(shares).set_index(["model", "layer", "language"])
    share = table.share
    assert share.loc["p", 1].tolist() == pytest.approx([0.02, 0.01, 0.01])
    assert share.loc["p", 0].tolist() == [0, 0, 0]
    rates = firing["p"][1]  # unit 5 fires equally often in all languages and counts for the first
    favoured = [stats.entropy(rates[:, u], base=3) for u in range(100) if u != 5 and max(rates[:, u]) == rates[1, u]]
    assert table.selectivity["p", 1, "deu"] == pytest.approx(1 - np.mean(favoured))


def test_bad_input_is_refused(tmp_path):
    save(tmp_path / "one", "p", planted())
    with pytest.raises(UserError, match="1 models"):
        measure_neurons.read_firing(tmp_path / "one")
    save(tmp_path / "one", "q", planted(), languages=["ara", "deu", "fra"])
    with pytest.raises(UserError, match="q and p differ"):
        measure_neurons.read_firing(tmp_path / "one")
    (tmp_path / "other").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "other" / "p.safetensors")
    with pytest.raises(UserError, match="no tensors firing"):
        measure_neurons.read_firing(tmp_path / "other")
