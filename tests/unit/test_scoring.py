"""Scores of a tiny random model against plain forward passes of transformers, sacrebleu and hand-computed values."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from sacrebleu.metrics import CHRF
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, Cohere2Config, Gemma2Config, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

import score_models
from study.benchmarks import draw_shots, read_items, select
from study.files import UserError
from study.scoring import Scorer, choice_metrics, chrf, chrf_statistics, corpus_chrf, write_result

NOUNS = ["cat", "dog", "old farmer", "bird", "girl"]
PLACES = ["in the park", "at school", "in the kitchen"]
SENTENCES = [f"The {noun} sings {place}." for noun in NOUNS for place in PLACES]
CHINESE = ["猫在公园唱歌。", "狗在学校睡觉。", "老农在厨房唱歌。", "鸟在公园睡觉。"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<pad>", "<eos>", "<bos>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(SENTENCES + CHINESE, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")


def random_model(tokenizer, seed: int = 0, context: int = 512) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=context,
        initializer_range=0.3,  # far from uniform predictions
        tie_word_embeddings=True,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def model(tokenizer) -> LlamaForCausalLM:
    return random_model(tokenizer)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Benchmark files in the published formats."""
    folder = tmp_path_factory.mktemp("benchmarks")
    generator = np.random.default_rng(0)

    def write(name: str, rows: list) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def texts(pool: list[str], count: int) -> list[str]:
        return [pool[i] for i in generator.choice(len(pool), count, replace=False)]

    path = folder / "multiblimp/eng/test.tsv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, dialect="excel-tab")
        writer.writerow(["sen", "wrong_sen", "phenomenon"])
        writer.writerows([sentence, sentence.replace("sings", "sing"), "SV-#"] for sentence in SENTENCES)

    for language, pool in (("eng", SENTENCES), ("zho", CHINESE)):
        questions = []
        for number in range(9):
            answers = dict(zip(("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"), texts(pool, 4), strict=True))
            passage = ("" if language == "zho" else " ").join(texts(pool, 2))
            questions.append(
                {"flores_passage": passage, "question": f"who sings {number}?", **answers, "correct_answer_num": number % 4 + 1}
            )
        write(f"belebele/{language}/test.jsonl", questions)
    endings = [
        {
            "activity_label": "Rest",
            "ctx_a": "A cat is",
            "ctx_b": "the dog",
            "endings": ["sings.", "sleeps now.", "x", "in the park"],
            "label": 1,
        }
    ]
    for language in ("eng", "deu", "zho"):
        write(f"hellaswag/{language}/validation.jsonl", endings * 6)
    write("hellaswag/eng/train.jsonl", [{**endings[0], "ctx_a": f"Train {number}"} for number in range(8)])
    for language in ("eng", "fra", "zho"):
        write(f"flores200/{language}/devtest.txt", [f"{language} {sentence}" for sentence in SENTENCES])
        write(f"flores200/{language}/dev.txt", [f"{language} shot {number}." for number in range(8)])
    return folder


def plain(model, tokenizer, context: str, continuation: str, keep: int | None = None) -> float:
    """log p(continuation | <bos> context) by one forward pass of transformers; `keep`: only the last so many input tokens."""
    start = (
        [tokenizer.bos_token_id, *tokenizer(context, add_special_tokens=False)["input_ids"]]
        if context
        else [tokenizer.bos_token_id]
    )
    target = tokenizer(continuation, add_special_tokens=False)["input_ids"]
    inputs = (start + target)[:-1]
    with torch.no_grad():
        logits = model(torch.tensor([inputs[-keep:] if keep else inputs])).logits[0].double()
    predicted = logits[-len(target) :].log_softmax(dim=-1)
    return float(sum(predicted[n, token] for n, token in enumerate(target)))


def belebele_prompt(item: dict) -> str:
    return f"{item['passage']}\nQuestion: {item['question'].capitalize()}\nAnswer:"


