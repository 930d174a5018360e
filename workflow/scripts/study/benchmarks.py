"""Reading the five benchmarks in their published file formats, and choosing the items and the examples shown before them.

Files lie in `{folder}/{benchmark}/{language}/`. Every reader yields documents: dicts with `item` (the row's number in its file, from 0)
and what the benchmark's task definition in workflow/tasks uses. Light imports, since the workflow's rules ask for file names.
"""

import csv
import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from study.files import UserError

Document = dict[str, Any]

# Share of items that guessing gets right; translation has none. Natural minimal pairs need not give 0.5 (see `untrained`).
CHANCE = {"multiblimp": 0.5, "belebele": 0.25, "hellaswag": 0.25, "xcsqa": 0.2, "flores200": 0.0}
# Languages of study/languages.py that a benchmark lacks; of the paper's ten, MultiBLiMP zho and X-CSQA tur (paper, footnote 2).
MISSING = {
    "multiblimp": ("kor", "nno", "nob", "zho", "zhot"),
    "belebele": ("bos", "glg", "nno"),
    "hellaswag": tuple("bos bul ces ell est fin glg kor lit lvs mkd nno pol slv zhot".split()),
    "xcsqa": tuple(
        "bos bul cat ces dan ell est eus fin glg hrv hun isl kor lit lvs mkd nno nob ron slk slv swe tur ukr zhot".split()
    ),
}

_FILES = {
    "multiblimp": "test.tsv",
    "belebele": "test.jsonl",
    "hellaswag": "validation.jsonl",
    "xcsqa": "validation.jsonl",
    "flores200": "devtest.txt",
}
_SHUFFLE_SEED = 42  # the paper's order of items, before the first `limit` are kept


def translation_source(language: str) -> str:
    """The language that is translated from: English, and French into English (paper, Table 6)."""
    return "fra" if language == "eng" else "eng"


def benchmark_files(benchmark: str, language: str, folder: Path | str, shots: int = 0) -> list[Path]:
    """The files that a benchmark reads in a language; with `shots`, those that the examples come from too.

    Raises:
        UserError: if there is no such benchmark, or it lacks the language.
    """
    if benchmark not in _FILES:
        raise UserError(f"There is no benchmark {benchmark!r}; there are {', '.join(_FILES)}.")
    if language in MISSING.get(benchmark, ()):
        raise UserError(f"{benchmark} does not exist in {language!r}; leave this cell out.")
    base = Path(folder, benchmark)
    if benchmark == "flores200":
        splits = ["devtest.txt"] + ["dev.txt"] * bool(shots)
        return [base / side / split for split in splits for side in (translation_source(language), language)]
    files = [base / language / _FILES[benchmark]]
    if shots and (benchmark, language) == ("hellaswag", "eng"):
        files.append(base / language / "train.jsonl")  # the only HellaSwag with a split to take examples from
    return files


def read_items(benchmark: str, language: str, folder: Path | str) -> list[Document]:
    """All items of a benchmark, in the file's order, less those with an empty choice.

    Raises:
        UserError: for a missing file or a malformed row, with its file and line.
    """
    return _read(benchmark, benchmark_files(benchmark, language, folder))


def read_shots(benchmark: str, language: str, folder: Path | str) -> list[Document] | None:
    """The documents of the split that examples come from; None where that is the evaluation split itself."""
    items = benchmark_files(benchmark, language, folder)
    files = [file for file in benchmark_files(benchmark, language, folder, shots=1) if file not in items]
    return _read(benchmark, files) if files else None


def select(items: list[Document], limit: int | None) -> list[Document]:
    """The items that are scored: shuffled as in the paper's protocol, then the first `limit` (None: all)."""
    order = list(items)
    random.Random(_SHUFFLE_SEED).shuffle(order)
    return order[:limit]


def draw_shots(pool: list[Document], count: int, answer: Callable[[Document], str]) -> list[Document]:
    """`count` + 1 examples that serve every item: one more than are shown, since an item is never its own example.

    lighteval's balanced draw, which the paper used: answers take turns, the most frequent first and equally frequent ones in random
    order; of the documents with that answer one is taken at random. `answer` gives the text by which documents are grouped.
    """
    generator = random.Random(0)
    groups: dict[str, list[Document]] = {}
    for document in pool:
        groups.setdefault(answer(document), []).append(document)
    sizes: dict[int, list[str]] = {}
    for text in sorted(groups):
        sizes.setdefault(len(groups[text]), []).append(text)
    turns: list[str] = []
    for size in sorted(sizes, reverse=True):
        generator.shuffle(sizes[size])
        turns += sizes[size]
    drawn: list[Document] = []
    wanted = min(len(pool), count + 1)
    while len(drawn) < wanted:
        for text in turns:
            if groups[text] and len(drawn) < wanted:
                drawn.append(groups[text].pop(generator.randrange(len(groups[text]))))
    return drawn


