"""lang2vec distances against the released ones and scipy."""

from pathlib import Path

import measure_typology
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cosine

from study.files import UserError

LANGUAGES = ["ara", "deu", "eng", "fra", "ita", "nld", "rus", "spa", "tur", "zho"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    output = tmp_path_factory.mktemp("typology") / "typology.csv"
    measure_typology.main(["--languages", *LANGUAGES, "--output", str(output)])
    return pd.read_csv(output)


def test_the_released_distances_are_reproduced(table):
    published = pd.read_csv(Path(__file__).parents[2] / "data" / "published" / "pairs.csv")
    ours = {frozenset(pair): value for *pair, value in table[["a", "b", "lang2vec_knn"]].itertuples(index=False)}
    assert len(ours) == len(published) == 45
    for a, b, value in published[["a", "b", "lang2vec_knn"]].itertuples(index=False):
        assert round(ours[frozenset((a, b))], 6) == value


def test_every_group_is_a_distance_and_related_languages_are_nearer(table):
    measures = table.drop(columns=["a", "b"])
    assert list(measures) == list(measure_typology.FEATURES)
    assert measures.min().min() > -1e-9
    assert measures.max().max() < 1 + 1e-9
    rows = table.set_index(["a", "b"])
    assert rows.loc[("ita", "spa"), "lang2vec_family"] < rows.loc[("eng", "spa"), "lang2vec_family"]
    assert rows.loc[("deu", "nld"), "lang2vec_geography"] < rows.loc[("deu", "zho"), "lang2vec_geography"]


def test_cosine_distance_agrees_with_scipy():
    features = np.random.default_rng(0).random((3, 7))
    assert measure_typology.cosine_distances(features)[0, 2] == pytest.approx(cosine(features[0], features[2]))


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not know klingon"):
        measure_typology.measure(["eng", "klingon"])
    with pytest.raises(UserError, match="at least two"):
        measure_typology.main(["--languages", "eng", "--output", str(tmp_path / "x.csv")])