@pytest.mark.parametrize("batch_size", [1, 4])
def test_minimal_pairs_equal_a_plain_forward_pass(model, tokenizer, data, batch_size):
    result = Scorer(model, tokenizer, data, {}, batch_size).score("multiblimp", "eng")
    assert sorted(result.items["item"]) == list(range(len(SENTENCES)))
    for row in result.items.to_dict("records"):
        right = SENTENCES[row["item"]]
        expected = [plain(model, tokenizer, "", text) for text in (right, right.replace("sings", "sing"))]
        assert row["log_probability"] == pytest.approx(expected, abs=1e-4)
        assert row["acc"] == (expected[0] > expected[1])
        assert row["phenomenon"] == "SV-#"


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("shots", [0, 2])
def test_cloze_equals_a_plain_forward_pass(model, tokenizer, data, shots, batch_size):
    result = Scorer(model, tokenizer, data, {"belebele": {"shots": shots, "limit": 5}}, batch_size).score("belebele", "eng")
    items = read_items("belebele", "eng", data)
    drawn = draw_shots(items, shots, lambda item: item["choices"][item["gold"]])
    assert result.items["item"].tolist() == [item["item"] for item in select(items, 5)]
    for row in result.items.to_dict("records"):
        item = items[row["item"]]
        examples = [shot for shot in drawn if shot["item"] != row["item"]][:shots]
        prompts = [f"{belebele_prompt(shot)} {shot['choices'][shot['gold']]}" for shot in examples]
        context = "\n\n".join([*prompts, belebele_prompt(item)])
        expected = [plain(model, tokenizer, context, f" {choice}") for choice in item["choices"]]
        assert row["log_probability"] == pytest.approx(expected, abs=1e-4)
        assert row["tokens"] == [len(tokenizer(f" {choice}")["input_ids"]) for choice in item["choices"]]
        assert row["characters"] == [len(choice) + 1 for choice in item["choices"]]


