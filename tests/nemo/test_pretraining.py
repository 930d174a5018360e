"""Pre-training with NeMo: the plan, and small runs through NeMo's own loop on the CPU (runs.py, cpu_emulation.py)."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pretrain_nemo
import pytest
import torch
import yaml
from runs import LENGTH, RECIPE, VOCABULARY
from safetensors.torch import load_file
from train_tokenizer import main as write_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from study.files import UserError
from study.megatron import Architecture, State, blend_of, from_megatron, plan_of, to_megatron
from study.models import save_model, use_cpu
from study.training import Batches, recipe_from, train
from study.training import State as TransformersState

ROOT = Path(__file__).parents[2]
# Fewer key than query heads, an unusual base of RoPE: what is mixed up or forgotten shows.
CONFIG = LlamaConfig(
    vocab_size=VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, tie_word_embeddings=True, initializer_range=0.05, rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 500.0},
)  # fmt: skip
PAPER = LlamaConfig(
    vocab_size=262_272, hidden_size=2048, intermediate_size=8192, num_hidden_layers=24, num_attention_heads=32,
    num_key_value_heads=32, max_position_embeddings=2048, tie_word_embeddings=True,
)  # fmt: skip


def write_initial(folder: Path) -> None:
    """Two models to start from: `untrained`, and `spoilt`, in which a weight is no number."""
    (folder / "text.jsonl").write_text(json.dumps({"text": "Der Vogel singt im Wald."}) + "\n")
    write_tokenizer(
        ["--corpora", str(folder / "text.jsonl"), "--vocabulary", str(VOCABULARY), "--output", str(folder / "tokenizer")]
    )
    torch.manual_seed(3)
    model = LlamaForCausalLM(CONFIG)
    save_model(model, folder / "tokenizer", folder / "untrained", {"parents": []})
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = torch.nan
    save_model(model, folder / "tokenizer", folder / "spoilt", {"parents": []})


@pytest.fixture(scope="session")
def runs(tmp_path_factory, nemo_python) -> Path:
    """The folder of all runs, which take about two minutes."""
    folder = tmp_path_factory.mktemp("nemo")
    write_initial(folder)
    with open(folder / "output.log", "w") as log:
        subprocess.run([nemo_python, ROOT / "tests/nemo/runs.py", folder], stdout=log, stderr=log, timeout=900, check=False)
    assert (folder / "exits.json").is_file(), (folder / "output.log").read_text()[-3000:]
    return folder


@pytest.fixture
def paper(tmp_path) -> Path:
    PAPER.save_pretrained(tmp_path)
    return tmp_path


def weights(folder: Path, model: str) -> dict[str, torch.Tensor]:
    return {name: value.float() for name, value in load_file(folder / model / "model.safetensors").items()}


def metrics(folder: Path, model: str) -> list[dict]:
    return [json.loads(line) for line in (folder / "state" / model / "metrics.jsonl").read_text().splitlines()]


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((value - other[name]).abs().max().item() for name, value in one.items())


def arguments(folder: Path, model: str) -> list[str]:
    """As in runs.py."""
    return [
        "--initial", str(folder / "untrained"), "--tokens", str(folder / "aaa.json"), str(folder / "bbb.json"),
        "--recipe", json.dumps(RECIPE), "--seed", "1",
        "--state", str(folder / "state" / model), "--output", str(folder / model),
    ]  # fmt: skip


# The plan -------------------------------------------------------------------------------------------------------------


def test_the_papers_plan(paper):
    training = yaml.safe_load((ROOT / "config.yaml").read_text())["training"]
    plan = plan_of(training, paper, processes=128)
    with torch.device("meta"):
        assert plan.architecture.parameters == LlamaForCausalLM(PAPER).num_parameters() == 2_147_846_144
    assert (plan.architecture.layers, plan.recipe.steps, plan.recipe.tokens_per_step) == (24, 47_684, 2_097_152)
    assert plan.accumulation * plan.micro_batch_size * 128 * 2048 == plan.recipe.tokens_per_step
    assert plan.recipe.kept == [*range(1000, 48_000, 1000), 47_684]
    assert plan.checkpoint_bytes == pytest.approx(30.1e9, rel=1e-2)
    assert "2,147,846,144 parameters" in str(plan) and "2,097,152 tokens" in str(plan)


def test_the_schedule_is_megatrons(runs):
    recipe = recipe_from(yaml.safe_load((ROOT / "config.yaml").read_text())["training"])
    for step, rate in json.loads((runs / "rates.json").read_text()).items():
        assert recipe.rate(int(step)) == pytest.approx(rate, rel=1e-3, abs=1e-12)


def test_a_batch_must_divide_among_processes(paper):
    with pytest.raises(UserError, match=r"batch_size \(8\) is no multiple of 3 processes x training.micro_batch_size \(2\)"):
        plan_of(RECIPE, paper, processes=3)


def test_other_architectures_are_refused(tmp_path):
    LlamaConfig(tie_word_embeddings=False, attention_bias=True).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="in tie_word_embeddings, attention_bias"):
        Architecture.read(tmp_path)


def test_languages_weigh_the_same_and_shards_by_tokens(tmp_path):
    for name, tokens in {"aaa": [10, 30], "bbb": [5]}.items():
        shards = [f"{name}/{number}" for number in range(len(tokens))]
        (tmp_path / name).mkdir()
        for shard in shards:
            (tmp_path / f"{shard}.bin").touch()
            (tmp_path / f"{shard}.idx").touch()
        (tmp_path / f"{name}.json").write_text(json.dumps({"prefixes": shards, "tokens": tokens}))
    files = [tmp_path / "aaa.json", tmp_path / "bbb.json"]
    blend = blend_of(files)
    assert [float(weight) for weight in blend[::2]] == [0.25, 0.75, 1.0]
    assert blend[1::2] == [str(tmp_path / shard) for shard in ("aaa/0", "aaa/1", "bbb/0")]
    (tmp_path / "bbb/0.idx").unlink()
    with pytest.raises(UserError, match=r"bbb/0\.idx is missing"):
        blend_of(files)


def test_a_processes_place(monkeypatch):
    for name in ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "SLURM_NTASKS_PER_NODE"):
        monkeypatch.setenv(name, "0")  # so that monkeypatch restores it
        monkeypatch.delenv(name)
    monkeypatch.setenv("WORLD_SIZE", "16")
    with pytest.raises(UserError, match="RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set"):
        pretrain_nemo.place()
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "5")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "8")
    assert pretrain_nemo.place() == {"rank": 5, "processes": 16, "processes_per_node": 8}
    monkeypatch.delenv("WORLD_SIZE")
    assert pretrain_nemo.place() == {"rank": 0, "processes": 1, "processes_per_node": 1}


# Weights --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transformer_engine", [False, True])
def test_weights_survive_megatrons_names(transformer_engine, tmp_path):
    CONFIG.save_pretrained(tmp_path)
    model = {name: value.detach() for name, value in LlamaForCausalLM(CONFIG).named_parameters()}
    megatron = to_megatron(model, Architecture.read(tmp_path), transformer_engine)
    assert sum(value.numel() for value in megatron.values()) == Architecture.read(tmp_path).parameters
    norm = "mlp.linear_fc1.layer_norm_weight" if transformer_engine else "pre_mlp_layernorm.weight"
    assert f"decoder.layers.1.{norm}" in megatron
    assert difference(from_megatron(megatron, Architecture.read(tmp_path)), model) == 0


def test_what_goes_into_megatron_comes_out(runs):
    exported = {name: value.float() for name, value in load_file(runs / "exported.safetensors").items()}
    assert difference(exported, weights(runs, "unbroken")) == 0


def test_logits_are_megatrons_in_both_versions_of_transformers(runs):
    logits = np.load(runs / "logits.npz")
    model = AutoModelForCausalLM.from_pretrained(runs / "unbroken")
    with torch.no_grad():
        ours = model(torch.from_numpy(np.load(runs / "one.npy"))[None]).logits.numpy()
    assert np.abs(logits["megatron"]).max() > 1
    for theirs in ("megatron", "transformers"):
        assert np.abs(ours - logits[theirs]).max() < 1e-5
    reading = json.loads((runs / "reading.json").read_text())
    assert reading["parameters"] == model.num_parameters()
    assert reading["rope_theta"] == model.config.rope_parameters["rope_theta"] == 500.0
    assert reading["ids"] == AutoTokenizer.from_pretrained(runs / "unbroken")("Der Vogel singt.")["input_ids"]


# Training -------------------------------------------------------------------------------------------------------------


def test_training_learns_at_the_recipes_rate(runs):
    recipe, steps = recipe_from(RECIPE), metrics(runs, "unbroken")
    assert [row["step"] for row in steps] == list(range(1, 13))
    assert [row["learning_rate"] for row in steps] == pytest.approx([recipe.rate(step) for step in range(1, 13)], abs=1e-8)
    assert steps[0]["loss"] == pytest.approx(np.log(VOCABULARY), abs=0.3)
    assert steps[-1]["loss"] < steps[0]["loss"] - 2


def test_nemo_and_transformers_train_the_same_model(runs, tmp_path):
    """Where there is but one sequence, NeMo's order of the data cannot differ from ours: optimiser, clipping and rate must agree."""
    use_cpu(1)
    model = LlamaForCausalLM.from_pretrained(runs / "untrained")
    batches = Batches([np.load(runs / "one.npy")], recipe_from(RECIPE), seed=1)
    train(model, batches, recipe_from(RECIPE), TransformersState(tmp_path, {}), report=lambda line: None)
    ours = {name: p.detach() for name, p in model.named_parameters()}
    assert difference(ours, weights(runs, "one")) < 1e-4
    assert difference(ours, weights(runs, "one@8")) > 1e-2


