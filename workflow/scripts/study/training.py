"""Pre-training a small model with transformers on the CPU or one GPU: the paper's recipe, scaled down by the experiment file.

Everything that happens in a step follows from the step's number, so a run that was stopped anywhere goes on from its last
complete checkpoint and ends with the same weights.
"""

import argparse
import json
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from study.files import UserError, write_json

HOPELESS = "stopped.txt"
# The vocabulary is what a small model spends its time on; the logits of so many tokens at a time are faster than those of the whole
# batch (benchmarks/loss_in_parts.py).
LOSS_IN_PARTS = torch.nn.LinearCrossEntropyOptions(chunking_method=None, batch_chunk_size=256)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained (paper, section 2; the details as in the models' family).

    Attributes:
        batch_size: sequences in a step.
        sequence_length: tokens in a sequence.
        warmup_share, cooldown_share: shares of the steps in which the learning rate rises from and falls to zero, linearly.
        gradient_clip: largest norm of the gradient.
        save_steps: steps after which a checkpoint is kept; the last step is kept anyway.
    """

    steps: int
    batch_size: int
    sequence_length: int
    learning_rate: float
    warmup_share: float
    cooldown_share: float
    weight_decay: float
    betas: tuple[float, float]
    gradient_clip: float
    save_steps: tuple[int, ...]

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.sequence_length

    @property
    def tokens(self) -> int:
        """Tokens that the model is trained on."""
        return self.steps * self.tokens_per_step

    @property
    def kept(self) -> list[int]:
        """The steps whose weights become model directories."""
        return sorted({*self.save_steps, self.steps})

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 1: warm-up, stable, decay (WSD)."""
        warmup, cooldown = self.warmup_share * self.steps, self.cooldown_share * self.steps
        rising = step / warmup if warmup else 1.0
        falling = (self.steps - step) / cooldown if cooldown else 1.0
        return self.learning_rate * min(1.0, rising, falling)


class Batches:
    """The training sequences of each step: equal parts of all streams, each in a new random order in every epoch."""

    def __init__(self, streams: list[np.ndarray], recipe: Recipe, seed: int) -> None:
        """Take token streams, each of shape (tokens,).

        Raises:
            UserError: if a stream is shorter than one sequence.
        """
        self.streams, self.recipe, self.seed = streams, recipe, seed
        # One token more than a sequence: the last one is predicted only.
        self.counts = [(len(stream) - 1) // recipe.sequence_length for stream in streams]
        if min(self.counts) < 1:
            raise UserError(f"A corpus has fewer tokens than one sequence ({recipe.sequence_length}); give it more text.")
        self._orders: dict[tuple[int, int], np.ndarray] = {}

    def _sequence(self, index: int) -> np.ndarray:
        # Sequence `index` of the whole run belongs to the streams in turn.
        index, stream = divmod(index, len(self.streams))
        epoch, position = divmod(index, self.counts[stream])
        if (stream, epoch) not in self._orders:
            self._orders.pop((stream, epoch - 1), None)
            self._orders[stream, epoch] = np.random.default_rng((self.seed, stream, epoch)).permutation(self.counts[stream])
        start = self._orders[stream, epoch][position] * self.recipe.sequence_length
        return self.streams[stream][start : start + self.recipe.sequence_length + 1]

    def batch(self, step: int) -> torch.Tensor:
        """Token ids of shape (batch_size, sequence_length + 1) of a step, counted from 1."""
        first = (step - 1) * self.recipe.batch_size
        rows = [self._sequence(first + row) for row in range(self.recipe.batch_size)]
        return torch.from_numpy(np.stack(rows).astype(np.int64))


def optimiser(model: torch.nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices only, not on the norms' gains (as in Megatron-LM)."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    gains = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=recipe.betas, eps=1e-8, fused=True)


def loss_of(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy (nats) of each next token, of sequences of shape (batch, length + 1)."""
    hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
    return torch.nn.functional.linear_cross_entropy(
        hidden.flatten(0, 1), model.lm_head.weight, tokens[:, 1:].flatten(), options=LOSS_IN_PARTS
    )


class State:
    """The resumable state of a run: a folder per kept step, complete when its `state.json` is there."""

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        """`identity` says what the run is; a state of another run is not resumed but removed."""
        self.folder = folder
        self.identity = json.loads(json.dumps(identity))
        for step in self.steps():
            if json.loads((self._path(step) / "state.json").read_text()) != self.identity:
                shutil.rmtree(self._path(step))

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step}"

    def steps(self) -> list[int]:
        """The steps that were completely saved."""
        return sorted(int(path.parent.name.removeprefix("step-")) for path in self.folder.glob("step-*/state.json"))

    def weights(self, step: int) -> dict[str, torch.Tensor]:
        return load_file(self._path(step) / "weights.safetensors")

    def save(self, step: int, model: Any, adam: torch.optim.AdamW) -> None:
        """Save weights and optimiser; the optimiser's state of earlier steps is no longer needed."""
        path = self._path(step)
        path.mkdir(parents=True, exist_ok=True)
        names = _names(model, adam)
        moments = {f"{names[p]}.{key}": value for p, state in adam.state.items() for key, value in state.items()}
        save_file({name: p.detach().contiguous() for p, name in names.items()}, path / "weights.safetensors")
        save_file(moments, path / "optimiser.safetensors")
        write_json(path / "state.json", self.identity)
        for earlier in self.steps():
            if earlier < step:
                (self._path(earlier) / "optimiser.safetensors").unlink(missing_ok=True)

    def resume(self, model: Any, adam: torch.optim.AdamW) -> int:
        """Load the last complete state into model and optimiser; return its step, 0 if there is none."""
        if not (steps := self.steps()):
            return 0
        moments = load_file(self._path(steps[-1]) / "optimiser.safetensors")
        set_weights(model, self.weights(steps[-1]))
        for p, name in _names(model, adam).items():
            adam.state[p] = {key: moments[f"{name}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        return steps[-1]

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # other models' states are still there
            self.folder.parent.rmdir()


def _names(model: Any, adam: torch.optim.AdamW) -> dict[torch.nn.Parameter, str]:
    trained = {p for group in adam.param_groups for p in group["params"]}
    return {p: name for name, p in model.named_parameters() if p in trained}


def set_weights(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Copy saved weights into the model; tied weights are saved once."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weights[name])


def refuse_again(folder: Path, attempt: int) -> None:
    """Do not repeat a training that stopped for a reason which another attempt of the same run meets again.

    The first attempt of a run may try again, since its user may have changed something.

    Raises:
        UserError: with that reason.
    """
    reason = folder / HOPELESS
    if attempt == 1:
        reason.unlink(missing_ok=True)
    elif reason.exists():
        raise UserError(f"{reason.read_text(encoding='utf-8')} (As in the attempt before, so it was not repeated.)")


def hopeless(folder: Path, reason: str) -> UserError:
    """The error to raise where another attempt would end in the same way; see `refuse_again`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HOPELESS).write_text(reason, encoding="utf-8")
    return UserError(reason)


@contextmanager
def warned() -> Iterator[Callable[[], bool]]:
    """Within the block, a function that tells whether the process was asked to end (SIGTERM): by Slurm, before it kills a job."""
    received = []
    previous = signal.signal(signal.SIGTERM, lambda *_: received.append(True))
    try:
        yield lambda: bool(received)
    finally:
        signal.signal(signal.SIGTERM, previous)


def train(
    model: Any,
    batches: Batches,
    recipe: Recipe,
    state: State,
    report: Callable[[str], None] = print,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train the model in place, saving its state after each kept step, and after the step at which `stop` asks to end.

    Raises:
        UserError: if the loss is no longer a number, or if training was asked to end before its last step.
    """
    adam = optimiser(model, recipe)
    start = state.resume(model, adam)
    if start:
        report(f"resuming after step {start}")
    model.train()
    device = next(model.parameters()).device
    kept, began, losses = set(recipe.kept), time.monotonic(), []
    for step in range(start + 1, recipe.steps + 1):
        for group in adam.param_groups:
            group["lr"] = recipe.rate(step)
        loss = loss_of(model, batches.batch(step).to(device))
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            saved = f"the checkpoint of step {state.steps()[-1]} is kept" if state.steps() else "no checkpoint was complete yet"
            raise hopeless(
                state.folder,
                f"The loss is {losses[-1]} at step {step}; {saved}. Lower training.learning_rate or training.gradient_clip.",
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
        adam.step()
        adam.zero_grad()
        stopping = stop() and step < recipe.steps
        if step in kept or stopping:
            state.save(step, model, adam)
        if stopping:
            raise UserError(
                f"Asked to end after step {step} of {recipe.steps}, which is saved; the next attempt goes on from there."
            )
        if step % 50 == 0 or step == recipe.steps:
            report(progress(step, recipe, losses, time.monotonic() - began, start))
            losses.clear()


def progress(step: int, recipe: Recipe, losses: list[float], seconds: float, start: int) -> str:
    """One line on where training stands."""
    speed = (step - start) / seconds
    mean = sum(losses) / len(losses)
    left = (recipe.steps - step) / speed
    return f"step {step}/{recipe.steps}  loss {mean:.3f}  {speed * recipe.tokens_per_step:,.0f} tokens/s  {left:.0f} s left"


def trainer_arguments(description: str | None) -> argparse.ArgumentParser:
    """The command line that all trainers share, so that one rule can start any of them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--initial", type=Path, required=True, help="model directory to start from")
    parser.add_argument("--tokens", type=Path, nargs="+", required=True, help="a file per language: .npy, for NeMo .json")
    parser.add_argument("--recipe", type=json.loads, required=True, help="the experiment file's training section as JSON")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="folder for what is needed to resume")
    parser.add_argument("--output", type=Path, required=True, help="model directory; kept steps go to OUTPUT@STEP")
    parser.add_argument("--attempt", type=int, default=1, help="number of this attempt in the run of the workflow")
    return parser


def recipe_from(settings: dict[str, Any]) -> Recipe:
    """A recipe from the experiment file's `training` section."""
    fields = {name: settings[name] for name in Recipe.__dataclass_fields__}
    return Recipe(**{**fields, "betas": tuple(fields["betas"]), "save_steps": tuple(fields["save_steps"])})


def model_directory(output: Path, recipe: Recipe, step: int) -> Path:
    """Where the weights of a kept step go: OUTPUT@STEP, of the last step OUTPUT."""
    return output if step == recipe.steps else output.with_name(f"{output.name}@{step}")


def origin(settings: dict[str, Any], initial: dict[str, Any], seed: int, step: int) -> dict[str, Any]:
    """What the manifest of a trained model says of how it came about; `initial` is the manifest of what it started from."""
    return {
        "parents": [{"model": initial["model"], "sha256": initial["sha256"]}],
        "recipe": settings,
        "seed": seed,
        "step": step,
        "tokens": step * recipe_from(settings).tokens_per_step,
    }


def identity(recipe: Recipe, seed: int, initial: str, corpora: list[str]) -> dict[str, Any]:
    """What makes two training runs the same: recipe, seed, and checksums of the initial weights and of the data."""
    return {"recipe": asdict(recipe), "seed": seed, "initial": initial, "corpora": corpora}