# Readers --------------------------------------------------------------------------------------------------------------


def _read(benchmark: str, files: list[Path]) -> list[Document]:
    if benchmark == "flores200":
        return list(_read_translations(*files))
    rows = _tsv_rows(*files) if benchmark == "multiblimp" else _json_rows(*files)
    documents = []
    for number, (line, row) in enumerate(rows):
        try:
            document = {"item": number, **_READERS[benchmark](row)}
        except KeyError as error:
            raise UserError(f"{files[0]}, line {line}: the field {error} is missing.") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{files[0]}, line {line}: {error}. Mend or remove this row.") from None
        if all(choice.strip() for choice in document["choices"]):
            documents.append(document)
    if not documents:
        raise UserError(f"{files[0]} has no complete item.")
    return documents


def _open(file: Path) -> Any:
    try:
        return file.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise UserError(f"{file} does not exist; build the benchmark's files first, or check the folder's name.") from None


def _tsv_rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with _open(file) as lines:
        reader = csv.DictReader(lines, dialect="excel-tab")
        for row in reader:
            yield reader.line_num, row


def _json_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{file}, line {number}: not valid JSON ({error.msg}). Mend or remove this row.") from None


def _read_translations(source: Path, target: Path) -> Iterator[Document]:
    sentences = []
    for file in (source, target):
        with _open(file) as lines:
            sentences.append([line.strip() for line in lines])
        for number, sentence in enumerate(sentences[-1], start=1):
            if not sentence:
                raise UserError(f"{file}, line {number}: empty; the languages' files must be aligned line by line.")
    if len(sentences[0]) != len(sentences[1]):
        raise UserError(f"{source} has {len(sentences[0])} lines and {target} has {len(sentences[1])}; they must be aligned.")
    for number, (a, b) in enumerate(zip(*sentences, strict=True)):
        yield {"item": number, "source": a, "target": b}


def _minimal_pair(row: dict[str, str]) -> Document:
    right, wrong = row["sen"], row["wrong_sen"]
    if right is None or wrong is None:
        raise ValueError("the row has too few columns")
    if right == wrong:
        raise ValueError("the two sentences of the pair are the same")
    return {"choices": [right, wrong], "gold": 0, "phenomenon": row["phenomenon"]}


def _passage_question(row: dict[str, Any]) -> Document:
    choices = [row[f"mc_answer{number}"] for number in (1, 2, 3, 4)]
    gold = _index(int(row["correct_answer_num"]) - 1, choices, "correct_answer_num")
    return {"passage": _text(row["flores_passage"]), "question": _text(row["question"]), "choices": _texts(choices), "gold": gold}


def _ending(row: dict[str, Any]) -> Document:
    choices = [clean(ending) for ending in _texts(row["endings"])]
    gold = _index(int(row["label"]), choices, "label")
    context_a, context_b = _text(row["ctx_a"]), _text(row.get("ctx_b") or "")
    return {
        "activity": row.get("activity_label") or "",
        "context_a": context_a,
        "context_b": context_b,
        "choices": choices,
        "gold": gold,
    }


def _fact_question(row: dict[str, Any]) -> Document:
    labels = [choice["label"] for choice in row["question"]["choices"]]
    choices = _texts([choice["text"] for choice in row["question"]["choices"]])
    if row["answerKey"] not in labels:
        raise ValueError(f"answerKey {row['answerKey']!r} is none of the labels {labels}")
    return {"question": _text(row["question"]["stem"]), "choices": choices, "gold": labels.index(row["answerKey"])}


_READERS: dict[str, Callable[[dict], Document]] = {
    "multiblimp": _minimal_pair,
    "belebele": _passage_question,
    "hellaswag": _ending,
    "xcsqa": _fact_question,
}


def clean(text: str) -> str:
    """HellaSwag's text without what WikiHow's markup left: `[title]` starts a new sentence, other bracketed words go."""
    text = text.replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text was expected instead of {value!r}")
    return value


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or len(values) < 2:
        raise TypeError(f"a list of at least two choices was expected instead of {values!r}")
    return [_text(value) for value in values]


def _index(gold: int, choices: list, field: str) -> int:
    if not 0 <= gold < len(choices):
        raise ValueError(f"{field} names none of the {len(choices)} choices")
    return gold
