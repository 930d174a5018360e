"""Reading corpora from the user's own files."""

import gzip
import json

import pyarrow
import pytest
from import_corpus import main

from study.files import UserError
from study.text import read_documents


def _zst(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


PLAIN = "One line.\nAnother line.\n\n\nA second document.\n"
JSONL = '{"text": "erstes"}\n\n{"text": " "}\n{"text": "zweites"}\n'


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_plain_text_and_jsonl_compressed_or_not(tmp_path, suffix):
    pack = {"": bytes, ".gz": gzip.compress, ".zst": _zst}[suffix]
    plain, jsonl = tmp_path / f"a.txt{suffix}", tmp_path / f"b.jsonl{suffix}"
    plain.write_bytes(pack(PLAIN.encode()))
    jsonl.write_bytes(pack(JSONL.encode()))
    assert list(read_documents(plain)) == ["One line.\nAnother line.", "A second document."]
    assert list(read_documents(jsonl)) == ["erstes", "zweites"]
    main(["--files", str(plain), str(jsonl), "--output", str(tmp_path / "corpus.jsonl")])
    texts = [json.loads(line)["text"] for line in (tmp_path / "corpus.jsonl").read_text().splitlines()]
    assert texts == ["One line.\nAnother line.", "A second document.", "erstes", "zweites"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_truncated_file_is_one_sentence_and_leaves_nothing(tmp_path, suffix):
    pack = {".gz": gzip.compress, ".zst": _zst}[suffix]
    text = "\n\n".join(f"document {n} {n * n}" for n in range(20000))
    (tmp_path / f"cut.txt{suffix}").write_bytes(pack(text.encode())[:-2000])
    with pytest.raises(UserError, match=r"damaged or cut short .*fetch it again"):
        main(["--files", str(tmp_path / f"cut.txt{suffix}"), "--output", str(tmp_path / "corpus.jsonl")])
    assert [path.name for path in tmp_path.iterdir()] == [f"cut.txt{suffix}"]


def test_missing_empty_and_wrong_files(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        list(read_documents(tmp_path / "nowhere.txt"))
    (tmp_path / "bad.jsonl").write_text('{"text": "fine"}\n{"txt": "?"}\n')
    with pytest.raises(UserError, match=r"bad\.jsonl, line 2"):
        list(read_documents(tmp_path / "bad.jsonl"))
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match="There is no text"):
        main(["--files", str(tmp_path / "empty.txt"), "--output", str(tmp_path / "x.jsonl")])
