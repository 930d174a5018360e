"""The laptop study end to end, in a smaller variant, through the real profile."""

import json

import pandas as pd
import pytest
from PIL import Image


def scores(project) -> dict[tuple[str, str, str], dict]:
    files = project.results("scores").rglob("*.json")
    contents = [json.loads(file.read_text()) for file in files]
    return {(c["model"], c["benchmark"], c["language"]): c for c in contents}


def test_every_table_and_figure_is_there(finished_project):
    for number in range(1, 9):
        table = pd.read_csv(finished_project.results(f"tables/table{number}.csv"))
        assert len(table) and "\\begin{tabular}" in finished_project.results(f"tables/table{number}.tex").read_text()
    for number in (1, 2, 3):
        assert finished_project.results(f"figures/figure{number}.pdf").read_bytes().startswith(b"%PDF")
        assert min(Image.open(finished_project.results(f"figures/figure{number}.png")).size) > 300
    assert len(pd.read_csv(finished_project.results("pairs.csv"))) == 6
    assert {"cka", "cosine", "l2"} <= set(pd.read_csv(finished_project.results("correlations.csv")).measure)
    assert len(pd.read_csv(finished_project.results("published.csv"))) > 400


def test_a_second_run_has_nothing_to_do(finished_project):
    assert finished_project.pending("all") == {}


def test_only_cells_that_something_shows_are_scored(finished_project):
    cells = scores(finished_project)
    assert ("mono-fra", "multiblimp", "fra") in cells and ("mono-fra", "multiblimp", "eng") not in cells
    assert ("mono-eng", "multiblimp", "tur") in cells  # Figure 2 begins with it
    assert not any(language == "zho" for _, benchmark, language in cells if benchmark == "multiblimp")
    assert not any(language == "tur" for _, benchmark, language in cells if benchmark == "xcsqa")
    # untrained, mixed, three merges in all languages; experts in their own; and what the figures add
    tables = 5 * (3 + 4 + 4 + 3 + 4) + (3 + 4 + 4 + 3 + 4)
    figure1, figure2, pairs, samples = 2 * 3, 2 + 3 * 3, 3 * 2 + 3, 1
    assert len(cells) == tables + figure1 + figure2 + pairs + samples


def test_table_1_follows_from_the_items(finished_project):
    table = pd.read_csv(finished_project.results("tables/table1.csv")).set_index(["row", "benchmark"])
    for benchmark, metric in {"multiblimp": "acc", "belebele": "acc_char", "hellaswag": "acc_char", "xcsqa": "acc_char"}.items():
        folder = finished_project.results("items/mixed", benchmark)
        means = pd.Series({file.stem: 100 * pd.read_parquet(file)[metric].mean() for file in folder.glob("*.parquet")})
        row = table.loc[("mixed", benchmark)]
        assert row["mean"] == pytest.approx(means.mean(), abs=1e-3)
        assert row["cv"] == pytest.approx(100 * means.std(ddof=1) / means.mean(), abs=1e-3)


def test_checkpoints_and_merges_over_training_differ(finished_project):
    """A checkpoint's name must not be lost on the way to a merge."""
    signatures = scores(finished_project)
    weights = [signatures[model, "multiblimp", "eng"]["signature"]["weights"]
               for model in ("merged-linear@20", "merged-linear", "mixed@20", "mixed")]  # fmt: skip
    assert len(set(weights)) == 4


def test_a_sweep_scores_what_the_same_merge_on_disk_scores(finished_project):
    """One of the merges that were made, scored and dropped, made again on disk: the same weights."""
    finished_project.snakemake("results/test/models/pair-eng+fra/model.json", "results/test/models/nested-3/model.json")
    cells = scores(finished_project)
    for model in ("pair-eng+fra", "nested-3"):
        manifest = json.loads(finished_project.results(f"models/{model}/model.json").read_text())
        assert manifest["sha256"] == cells[model, "multiblimp", "eng"]["signature"]["weights"]
    assert [parent["model"] for parent in manifest["parents"]] == ["mono-eng", "mono-zho", "mono-fra"]


def test_the_usage_of_jobs_is_recorded(finished_project):
    usage = pd.read_csv(finished_project.results("usage/train_expert/fra.tsv"), sep="\t")
    assert usage["s"].iloc[0] > 0 and usage["max_rss"].iloc[0] > 0


def test_the_report_builds(finished_project):
    finished_project.snakemake("--report", "report.html")
    text = (finished_project.folder / "report.html").read_text()
    assert "Figure 2" in text and "Table 1" in text


def test_touching_a_script_reruns_nothing(finished_project):
    for script in finished_project.folder.glob("workflow/scripts/**/*.py"):
        script.touch()
    assert finished_project.pending("all") == {}


def edited(project, name: str) -> dict[str, int]:
    """What a dry-run would do if a file were edited."""
    path = project.folder / name
    before = path.read_text()
    path.write_text(before + "\n# An edit.\n")
    try:
        return project.pending("all")
    finally:
        path.write_text(before)


def test_editing_a_plot_redraws_that_plot(finished_project):
    assert edited(finished_project, "workflow/scripts/plot_figure2.py") == {"plot_figure2": 1, "all": 1}


def test_editing_the_scoring_scores_again_but_trains_nothing(finished_project):
    pending = edited(finished_project, "workflow/scripts/study/scoring.py")
    assert pending["score_all"] == 5 and pending["score_pairs_1"] == 1 and pending["tabulate_overview"] == 1
    assert not any(rule.startswith(("train", "merge", "generate", "extract")) for rule in pending)


def test_editing_a_task_scores_again(finished_project):
    pending = edited(finished_project, "workflow/tasks/prompts.yaml")
    assert pending["score_all"] == 5


def test_editing_the_training_trains_again(finished_project):
    pending = edited(finished_project, "workflow/scripts/study/training.py")
    assert pending["train_expert"] == 4 and pending["train_mixed"] == 1 and "generate_corpus" not in pending


def test_editing_what_only_moves_files_reruns_nothing(finished_project):
    assert edited(finished_project, "workflow/scripts/study/files.py") == {}