def test_a_context_that_is_too_long_loses_its_beginning(tokenizer, data):
    short = random_model(tokenizer, context=40)
    result = Scorer(short, tokenizer, data, {}).score("belebele", "eng")
    items = read_items("belebele", "eng", data)
    assert any(len(tokenizer(belebele_prompt(item))["input_ids"]) > 40 for item in items)
    for row in result.items.to_dict("records"):
        item = items[row["item"]]
        expected = [plain(short, tokenizer, belebele_prompt(item), f" {choice}", keep=40) for choice in item["choices"]]
        assert row["log_probability"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", [Gemma2Config, Cohere2Config])
def test_choices_that_share_a_context_equal_a_plain_forward_pass_in_other_architectures(tokenizer, data, kind):
    torch.manual_seed(0)
    config = kind(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.3,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    other = AutoModelForCausalLM.from_config(config).eval()
    items = read_items("belebele", "eng", data)
    for row in Scorer(other, tokenizer, data, {}, 4).score("belebele", "eng").items.to_dict("records"):
        item = items[row["item"]]
        expected = [plain(other, tokenizer, belebele_prompt(item), f" {choice}") for choice in item["choices"]]
        assert row["log_probability"] == pytest.approx(expected, abs=1e-4)


def test_minimal_pairs_equal_the_unchanged_model_class_of_lm_eval(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {})
    scorer.score("multiblimp", "eng")
    instances = scorer._cells["multiblimp", "eng"].instances
    stock = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4).loglikelihood(instances, disable_tqdm=True)
    ours = scorer.lm.loglikelihood(instances)
    assert [value for value, _ in ours] == pytest.approx([value for value, _ in stock], abs=1e-4)


def test_chinese_prompts_have_full_width_signs_and_no_spaces(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {"belebele": {"shots": 1}})
    items = scorer.score("belebele", "zho").items
    context, choice = scorer._cells["belebele", "zho"].instances[0].args
    example, prompt = context.split("\n\n")
    assert example.split("\n")[1].startswith("问题：Who sings") and example.split("\n")[1].endswith("？")
    assert example.split("\n")[2].removeprefix("答案：") in CHINESE
    assert prompt.split("\n")[0].strip() in {a + b for a in CHINESE for b in CHINESE}
    assert prompt.endswith("？\n答案：") and choice in CHINESE
    assert items["characters"][0][0] == len(choice)
    scorer.score("hellaswag", "zho")
    assert scorer._cells["hellaswag", "zho"].instances[0].args == ("A cat isthe dog", "sings。")


def test_hellaswag_joins_both_contexts_and_keeps_the_endings_case_within_a_sentence(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {})
    scorer.score("hellaswag", "deu")
    pairs = [instance.args for instance in scorer._cells["hellaswag", "deu"].instances[:4]]
    assert pairs == [("A cat is the dog", f" {ending}") for ending in ("sings.", "sleeps now.", "x", "in the park")]


def test_english_hellaswag_counts_the_contexts_last_space_as_a_token_but_not_as_a_character(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {"hellaswag": {"shots": 2}})
    row = scorer.score("hellaswag", "eng").items.iloc[0]
    context = scorer._cells["hellaswag", "eng"].instances[0].args[0]
    *examples, prompt = context.split("\n\n")
    assert prompt == "Rest: A cat is The dog "
    assert len(set(examples)) == 2 and all(e.startswith("Rest: Train ") and e.endswith("The dog sleeps now.") for e in examples)
    assert row["characters"] == [6, 11, 1, 11]
    assert row["tokens"][0] == len(tokenizer(" sings.", add_special_tokens=False)["input_ids"])
    assert row["log_probability"][0] == pytest.approx(plain(model, tokenizer, context.rstrip(" "), " sings."), abs=1e-4)


def test_normalisation_by_each_length_and_ties():
    items = pd.DataFrame(
        {
            "gold": [0, 1, 0],
            "log_probability": [[-6.0, -5.0], [-8.0, -9.0], [-2.0, -2.0]],
            "characters": [[12, 5], [4, 5], [3, 3]],  # gold: -0.5 > -1; -1.8 > -2; tie
            "tokens": [[2, 2], [2, 3], [1, 1]],  # gold: -3 < -2.5; -3 > -4; tie
            "bytes": [[6, 6], [10, 10], [2, 1]],  # gold: -1 < -5/6; -0.9 < -0.8; -1 > -2
        }
    )
    assert choice_metrics(items) == {"acc": [0, 0, 0], "acc_char": [1, 1, 0], "acc_token": [0, 1, 0], "acc_byte": [0, 0, 1]}


def test_the_score_file_can_be_computed_again_from_the_items(model, tokenizer, data, tmp_path):
    scorer = Scorer(model, tokenizer, data, {"belebele": {"metric": "acc_char"}})
    write_result(scorer.score("belebele", "eng"), "mono-eng", "abc", tmp_path / "scores", tmp_path / "items")
    score = json.loads((tmp_path / "scores/belebele/eng.json").read_text())
    items = pd.read_parquet(tmp_path / "items/belebele/eng.parquet")
    assert (score["model"], score["benchmark"], score["language"], score["main"]) == ("mono-eng", "belebele", "eng", "acc_char")
    assert score["signature"]["weights"] == "abc"
    assert list(score["signature"]["files"]) == ["belebele/eng/test.jsonl"]
    for name, length in (("acc", None), ("acc_char", "characters"), ("acc_token", "tokens"), ("acc_byte", "bytes")):
        values = [
            np.argmax(np.array(row["log_probability"]) / (row[length] if length else 1)) == row["gold"]
            for row in items.to_dict("records")
        ]
        metric = score["metrics"][name]
        p = np.mean(values)
        assert metric["value"] == pytest.approx(p) == pytest.approx(items[name].mean())
        assert metric["n"] == len(items) == 9
        assert metric["se"] == pytest.approx(np.sqrt(p * (1 - p) / 9), rel=0.15)  # analytic standard error of a proportion
        assert metric["low"] == pytest.approx(metric["value"] - 1.96 * metric["se"])
        assert metric["high"] == pytest.approx(metric["value"] + 1.96 * metric["se"])


def test_weights_changed_in_place_are_scored_anew(tokenizer, data):
    model, other = random_model(tokenizer), random_model(tokenizer, seed=1)
    scorer = Scorer(model, tokenizer, data, {})
    first = scorer.score("multiblimp", "eng").items
    model.load_state_dict(other.state_dict())
    second = scorer.score("multiblimp", "eng").items
    expected = Scorer(other, tokenizer, data, {}).score("multiblimp", "eng").items
    pd.testing.assert_frame_equal(second, expected)
    assert first["log_probability"][0][0] != pytest.approx(second["log_probability"][0][0])


# Translation ----------------------------------------------------------------------------------------------------------


def greedy(model, tokenizer, prompt: str, count: int) -> list[int]:
    """Greedy continuation, recomputing the whole sequence for every token."""
    tokens = [tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False)["input_ids"]]
    for _ in range(count):
        with torch.no_grad():
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return tokens[-count:]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_translations_are_the_greedy_continuations(model, tokenizer, data, batch_size):
    scorer = Scorer(model, tokenizer, data, {"flores200": {"limit": 6, "max_new_tokens": 5}}, batch_size)
    items = scorer.score("flores200", "zho").items
    for row in items.to_dict("records"):
        assert row["source"] == f"eng {SENTENCES[row['item']]}"
        expected = greedy(model, tokenizer, f"EN: {row['source'].replace('eng', 'Eng')} ZH:", 5)
        ends = [n for n, token in enumerate(expected) if token in scorer.lm._line_ends]
        made = expected[: ends[0] + 1] if ends else expected
        assert row["tokens"] == len(made)
        assert row["hit_limit"] == (not ends)
        assert row["hypothesis"] == tokenizer.decode(made, skip_special_tokens=True).split("\n")[0].strip()


def test_examples_of_translation_come_from_dev(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {"flores200": {"shots": 1, "limit": 2, "max_new_tokens": 1}})
    scorer.score("flores200", "eng")
    example, prompt = scorer._cells["flores200", "eng"].instances[0].args[0].split("\n\n")
    number = example[len("FR: Fra shot ")]
    assert example == f"FR: Fra shot {number}. EN: Eng shot {number}."
    assert prompt.startswith("FR: Fra The ") and prompt.endswith(". EN:")


