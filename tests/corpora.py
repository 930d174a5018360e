"""A corpus and a tokenizer in small, in the hub's real formats."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer


def documents(count: int, seed: int = 0) -> list[str]:
    """Documents of some lines each, in four scripts."""
    words = "Käse Straße été naïve кот спит قطة نائمة 猫在睡觉 çay 12,50 € the cat's".split()
    draw = np.random.default_rng(seed)
    return [
        "\n".join(" ".join(draw.choice(words, draw.integers(1, 12))) for _ in range(draw.integers(1, 6))) for _ in range(count)
    ]


def hplt(texts: list[str]) -> bytes:
    """A file of HPLT/HPLT2.0_cleaned: its columns, its small row groups."""
    rows = [
        {
            "f": "./CC-MAIN-2014/1.warc.gz",
            "o": 578 * number,
            "u": f"https://example.org/{number}",
            "c": "text/html",
            "ts": "2014-03-08T02:31:57Z",
            "collection": "cc14",
            "lang": ["deu_Latn", "nds_Latn"],
            "prob": [0.99, 0.01],
            "text": text,
            "seg_langs": ["deu_Latn"] * (text.count("\n") + 1),
            "id": hashlib.md5(f"{number}".encode()).hexdigest(),
            "filter": "keep",
            "pii": [[1, 3]],
            "doc_scores": [8.0, 0.9],
        }
        for number, text in enumerate(texts)
    ]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream, row_group_size=20)
    return stream.getvalue()


def gemma(folder: Path, vocabulary: int = 500) -> Path:
    """A tokenizer with the parts of Gemma's: spaces as ▁, merges over whole documents, bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("▁"), "merged_with_next")
    special = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokenizer.train_from_iterator(
        documents(200, 98), trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"<{name}>" for name in ("bos", "eos", "pad", "unk")}
    settings = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False, **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def expected_ids(tokenizer: Path, texts: list[str]) -> list[list[int]]:
    """<bos> document <eos> by transformers."""
    reference = AutoTokenizer.from_pretrained(tokenizer, local_files_only=True)
    return [[*ids, reference.eos_token_id] for ids in reference(texts)["input_ids"]]