@pytest.mark.parametrize("step", ["", "@4", "@8"])
def test_a_broken_run_ends_with_the_same_weights(runs, step):
    exits, warned = json.loads((runs / "exits.json").read_text()), (runs / "broken-2.log").read_text()
    assert [exits[f"broken-{part}"] for part in (1, 2, 3)] == [1, 1, 0]
    assert "Told to stop (SIGTERM) after step" in warned and "the same command goes on from it" in warned
    checksums = {json.loads((runs / f"{run}{step}/model.json").read_text())["sha256"] for run in ("unbroken", "broken")}
    assert len(checksums) == 1
    assert [row["step"] for row in metrics(runs, "broken")] == list(range(1, 13))


def test_two_processes_train_the_same_model(runs):
    """Stopped and gone on with, and to the rounding of sums in another order."""
    exits = json.loads((runs / "exits.json").read_text())
    assert [exits[f"parallel-{part}-{rank}"] for part in (1, 2) for rank in (0, 1)] == [1, 1, 0, 0]
    for step in ("@4", "@8", ""):
        assert 0 < difference(weights(runs, f"parallel{step}"), weights(runs, f"unbroken{step}")) < 1e-4


def test_bfloat16_and_the_distributed_optimiser(runs):
    assert json.loads((runs / "half/config.json").read_text())["dtype"] == "bfloat16"
    assert AutoModelForCausalLM.from_pretrained(runs / "half").dtype == torch.bfloat16
    losses = {run: [row["loss"] for row in metrics(runs, run)] for run in ("unbroken", "half", "distributed")}
    assert losses["half"] == pytest.approx(losses["unbroken"], rel=0.01)
    assert losses["distributed"] == pytest.approx(losses["half"], rel=0.01)
    # In bfloat16, with eight bits, neighbours of a weight near one are 0.008 apart.
    exports = [load_file(runs / f"{run}@8/model.safetensors")["model.norm.weight"] for run in ("half", "distributed")]
    assert torch.allclose(*exports, atol=0.016)
    assert difference(weights(runs, "half@8"), weights(runs, "half@4")) > 0.02


