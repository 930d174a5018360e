"""The table of pairs against differences computed by hand."""

import pandas as pd
import pytest
import tabulate_pairs
from synthetic_scores import make_config, write_scores

from study.experiment import Cell
from study.files import UserError

EXPERT, FLOOR = {"eng": 95.0, "deu": 90.0, "zho": 0.0}, {"eng": 60.0, "deu": 50.0, "zho": 0.0}
MERGED = {("eng", "deu", "eng"): 67.0, ("eng", "deu", "deu"): 58.0, ("eng", "zho", "eng"): 53.0, ("deu", "zho", "deu"): 54.0}


def value(cell: Cell) -> float:
    if cell.model.startswith("pair-"):
        return MERGED[(*cell.model.removeprefix("pair-").split("+"), cell.language)]
    return (FLOOR if cell.model == "untrained" else EXPERT)[cell.language]


@pytest.fixture
def run(tmp_path):
    config = make_config(["eng", "deu", "zho"])
    config["evaluation"]["samples"]["direction"] = ["eng", "deu"]
    write_scores(tmp_path, config, value)
    return tmp_path


def tabulate(run, *similarity: str) -> pd.DataFrame:
    common = ["--experiment", str(run / "experiment.json"), "--scores", str(run / "scores")]
    tabulate_pairs.main([*common, "--similarity", *similarity, "--output", str(run / "pairs.csv")])
    return pd.read_csv(run / "pairs.csv").set_index(["a", "b"])


def test_changes_by_hand(run):
    pairs = tabulate(run)
    both, one = pairs.loc["eng", "deu"], pairs.loc["eng", "zho"]
    assert (both.accuracy_a, both.expert_b, both.floor_b) == pytest.approx((0.67, 0.90, 0.50))
    assert both.delta == pytest.approx((0.67 - 0.95 + 0.58 - 0.90) / 2)
    assert both.delta_floor == pytest.approx((0.07 + 0.08) / 2)
    assert both.delta_share == pytest.approx((0.07 / 0.35 + 0.08 / 0.40) / 2)
    assert one.delta == pytest.approx(0.53 - 0.95) and pd.isna(one.accuracy_b)  # Chinese is not in the benchmark
    assert one.delta_share == pytest.approx(-0.07 / 0.35)


def test_similarity_joins_in_either_order_and_by_expert(run):
    measures = pd.DataFrame(
        {"a": ["mono-zho", "mono-deu", "mono-deu"], "b": ["mono-eng", "mono-eng", "mono-zho"], "cka": [0.1, 0.2, 0.3]}
    )
    measures.to_csv(run / "cka.csv", index=False)
    pairs = tabulate(run, str(run / "cka.csv"), f"own={run / 'cka.csv'}")
    assert pairs.loc[("eng", "zho"), "cka"] == 0.1 and pairs.loc[("eng", "deu"), "cka"] == 0.2
    assert pairs.own_cka.tolist() == pairs.cka.tolist()
    with pytest.raises(UserError, match="NAME=FILE"):
        tabulate(run, str(run / "cka.csv"), str(run / "cka.csv"))
    measures.head(2).to_csv(run / "cka.csv", index=False)
    with pytest.raises(UserError, match=r"deu\+zho"):
        tabulate(run, str(run / "cka.csv"))
    pd.concat([measures, measures]).to_csv(run / "cka.csv", index=False)
    with pytest.raises(UserError, match="more than one row"):
        tabulate(run, str(run / "cka.csv"))
