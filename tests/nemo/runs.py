"""The runs that the tests of NeMo look at: small models pre-trained on the CPU, below one folder. Runs in NeMo's environment.

NeMo is imported once and every run is a fork of this process, because importing it takes longer than a run. The folder must hold
`untrained` and `spoilt`, transformers directories.

Example:
    python tests/nemo/runs.py FOLDER
"""

import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
FORK = multiprocessing.get_context("fork")
VOCABULARY, LENGTH = 300, 32
RECIPE = {
    "steps": 12, "batch_size": 8, "sequence_length": LENGTH, "learning_rate": 0.01, "warmup_share": 0.25, "cooldown_share": 0.25,
    "weight_decay": 0.05, "betas": [0.9, 0.95], "gradient_clip": 1.0, "save_steps": [4, 8],
    "micro_batch_size": 2, "precision": "32", "save_interval": 3,
}  # fmt: skip


def write_corpora(folder: Path) -> None:
    """Two languages of two shards each, in which the next token can be learnt, and one that repeats a single sequence."""
    import numpy as np
    import torch
    from megatron.core.datasets.indexed_dataset import DType, IndexedDatasetBuilder

    random = np.random.default_rng(0)
    shards = {f"{language}-{n}": random.integers(20, 60, 40 + n).tolist() for language in ("aaa", "bbb") for n in range(2)}
    shards["one-0"] = [LENGTH]
    for name, lengths in shards.items():
        builder = IndexedDatasetBuilder(str(folder / f"{name}.bin"), dtype=DType.optimal_dtype(VOCABULARY))
        for length in lengths:
            document = np.cumsum(random.integers(1, 3, length)) % (VOCABULARY - 4) + 4
            builder.add_document(torch.from_numpy(document), [length])
        builder.finalize(str(folder / f"{name}.idx"))
    for language in ("aaa", "bbb", "one"):
        own = [name for name in shards if name.startswith(language)]
        (folder / f"{language}.json").write_text(json.dumps({"prefixes": own, "tokens": [sum(shards[name]) for name in own]}))
    np.save(folder / "one.npy", np.append(document, document[0]))


def redirected(log: Path, environment: dict[str, str]) -> None:
    """Make this fork a process of its own: its group, its output, its environment."""
    os.setsid()
    stream = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.environ.update(environment)


def pretrain(log: Path, environment: dict[str, str], arguments: list[str]) -> None:
    import cpu_emulation

    redirected(log, environment)
    cpu_emulation.run(str(SCRIPTS / "pretrain_nemo.py"), arguments)


def pretrain_distributed(log: Path, environment: dict[str, str], arguments: list[str]) -> None:
    """With an optimiser whose state is distributed, as where TransformerEngine is installed. Without it, it cannot be saved."""
    from study import nemo

    nemo.HAVE_APEX_OR_TE = True
    nemo.Watch._save = lambda watch, step, _: watch.state.checkpoint(step).mkdir(exist_ok=True)
    pretrain(log, environment, arguments)


def pretrain_on_a_gpu(log: Path, environment: dict[str, str], arguments: list[str]) -> None:
    import pretrain_nemo

    from study.files import run_script

    redirected(log, environment)
    run_script(lambda: pretrain_nemo.main(arguments))


def compute_logits(log: Path, environment: dict[str, str], model: str) -> None:
    """Logits of a model directory by Megatron and by this environment's transformers, and what Megatron's model exports at once."""
    import cpu_emulation
    import numpy as np
    import torch
    from megatron.core import parallel_state
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from study.megatron import plan_of
    from study.nemo import Model, config_of, optimiser_of

    redirected(log, environment)
    folder = log.parent
    torch.distributed.init_process_group("gloo", rank=0, world_size=1, store=torch.distributed.HashStore())
    parallel_state.initialize_model_parallel()
    plan = plan_of(RECIPE, folder / model, 1)
    tokens = torch.from_numpy(np.load(folder / "one.npy"))[None]
    with cpu_emulation.emulate(), torch.no_grad():
        megatron = Model(config_of(plan), optimiser_of(plan), str(folder / model))
        megatron.configure_model()
        positions = torch.arange(tokens.shape[1])[None]
        mask = torch.ones(1, 1, tokens.shape[1], tokens.shape[1]).triu(1).bool()
        logits = {"megatron": megatron.module.eval()(tokens, positions, mask)}
        count = sum(p.numel() for p in megatron.module.parameters())
        save_file({name: value.contiguous() for name, value in megatron.weights().items()}, folder / "exported.safetensors")
    with torch.no_grad():
        logits["transformers"] = AutoModelForCausalLM.from_pretrained(folder / model).eval()(tokens).logits
    np.savez(folder / "logits.npz", **{name: value.float().numpy() for name, value in logits.items()})
    reading = {
        "parameters": count,
        "rope_theta": AutoConfig.from_pretrained(folder / model).rope_theta,
        "ids": AutoTokenizer.from_pretrained(folder / model)("Der Vogel singt.")["input_ids"],
    }
    (folder / "reading.json").write_text(json.dumps(reading))


