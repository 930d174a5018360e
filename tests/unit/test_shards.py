"""Pre-training corpora from a stand-in of the hub: lists of files, shards, Megatron's format."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import assemble_corpus
import download_shard
import download_tokenizer
import list_shards
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokenize_corpus
import tokenize_shard
import yaml
from corpora import documents, expected_ids, gemma, hplt
from tokenizers import Tokenizer
from train_tokenizer import main as train_tokenizer

from study.files import UserError
from study.text import read_documents
from study.validation import checked

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow/scripts"
HPLT = "HPLT/HPLT2.0_cleaned"
PATTERN = "{language.hplt}*/train-*.parquet"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Path:
    """A byte-level tokenizer of ours."""
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in documents(200, 99)))
    train_tokenizer(["--corpora", str(folder / "corpus.jsonl"), "--vocabulary", "400", "--output", str(folder)])
    return folder


def listed(folder: Path, count: int, *options: str) -> dict:
    output = folder / "shards/deu.json"
    arguments = ["--repository", HPLT, "--files", PATTERN, "--language", "deu", "--count", str(count), "--output", str(output)]
    list_shards.main([*arguments, *options])
    return json.loads(output.read_text())


def fetched(folder: Path, number: int, size: int = 1) -> list[bytes]:
    """The files of a shard that is fetched, in order."""
    output = folder / f"shards/deu/{number:05d}"
    arguments = ["--list", str(folder / "shards/deu.json"), "--number", f"{number:05d}", "--size", str(size)]
    download_shard.main([*arguments, "--private", str(folder / "private"), "--output", str(output)])
    return [file.read_bytes() for file in sorted(output.iterdir())]


def tokenized(tokenizer: Path, corpus: Path, prefix: Path, *options: str):
    """The shard, read back by Megatron."""
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    index = str(prefix.with_suffix(".idx"))
    tokenize_shard.main(["--tokenizer", str(tokenizer), "--corpus", str(corpus), "--output", index, *options])
    return IndexedDataset(str(prefix))


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Lists ----------------------------------------------------------------------------------------------------------------


def test_the_first_files_of_a_language_are_listed_with_their_commit(hub, tmp_path):
    files = {f"deu_Latn/train-{n:05d}-of-00003.parquet": b"x" for n in (2, 0, 1)}
    others = {"deu_Latn/README.md": b"", "eng_Latn_1/train-00000-of-00001.parquet": b"", "README.md": b"", "deu_Latn": b""}
    commit = hub.add(f"datasets/{HPLT}", {**files, **others})
    assert listed(tmp_path, 2) == {"repository": HPLT, "commit": commit, "files": sorted(files)[:2]}
    assert not [path for _, path, _ in hub.requests if "eng_Latn" in path]  # other languages' folders are not listed


def test_a_language_in_numbered_parts_is_one_list(hub, tmp_path):
    files = [f"eng_Latn_{part}/train-0000{n}-of-00002.parquet" for part in (1, 2) for n in (0, 1)]
    hub.add(f"datasets/{HPLT}", dict.fromkeys(files, b""))
    assert listed(tmp_path, 4, "--language", "eng")["files"] == files


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (PATTERN, r"has 1 files deu_Latn\*/train-\*\.parquet at revision main, fewer than the 2 .*; lower one"),
        ("{language.hplt}/*.jsonl.zst", r"has 0 files deu_Latn/\*\.jsonl\.zst .*; correct files under data\.corpora\.hub\."),
    ],
)
def test_too_few_files_are_refused(hub, tmp_path, pattern, message):
    hub.add(f"datasets/{HPLT}", {"deu_Latn/train-00000-of-00001.parquet": b""})
    with pytest.raises(UserError, match=message):
        listed(tmp_path, 2, "--files", pattern)
    assert names(tmp_path) == []


def test_an_unknown_corpus_is_named(hub, tmp_path):
    with pytest.raises(UserError, match=f"shows no repository {HPLT}"):
        listed(tmp_path, 1)


# Shards ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shards(hub, tmp_path) -> list[bytes]:
    """Two files of German, listed."""
    contents = [hplt(documents(100, seed)) for seed in (1, 2)]
    hub.add(f"datasets/{HPLT}", {f"deu_Latn/train-0000{n}-of-00002.parquet": content for n, content in enumerate(contents)})
    listed(tmp_path, 2)
    return contents


def test_a_shard_arrives_and_leaves_nothing_in_any_cache(hub, tmp_path, shards):
    assert fetched(tmp_path, 2) == [shards[1]]
    assert names(tmp_path) == ["shards/deu.json", "shards/deu/00002/deu_Latn-train-00001-of-00002.parquet"]
    assert list(read_documents(tmp_path / "shards/deu/00002")) == documents(100, 2)


def test_a_shard_of_several_files_has_their_documents_in_order(hub, tmp_path, shards):
    assert fetched(tmp_path, 1, size=2) == shards
    assert list(read_documents(tmp_path / "shards/deu/00001")) == documents(100, 1) + documents(100, 2)
    assert not (tmp_path / "private").exists()


def test_a_cut_connection_resumes_where_it_stopped(hub, tmp_path, shards, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.cuts = [5000]
    assert fetched(tmp_path, 1) == [shards[0]]
    large = "/cdn/" + hashlib.sha256(shards[0]).hexdigest()
    assert [asked for method, path, asked in hub.requests if (method, path) == ("GET", large)] == [None, "bytes=5000-"]


def test_a_damaged_file_is_refused_and_alone_fetched_anew(hub, tmp_path, shards):
    hub.damaged.add("deu_Latn/train-00001-of-00002.parquet")
    with pytest.raises(UserError, match=r"train-00001-of-00002\.parquet of HPLT/HPLT2\.0_cleaned arrived damaged"):
        fetched(tmp_path, 1, size=2)
    assert not (tmp_path / "shards/deu/00001").exists()
    hub.damaged.clear()
    assert fetched(tmp_path, 1, size=2) == shards
    large = [path for method, path, _ in hub.requests if method == "GET" and path.startswith("/cdn/")]
    assert [large.count("/cdn/" + hashlib.sha256(shard).hexdigest()) for shard in shards] == [1, 2]


def test_the_shards_are_those_of_the_list_s_commit(hub, tmp_path, shards):
    """The branch may have moved on since."""
    hub.repositories[f"datasets/{HPLT}"]["old"] = hub.repositories[f"datasets/{HPLT}"]["main"]
    hub.add(f"datasets/{HPLT}", {"deu_Latn/train-00000-of-00001.parquet": hplt(["new"])})
    assert fetched(tmp_path, 1) == [shards[0]]


def test_parquet_without_text_or_cut_short_is_refused(tmp_path):
    (tmp_path / "cut.parquet").write_bytes(hplt(documents(50))[:-100])
    with pytest.raises(UserError, match=r"cut\.parquet is damaged or cut short .*fetch it again"):
        list(read_documents(tmp_path / "cut.parquet"))
    pq.write_table(pa.table({"content": ["a"], "id": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet has no column `text`, only content, id\."):
        list(read_documents(tmp_path / "other.parquet"))


# Megatron's format ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["parquet", "jsonl.gz"])
def test_ids_and_boundaries_are_those_of_transformers(tmp_path, tokenizer, kind):
    texts = documents(100)
    corpus = tmp_path / f"corpus.{kind}"
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    corpus.write_bytes(hplt(texts) if kind == "parquet" else gzip.compress(lines.encode()))
    dataset = tokenized(tokenizer, corpus, tmp_path / "deu/00001", "--threads", "2")
    assert [list(document) for document in dataset] == expected_ids(tokenizer, texts)
    assert list(dataset.document_indices) == list(range(101))  # a sequence is a document
    assert dataset.index.dtype == np.uint16
    assert names(tmp_path) == [corpus.name, "deu/00001.bin", "deu/00001.idx"]


def test_a_large_vocabulary_takes_four_bytes(tmp_path, tokenizer):
    """The ids of added tokens count."""
    large = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    large.add_tokens([f"token{number}" for number in range(70_000)])
    large.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "<eos>"}}')
    (tmp_path / "corpus.txt").write_text("token69999")
    dataset = tokenized(tmp_path, tmp_path / "corpus.txt", tmp_path / "deu/00001")
    assert dataset.index.dtype == np.int32
    assert list(dataset[0]) == [2, large.token_to_id("token69999"), 1] and dataset[0][1] > 65_535


@pytest.mark.parametrize("limit", [1, 500, 501, 502, 503, 504])
def test_the_budget_is_met_exactly(tmp_path, tokenizer, limit):
    texts = documents(100)
    (tmp_path / "corpus.parquet").write_bytes(hplt(texts))
    dataset = tokenized(tokenizer, tmp_path / "corpus.parquet", tmp_path / "00001", "--limit", str(limit))
    stream = [token for ids in expected_ids(tokenizer, texts) for token in ids]
    assert len(stream) > 1000
    assert [token for document in dataset for token in document] == stream[:limit]


def test_transformers_trains_on_the_same_stream(tmp_path, tokenizer):
    shards = [tmp_path / f"{n}.parquet" for n in (1, 2)]
    for n, shard in enumerate(shards):
        shard.write_bytes(hplt(documents(50, n)))
    arguments = ["--tokenizer", str(tokenizer), "--limit", "300", "--output", str(tmp_path / "deu.npy")]
    tokenize_corpus.main(["--corpora", *map(str, shards), *arguments])
    datasets = [tokenized(tokenizer, shard, tmp_path / f"deu/{shard.stem}", "--limit", "300") for shard in shards]
    stream = np.concatenate([document for dataset in datasets for document in dataset])
    assert np.array_equal(np.load(tmp_path / "deu.npy"), stream) and len(stream) == 600


def test_an_empty_corpus_and_a_tokenizer_without_an_end_are_refused(tmp_path, tokenizer):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(UserError, match="No document in"):
        tokenized(tokenizer, tmp_path / "empty.txt", tmp_path / "deu/00001")
    (tmp_path / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<end>"}')
    with pytest.raises(UserError, match=r"no token that ends a document: `eos_token` is '<end>'"):
        tokenized(tmp_path, tmp_path / "empty.txt", tmp_path / "deu/00001")
    assert names(tmp_path / "deu") == []


def test_a_killed_tokenising_leaves_nothing_half_done(tmp_path, tokenizer):
    texts = documents(20_000)
    (tmp_path / "corpus.txt").write_text("\n\n".join(texts))
    prefix, partial = tmp_path / "deu/00001", tmp_path / "deu/.00001.partial.bin"
    # What an earlier, smaller run left is gone as soon as it is no longer true.
    tokenized(tokenizer, tmp_path / "corpus.txt", prefix, "--limit", "1000")
    command = [sys.executable, str(SCRIPTS / "tokenize_shard.py"), "--tokenizer", str(tokenizer)]
    process = subprocess.Popen([*command, "--corpus", str(tmp_path / "corpus.txt"), "--output", f"{prefix}.idx"])
    while not (partial.exists() and partial.stat().st_size) and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not prefix.with_suffix(".idx").exists()
    dataset = tokenized(tokenizer, tmp_path / "corpus.txt", prefix)
    assert len(dataset) == len(texts) and names(tmp_path / "deu") == ["00001.bin", "00001.idx"]


# Corpora --------------------------------------------------------------------------------------------------------------


def test_a_corpus_lists_its_shards_and_must_have_its_tokens(tmp_path, tokenizer):
    for shard, count in (("00001", 60), ("00002", 40)):
        (tmp_path / "corpus.parquet").write_bytes(hplt(documents(80, count)))
        tokenized(tokenizer, tmp_path / "corpus.parquet", tmp_path / f"deu/{shard}", "--limit", str(count))
    shards = [str(tmp_path / f"deu/{shard}.idx") for shard in ("00001", "00002")]
    arguments = ["--shards", *shards, "--language", "deu", "--output", str(tmp_path / "deu.json")]
    with pytest.raises(UserError, match=r"German has 100 of 101 tokens in 2 shards, the smallest of 40; raise data\.corpora"):
        assemble_corpus.main([*arguments, "--tokens", "101"])
    assert not (tmp_path / "deu.json").exists()
    assemble_corpus.main([*arguments, "--tokens", "100"])
    assert json.loads((tmp_path / "deu.json").read_text()) == {"prefixes": ["deu/00001", "deu/00002"], "tokens": [60, 40]}


# The shared tokenizer -------------------------------------------------------------------------------------------------


def fetched_tokenizer(hub, folder: Path, source: Path) -> Path:
    files = {name: (source / name).read_bytes() for name in ("tokenizer.json", "tokenizer_config.json")}
    hub.add("models/owner/model", {**files, "config.json": b"{}", "model.safetensors": b"weights"})
    download_tokenizer.main(["--repository", "owner/model", "--output", str(folder / "tokenizer")])
    return folder / "tokenizer"


def test_a_tokenizer_in_gemma_s_form_is_fetched_without_its_model(hub, tmp_path):
    source = gemma(tmp_path / "source")
    folder = fetched_tokenizer(hub, tmp_path, source)
    assert names(folder) == ["tokenizer.json", "tokenizer_config.json"]
    assert (folder / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    assert not [path for _, path, _ in hub.requests if "safetensors" in path]
    texts = documents(20)
    (tmp_path / "corpus.parquet").write_bytes(hplt(texts))
    dataset = tokenized(folder, tmp_path / "corpus.parquet", tmp_path / "deu/00001")
    assert [list(document) for document in dataset] == expected_ids(folder, texts)
    assert dataset[0][0] == 2 and dataset[0][-1] == 1  # <bos>, <eos>


def test_a_tokenizer_that_transformers_builds_otherwise_is_refused(hub, tmp_path):
    source = gemma(tmp_path / "source")
    content = json.loads((source / "tokenizer.json").read_text())
    content["normalizer"] = {"type": "Lowercase"}
    (source / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"transformers tokenises otherwise than tokenizer\.json of owner/model"):
        fetched_tokenizer(hub, tmp_path, source)
    assert not (tmp_path / "tokenizer").exists()


def test_a_repository_without_a_tokenizer_is_refused(hub, tmp_path):
    hub.add("models/owner/model", {"config.json": b"{}", "tokenizer_config.json": b"{}"})
    with pytest.raises(UserError, match=r"owner/model has no tokenizer\.json; name another repository"):
        download_tokenizer.main(["--repository", "owner/model", "--output", str(tmp_path / "tokenizer")])


# The experiment file ---------------------------------------------------------------------------------------------------

SOURCE = {"repository": HPLT, "revision": "main", "files": PATTERN, "shards": 20, "files_per_shard": 10, "tokens": 10_000_000_000}
SHARED = {"hub": {"repository": "HPLT/hplt2c_eng_checkpoints", "revision": "main"}}


@pytest.mark.parametrize(
    ("corpora", "tokenizer", "message"),
    [
        ({"hub": SOURCE}, SHARED, None),
        ({"hub": SOURCE}, {"vocabulary": 3072}, None),
        ({"hub": SOURCE}, {**SHARED, "vocabulary": 3072}, "data.tokenizer must have one of the keys 'vocabulary' or 'hub'"),
        (
            {"hub": {**SOURCE, "files": "*.csv"}},
            SHARED,
            r"data.corpora.hub.files is '\*.csv'; it must be a pattern of paths that end",
        ),
        (
            {"hub": {**SOURCE, "files": "{language.hpl}/*.parquet"}},
            SHARED,
            "data.corpora.hub.files: .* cannot be filled .* hplt,",
        ),
        ({"hub": {**SOURCE, "shards": 0}}, SHARED, "data.corpora.hub.shards is 0; it must be at least 1"),
        ({"hub": SOURCE, "files": {}}, SHARED, "data.corpora has 2 keys; choose one of files, hub, miniature"),
    ],
)
def test_the_keys_of_a_corpus(corpora, tokenizer, message):
    experiment = yaml.safe_load((ROOT / "profiles/laptop/experiment.yaml").read_text())
    experiment["data"] |= {"corpora": corpora, "tokenizer": tokenizer}
    if message is None:
        assert checked(experiment, ROOT) == experiment
    else:
        with pytest.raises(UserError, match=message):
            checked(experiment, ROOT)
