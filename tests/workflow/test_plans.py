"""What Snakemake plans to do, without doing it: single targets, wrong experiment files, the user's own data."""

import copy
import gzip
import json
import re
from collections import Counter
from fnmatch import fnmatch

import pandas as pd
import pytest
import yaml
from project import LANGUAGES, ROOT, Project, small_experiment


def test_one_figure_builds_only_what_it_needs(fresh_project):
    pending = fresh_project.pending("results/test/figures/figure2.pdf")
    assert pending["train_expert"] == len(LANGUAGES) and pending["score_nested_1"] == 1 and pending["plot_figure2"] == 1
    unwanted = ("train_mixed", "merge", "score_pairs", "score_steps", "extract", "tabulate", "plot_figure1", "plot_figure3")
    assert not any(rule.startswith(unwanted) for rule in pending), pending


def test_one_checkpoint_is_a_target(fresh_project):
    pending = fresh_project.pending("results/test/models/mono-fra@40/model.json")
    assert pending["train_expert"] == 1 and "train_mixed" not in pending


def test_target_rules_explain_themselves(fresh_project):
    listed = fresh_project.snakemake("--list-rules").stdout
    for rule in ("all", "models", "scores", "similarity", "tables", "figures"):
        line = next(line for line in listed.splitlines() if line.strip().split(":")[0].split()[0:1] == [rule])
        assert len(line.split()) > 3, line


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda e: e["training"].update(learning_rte=1), "unknown key 'learning_rte' in training; did you mean 'learning_rate'?"),
        (lambda e: e["languages"].append("klingon"), "klingon"),
        (lambda e: e["training"].update(steps=-5), "training.steps is -5; it must be at least 1."),
        (lambda e: e["merging"].update(nested=["eng", "deu"]), "merging.nested names 'deu', which is not among the languages"),
        (lambda e: e["merging"].update(steps=[30, 60]), "merging.steps names 30, which is neither in training.save_steps"),
    ],
    ids=["misspelt key", "unknown language", "negative number", "other languages", "no such checkpoint"],
)
def test_a_wrong_experiment_file_is_one_sentence_before_any_job(tmp_path, change, sentence):
    experiment = copy.deepcopy(small_experiment())
    change(experiment)
    project = Project(tmp_path / "project")
    project.write_experiment(experiment)
    result = project.snakemake("all", check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 1
    assert output.count("The experiment file is wrong:") == 1 and sentence in output
    assert "Traceback" not in output and not project.results().exists()


def test_the_users_own_corpora_and_benchmarks(tmp_path):
    """Plain text, compressed text and a benchmark file go through the same rules, up to a score."""
    project = Project(tmp_path / "project")
    experiment = small_experiment()
    own = tmp_path / "own"
    own.mkdir()
    sentence = "The old cat sleeps in the garden. The dogs see the cat.\n\n"
    (own / "plain.txt").write_text(400 * sentence)
    with gzip.open(own / "lines.jsonl.gz", "wt") as lines:
        lines.writelines(json.dumps({"text": f"Les chiens voient le chat {n}."}) + "\n" for n in range(800))
    files = {"eng": [str(own / "plain.txt"), str(own / "lines.jsonl.gz")], "fra": [str(own / "lines.jsonl.gz")]}
    experiment["data"]["corpora"] = {"files": {**files, "tur": files["eng"], "zho": files["fra"]}}
    pairs = pd.DataFrame({"sen": ["The cat sleeps.", "The dogs see."], "wrong_sen": ["The cat sleep.", "The dogs sees."]})
    pairs.assign(phenomenon="SV-#").to_csv(own / "test.tsv", sep="\t", index=False)
    experiment["data"]["benchmarks"]["files"] = {"multiblimp": {"eng": {"test.tsv": str(own / "test.tsv")}}}
    experiment["evaluation"]["suites"] = {"pairs": ["multiblimp"], "rest": ["belebele", "hellaswag", "xcsqa", "flores200"]}
    experiment["data"]["tokenizer"]["vocabulary"] = 300
    experiment["training"] |= {"steps": 5, "save_steps": [2]}
    experiment["merging"]["steps"] = [2, 5]
    project.write_experiment(experiment)
    project.snakemake("results/test/scores/mono-eng/multiblimp/eng.json")
    texts = [json.loads(line)["text"] for line in project.results("data/corpora/eng.jsonl").read_text().splitlines()]
    assert len(texts) == 1200 and texts[0] == sentence.strip() and texts[-1] == "Les chiens voient le chat 799."
    assert json.loads(project.results("scores/mono-eng/multiblimp/eng.json").read_text())["metrics"]["acc"]["n"] == 2


def test_the_published_numbers_need_no_model(fresh_project):
    pending = fresh_project.pending("published")
    assert set(pending) == {"correlate_published", "plot_published_figure3", "check_published", "published"}


def test_the_papers_experiment_plans_the_jobs_that_its_page_lists(fresh_project):
    """With neither hub, GPU nor Slurm; nothing below results/paper exists in the copy."""
    pending = fresh_project.pending("all", profile="profiles/lumi")
    section = (ROOT / "docs/paper-scale.md").read_text().split("## What runs")[1].split("##")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| (.+?) \|", section, re.MULTILINE)
    listed = {}
    for counts, names in rows:
        patterns = [name.replace("…", "*") for name in re.findall("`(.+?)`", names)] or ["*"]  # the last row has all others
        listed |= dict(zip(patterns, map(int, counts.split(",")), strict=True))
    planned = dict.fromkeys(listed, 0)
    for rule, jobs in pending.items():
        planned[max((pattern for pattern in listed if fnmatch(rule, pattern)), key=len)] += jobs
    assert planned == listed
    assert f"**{sum(pending.values())}**" in section


def test_the_mixed_model_can_be_trained_here(fresh_project):
    """The choice is one key of the paper's experiment; the jobs are those that its page lists."""
    experiment = yaml.safe_load((ROOT / "config.yaml").read_text())
    adopted = fresh_project.pending("all", profile="profiles/lumi")
    experiment["models"]["mixed"] = {"train": True}
    path = fresh_project.folder / "mixed.yaml"
    path.write_text(yaml.safe_dump(experiment))
    pending = Counter(fresh_project.pending("all", "--configfile", path.name, profile="profiles/lumi"))
    steps, shards = len(experiment["merging"]["steps"]) - 1, 10 * experiment["data"]["corpora"]["hub"]["shards"]
    added = {
        "download_tokenizer": 1,
        "list_shards": 10,
        "download_shard": shards,
        "tokenize_shard": shards,
        "assemble_corpus": 10,
    }
    pending.subtract({**added, "pretrain_mixed": 1, "download_checkpoint": -steps, "download_model": -1})
    assert +pending == Counter(adopted)
    page = (ROOT / "docs/paper-scale.md").read_text()
    assert f"there are {sum(adopted.values()) - steps + sum(added.values()):,}" in page