def test_what_a_run_leaves(runs):
    manifest = json.loads((runs / "unbroken@8/model.json").read_text())
    initial = json.loads((runs / "untrained/model.json").read_text())
    assert manifest["parents"] == [{"model": "untrained", "sha256": initial["sha256"]}]
    assert (manifest["step"], manifest["tokens"], manifest["seed"]) == (8, 8 * 8 * LENGTH, 1)
    assert manifest["parameters"] == Architecture.read(runs / "untrained").parameters
    left = sorted(str(path.relative_to(runs / "state/unbroken")) for path in (runs / "state/unbroken").rglob("*"))
    assert left == ["metrics.jsonl", "run.json", "step-12"]


def test_a_finished_run_is_not_trained_again(runs):
    """Without NeMo, since nothing is left to train."""
    manifest = runs / "unbroken@8/model.json"
    before = manifest.read_text()
    manifest.unlink()
    pretrain_nemo.main(arguments(runs, "unbroken"))
    assert manifest.read_text() == before


def test_a_state_of_another_run_is_refused(runs):
    other = arguments(runs, "unbroken")
    other[other.index("--seed") + 1] = "2"
    with pytest.raises(UserError, match="holds a run with another seed; undo the change, or delete the folder"):
        pretrain_nemo.main(other)
    with pytest.raises(UserError, match=r"with another seed.*was not repeated"):
        pretrain_nemo.main([*other, "--attempt", "2"])
    pretrain_nemo.main(arguments(runs, "unbroken"))  # a first attempt forgets the refusal


def test_a_bad_loss_stops_the_run(runs):
    assert json.loads((runs / "exits.json").read_text())["bad"] == 1
    assert (
        "At step 1 the loss is nan and the gradient norm is nan; the checkpoint of step 0 is kept"
        in (runs / "bad.log").read_text()
    )
    assert State(runs / "state/bad").last() == 0
    assert not (runs / "bad/model.json").exists()


def test_without_a_gpu_nothing_is_trained(runs):
    assert json.loads((runs / "exits.json").read_text())["gpu"] == 1
    assert "finds no GPU of its own" in (runs / "gpu.log").read_text()
