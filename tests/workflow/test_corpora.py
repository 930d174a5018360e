"""Pre-training corpora through Snakemake: from a stand-in of the hub with its faults, and from the miniature world."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
from corpora import documents, expected_ids, gemma, hplt
from project import Project, small_experiment
from stand_in_hub import StandInHub

HPLT, TOKENIZER = "HPLT/HPLT2.0_cleaned", "HPLT/hplt2c_eng_checkpoints"
FOLDERS = {"deu": "deu_Latn", "eng": "eng_Latn_1"}  # large languages are cut into numbered parts
SHARDS = {language: [documents(60, seed) for seed in seeds] for language, seeds in {"deu": (1, 2), "eng": (3, 4)}.items()}
TOKENS = 1501  # 751 of each shard


def experiment() -> dict:
    """The small experiment in two languages."""
    changed = small_experiment()
    changed["languages"] = changed["merging"]["nested"] = changed["evaluation"]["samples"]["direction"] = ["deu", "eng"]
    changed["evaluation"]["benchmarks"]["flores200"]["missing"] = ["deu", "eng"]  # English would come from French
    return changed


def read(prefix: Path) -> list[list[int]]:
    """The documents of a shard."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    dataset = IndexedDataset(str(prefix))
    return [document.tolist() for document in dataset]


def expected_stream(language: str, tokenizer: Path, shard: int) -> list[int]:
    ids = list(chain(*expected_ids(tokenizer, SHARDS[language][shard])))
    assert len(ids) > 751
    return ids[:751]


def test_corpora_of_the_hub_for_both_trainers(tmp_path, monkeypatch):
    """A damaged shard stops its language only, and the next run makes what is missing and nothing else."""
    source = gemma(tmp_path / "tokenizer")
    hub = StandInHub()
    commit = hub.add(
        f"datasets/{HPLT}",
        {
            f"{FOLDERS[language]}/train-0000{number}-of-00002.parquet": hplt(texts)
            for language, shards in SHARDS.items()
            for number, texts in enumerate(shards)
        },
    )
    hub.add(f"models/{TOKENIZER}", {path.name: path.read_bytes() for path in source.iterdir()})
    project = Project(tmp_path / "project")
    changed = experiment()
    files = "{language.hplt}*/train-*.parquet"
    changed["data"]["corpora"] = {
        "hub": {"repository": HPLT, "revision": "main", "files": files, "shards": 2, "files_per_shard": 1, "tokens": TOKENS}
    }
    changed["data"]["tokenizer"] = {"hub": {"repository": TOKENIZER, "revision": "main"}}
    project.write_experiment(changed)
    monkeypatch.setenv("HF_ENDPOINT", hub.start())
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    targets = [f"results/test/data/megatron/{language}.json" for language in SHARDS]
    targets.append("results/test/data/tokens/deu.npy")

    hub.damaged.add("eng_Latn_1/train-00001-of-00002.parquet")
    failed = project.snakemake(*targets, "--keep-going", "--retries", "0", check=False)
    assert failed.returncode and "train-00001-of-00002.parquet of HPLT/HPLT2.0_cleaned arrived damaged" in failed.stderr
    hub.damaged.clear()
    missing = {"download_shard": 1, "tokenize_shard": 1, "assemble_corpus": 1}
    assert project.pending(*targets) == missing
    project.snakemake(*targets)
    hub.stop()
    assert project.pending(*targets) == {}

    folder = project.results("data/megatron")
    for language in SHARDS:
        assert json.loads((folder / f"{language}.json").read_text()) == {
            "prefixes": [f"{language}/00001", f"{language}/00002"],
            "tokens": [751, 751],
        }
        for number in (0, 1):
            stream = list(chain(*read(folder / f"{language}/0000{number + 1}")))
            assert stream == expected_stream(language, source, number)
        assert json.loads(project.results(f"data/shards/{language}.json").read_text())["commit"] == commit
        assert not list(project.results("data/shards").glob("*/*"))  # deleted after use
    both = expected_stream("deu", source, 0) + expected_stream("deu", source, 1)
    assert np.load(project.results("data/tokens/deu.npy")).tolist() == both
    assert not any(project.results("downloads/shards").glob("*")) and not list((tmp_path / "cache").rglob("*.parquet"))


def test_a_miniature_corpus_is_one_shard(tmp_path):
    project = Project(tmp_path / "project")
    changed = experiment()
    changed["data"]["corpora"]["miniature"]["documents"] = 200
    project.write_experiment(changed)
    project.snakemake("results/test/data/megatron/deu.json", "results/test/data/tokens/deu.npy")
    listed = json.loads(project.results("data/megatron/deu.json").read_text())
    tokens = np.load(project.results("data/tokens/deu.npy"))
    assert listed == {"prefixes": ["deu/00001"], "tokens": [len(tokens)]}
    texts = read(project.results("data/megatron/deu/00001"))
    assert len(texts) == 200 and list(chain(*texts)) == tokens.tolist()
