"""Mutual nearest-neighbour overlap against loops, invariances and chance."""

import measure_neighbours
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from study.files import UserError
from study.neighbours import nearest_neighbours, neighbour_overlap

RANDOM = np.random.default_rng(0)


def overlap(x, y, k):
    return neighbour_overlap([nearest_neighbours(x, k), nearest_neighbours(y, k)])[0, 1]


def by_loops(x, y, k):
    def nearest(z, one):
        others = [other for other in range(len(z)) if other != one]
        angle = {o: z[one] @ z[o] / np.linalg.norm(z[one]) / np.linalg.norm(z[o]) for o in others}
        return set(sorted(others, key=angle.get)[-k:])

    return np.mean([len(nearest(x, one) & nearest(y, one)) / k for one in range(len(x))])


def test_against_loops():
    x = RANDOM.normal(size=(25, 4))
    y = x + 0.5 * RANDOM.normal(size=(25, 4))
    assert 0.2 < overlap(x, y, 3) < 1
    assert overlap(x, y, 3) == pytest.approx(by_loops(x, y, 3))


def test_rotation_and_the_length_of_vectors_do_not_matter():
    x = RANDOM.normal(size=(30, 6))
    rotation = np.linalg.qr(RANDOM.normal(size=(6, 6)))[0]
    assert overlap(x, x @ rotation * RANDOM.uniform(1, 9, size=(30, 1)), 5) == 1


def test_unrelated_representations_agree_by_chance():
    values = [overlap(RANDOM.normal(size=(60, 10)), RANDOM.normal(size=(60, 10)), 6) for _ in range(40)]
    assert np.mean(values) == pytest.approx(6 / 59, abs=0.01)


def test_command(tmp_path):
    layers = {name: RANDOM.normal(size=(2, 15, 4)) for name in "ab"}
    for name, tensors in layers.items():
        save_file({f"layer.{i}": torch.tensor(x) for i, x in enumerate(tensors)}, tmp_path / f"{name}.safetensors")
    output, average = tmp_path / "neighbours.csv", tmp_path / "average.csv"
    options = ["--neighbours", "4", "--output", str(output), "--average", str(average)]
    measure_neighbours.main(["--representations", str(tmp_path), *options])
    table = pd.read_csv(output)
    assert list(table) == ["a", "b", "layer", "neighbour_overlap"]
    expected = [by_loops(layers["a"][i], layers["b"][i], 4) for i in range(2)]
    assert table.neighbour_overlap.tolist() == pytest.approx(expected)
    assert pd.read_csv(average).neighbour_overlap.tolist() == pytest.approx([np.mean(expected)])


@pytest.mark.parametrize("k", [0, 5])
def test_impossible_numbers_of_neighbours_are_refused(k):
    with pytest.raises(UserError, match="between 1 and 4"):
        nearest_neighbours(np.eye(5), k)
