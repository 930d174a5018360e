"""Training: the schedule, the data order, resuming after a kill, and stopping at a loss that is no number."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from initialise_model import initialise
from transformers import PreTrainedTokenizerFast

from miniature.world import NOUNS
from study.files import UserError
from study.models import save_model, use_cpu
from study.training import Batches, Recipe, State, loss_of, optimiser, refuse_again, train, warned

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
RECIPE = Recipe(
    steps=12,
    batch_size=4,
    sequence_length=16,
    learning_rate=0.01,
    warmup_share=0.25,
    cooldown_share=0.5,
    weight_decay=0.05,
    betas=(0.9, 0.95),
    gradient_clip=1.0,
    save_steps=(4, 8),
)
ARCHITECTURE = {"hidden_size": 16, "layers": 2, "heads": 2, "feed_forward_size": 32, "context": 32, "initializer_range": 0.1}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from train_tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": " ".join(NOUNS)}) + "\n" for _ in range(3)))
    path = folder / "tokenizer.json"
    train_tokenizer([folder / "text.jsonl"], 300).save(str(path))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path), bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )


@pytest.fixture
def model(tokenizer):
    use_cpu(1)
    return initialise(ARCHITECTURE, tokenizer, seed=3)


def stream(tokens: int, seed: int = 0) -> np.ndarray:
    # A sequence with something to learn: each token is the one before plus one or two.
    steps = np.random.default_rng(seed).integers(1, 3, tokens)
    return (np.cumsum(steps) % 290 + 4).astype(np.uint16)


def weights(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_the_schedule_rises_stays_and_falls():
    rates = [RECIPE.rate(step) for step in range(1, 13)]
    assert rates == pytest.approx(
        [0.01 * x for x in (1 / 3, 2 / 3, 1, 1, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0)]
    )  # by hand: 3 steps up, 6 steps down


def test_loss_and_gradients_are_those_of_the_plain_cross_entropy(model):
    """With more tokens than the logits of one part, and a last part that is shorter."""
    tokens = torch.from_numpy(stream(37 * 17).astype(np.int64)).reshape(37, 17)
    plain = model(input_ids=tokens[:, :-1]).logits.float().log_softmax(-1)
    expected = -plain.gather(2, tokens[:, 1:, None]).mean()
    gradients = dict(zip(weights(model), torch.autograd.grad(expected, list(model.parameters())), strict=True))
    loss = loss_of(model, tokens)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, gradients[name], rtol=1e-4, atol=1e-6), name


def test_every_sequence_comes_once_an_epoch_and_streams_share_equally():
    recipe = replace(RECIPE, batch_size=5, sequence_length=10)
    a, b = np.arange(0, 101), np.arange(1000, 1101)  # ten sequences each
    batches = Batches([a, b], recipe, seed=1)
    first_epoch = torch.cat([batches.batch(step) for step in range(1, 5)])  # 20 sequences
    starts = sorted(first_epoch[:, 0].tolist())
    assert starts == [*range(0, 100, 10), *range(1000, 1100, 10)]
    assert (first_epoch[:, 1:] - first_epoch[:, :-1] == 1).all()
    second_epoch = torch.cat([batches.batch(step) for step in range(5, 9)])
    assert sorted(second_epoch[:, 0].tolist()) == starts and second_epoch[:, 0].tolist() != first_epoch[:, 0].tolist()
    assert torch.equal(Batches([a, b], recipe, seed=1).batch(7), batches.batch(7))  # a step needs no history


def test_a_short_corpus_is_refused():
    with pytest.raises(UserError, match="fewer tokens than one sequence"):
        Batches([np.arange(10)], RECIPE, seed=1)


def test_weight_decay_spares_the_gains(model):
    decayed, spared = optimiser(model, RECIPE).param_groups
    assert decayed["weight_decay"] == 0.05 and all(p.ndim > 1 for p in decayed["params"])
    assert spared["weight_decay"] == 0.0 and all(p.ndim == 1 for p in spared["params"])


def test_one_step_equals_adamw_by_hand(model):
    recipe = replace(RECIPE, steps=1, warmup_share=0, cooldown_share=0, gradient_clip=1e9, save_steps=())
    before, batches = weights(model), Batches([stream(500)], recipe, seed=1)
    loss_of(model, batches.batch(1)).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    train(model, batches, recipe, NoState(), report=lambda line: None)
    for name, p in model.named_parameters():
        decay = 0.05 if p.ndim > 1 else 0.0
        # After one step the bias-corrected moments are g and g², so the step is the rate times the gradient's sign.
        expected = before[name] * (1 - 0.01 * decay) - 0.01 * gradients[name] / (gradients[name].abs() + 1e-8)
        assert torch.allclose(p, expected, atol=1e-6), name


class NoState:
    def resume(self, *_):
        return 0

    def save(self, *_):
        pass

    def steps(self):
        return []


def test_training_learns(model):
    recipe = replace(RECIPE, steps=60, save_steps=())
    batches = Batches([stream(5000)], recipe, seed=1)
    before = loss_of(model, batches.batch(1)).item()
    train(model, batches, recipe, NoState(), report=lambda line: None)
    assert loss_of(model, batches.batch(1)).item() < before - 1


def test_a_loss_that_is_no_number_stops_the_run(model, tmp_path):
    state = State(tmp_path, {})
    with torch.no_grad():
        model.lm_head.weight[0] = torch.nan
    with pytest.raises(UserError, match=r"The loss is nan at step 1; no checkpoint was complete yet\. Lower training"):
        train(model, Batches([stream(500)], RECIPE, 1), RECIPE, state)
    with pytest.raises(UserError, match=r"The loss is nan at step 1.*was not repeated"):
        refuse_again(tmp_path, attempt=2)
    refuse_again(tmp_path, attempt=1)  # the user started again
    refuse_again(tmp_path, attempt=2)


def test_a_warned_run_saves_its_step_and_goes_on_from_there(model, tmp_path):
    batches, other = Batches([stream(500)], RECIPE, 1), copy.deepcopy(model)
    train(other, batches, RECIPE, State(tmp_path / "unbroken", {}), report=lambda line: None)
    passes = 0

    def slurm_warns_at_step_6(module, inputs):
        nonlocal passes
        passes += 1
        if passes == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    hook = model.model.register_forward_pre_hook(slurm_warns_at_step_6)
    with warned() as stop, pytest.raises(UserError, match="Asked to end after step 6 of 12"):
        train(model, batches, RECIPE, State(tmp_path / "warned", {}), lambda line: None, stop)
    hook.remove()
    assert State(tmp_path / "warned", {}).steps() == [4, 6]
    train(model, batches, RECIPE, State(tmp_path / "warned", {}), report=lambda line: None)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_state_of_another_run_is_not_resumed(model, tmp_path):
    train(model, Batches([stream(500)], RECIPE, 1), RECIPE, State(tmp_path, {"seed": 1}), report=lambda line: None)
    assert State(tmp_path, {"seed": 1}).steps() == [4, 8, 12]
    assert State(tmp_path, {"seed": 2}).steps() == []


def test_a_killed_run_ends_with_the_same_weights(model, tokenizer, tmp_path):
    """The real script, killed with SIGKILL between checkpoints, then started again."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    save_model(model, folder, tmp_path / "untrained", {"parents": []})
    np.save(tmp_path / "tokens.npy", stream(5000))
    recipe = {**RECIPE.__dict__, "steps": 400, "save_steps": [100, 200, 300]}

    def command(name: str) -> list[str]:
        return [
            sys.executable, str(SCRIPTS / "train_model.py"), "--initial", str(tmp_path / "untrained"), "--seed", "1",
            "--tokens", str(tmp_path / "tokens.npy"), "--recipe", json.dumps(recipe),
            "--state", str(tmp_path / "state" / name), "--output", str(tmp_path / name),
        ]  # fmt: skip

    subprocess.run(command("unbroken"), check=True, capture_output=True)
    process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "state/killed/step-200/state.json").exists():
        assert time.monotonic() < deadline and process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed/model.json").exists()
    resumed = subprocess.run(command("killed"), check=True, capture_output=True, text=True)
    assert "resuming after step" in resumed.stderr
    for name in ("", "@100", "@200", "@300"):
        checksums = [json.loads((tmp_path / f"{run}{name}/model.json").read_text())["sha256"] for run in ("unbroken", "killed")]
        assert checksums[0] == checksums[1]
