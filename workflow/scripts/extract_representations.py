"""Hidden states of one model for parallel sentences, pooled in three ways, from one forward pass per text.

  python workflow/scripts/extract_representations.py --model models/mono-fra --text eng=eng.txt fra=fra.txt \\
      --write english=eng own=fra --output representations --activations activations/mono-fra.safetensors

Each text has one sentence per line (UTF-8); line n of every text is the same sentence. For each NAME=LANGUAGE of --write and each
pooling (mean over all tokens, mean_without_first, last_token), {output}/{pooling}/{NAME}/{model}.safetensors holds a float32 tensor
layer.{i} of shape (sentences, hidden) for each layer after the embedding, the last one after the final norm. These folders are what
compute_cka.py and measure_neighbours.py read; "own" holds every expert on its own language.
--activations writes what measure_neurons.py reads: per layer i, firing.{i} (languages, units), the share of each language's tokens at
which the gate of a feed-forward unit is positive, and magnitude.{i}, the mean absolute value that the unit passes on.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.files import UserError, atomic, run_script
from study.models import load_model, load_tokenizer

POOLINGS = ["mean", "mean_without_first", "last_token"]


def read_sentences(path: Path) -> list[str]:
    """The lines of a text.

    Raises:
        UserError: if the text or a line is empty, since line n of all texts must be the same sentence.
    """
    sentences = path.read_text(encoding="utf-8").splitlines()
    if not sentences or not all(sentence.strip() for sentence in sentences):
        raise UserError(f"{path} is empty or has an empty line; give one sentence per line.")
    return sentences


def batches(tokens: list[list[int]], size: int) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
    """Numbers of sentences of like length, their token ids padded on the right (batch, length), and the mask of real tokens."""
    order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
    for start in range(0, len(order), size):
        numbers = order[start : start + size]
        rows = [torch.tensor(tokens[number]) for number in numbers]
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        yield numbers, torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), mask


def pool(states: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Float32 vectors (batch, hidden) per pooling, of states (batch, length, hidden) and a mask (batch, length) of leading ones."""
    states = states.float().masked_fill(mask[:, :, None] == 0, 0)  # filled, as padding may have overflowed
    lengths = mask.sum(dim=1, keepdim=True)
    total = states.sum(dim=1)
    return {
        "mean": total / lengths,
        "mean_without_first": (total - states[:, 0]) / (lengths - 1),
        "last_token": states[torch.arange(len(states), device=states.device), lengths[:, 0] - 1],
    }


class UnitActivity:
    """Sums over real tokens of how feed-forward units fire, filled by hooks during a forward pass (Llama-type MLP only)."""

    def __init__(self, model: PreTrainedModel) -> None:
        modules = dict(model.named_modules())
        self.blocks = [module for name, module in modules.items() if name.endswith(".mlp")]
        if not self.blocks or not all(hasattr(block, "gate_proj") and hasattr(block, "down_proj") for block in self.blocks):
            raise UserError(
                "This model has no gated feed-forward blocks (mlp.gate_proj, mlp.down_proj); leave out --activations."
            )
        self.mask: torch.Tensor | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self.tokens = 0
        self.firing: list[torch.Tensor | float] = [0.0] * len(self.blocks)
        self.magnitude: list[torch.Tensor | float] = [0.0] * len(self.blocks)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Count during every forward pass inside; `mask` must be set before each."""
        handles = []
        for layer, block in enumerate(self.blocks):
            handles.append(block.gate_proj.register_forward_hook(lambda _module, _input, output, i=layer: self._fire(i, output)))
            handles.append(
                block.down_proj.register_forward_pre_hook(lambda _module, inputs, i=layer: self._pass_on(i, inputs[0]))
            )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _fire(self, layer: int, gate: torch.Tensor) -> None:
        self.firing[layer] += (gate[self.mask] > 0).sum(dim=0).double().cpu()

    def _pass_on(self, layer: int, value: torch.Tensor) -> None:
        self.magnitude[layer] += value[self.mask].abs().sum(dim=0, dtype=torch.float32).double().cpu()

    def means(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Firing rate and mean magnitude, each (layers, units) in float32."""
        return tuple((torch.stack(sums) / self.tokens).float() for sums in (self.firing, self.magnitude))


