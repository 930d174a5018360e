"""Table 8 from the released per-pair values, and the contract command."""

from pathlib import Path

import correlate_similarity
import numpy as np
import pandas as pd
import pytest

from study.files import UserError

PUBLISHED = Path(__file__).parents[2] / "data" / "published"
ROWS = {
    "mean_cka": "cka_english",
    "lang2vec_knn": "lang2vec_knn",
    "cosine_similarity": "cosine",
    "mean_l2_norm_diff": "l2",
}


def run(folder, pairs, *options):
    output = folder / "correlations.csv"
    correlate_similarity.main(["--pairs", str(pairs), "--output", str(output), *options])
    return pd.read_csv(output)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    measures = ["--measures", *ROWS.values()]
    return run(folder, PUBLISHED / "pairs.csv", *measures, "--paragraph", str(folder / "what.md")), (
        folder / "what.md"
    ).read_text()


def test_table_8_to_the_printed_digit_with_its_signs(published):
    """No row needs another sign: all correlate the measure as it is with merged minus expert accuracy, a negative number."""
    ours = published[0].set_index("measure")
    theirs = pd.read_csv(PUBLISHED / "table8.csv").set_index("measure")
    for printed, measure in ROWS.items():
        for column, digits in [("spearman_rho", 2), ("spearman_p", 3), ("pearson_r", 2), ("pearson_p", 3)]:
            assert round(ours.loc[measure, column], digits) == theirs.loc[printed, column], (measure, column)
    assert (pd.read_csv(PUBLISHED / "pairs.csv").delta < 0).all()


def test_columns_of_the_contract_come_first(published):
    assert list(published[0])[:6] == ["measure", "n", "spearman_rho", "spearman_p", "pearson_r", "pearson_p"]
    assert published[0].n.eq(45).all()


def test_published_correlations_do_not_survive_permuting_languages(published):
    table, text = published
    assert table.mantel_spearman_p.min() > 0.05
    assert table.set_index("measure").spearman_p["cka_english"] < 0.01
    assert "cka_english (+0.40)" in text
    assert "All of these checks are passed by: none." in text
    assert "merged minus expert" in text


def simulated(folder, **changes):
    generator = np.random.default_rng(0)
    a, b = zip(*[(a, b) for a in "pqrstuv" for b in "pqrstuv" if a < b], strict=True)
    x = generator.normal(size=21)
    columns = {"a": a, "b": b, "delta": x - 3, "good": x + 0.1 * generator.normal(size=21), "noise": generator.normal(size=21)}
    path = folder / "pairs.csv"
    pd.DataFrame(columns | changes).to_csv(path, index=False)
    return path


def test_a_true_relation_survives_and_noise_does_not(tmp_path):
    paragraph = tmp_path / "what.md"
    table = run(
        tmp_path,
        simulated(tmp_path, accuracy_a=0.5, expert_b=np.arange(21.0), floor_a=0.2, delta_floor=np.arange(21.0), note="x"),
        "--paragraph",
        str(paragraph),
    )
    assert list(table.measure) == ["good", "noise"]
    assert table.reading[0] == "higher good, better merge"
    assert paragraph.read_text().strip().endswith(f"passed by: good ({table.spearman_rho[0]:+.2f}).")


def test_the_same_seed_gives_the_same_file(tmp_path):
    first = run(tmp_path, simulated(tmp_path), "--seed", "3", "--permutations", "500")
    assert first.equals(run(tmp_path, simulated(tmp_path), "--seed", "3", "--permutations", "500"))


def test_another_outcome(tmp_path):
    table = run(tmp_path, simulated(tmp_path, delta_share=np.arange(21.0)), "--outcome", "delta_share")
    assert list(table.measure) == ["good", "noise"]
    assert table.spearman_rho[1] == pytest.approx(
        pd.read_csv(tmp_path / "pairs.csv")[["noise", "delta_share"]].corr("spearman").iloc[0, 1]
    )


def test_too_few_languages_for_a_permutation_is_said(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b,delta,x\np,q,-1,1\np,r,-2,3\nq,r,-4,4\np,s,-3,1\nq,s,-1,2\n")
    paragraph = tmp_path / "what.md"
    assert run(tmp_path, path, "--paragraph", str(paragraph)).mantel_spearman_p.isna().all()
    assert "not possible" in paragraph.read_text()


def test_a_constant_measure_is_left_out_or_refused_if_asked_for(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b,delta,x,y\np,q,-1,1,7\np,r,-2,3,7\nq,r,-4,4,7\np,s,-3,1,7\nq,s,-1,2,7\n")
    assert list(run(tmp_path, path).measure) == ["x"]
    with pytest.raises(UserError, match="y has the same value for every pair"):
        run(tmp_path, path, "--measures", "x", "y")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a,b,x\np,q,1\n", "no column delta"),
        ("a,b,delta,x\np,q,-1,1\np,r,-2,\nq,r,-3,3\np,s,-1,2\n", "line 3: x is not a finite number"),
        ("a,b,delta,x\np,q,-1,1\np,r,,2\nq,r,-3,3\np,s,-1,2\n", "line 3: delta is not a finite number"),
        ("a,b,delta,x\np,q,-1,1\np,r,-2,2\nq,r,-3,3\n", "at least four"),
        ("a,b,delta,x\np,q,-1,1\np,r,-2,2\nq,r,-3,3\nr,p,-1,2\n", "line 5: the pair r, p is there twice"),
        ("a,b,delta,x\np,q,-1,1\np,r,-2,2\nq,r,-3,3\ns,s,-1,2\n", "line 5: s is paired with itself"),
        ("a,b,delta,x\np,q,-1,1\np,r,-2,1\nq,r,-3,1\np,s,-1,1\n", "no column of a measure"),
        ("a,b,delta\np,q,-1\np,r,-2\nq,r,-3\np,s,-1\n", "no column of a measure"),
        ("a,b,delta,x\np,,-1,1\np,r,-2,1\nq,r,-3,1\np,s,-1,1\n", "without a or b"),
    ],
)
def test_bad_input_is_refused(tmp_path, body, message):
    path = tmp_path / "pairs.csv"
    path.write_text(body)
    with pytest.raises(UserError, match=message):
        run(tmp_path, path)
