"""The paper's numbers against each other, and beside ours."""

from pathlib import Path

import check_published
import compare_published
import numpy as np
import pandas as pd
import pytest
from synthetic_scores import make_config, write_scores

from study.files import UserError
from study.published import NESTED, read_published

PUBLISHED = Path(__file__).parents[2] / "data" / "published"


def test_published_tables_are_complete():
    table = read_published(PUBLISHED, "per_language")
    assert table.groupby("benchmark").size().to_dict() == {
        "multiblimp": 72,
        "belebele": 80,
        "hellaswag": 80,
        "xcsqa": 72,
        "flores200": 80,
    }
    assert len(read_published(PUBLISHED, "table1")) == 40 and len(read_published(PUBLISHED, "pairs")) == 45
    with pytest.raises(UserError, match="data/published"):
        read_published(PUBLISHED / "nowhere", "table1")


def test_multiblimp_column_of_table_1_follows_from_table_2():
    scores = read_published(PUBLISHED, "per_language").query("benchmark == 'multiblimp'").groupby("model").score
    table = read_published(PUBLISHED, "table1").query("benchmark == 'multiblimp'").set_index("model")
    means, cvs = scores.mean(), scores.apply(lambda x: 100 * np.std(x, ddof=1) / np.mean(x))
    assert (means - table["mean"]).abs().max() < 0.06 and (cvs - table.cv).abs().max() < 0.05
    checked = check_published.check(read_published(PUBLISHED, "table1"), read_published(PUBLISHED, "per_language"))
    column = checked[(checked.benchmark == "multiblimp") & (checked.languages == "all")]
    assert set(column.verdict) <= {"exact", "within rounding"} and len(column) == 16


def test_experts_follow_without_arabic_and_chinese_only(tmp_path):
    outputs = ["--output", str(tmp_path / "check.csv"), "--report", str(tmp_path / "check.md")]
    check_published.main(["--published", str(PUBLISHED), *outputs])
    table = pd.read_csv(tmp_path / "check.csv").set_index(["model", "benchmark", "statistic", "languages"])
    for benchmark in ("belebele", "hellaswag", "xcsqa", "flores200"):
        for statistic in ("mean", "cv"):
            assert table.loc[("mono", benchmark, statistic, "all"), "verdict"] == "no"
            assert table.loc[("mono", benchmark, statistic, "without ara and zho"), "verdict"] != "no"
    # Values worked out from the printed tables by hand.
    assert table.loc[("mono", "belebele", "mean", "all"), "recomputed"] == pytest.approx(37.95)
    assert table.loc[("mixed", "flores200", "cv", "all"), "recomputed"] == pytest.approx(34.77, abs=0.005)
    assert "hellaswag, without ara and zho: mono" in (tmp_path / "check.md").read_text(encoding="utf-8")


def test_rounding_bound_covers_every_rounding():
    generator = np.random.default_rng(0)
    truth = generator.uniform(30, 60, size=(2000, 9))
    printed = truth.round(1)
    for row_truth, row_printed in zip(truth, printed, strict=True):
        cv = 100 * row_truth.std(ddof=1) / row_truth.mean()
        recomputed = 100 * row_printed.std(ddof=1) / row_printed.mean()
        assert abs(round(cv, 2) - recomputed) <= check_published.rounding_bound(row_printed, "cv") * 1.01


@pytest.mark.parametrize("paper", [False, True])
def test_ours_beside_theirs(tmp_path, paper):
    config = make_config(steps=(10000, 47684)) if paper else make_config(["deu", "eng", "fra"])
    config["merging"]["nested"] = list(NESTED) if paper else ["fra", "deu", "eng"]
    if paper:
        config["data"] = {"benchmarks": {"hub": {}}}
        config["models"] = {"baselines": {}, "experts": {"hub": "HPLT"}, "mixed": {"train": "nemo"}}
    tables = read_published(PUBLISHED, "per_language").set_index(["model", "benchmark", "language"]).score.to_dict()

    def value(cell):
        model = "mono" if cell.model == f"mono-{cell.language}" else cell.model
        return tables.get((model, cell.benchmark, cell.language), 50.0)

    write_scores(tmp_path, config, value)
    files = ["--experiment", str(tmp_path / "experiment.json"), "--scores", str(tmp_path / "scores")]
    compare_published.main([*files, "--published", str(PUBLISHED), "--output", str(tmp_path / "published.csv")])
    table = pd.read_csv(tmp_path / "published.csv")
    assert len(table) == 80 + 384 + 63 + 72
    present = table[table.ours.notna()]
    cells = present[present.table.isin([f"table{i}" for i in range(2, 7)])]
    assert cells.difference.abs().max() < 1e-4 and len(cells) == (5 * 48 if paper else 5 * 5 * 3)
    assert (present.difference - (present.ours - present.published)).abs().max() < 1e-3
    assert set(table[table.ours.isna()].reason) == {"not in this experiment"}
    if not paper:
        assert not table.comparable.any() and set(present.reason) == {"another scale of model and data"}
        return
    assert present[present.table == "table2"].comparable.all() and not present[present.table == "table6"].comparable.any()
    overview = present[present.table == "table1"].groupby("benchmark").comparable.all()
    assert overview.to_dict() == {"belebele": False, "flores200": False, "hellaswag": False, "multiblimp": True, "xcsqa": False}
    assert present[present.table == "figure1"].groupby("model").size().to_dict() == {
        "untrained": 9, "mixed": 9, "mixed@10000": 9, "merged-linear": 9, "merged-linear@10000": 9
    }  # fmt: skip
    assert len(present[present.table == "figure2"]) == 72


def test_table_8_beside_ours(tmp_path):
    row = {"measure": "cka", "spearman_rho": 0.5, "spearman_p": 0.01, "pearson_r": 0.4, "pearson_p": 0.02}
    pd.DataFrame([row | {"spearman_low": 0.1, "spearman_high": 0.8}]).to_csv(tmp_path / "c.csv", index=False)
    table = compare_published.compare_correlations(PUBLISHED, tmp_path / "c.csv").set_index("quantity")
    ours = table.loc["spearman_rho of cka"]
    assert (ours.published, ours.ours, ours.low, ours.high) == (0.40, 0.5, 0.1, 0.8)
    assert pd.isna(table.loc["pearson_r of l2", "ours"]) and len(table) == 20
