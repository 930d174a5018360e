"""Extraction against one sentence at a time, without batches, padding or hooks."""

import json

import extract_representations
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from study.files import UserError

TEXTS = {
    "eng": "the dog sees a cat\ndog sleeps\na cat sees the dog now\n",
    "fra": "le chien voit\nchien dort\nle chat voit le chien\n",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a model `tiny` of two layers (its tokenizer puts <s> first) and two parallel texts."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("world")
    words = ["<s>", *sorted(set(" ".join(TEXTS.values()).split()))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<s>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(folder / "tiny")
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "tiny")
    for language, text in TEXTS.items():
        (folder / f"{language}.txt").write_text(text)
    return folder


def run(world, folder, *options):
    texts = [f"{language}={world / language}.txt" for language in TEXTS]
    common = ["--model", str(world / "tiny"), "--output", str(folder), "--device", "cpu", "--batch-size", "2"]
    extract_representations.main([*common, "--text", *texts, *options])


def alone(world, language):
    """Hidden states (tokens, hidden) per sentence and layer, and the model's own gates, one sentence at a time."""
    model = AutoModelForCausalLM.from_pretrained(world / "tiny")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(world / "tiny")
    for sentence in TEXTS[language].splitlines():
        with torch.no_grad():
            ids = tokenizer(sentence, return_tensors="pt")["input_ids"]
            yield [state[0] for state in model.model(ids, output_hidden_states=True).hidden_states[1:]]


def test_pooled_states_are_those_of_single_sentences(world, tmp_path):
    run(world, tmp_path, "--write", "english=eng", "own=fra")
    for name, language in [("english", "eng"), ("own", "fra")]:
        files = {
            pooling: load_file(tmp_path / pooling / name / "tiny.safetensors") for pooling in extract_representations.POOLINGS
        }
        assert {tuple(tensor.shape) for file in files.values() for tensor in file.values()} == {(3, 16)}
        assert all(set(file) == {"layer.0", "layer.1"} for file in files.values())
        for number, layers in enumerate(alone(world, language)):
            for layer, state in enumerate(layers):
                expected = {"mean": state.mean(0), "mean_without_first": state[1:].mean(0), "last_token": state[-1]}
                for pooling, vector in expected.items():
                    torch.testing.assert_close(files[pooling][f"layer.{layer}"][number], vector, atol=1e-5, rtol=1e-4)


def test_activity_of_units_is_that_of_all_real_tokens(world, tmp_path):
    run(world, tmp_path, "--activations", str(tmp_path / "activity.safetensors"))
    measured = load_file(tmp_path / "activity.safetensors")
    with safe_open(tmp_path / "activity.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["languages"]) == ["eng", "fra"]
    model = AutoModelForCausalLM.from_pretrained(world / "tiny").model
    for row, language in enumerate(["eng", "fra"]):
        # The last block's input follows from the block's weights and the states that its attention leaves.
        inputs = []
        handle = model.layers[1].post_attention_layernorm.register_forward_hook(
            lambda _m, _i, output, inputs=inputs: inputs.append(output[0])
        )
        tokenizer = PreTrainedTokenizerFast.from_pretrained(world / "tiny")
        with torch.no_grad():
            for sentence in TEXTS[language].splitlines():
                model(tokenizer(sentence, return_tensors="pt")["input_ids"])
            handle.remove()
            x = torch.cat(inputs)
            gate = x @ model.layers[1].mlp.gate_proj.weight.T
            value = torch.nn.functional.silu(gate) * (x @ model.layers[1].mlp.up_proj.weight.T)
        torch.testing.assert_close(measured["firing.1"][row], (gate > 0).float().mean(0))
        torch.testing.assert_close(measured["magnitude.1"][row], value.abs().mean(0), atol=1e-5, rtol=1e-4)
    assert not (tmp_path / "mean").exists()


def test_long_sentences_are_cut(world, tmp_path):
    run(world, tmp_path, "--write", "english=eng", "--max-tokens", "3")
    states = list(alone(world, "eng"))
    last = load_file(tmp_path / "last_token" / "english" / "tiny.safetensors")["layer.1"]
    torch.testing.assert_close(last[0], states[0][1][2], atol=1e-5, rtol=1e-4)  # attention looks back only


def test_overflow_is_refused(world, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(world / "tiny")
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.fill_(1e38)
        model.model.layers[0].mlp.up_proj.weight.mul_(1e4)
    with pytest.raises(UserError, match=r"Layer 0 overflows in float32.*bfloat16 or float32"):
        extract_representations.represent(model, [[0, 1, 2]], batch_size=1)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ("dog\n", [], "not parallel: eng 1 lines, fra 3 lines"),
        ("dog\n\ncat\n", [], "empty line"),
        (TEXTS["eng"], ["--write", "own=deu"], "names no file"),
        (TEXTS["eng"], ["--write", "own"], "NAME=VALUE"),
    ],
)
def test_bad_input_is_refused(world, tmp_path, change, options, message):
    (tmp_path / "eng.txt").write_text(change)
    texts = [f"eng={tmp_path / 'eng.txt'}", f"fra={world / 'fra.txt'}"]
    with pytest.raises(UserError, match=message):
        extract_representations.main(["--model", str(world / "tiny"), "--text", *texts, "--output", str(tmp_path), *options])


def test_a_sentence_of_one_token_is_refused(world):
    model = AutoModelForCausalLM.from_pretrained(world / "tiny")
    with pytest.raises(UserError, match="Sentence 2 has fewer than two tokens"):
        extract_representations.represent(model, [[0, 1], [0]], batch_size=2)