def test_a_line_ends_at_a_line_break_and_at_the_end_of_the_sequence(model, tokenizer, data):
    scorer = Scorer(model, tokenizer, data, {})
    assert set(scorer.lm._line_ends) == {0, 1, *tokenizer("\n", add_special_tokens=False)["input_ids"]}
    prompt = "The cat"
    free = greedy(model, tokenizer, prompt, 6)
    third = free[2]
    scorer.lm.__dict__["_line_ends"] = [third]
    (line,) = scorer.lm.generate_lines([prompt], 6)
    assert line.tokens == free.index(third) + 1
    assert not line.limited


HYPOTHESES = ["The cat sings in the park.", "", "dog", "The old farmer sings, loudly.", "猫在公园。", "A girl at school sings."]
REFERENCES = [
    "The cat sings at school.",
    "The dog sings.",
    "The dog.",
    "The old farmer sings loudly.",
    "猫在公园唱歌。",
    "The girl sings at school.",
]


def test_chrf_equals_sacrebleu_for_the_corpus_and_for_sentences():
    statistics = chrf_statistics(HYPOTHESES, REFERENCES)
    metric = CHRF(word_order=2)
    assert corpus_chrf(statistics)["value"] == pytest.approx(metric.corpus_score(HYPOTHESES, [REFERENCES]).score, abs=1e-9)
    expected = [metric.sentence_score(h, [r]).score for h, r in zip(HYPOTHESES, REFERENCES, strict=True)]
    assert chrf(statistics) == pytest.approx(expected, abs=1e-9)


def test_the_error_of_chrf_is_the_deviation_of_resampled_corpora():
    generator = np.random.default_rng(5)
    metric = CHRF(word_order=2)
    scores = []
    for _ in range(300):
        drawn = generator.integers(len(HYPOTHESES), size=len(HYPOTHESES))
        scores.append(metric.corpus_score([HYPOTHESES[i] for i in drawn], [[REFERENCES[i] for i in drawn]]).score)
    assert corpus_chrf(chrf_statistics(HYPOTHESES, REFERENCES))["se"] == pytest.approx(np.std(scores, ddof=1), rel=0.15)


def test_the_published_layout_scores_one_hypothesis_against_all_references(model, tokenizer, data):
    settings = {"flores200": {"max_new_tokens": 5, "published_layout": True}}
    result = Scorer(model, tokenizer, data, settings).score("flores200", "zho")
    references = result.items["reference"].tolist()
    # what sacrebleu makes of references given per sentence where it expects streams
    expected = (
        CHRF(word_order=2).corpus_score(result.items["hypothesis"].tolist()[:1], [[reference] for reference in references]).score
    )
    assert result.metrics["chrf++_first_hypothesis"]["value"] == pytest.approx(expected)


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_writes_every_cell(model, tokenizer, data, tmp_path, capsys):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "model/model.json").write_text('{"sha256": "f00"}')
    command = ["--model", str(tmp_path / "model"), "--name", "mono-eng", "--cells", "multiblimp/eng", "flores200/fra"]
    command += ["--data", str(data), "--settings", '{"flores200": {"max_new_tokens": 4}}']
    score_models.main([*command, "--scores", str(tmp_path / "scores"), "--items", str(tmp_path / "items")])
    expected = Scorer(model, tokenizer, data, {}).score("multiblimp", "eng").metrics
    assert json.loads((tmp_path / "scores/multiblimp/eng.json").read_text())["metrics"]["acc"] == pytest.approx(expected["acc"])
    score = json.loads((tmp_path / "scores/flores200/fra.json").read_text())
    assert (score["main"], score["signature"]["weights"], score["metrics"]["chrf++"]["n"]) == ("chrf++", "f00", len(SENTENCES))
    assert list(pd.read_parquet(tmp_path / "items/flores200/fra.parquet").columns)[:4] == [
        "item",
        "source",
        "reference",
        "hypothesis",
    ]
    assert "2/2 flores200/fra chrf++" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"--cells": "multiblimp"}, "benchmark/language"),
        ({"--model": "nowhere"}, "model.json does not exist"),
        ({"--settings": "{"}, "not valid JSON"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, change, reason):
    (tmp_path / "model.json").write_text('{"sha256": "f00"}')
    options = {
        "--model": str(tmp_path),
        "--name": "x",
        "--cells": "multiblimp/eng",
        "--data": "d",
        "--scores": "s",
        "--items": "i",
    } | change
    with pytest.raises(UserError, match=reason):
        score_models.main([part for option in options.items() for part in option])


def test_a_main_metric_and_a_setting_that_do_not_exist_are_refused(model, tokenizer, data):
    with pytest.raises(UserError, match="no metric 'f1'"):
        Scorer(model, tokenizer, data, {"multiblimp": {"metric": "f1"}}).score("multiblimp", "eng")
    with pytest.raises(UserError, match="too few documents for 9 examples"):
        Scorer(model, tokenizer, data, {"belebele": {"shots": 9}}).score("belebele", "eng")
