"""CKA against closed forms, explicit sums and an independent feature-space formula."""

import compute_cka
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from study.cka import all_pairs_cka
from study.files import UserError

RANDOM = np.random.default_rng(0)


def cka(*matrices):
    biased, debiased = all_pairs_cka(iter(matrices), len(matrices))
    return biased[0, 1], debiased[0, 1]


def test_an_orthogonal_map_a_scale_and_a_shift_change_nothing():
    x = RANDOM.normal(size=(40, 12))
    rotation = np.linalg.qr(RANDOM.normal(size=(12, 12)))[0]
    assert cka(x, 7 * x @ rotation + RANDOM.normal(size=12)) == pytest.approx((1, 1))


def test_an_invertible_map_that_is_not_orthogonal_does():
    x = RANDOM.normal(size=(40, 12))
    assert max(cka(x, x * np.geomspace(1, 100, 12))) < 0.7


def test_independent_features_give_d_over_n_plus_d_and_zero():
    n, d = 200, 400
    biased, debiased = cka(RANDOM.normal(size=(n, d)), RANDOM.normal(size=(n, d)))
    assert biased == pytest.approx(d / (n + d), abs=0.01)
    assert debiased == pytest.approx(0, abs=0.01)


def test_biased_against_the_feature_form():
    x, y = RANDOM.normal(size=(30, 8)) + 3, RANDOM.normal(size=(30, 5)) ** 2
    x[:, :5] += y
    a, b = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    assert cka(x, y)[0] == pytest.approx(norm(b.T @ a) ** 2 / (norm(a.T @ a) * norm(b.T @ b)))


def hsic1(k, l):  # noqa: E741 (the letters of the formula)
    """The unbiased estimator by explicit sums over distinct indices (Song et al. 2012, section 3)."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    one = sum(k[a, b] * l[a, b] for a in range(n) for b in range(n))
    two = sum(k[a, b] for a in range(n) for b in range(n)) * sum(l[a, b] for a in range(n) for b in range(n))
    three = sum(k[a, b] * l[b, c] for a in range(n) for b in range(n) for c in range(n))
    return (one + two / ((n - 1) * (n - 2)) - 2 * three / (n - 2)) / (n * (n - 3))


def test_debiased_against_explicit_sums_on_features_that_are_not_centred():
    x, y = RANDOM.normal(size=(9, 4)) + 5, RANDOM.normal(size=(9, 6)) - 2
    k, l = x @ x.T, y @ y.T  # noqa: E741
    assert cka(x, y)[1] == pytest.approx(hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l)))


def test_debiased_values_may_be_negative():
    values = [cka(RANDOM.normal(size=(10, 3)), RANDOM.normal(size=(10, 3)))[1] for _ in range(50)]
    assert min(values) < -0.05
    assert np.mean(values) == pytest.approx(0, abs=0.15)


def test_debiased_of_vanishing_self_similarity_is_missing_not_infinite():
    """Four corners of a regular simplex: every pair is equally far, so nothing is left off the diagonal."""
    biased, debiased = cka(np.eye(4), RANDOM.normal(size=(4, 3)))
    assert 0 < biased < 1
    assert np.isnan(debiased)


def write(folder, **models):
    folder.mkdir(exist_ok=True)
    for name, layers in models.items():
        save_file({f"layer.{i}": torch.tensor(x) for i, x in enumerate(layers)}, folder / f"{name}.safetensors")
    return folder


def test_contract(tmp_path):
    layers = {name: RANDOM.normal(size=(4, 20, hidden)).astype(np.float32) for name, hidden in [("b", 6), ("a", 6), ("c", 9)]}
    folder = write(tmp_path / "representations", **layers)
    average = tmp_path / "average.csv"
    compute_cka.main(["--representations", str(folder), "--output", str(tmp_path / "cka.csv"), "--average", str(average)])
    table = pd.read_csv(tmp_path / "cka.csv")
    assert list(table) == ["a", "b", "layer", "cka", "cka_debiased"]
    assert table[["a", "b", "layer"]].to_numpy().tolist() == [[*pair, layer] for layer in range(4) for pair in ("ab", "ac", "bc")]
    alone = cka(layers["a"][2].astype(float), layers["c"][2].astype(float))
    assert table.query("a == 'a' and b == 'c' and layer == 2")[["cka", "cka_debiased"]].to_numpy()[0] == pytest.approx(alone)
    means = pd.read_csv(average).set_index(["a", "b"])
    bc = table.query("a == 'b'").cka.to_numpy()
    assert means.loc[("b", "c"), "cka"] == pytest.approx(bc.mean())
    assert means.loc[("b", "c"), ["cka_lower", "cka_middle", "cka_upper"]].tolist() == pytest.approx(
        [bc[:2].mean(), bc[2], bc[3]]
    )


def test_half_precision_is_accumulated_in_double(tmp_path):
    x = (1000 + RANDOM.normal(size=(1, 50, 8))).astype(np.float16)
    folder = write(tmp_path / "r", a=x, b=RANDOM.normal(size=(1, 50, 8)).astype(np.float16))
    exact = cka(*[compute_cka.Representations(folder).matrix(model, 0).astype(np.longdouble) for model in "ab"])
    compute_cka.main(["--representations", str(folder), "--output", str(tmp_path / "cka.csv")])
    assert pd.read_csv(tmp_path / "cka.csv")[["cka", "cka_debiased"]].to_numpy()[0] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"a": np.ones((1, 5, 2))}, "at least two"),
        ({"a": np.ones((1, 5, 2)), "b": np.ones((1, 6, 2))}, "same text"),
        ({"a": np.ones((1, 5, 2)), "b": np.ones((2, 5, 2))}, "must be the same"),
        ({"a": np.eye(5)[None], "b": np.ones((1, 5, 2))}, "same for every sentence"),
        ({"a": np.eye(5)[None], "b": np.full((1, 5, 2), np.inf)}, "not finite"),
        ({"a": np.eye(3)[None], "b": np.eye(3)[None]}, "at least four sentences"),
    ],
)
def test_bad_input_is_refused(tmp_path, models, message):
    with pytest.raises(UserError, match=message):
        compute_cka.compute_layers(compute_cka.Representations(write(tmp_path / "r", **models)))


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_text("hello")
    (tmp_path / "b.safetensors").write_text("hello")
    with pytest.raises(UserError, match="not a safetensors file"):
        compute_cka.Representations(tmp_path)