@torch.inference_mode()
def represent(
    model: PreTrainedModel, tokens: list[list[int]], batch_size: int, activity: UnitActivity | None = None
) -> dict[str, torch.Tensor]:
    """Pooled hidden states (layers, sentences, hidden) in float32 per pooling; fills `activity` in the same pass.

    Raises:
        UserError: if a sentence has fewer than two tokens, or a state is not finite.
    """
    if min(map(len, tokens)) < 2:
        raise UserError(
            f"Sentence {min(range(len(tokens)), key=lambda n: len(tokens[n])) + 1} has fewer than two tokens; leave it out."
        )
    pooled: dict[str, torch.Tensor] = {}
    for numbers, ids, mask in batches(tokens, batch_size):
        ids, mask = ids.to(model.device), mask.to(model.device)
        if activity:
            activity.mask = mask.bool()
            activity.tokens += int(mask.sum())
        states = model(ids, attention_mask=mask, output_hidden_states=True, use_cache=False, logits_to_keep=1).hidden_states[1:]
        for layer, state in enumerate(states):
            for pooling, vectors in pool(state, mask).items():
                if not torch.isfinite(vectors).all():
                    raise UserError(f"Layer {layer} overflows in {str(model.dtype)[6:]}; use --dtype bfloat16 or float32.")
                if pooling not in pooled:
                    pooled[pooling] = torch.empty(len(states), len(tokens), vectors.shape[1])
                pooled[pooling][layer, numbers] = vectors.cpu()
    return pooled


def tokenize(tokenizer: PreTrainedTokenizerBase, sentences: list[str], max_tokens: int) -> list[list[int]]:
    """Token ids of each sentence with the tokenizer's own special tokens, cut at max_tokens."""
    return tokenizer(sentences, truncation=True, max_length=max_tokens)["input_ids"]


def parse_pairs(arguments: list[str], option: str) -> dict[str, str]:
    """NAME=VALUE arguments as a mapping.

    Raises:
        UserError: if one has another form or a name comes twice.
    """
    pairs = [argument.split("=", 1) for argument in arguments]
    if any(len(pair) != 2 or not all(pair) for pair in pairs) or len({pair[0] for pair in pairs}) < len(pairs):
        raise UserError(f"{option} takes NAME=VALUE, each name once, not {' '.join(arguments)}.")
    return dict(pairs)


def save_activity(path: Path, languages: list[str], activity: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Write firing.{i} and magnitude.{i} (languages, units) per layer, with the languages' names as metadata."""
    firing, magnitude = (torch.stack(values, dim=1) for values in zip(*activity, strict=True))
    tensors = {f"firing.{i}": layer.contiguous() for i, layer in enumerate(firing)}
    tensors |= {f"magnitude.{i}": layer.contiguous() for i, layer in enumerate(magnitude)}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata={"languages": json.dumps(languages)})


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder that transformers loads; its name names the model")
    parser.add_argument("--text", nargs="+", required=True, metavar="LANGUAGE=FILE", help="one sentence per line")
    parser.add_argument(
        "--write", nargs="*", default=[], metavar="NAME=LANGUAGE", help="representations to write, and of which text"
    )
    parser.add_argument("--output", type=Path, default=Path("representations"), help="folder for them (default: representations)")
    parser.add_argument("--activations", type=Path, help="safetensors to write: activity of feed-forward units in every text")
    parser.add_argument(
        "--dtype", default="float32", choices=["float32", "bfloat16", "float16"], help="of the model (paper: float16)"
    )
    parser.add_argument("--max-tokens", type=int, default=128, help="longer sentences are cut (default: 128, as in the paper)")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: cuda if there is one")
    arguments = parser.parse_args(argv)
    texts, names = parse_pairs(arguments.text, "--text"), parse_pairs(arguments.write, "--write")
    if unknown := sorted(set(names.values()) - set(texts)):
        raise UserError(f"--write asks for {', '.join(unknown)}, for which --text names no file.")
    sentences = {language: read_sentences(Path(path)) for language, path in texts.items()}
    if len({len(lines) for lines in sentences.values()}) > 1:
        raise UserError(
            f"The texts are not parallel: {', '.join(f'{name} {len(lines)} lines' for name, lines in sentences.items())}."
        )

    tokenizer, model = load_tokenizer(arguments.model), load_model(arguments.model, arguments.dtype).to(arguments.device)
    activity = UnitActivity(model) if arguments.activations else None
    measured = []
    for language, lines in sentences.items():
        tokens = tokenize(tokenizer, lines, arguments.max_tokens)
        if activity:
            activity.reset()
            with activity.listening():
                pooled = represent(model, tokens, arguments.batch_size, activity)
            measured.append(activity.means())
        else:
            pooled = represent(model, tokens, arguments.batch_size)
        for name in (name for name, of in names.items() if of == language):
            for pooling in POOLINGS:
                with atomic(arguments.output / pooling / name / f"{arguments.model.resolve().name}.safetensors") as path:
                    save_file({f"layer.{i}": layer.contiguous() for i, layer in enumerate(pooled[pooling])}, path)
    if activity:
        save_activity(arguments.activations, list(sentences), measured)


if __name__ == "__main__":
    run_script(main)
