"""Table 1's aggregation, on hand-made numbers and on the paper's own per-language tables."""

from pathlib import Path

import pandas as pd
import pytest
import summarise_scores

from study.files import UserError

PUBLISHED = Path(__file__).parents[2] / "data" / "published"


def write(folder, text):
    path = folder / "scores.csv"
    path.write_text(text)
    return path


def test_contract(tmp_path):
    path = write(tmp_path, "model,benchmark,language,score\nm,b,eng,1\nm,b,deu,3\nm,c,eng,5\nk,b,eng,2\n")
    summarise_scores.main(["--scores", str(path), "--output", str(tmp_path / "table.csv")])
    table = pd.read_csv(tmp_path / "table.csv")
    assert list(table) == ["model", "benchmark", "n", "mean", "cv"]
    assert table[["model", "benchmark", "n", "mean"]].to_numpy().tolist() == [
        ["m", "b", 2, 2],
        ["m", "c", 1, 5],
        ["k", "b", 1, 2],
    ]
    assert table.cv[0] == pytest.approx(100 * 2**0.5 / 2)
    assert table.cv[1:].isna().all()


def test_published_multiblimp_means_and_cvs_follow_from_table_2():
    scores = pd.read_csv(PUBLISHED / "per_language.csv").query("benchmark == 'multiblimp'").dropna(subset="score")
    ours = summarise_scores.summarise(scores).set_index("model")
    theirs = pd.read_csv(PUBLISHED / "table1.csv").query("benchmark == 'multiblimp'").set_index("model")
    assert len(ours) == 8
    assert (ours["mean"] - theirs["mean"]).abs().max() < 0.06
    assert (ours.cv - theirs.cv).abs().max() < 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,benchmark,score\nm,b,1\n", "no column language"),
        ("model,benchmark,language,score\nm,b,eng,\n", "line 2: score is not a finite number"),
        ("model,benchmark,language,score\nm,b,eng,x\n", "line 2: score is not a finite number"),
        ("model,benchmark,language,score\nm,b,eng,1\nm,b,eng,2\n", "line 3"),
        ("model,benchmark,language,score\n", "no rows"),
        ("", "not a CSV table"),
    ],
)
def test_bad_input_is_refused(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        summarise_scores.read_scores(write(tmp_path, text))