def compute_rates(path: Path) -> None:
    """Megatron's own WSD schedule of the paper's training: the learning rate after some numbers of steps."""
    import torch
    from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

    rates = {}
    for step in (1, 100, 4768, 4769, 38148, 40000, 47683, 47684):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
        scheduler = OptimizerParamScheduler(
            optimiser, init_lr=0.0, max_lr=3e-4, min_lr=0.0, lr_warmup_steps=4768, lr_decay_steps=47684, lr_decay_style="WSD",
            start_wd=0.05, end_wd=0.05, wd_incr_steps=47684, wd_incr_style="constant",
            wsd_decay_steps=9536, lr_wsd_decay_style="linear",
        )  # fmt: skip
        scheduler.step(step)
        rates[step] = optimiser.param_groups[0]["lr"]
    path.write_text(json.dumps(rates))


class Runs:
    """Starts runs below a folder; `exits` collects their exit codes under the names of their logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exits: dict[str, int] = {}

    def start(
        self, log: str, model: str, corpora: str = "aaa bbb", environment: Any = None, target: Any = pretrain, **options: Any
    ) -> Any:
        arguments = [
            "--initial", str(self.folder / options.pop("initial", "untrained")),
            "--tokens", *(str(self.folder / f"{corpus}.json") for corpus in corpora.split()),
            "--recipe", json.dumps(RECIPE | options.pop("recipe", {})), "--seed", "1",
            "--state", str(self.folder / "state" / model), "--output", str(self.folder / model),
            *(word for option, value in options.items() for word in ("--" + option.replace("_", "-"), str(value))),
        ]  # fmt: skip
        process = FORK.Process(target=target, args=(self.folder / f"{log}.log", environment or {}, arguments), name=log)
        process.start()
        return process

    def wait(self, *processes: Any) -> None:
        for process in processes:
            process.join()
            self.exits[process.name] = process.exitcode

    def run(self, log: str, model: str, **options: Any) -> None:
        self.wait(self.start(log, model, **options))

    def start_two(self, log: str, model: str, **options: Any) -> list[Any]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        places = [{"RANK": rank, "LOCAL_RANK": rank} | common for rank in "01"]
        return [self.start(f"{log}-{place['RANK']}", model, environment=place, **options) for place in places]

    def warn_after(self, step: int, model: str, *processes: Any) -> None:
        """When a run has done the step, send SIGTERM to all of its processes, as Slurm does before it kills a job."""
        metrics = self.folder / "state" / model / "metrics.jsonl"
        while processes[0].is_alive() and not (metrics.is_file() and f'"step": {step},' in metrics.read_text()):
            time.sleep(0.005)
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        self.wait(*processes)


def main(folder: Path) -> None:
    os.environ.update(OMP_NUM_THREADS="1", TORCHDYNAMO_DISABLE="1")
    sys.path[:0] = [str(SCRIPTS), str(Path(__file__).parent)]
    import study.nemo  # noqa: F401

    write_corpora(folder)
    compute_rates(folder / "rates.json")
    runs = Runs(folder)
    runs.run("unbroken", "unbroken")
    runs.warn_after(3, "broken", runs.start("broken-1", "broken"))
    runs.warn_after(7, "broken", runs.start("broken-2", "broken"))
    runs.run("broken-3", "broken")
    runs.warn_after(7, "parallel", *runs.start_two("parallel-1", "parallel"))
    runs.wait(*runs.start_two("parallel-2", "parallel"))
    half = {"recipe": {"precision": "bf16-mixed"}}
    runs.run("half", "half", **half)
    runs.wait(*runs.start_two("distributed", "distributed", target=pretrain_distributed, **half))
    runs.run("one", "one", corpora="one")
    runs.run("bad", "bad", initial="spoilt")
    runs.run("gpu", "gpu", target=pretrain_on_a_gpu)
    process = FORK.Process(target=compute_logits, args=(folder / "logits.log", {}, "unbroken"), name="logits")
    process.start()
    runs.wait(process)
    (folder / "exits.json").write_text(json.dumps(runs.exits))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
