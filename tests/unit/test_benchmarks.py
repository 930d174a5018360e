"""Reading benchmark files and choosing items and examples."""

import json
from pathlib import Path

import pytest

from study.benchmarks import benchmark_files, clean, draw_shots, read_items, read_shots, select, translation_source
from study.files import UserError

BELEBELE = {
    "flores_passage": "The cat sleeps.",
    "question": "Who sleeps?",
    "mc_answer1": "The dog",
    "mc_answer2": "The cat",
    "mc_answer3": "A bird",
    "mc_answer4": "Nobody",
    "correct_answer_num": "2",
}
HELLASWAG = {"activity_label": "Rest", "ctx_a": "A cat", "ctx_b": "it", "endings": ["sleeps", "flies"], "label": "1"}
XCSQA = {
    "id": "7",
    "lang": "en",
    "question": {"stem": "Where?", "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]},
    "answerKey": "B",
}


def write(folder: Path, name: str, *rows: dict | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_minimal_pairs_are_read_by_column_name(tmp_path):
    write(tmp_path, "multiblimp/deu/test.tsv", "phenomenon\twrong_sen\tsen", "SV-#\tSie schlafe.\tSie schlafen.")
    assert read_items("multiblimp", "deu", tmp_path) == [
        {"item": 0, "choices": ["Sie schlafen.", "Sie schlafe."], "gold": 0, "phenomenon": "SV-#"}
    ]


def test_quotation_marks_in_minimal_pairs_follow_the_csv_rules_of_the_published_files(tmp_path):
    write(tmp_path, "multiblimp/eng/test.tsv", "sen\twrong_sen\tphenomenon", '"He says ""no""."\t"He say ""no""."\tSV-P')
    assert read_items("multiblimp", "eng", tmp_path)[0]["choices"] == ['He says "no".', 'He say "no".']


def test_belebele_counts_answers_from_one(tmp_path):
    write(tmp_path, "belebele/eng/test.jsonl", BELEBELE)
    (item,) = read_items("belebele", "eng", tmp_path)
    assert (item["passage"], item["question"]) == ("The cat sleeps.", "Who sleeps?")
    assert item["choices"][item["gold"]] == "The cat"


@pytest.mark.parametrize("label", ["1", 1])
def test_hellaswag_labels_are_numbers_or_strings(tmp_path, label):
    write(tmp_path, "hellaswag/ita/validation.jsonl", {**HELLASWAG, "label": label})
    (item,) = read_items("hellaswag", "ita", tmp_path)
    assert item["choices"][item["gold"]] == "flies"


def test_xcsqa_finds_the_answer_by_its_label(tmp_path):
    write(tmp_path, "xcsqa/rus/validation.jsonl", XCSQA)
    (item,) = read_items("xcsqa", "rus", tmp_path)
    assert (item["question"], item["choices"], item["gold"]) == ("Where?", ["here", "there"], 1)


def test_translation_is_from_english_and_into_english_from_french(tmp_path):
    for language, sentence in (("eng", "Hello."), ("fra", "Bonjour."), ("tur", "Merhaba.")):
        write(tmp_path, f"flores200/{language}/devtest.txt", sentence)
    assert [translation_source(language) for language in ("eng", "tur")] == ["fra", "eng"]
    assert read_items("flores200", "tur", tmp_path) == [{"item": 0, "source": "Hello.", "target": "Merhaba."}]
    assert read_items("flores200", "eng", tmp_path) == [{"item": 0, "source": "Bonjour.", "target": "Hello."}]


def test_items_with_an_empty_choice_drop_out_and_the_others_keep_their_row_numbers(tmp_path):
    empty = {**XCSQA, "question": {"stem": "Where?", "choices": [{"label": "A", "text": " "}, {"label": "B", "text": "there"}]}}
    write(tmp_path, "xcsqa/deu/validation.jsonl", XCSQA, empty, XCSQA)
    assert [item["item"] for item in read_items("xcsqa", "deu", tmp_path)] == [0, 2]
    write(tmp_path, "hellaswag/deu/validation.jsonl", {**HELLASWAG, "endings": ["[step]", "flies"]}, HELLASWAG)
    assert [item["item"] for item in read_items("hellaswag", "deu", tmp_path)] == [1]


@pytest.mark.parametrize(
    ("benchmark", "row", "reason"),
    [
        ("belebele", {**BELEBELE, "correct_answer_num": "5"}, "correct_answer_num names none of the 4 choices"),
        ("belebele", {**BELEBELE, "mc_answer3": None}, "text was expected instead of None"),
        ("belebele", {key: value for key, value in BELEBELE.items() if key != "question"}, "'question' is missing"),
        ("hellaswag", {**HELLASWAG, "label": ""}, "invalid literal"),
        ("hellaswag", {**HELLASWAG, "label": -1}, "label names none"),
        ("hellaswag", {**HELLASWAG, "endings": "sleeps"}, "a list of at least two choices"),
        ("xcsqa", {**XCSQA, "answerKey": "C"}, "answerKey 'C' is none of the labels"),
        ("xcsqa", "{broken", "not valid JSON"),
        ("xcsqa", "[]", "Mend or remove"),
    ],
)
def test_a_malformed_row_is_named_with_its_file_and_line(tmp_path, benchmark, row, reason):
    good = {"belebele": BELEBELE, "hellaswag": HELLASWAG, "xcsqa": XCSQA}[benchmark]
    (path,) = benchmark_files(benchmark, "fra", tmp_path)
    write(tmp_path, str(path.relative_to(tmp_path)), good, row)
    with pytest.raises(UserError) as error:
        read_items(benchmark, "fra", tmp_path)
    assert f"{path}, line 2" in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("row", ["only one column", "the same\tthe same\tSV-#"])
def test_a_malformed_minimal_pair_is_named_with_its_line(tmp_path, row):
    path = write(tmp_path, "multiblimp/fra/test.tsv", "sen\twrong_sen\tphenomenon", row)
    with pytest.raises(UserError, match=f"{path}, line 2"):
        read_items("multiblimp", "fra", tmp_path)


def test_translations_must_be_aligned(tmp_path):
    write(tmp_path, "flores200/eng/devtest.txt", "One.", "Two.")
    short = write(tmp_path, "flores200/nld/devtest.txt", "Een.")
    with pytest.raises(UserError, match="must be aligned"):
        read_items("flores200", "nld", tmp_path)
    write(tmp_path, "flores200/nld/devtest.txt", "Een.", "")
    with pytest.raises(UserError, match=f"{short}, line 2: empty"):
        read_items("flores200", "nld", tmp_path)


def test_a_missing_file_and_a_missing_language_are_said(tmp_path):
    with pytest.raises(UserError, match=r"test\.jsonl does not exist"):
        read_items("belebele", "spa", tmp_path)
    with pytest.raises(UserError, match="multiblimp does not exist in 'zho'"):
        benchmark_files("multiblimp", "zho", tmp_path)
    with pytest.raises(UserError, match="no benchmark 'mmlu'"):
        benchmark_files("mmlu", "eng", tmp_path)


def test_examples_have_files_of_their_own_in_english_hellaswag_and_in_flores_only(tmp_path):
    def names(benchmark, language, shots):
        return [str(file.relative_to(tmp_path)) for file in benchmark_files(benchmark, language, tmp_path, shots)]

    assert names("hellaswag", "eng", 0) == ["hellaswag/eng/validation.jsonl"]
    assert names("hellaswag", "eng", 5) == ["hellaswag/eng/validation.jsonl", "hellaswag/eng/train.jsonl"]
    assert names("hellaswag", "deu", 5) == ["hellaswag/deu/validation.jsonl"]
    assert names("flores200", "deu", 1)[2:] == ["flores200/eng/dev.txt", "flores200/deu/dev.txt"]
    assert read_shots("belebele", "deu", tmp_path) is None


def test_items_are_shuffled_as_published_before_the_limit():
    items = [{"item": number} for number in range(10)]
    # random.Random(42).shuffle of ten elements, as CPython has done since 3.2
    assert [item["item"] for item in select(items, 4)] == [7, 3, 2, 8]
    assert sorted(item["item"] for item in select(items, None)) == list(range(10))


def test_examples_take_turns_by_answer_with_the_most_frequent_first():
    pool = [{"item": n, "answer": answer} for n, answer in enumerate(["a", "b", "b", "c", "b", "c"])]
    drawn = draw_shots(pool, 4, lambda document: document["answer"])
    assert [document["answer"] for document in drawn] == ["b", "c", "a", "b", "c"]
    assert len({document["item"] for document in drawn}) == 5
    assert len(draw_shots(pool, 50, lambda document: document["answer"])) == len(pool)


def test_brackets_of_wikihow_are_removed():
    assert clean("Boil water [title] Add salt. [step] Stir") == "Boil water.  Add salt. Stir".replace("  ", " ")
