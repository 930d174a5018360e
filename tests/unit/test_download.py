"""Downloads against a stand-in of the hub: what arrives, and one clear sentence for each fault."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import download_benchmark
import download_model
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save
from stand_in_hub import StandInHub

from study.benchmarks import read_items
from study.files import UserError
from study.merging import check_compatible

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"
MODEL = "owner/model"


def model_files(seed: int = 0, size: int = 40_000, tokenizer: str = "{}") -> dict[str, bytes]:
    """A repository with what the study keeps and what it must leave."""
    weights = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return {
        "model.safetensors": save({"embedding": weights.reshape(100, -1), "norm": torch.ones(7)}),
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": tokenizer.encode(),
        "tokenizer_config.json": b"{}",
        "pytorch_model.bin": b"code",
        "onnx/model.safetensors": b"another format",
        "README.md": b"words",
    }


def fetch(output: Path, revision: str = "main", *options: str, repository: str = MODEL) -> dict:
    download_model.main(["--repository", repository, "--revision", revision, "--output", str(output), *options])
    return json.loads((output / "model.json").read_text())


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def ranges_asked(hub: StandInHub, files: dict[str, bytes]) -> list[str | None]:
    weights = "/cdn/" + hashlib.sha256(files["model.safetensors"]).hexdigest()
    return [asked for method, path, asked in hub.requests if (method, path) == ("GET", weights)]


KEPT = {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "model.json"}


def test_a_model_is_linked_from_the_cache_with_its_commit_and_checksum(hub, tmp_path):
    files = model_files()
    commit = hub.add(f"models/{MODEL}", files, "checkpoint_0001000")
    manifest = fetch(tmp_path / "mono-eng", "checkpoint_0001000", "--tokens", "5")
    assert names(tmp_path / "mono-eng") == KEPT
    assert (tmp_path / "mono-eng/model.safetensors").is_symlink()
    assert (tmp_path / "mono-eng/model.safetensors").read_bytes() == files["model.safetensors"]
    assert manifest == {
        "model": "mono-eng",
        "parents": [],
        "source": "https://huggingface.co/owner/model",
        "revision": "checkpoint_0001000",
        "commit": commit,
        "parameters": 40_007,
        "tokens": 5,
        "sha256": hashlib.sha256(files["model.safetensors"]).hexdigest(),
    }


def test_without_the_hub_the_cache_serves_what_it_has(hub, tmp_path):
    hub.add(f"models/{MODEL}", model_files())
    first = fetch(tmp_path / "a")
    hub.stop()
    assert {**fetch(tmp_path / "b"), "model": "a"} == first
    with pytest.raises(
        UserError, match=r"cannot be reached \(.*refused\) and the cache lacks owner/model at revision checkpoint_2"
    ):
        fetch(tmp_path / "c", "checkpoint_2")


def test_a_private_download_is_moved_and_leaves_nothing_behind(hub, tmp_path):
    files = model_files()
    hub.add(f"models/{MODEL}", files)
    fetch(tmp_path / "mono-eng@1", "main", "--private", str(tmp_path / "downloads"))
    assert names(tmp_path / "mono-eng@1") == KEPT
    assert not any(path.is_symlink() for path in (tmp_path / "mono-eng@1").iterdir())
    assert (tmp_path / "mono-eng@1/model.safetensors").read_bytes() == files["model.safetensors"]
    assert not (tmp_path / "downloads").exists() and not (tmp_path / "cache/models--owner--model").exists()


def test_a_cut_connection_resumes_where_it_stopped(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    files = model_files()
    hub.add(f"models/{MODEL}", files)
    hub.cuts = [50_000, 30_000]
    fetch(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").read_bytes() == files["model.safetensors"]
    assert ranges_asked(hub, files) == [None, "bytes=50000-", "bytes=80000-"]


def test_a_lost_connection_keeps_the_finished_files(hub, tmp_path):
    files = model_files()
    hub.add(f"models/{MODEL}", files)
    hub.cuts = 6 * [0]  # no byte comes, as often as the client tries
    with pytest.raises(UserError, match=r"connection was lost while downloading owner/model .*; run again"):
        fetch(tmp_path / "model")
    tried = len(hub.requests)
    fetch(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").read_bytes() == files["model.safetensors"]
    fetched = {Path(path).name for method, path, _ in hub.requests[tried:] if method == "GET" and "/api/" not in path}
    assert fetched == {hashlib.sha256(files["model.safetensors"]).hexdigest()}


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("hf_stranger", 403)])
def test_a_gated_model_says_where_to_accept_its_terms(hub, tmp_path, monkeypatch, token, status):
    """401 without a token, 403 with that of an account that has not accepted them."""
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: token)
    hub.add(f"models/{MODEL}", model_files())
    hub.gated[f"models/{MODEL}"] = {"hf_friend"}
    with pytest.raises(
        UserError, match=rf"refuses owner/model \(HTTP {status}\): accept its terms at https://huggingface.co/owner/model"
    ):
        fetch(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "hf_friend")
    assert fetch(tmp_path / "model")["parameters"] == 40_007


def test_an_unknown_repository_or_revision_is_named(hub, tmp_path):
    with pytest.raises(UserError, match="shows no repository owner/typo"):
        fetch(tmp_path / "model", repository="owner/typo")
    hub.add(f"models/{MODEL}", model_files())
    with pytest.raises(UserError, match="owner/model has no revision checkpoint_0000001"):
        fetch(tmp_path / "model", "checkpoint_0000001")
    assert not (tmp_path / "model").exists()


def test_a_damaged_file_is_refused_deleted_and_fetched_anew(hub, tmp_path):
    hub.add(f"models/{MODEL}", model_files())
    hub.damaged.add("model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors of owner/model arrived damaged"):
        fetch(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    hub.damaged.clear()
    assert fetch(tmp_path / "model")["parameters"] == 40_007


def test_a_repository_without_safetensors_is_refused(hub, tmp_path):
    files = model_files()
    del files["model.safetensors"]
    hub.add(f"models/{MODEL}", files)
    with pytest.raises(UserError, match="no weights in safetensors"):
        fetch(tmp_path / "model")


def test_models_that_do_not_fit_together_are_not_merged(hub, tmp_path):
    for name, files in {
        "a": model_files(1),
        "other-tokenizer": model_files(2, tokenizer='{"a": 0}'),
        "larger-vocabulary": model_files(3, size=50_000),
    }.items():
        hub.add(f"models/owner/{name}", files)
        fetch(tmp_path / name, repository=f"owner/{name}")
    with pytest.raises(UserError, match="other-tokenizer has another tokenizer than a"):
        check_compatible([tmp_path / "a", tmp_path / "other-tokenizer"])
    with pytest.raises(UserError, match=r"embedding has shape \(100, 500\) in one and \(100, 400\) in the other"):
        check_compatible([tmp_path / "a", tmp_path / "larger-vocabulary"])


def test_the_command_ends_with_one_sentence_and_hides_the_token(hub, tmp_path):
    hub.add(f"models/{MODEL}", model_files())
    hub.gated[f"models/{MODEL}"] = set()
    settings = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path),
        "HF_TOKEN": "hf_secret",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, str(SCRIPTS / "download_model.py"), "--repository", MODEL, "--output", str(tmp_path / "model")]
    ended = subprocess.run(command, env={**os.environ, **settings, "HF_HUB_OFFLINE": "0"}, capture_output=True, text=True)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("download_model.py: The hub refuses owner/model")
    assert "Traceback" not in ended.stderr and "hf_secret" not in ended.stderr + ended.stdout


# Benchmarks -----------------------------------------------------------------------------------------------------------


def parquet(rows: list[dict]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def fetch_benchmark(hub, folder: Path, path: str, content: bytes, place: str) -> Path:
    hub.add("datasets/owner/data", {path: content, "README.md": b"words"})
    arguments = ["--repository", "owner/data", "--path", path, "--language", place.split("/")[1], "--output", str(folder / place)]
    download_benchmark.main(arguments)
    return folder / place


def test_multiblimp_is_copied(hub, tmp_path):
    content = "sen\twrong_sen\tphenomenon\nDie Katze schläft.\tDie Katze schlafen.\tSV-#\n".encode()
    assert fetch_benchmark(hub, tmp_path, "deu/data.tsv", content, "multiblimp/deu/test.tsv").read_bytes() == content
    assert read_items("multiblimp", "deu", tmp_path)[0]["choices"] == ["Die Katze schläft.", "Die Katze schlafen."]


def test_belebele_keeps_its_rows(hub, tmp_path):
    row = {"flores_passage": "Text", "question": "Q?", "correct_answer_num": "3"} | {f"mc_answer{n}": str(n) for n in range(1, 5)}
    fetch_benchmark(hub, tmp_path, "data/deu_Latn.jsonl", jsonl([row]), "belebele/deu/test.jsonl")
    (item,) = read_items("belebele", "deu", tmp_path)
    assert (item["gold"], item["choices"]) == (2, ["1", "2", "3", "4"])


def test_xcsqa_choices_become_a_list_again_and_empty_ones_drop_out(hub, tmp_path):
    def row(texts):
        return {"id": "x", "question": {"stem": "Was?", "choices": {"label": list("ABC"), "text": texts}}, "answerKey": "B"}

    content = parquet([row(["Hut", "Hund", "Rad"]), row(["Hut", "", "Rad"])])
    fetch_benchmark(hub, tmp_path, "X-CSQA-de/validation-00000-of-00001.parquet", content, "xcsqa/deu/validation.jsonl")
    (item,) = read_items("xcsqa", "deu", tmp_path)
    assert (item["choices"], item["gold"]) == (["Hut", "Hund", "Rad"], 1)


def test_hellaswag_takes_the_text_s_own_language(hub, tmp_path):
    row = {"ctx_a": "他", "ctx_b": "", "endings": ["走。", {"zh": "跑。", "en": "runs."}, "坐。", "睡。"], "label": 1}
    fetch_benchmark(hub, tmp_path, "data/zh/val.jsonl", jsonl([row]), "hellaswag/zho/validation.jsonl")
    assert read_items("hellaswag", "zho", tmp_path)[0]["choices"] == ["走。", "跑。", "坐。", "睡。"]


def test_flores_is_one_sentence_a_line_in_the_order_of_ids(hub, tmp_path):
    rows = [{"id": 10, "text": "Drei\u2028Zeilen."}, {"id": 2, "text": "Zwei.  "}, {"id": 1, "text": "Eins."}]
    file = fetch_benchmark(hub, tmp_path, "dev/deu_Latn.jsonl", jsonl(rows), "flores200/deu/dev.txt")
    assert file.read_text(encoding="utf-8") == "Eins.\nZwei.\nDrei Zeilen.\n"


def test_a_file_that_is_not_there_names_similar_ones(hub, tmp_path):
    hub.add("datasets/owner/data", {"data/deu_Latn.jsonl": b"{}", "README.md": b""})
    with pytest.raises(UserError, match=r"has no file deu_Latn\.jsonl at revision main; similar ones are data/deu_Latn\.jsonl"):
        download_benchmark.main(
            ["--repository", "owner/data", "--path", "deu_Latn.jsonl", "--language", "deu", "--output", str(tmp_path / "x.jsonl")]
        )


@pytest.mark.parametrize(
    ("path", "content", "place", "message"),
    [
        ("a.jsonl", b'{"endings": 1', "hellaswag/deu/validation.jsonl", "cannot be read as .jsonl"),
        ("a.parquet", b"no parquet", "hellaswag/deu/validation.jsonl", "cannot be read as .parquet"),
        ("a.jsonl", b"", "belebele/deu/test.jsonl", "has no rows"),
        ("a.jsonl", b'{"id": 1}', "flores200/deu/dev.txt", "lacks 'text'"),
        ("a.csv", b"a,b", "belebele/deu/test.jsonl", "not from .csv"),
    ],
)
def test_a_wrong_dataset_file_is_refused(hub, tmp_path, path, content, place, message):
    with pytest.raises(UserError, match=message):
        fetch_benchmark(hub, tmp_path, path, content, place)
    assert not (tmp_path / place).exists()
