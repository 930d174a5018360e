"""Scoring one loaded model on cells of the benchmarks: lm-eval's task definitions and requests, answered in packed batches.

lm-eval builds each request (context, continuation) from the definition in workflow/tasks. `LanguageModel` answers them; it is lm-eval's
HFLM with two changes: context and continuation are tokenised apart, as in the paper's evaluation (lm-eval tokenises them joined
and splits), and all choices of an item share one pass over their context. Metrics are computed from the per-item table alone,
so that anybody can compute them again from the parquet file.
"""

import logging
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.samplers import ContextSampler
from lm_eval.api.task import ConfigurableTask
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml
from lm_eval.utils import env as templates
from sacrebleu.metrics import CHRF
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from study.benchmarks import (
    Document,
    benchmark_files,
    draw_shots,
    read_items,
    read_shots,
    select,
    translation_source,
)
from study.files import UserError, atomic, write_json
from study.models import load_model, load_tokenizer, sha256
from study.prompts import prompts
from study.statistics import Z95, Interval, bootstrap_mean

logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of everything that is done on purpose here
disable_progress_bar()

TASKS = Path(__file__).parents[2] / "tasks"
RESAMPLES = 1000
PACKAGES = ("torch", "transformers", "lm-eval", "sacrebleu")
SETTINGS = {"shots": 0, "limit": None, "metric": None, "max_new_tokens": 256, "sample": False, "published_layout": False}


# The model ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A tokenised continuation of a context. Requests of the same item may share a pass over their context."""

    item: Hashable
    context: tuple[int, ...]
    continuation: tuple[int, ...]


@dataclass(frozen=True)
class Generation:
    """A generated line, the number of tokens made for it (its end token included), and whether it met the length limit."""

    text: str
    tokens: int
    limited: bool


class LanguageModel(HFLM):
    """lm-eval's HFLM with contexts and continuations tokenised apart, and choices packed behind their shared context."""

    def encode(self, instances: Sequence[Instance]) -> list[Request]:
        """Tokenise the context and the continuation of lm-eval's instances.

        The context begins with the beginning-of-sequence token, if the tokenizer has one; an empty context without one is lm-eval's
        prefix token. The context's trailing spaces belong to the continuation's tokens.
        """
        kept = [instance.args[0].rstrip(" ") for instance in instances]
        continued = [
            instance.args[0][len(context) :] + instance.args[1] for instance, context in zip(instances, kept, strict=True)
        ]
        tokens = self._tokenise([*kept, *continued])
        return [
            Request((instance.task_name, instance.doc_id), self._begin(tokens[context]), tokens[continuation])
            for instance, context, continuation in zip(instances, kept, continued, strict=True)
        ]

    def _tokenise(self, texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
        texts = list(dict.fromkeys(texts))
        tokens = self.tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
        return dict(zip(texts, map(tuple, tokens), strict=True))

    def _begin(self, context: tuple[int, ...]) -> tuple[int, ...]:
        start = self.tokenizer.bos_token_id
        return (start, *context) if start is not None else context or (self.prefix_token_id,)

    @torch.inference_mode()
    def log_probabilities(self, requests: Sequence[Request]) -> np.ndarray:
        """The summed log-probability of each continuation (natural logarithm, softmax in float32); shape (requests,)."""
        result = np.empty(len(requests))
        rows = self._rows(requests)
        rows.sort(key=lambda row: len(requests[row[0]].context) + sum(len(requests[i].continuation) for i in row), reverse=True)
        for first in range(0, len(rows), self.batch_size):
            batch = rows[first : first + self.batch_size]
            result[[i for row in batch for i in row]] = self._score([[requests[i] for i in row] for row in batch])
        return result

    def _rows(self, requests: Sequence[Request]) -> list[list[int]]:
        """Numbers of requests that one sequence can answer: neighbours of one item and context, if that need not be cut."""
        rows: list[list[int]] = []
        for _, group in groupby(range(len(requests)), key=lambda i: (requests[i].item, requests[i].context)):
            numbers = list(group)
            fits = len(requests[numbers[0]].context) <= self._room([requests[i] for i in numbers])
            rows += [numbers] if fits else [[i] for i in numbers]
        return rows

    def _room(self, row: Sequence[Request]) -> int:
        """How many tokens of its context the model can see while it predicts the last token of the longest continuation."""
        return max(1, self.max_length + 1 - max(len(request.continuation) for request in row))

    def _score(self, rows: list[list[Request]]) -> np.ndarray:
        """Log-probabilities of all requests of all rows in turn. The requests of a row share their context.

        A row is the context, then each continuation without its last token, at the positions that follow the context and
        seeing only the context and itself. Rows are padded on the left, so that the logits needed are the last ones. A context
        that is too long loses its beginning, as in the paper's evaluation. Layers with a sliding window get the same mask, so
        their window must not be shorter than the rows.
        """
        contexts = [row[0].context[-self._room(row) :] for row in rows]
        lengths = [len(c) + sum(len(r.continuation) - 1 for r in row) for c, row in zip(contexts, rows, strict=True)]
        width = max(lengths)
        tokens, positions = np.zeros((2, len(rows), width), dtype=np.int64)
        segments = np.full((len(rows), width), -1)  # -1 padding, 0 context, 1.. continuations
        where: list[tuple[int, int, int, int]] = []  # row, column that predicts, token predicted, number of the request
        number = 0
        for r, (row, context, length) in enumerate(zip(rows, contexts, lengths, strict=True)):
            start, end = width - length, width - length + len(context)
            tokens[r, start:end], positions[r, start:end], segments[r, start:end] = context, range(len(context)), 0
            column = end
            for segment, request in enumerate(row, start=1):
                size = len(request.continuation) - 1
                inner = slice(column, column + size)
                tokens[r, inner], segments[r, inner] = request.continuation[:-1], segment
                positions[r, inner] = range(len(context), len(context) + size)
                predicting = [end - 1, *range(column, column + size)]
                where += [(r, p, t, number) for p, t in zip(predicting, request.continuation, strict=True)]
                column += size
                number += 1
        r, column, token, request = np.array(where).T
        kept = width - int(column.min())
        logits = self.model(
            input_ids=self._tensor(tokens),
            position_ids=self._tensor(positions),
            attention_mask=self._mask(self._tensor(segments)),
            logits_to_keep=kept,
            use_cache=False,
        ).logits
        r, column, token = self._tensor(r), self._tensor(column - (width - kept)), self._tensor(token)
        needed = logits[r, column].float()
        values = needed.gather(1, token[:, None])[:, 0] - needed.logsumexp(dim=1)
        return np.bincount(request, weights=values.double().cpu().numpy(), minlength=number)

    def _mask(self, segments: torch.Tensor) -> torch.Tensor:
        """Additive attention mask (rows, 1, width, width): earlier columns of the context or of the same continuation."""
        own, other = segments[:, :, None], segments[:, None, :]
        seen = ((other == 0) | (other == own)) & (other >= 0)
        seen = seen.tril() | torch.eye(segments.shape[1], dtype=torch.bool, device=segments.device)  # padding sees itself: no NaN
        dtype = self.model.dtype
        return torch.where(seen, 0.0, torch.finfo(dtype).min).to(dtype)[:, None]

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.long, device=self.device)

    @torch.inference_mode()
    def generate_lines(
        self, contexts: Sequence[str], max_new_tokens: int, sample: bool = False, seed: int = 42
    ) -> list[Generation]:
        """Continue each context to the end of its line or sequence, at most `max_new_tokens` tokens.

        Greedy, or sampled as in the paper (temperature 1, top-k 50; seeded).
        """
        tokens_of = self._tokenise(contexts)
        room = max(1, self.max_length - max_new_tokens)
        begun = [self._begin(tokens_of[context])[-room:] for context in contexts]
        order = sorted(range(len(begun)), key=lambda i: -len(begun[i]))
        result: list[Generation | None] = [None] * len(begun)
        torch.manual_seed(seed)
        sampling = {"do_sample": True, "temperature": 1.0, "top_k": 50, "top_p": 1.0} if sample else {"do_sample": False}
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            width = max(len(begun[i]) for i in batch)
            tokens = np.full((len(batch), width), self.tokenizer.pad_token_id)
            for row, i in enumerate(batch):
                tokens[row, width - len(begun[i]) :] = begun[i]
            mask = np.arange(width) >= width - np.array([[len(begun[i])] for i in batch])
            made = self.model.generate(
                input_ids=self._tensor(tokens),
                attention_mask=self._tensor(mask),
                max_new_tokens=max_new_tokens,
                eos_token_id=self._line_ends,
                pad_token_id=self.tokenizer.pad_token_id,
                use_cache=True,
                **sampling,
            )[:, width:].tolist()
            for i, line in zip(batch, made, strict=True):
                result[i] = self._generation(line, max_new_tokens)
        return result

    def _generation(self, tokens: list[int], max_new_tokens: int) -> Generation:
        ends = set(self._line_ends)
        stop = next((n for n, token in enumerate(tokens) if token in ends), None)
        text = self.tokenizer.decode(tokens if stop is None else tokens[: stop + 1], skip_special_tokens=True)
        made = len(tokens) if stop is None else stop + 1
        return Generation(text.split("\n")[0].strip(), made, stop is None and made >= max_new_tokens)

    @cached_property
    def _line_ends(self) -> list[int]:
        """Tokens after which nothing is wanted: the end of a sequence and every token whose text has a line break."""
        texts = self.tokenizer.batch_decode([[token] for token in range(len(self.tokenizer))])
        end = {self.tokenizer.eos_token_id, self.tokenizer.pad_token_id} - {None}
        return sorted(end | {token for token, text in enumerate(texts) if "\n" in text})

    # lm-eval's own interface, so that its evaluator and command line can use the class as well.

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Summed log-probabilities. Whether a continuation is the greedy one is not worked out: no task here asks."""
        return [(float(value), False) for value in self.log_probabilities(self.encode(requests))]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy continuations up to the end of the line."""
        return [line.text for line in self.generate_lines([request.args[0] for request in requests], SETTINGS["max_new_tokens"])]


# Benchmarks -----------------------------------------------------------------------------------------------------------


class _Documents(list):
    """What lm-eval asks of a data set: a list with the names of its fields. Nothing is cached on the disk."""

    @property
    def features(self) -> dict[str, None]:
        return dict.fromkeys(self[0])


def build_task(benchmark: str, language: str, folder: Path | str, shots: int, limit: int | None) -> ConfigurableTask:
    """lm-eval's task of one cell: its definition in workflow/tasks with the items that are scored and their examples.

    Raises:
        UserError: if the benchmark or its prompts lack the language, a file is missing or malformed, or there are too few examples.
    """
    file = task_file(benchmark, language)
    config = load_yaml(file, resolve_func=True)
    prepare = config.pop("process_docs", None)

    def worded(documents: list[Document]) -> _Documents:
        words = {**_words(language), "source_words": _words(translation_source(language))}
        documents = [{**words, **document} for document in documents]
        return _Documents(prepare(documents) if prepare else documents)

    items = read_items(benchmark, language, folder)
    if shots:
        config["num_fewshot"] = shots
        config["fewshot_config"] = {"sampler": _sampler(benchmark, language, folder, shots, items, worded), "split": "test"}
    for key in ("doc_to_text", "doc_to_target"):  # lm-eval would compile the template anew for every document
        if "{{" in config[key]:
            template = templates.from_string(config[key])
            config[key] = lambda document, template=template: template.render(**document)
    documents = worded(select(items, limit))
    return ConfigurableTask(config={**config, "custom_dataset": lambda **_: {"test": documents}, "test_split": "test"})


def build_instances(task: ConfigurableTask) -> list[Instance]:
    """lm-eval's instances of all items of a task, in order (as its build_all_requests, without progress bars and caches)."""
    instances: list[Instance] = []
    for number, document in task.doc_iterator():
        context = task.fewshot_context(document, num_fewshot=task.config.num_fewshot or 0)
        made = task.construct_requests(document, context, metadata=(task.config.task, number, 1))
        instances += made if isinstance(made, list) else [made]
    return instances


def task_file(benchmark: str, language: str) -> Path:
    """The definition of a benchmark's task: the language's own, if there is one."""
    own = TASKS / f"{benchmark}_{language}.yaml"
    return own if own.exists() else TASKS / f"{benchmark}.yaml"


def _words(language: str) -> Document:
    try:
        return prompts()[language]
    except KeyError:
        raise UserError(f"workflow/tasks/prompts.yaml has no words for the language {language!r}; add an entry.") from None


def _sampler(
    benchmark: str, language: str, folder: Path | str, shots: int, items: list[Document], worded
) -> type[ContextSampler]:
    """The examples of each item: from train for English HellaSwag, anew for each item; else one draw for all."""
    pool = read_shots(benchmark, language, folder)
    if len(pool or items) <= shots:
        raise UserError(f"{benchmark} in {language!r} has too few documents for {shots} examples; lower its `shots`.")
    if benchmark == "hellaswag" and pool:
        pool, generator = worded(pool), random.Random(0)
        return _sampler_of(lambda item: generator.sample(pool, shots))

    def answer(document: Document) -> str:
        return document["choices"][document["gold"]] if "choices" in document else document["target"]

    drawn = draw_shots(worded(pool or items), shots, answer)
    return _sampler_of(lambda item: [shot for shot in drawn if pool or shot["item"] != item["item"]][:shots])


def _sampler_of(examples: Callable[[Document], list[Document]]) -> type[ContextSampler]:
    class Examples(ContextSampler):
        def sample(self, n: int, eval_doc: Document, **_: Any) -> list[Document]:
            return examples(eval_doc)

    return Examples


# Scores ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """A scored cell: metrics with n, se, low and high; the per-item table they follow from; what they were measured with."""

    benchmark: str
    language: str
    main: str
    metrics: dict[str, dict[str, float | int | None]]
    items: pd.DataFrame
    signature: dict[str, Any]


@dataclass(frozen=True)
class _Cell:
    """What stays the same from model to model."""

    instances: list[Instance]
    requests: list[Request]  # the same tokenised, of multiple-choice tasks
    signature: dict[str, Any]


class Scorer:
    """Scores cells with one loaded model.

    `settings` maps a benchmark to `shots`, `limit`, `metric` (the main one) and, for translation, `max_new_tokens`, `sample` (as
    the paper did; else greedy) and `published_layout`. Requests are built and tokenised once per cell, so that a sweep may
    change the model's weights in place and score again.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        data: Path | str,
        settings: Mapping[str, Mapping[str, Any]],
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        self.lm = LanguageModel(pretrained=model.eval(), tokenizer=tokenizer, batch_size=batch_size)
        self.data, self.settings, self.seed = data, settings, seed
        self._cells: dict[tuple[str, str], _Cell] = {}

    @classmethod
    def load(
        cls, directory: Path | str, data: Path | str, settings: Mapping, dtype: str, device: str, **options: Any
    ) -> "Scorer":
        """Load a model and its tokenizer from a directory.

        Raises:
            UserError: if the directory is not a model's, or the device is not there.
        """
        try:
            model, tokenizer = load_model(directory, dtype).to(device), load_tokenizer(directory)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"The model in {directory} cannot be loaded in {dtype} on {device}: {error}") from None
        return cls(model, tokenizer, data, settings, **options)

    def score(self, benchmark: str, language: str) -> Result:
        """Score one cell.

        Raises:
            UserError: as `build_task`.
        """
        settings = {**SETTINGS, **self.settings.get(benchmark, {})}
        cell = self._cell(benchmark, language, settings)
        if benchmark == "flores200":
            items, metrics = self._translate(cell, settings)
        else:
            items = self._choose(cell)
            metrics = {name: _entry(bootstrap_mean(items[name], RESAMPLES, self.seed), len(items)) for name in CHOICE_METRICS}
        main = settings["metric"] or next(iter(metrics))
        if main not in metrics:
            raise UserError(f"{benchmark} has no metric {main!r}; choose one of {', '.join(metrics)}.")
        return Result(benchmark, language, main, metrics, items, cell.signature)

    def _cell(self, benchmark: str, language: str, settings: dict[str, Any]) -> _Cell:
        if (benchmark, language) not in self._cells:
            shots = settings["shots"]
            task = build_task(benchmark, language, self.data, shots, settings["limit"])
            instances = build_instances(task)
            requests = [] if benchmark == "flores200" else self.lm.encode(instances)
            model = self.lm.model
            signature = {
                "files": {
                    str(file.relative_to(self.data)): sha256(file)
                    for file in benchmark_files(benchmark, language, self.data, shots)
                },
                "task": {**task.config.metadata, "sha256": sha256(task_file(benchmark, language))},
                "settings": {key: value for key, value in settings.items() if key in SETTINGS},
                "resamples": RESAMPLES,
                "seed": self.seed,
                "dtype": str(model.dtype).removeprefix("torch."),
                "batch_size": self.lm.batch_size,
                "device": str(self.lm.device),
                "versions": {package: version(package) for package in PACKAGES},
            }
            self._cells[benchmark, language] = _Cell(instances, requests, signature)
        return self._cells[benchmark, language]

    def _choose(self, cell: _Cell) -> pd.DataFrame:
        """One row per item: the choices' log-probabilities and lengths, and the metrics as 0 or 1."""
        rows: dict[int, dict[str, Any]] = {}
        for instance, request, value in zip(
            cell.instances, cell.requests, self.lm.log_probabilities(cell.requests).tolist(), strict=True
        ):
            row = rows.setdefault(
                instance.doc_id,
                {"item": instance.doc["item"], "gold": instance.doc["gold"]}
                | {key: instance.doc[key] for key in ("phenomenon",) if key in instance.doc}
                | {key: [] for key in ("log_probability", "tokens", "characters", "bytes")},
            )
            choice = instance.args[1]  # with the space before it, which the published numbers count
            row["log_probability"].append(value)
            row["tokens"].append(len(request.continuation))
            row["characters"].append(len(choice))
            row["bytes"].append(len(choice.encode()))
        items = pd.DataFrame(list(rows.values()))
        return items.assign(**choice_metrics(items))

    def _translate(self, cell: _Cell, settings: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, dict]]:
        instances = cell.instances
        lines = self.lm.generate_lines([i.args[0] for i in instances], settings["max_new_tokens"], settings["sample"])
        statistics = chrf_statistics([line.text for line in lines], [i.doc["target"] for i in instances])
        items = pd.DataFrame(
            {
                "item": [i.doc["item"] for i in instances],
                "source": [i.doc["source"] for i in instances],
                "reference": [i.doc["target"] for i in instances],
                "hypothesis": [line.text for line in lines],
                "tokens": [line.tokens for line in lines],
                "hit_limit": [line.limited for line in lines],
                "chrf++": chrf(statistics),
            }
        )
        metrics = {"chrf++": corpus_chrf(statistics, self.seed)}
        if settings["published_layout"]:
            score = CHRF(word_order=2).sentence_score(lines[0].text, items["reference"].tolist()).score
            metrics["chrf++_first_hypothesis"] = {"value": score, "n": 1, "se": None, "low": None, "high": None}
        return items, metrics


CHOICE_METRICS = {"acc": None, "acc_char": "characters", "acc_token": "tokens", "acc_byte": "bytes"}


def choice_metrics(items: pd.DataFrame) -> dict[str, list[int]]:
    """Per item 1 where the gold choice's log-probability, divided by the metric's length, is above every other's; a tie is 0.

    `items` has `gold` and, as lists over choices, `log_probability`, `characters`, `tokens` and `bytes`.
    """
    return {name: [_correct(row, length) for row in items.to_dict("records")] for name, length in CHOICE_METRICS.items()}


def _correct(row: Mapping[str, Any], length: str | None) -> int:
    values = np.array(row["log_probability"]) / (np.array(row[length]) if length else 1)
    return int(values[row["gold"]] > np.delete(values, row["gold"]).max())


# chrF++ ---------------------------------------------------------------------------------------------------------------


def chrf_statistics(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """sacrebleu's n-gram counts of chrF++: shape (sentences, 8 orders, 3: hypothesis, reference, common)."""
    statistics = CHRF(word_order=2)._extract_corpus_statistics(hypotheses, [references])
    return np.array(statistics, dtype=float).reshape(len(hypotheses), 8, 3)


def chrf(statistics: np.ndarray) -> np.ndarray:
    """chrF++ (Popović 2017; sacrebleu's effective order) of counts (..., 8, 3), summed beforehand for a corpus; 0 to 100.

    F2 of the mean precision and the mean recall over the orders that hypothesis and reference both have.
    """
    hypothesis, reference, common = np.moveaxis(statistics, -1, 0)
    used = (hypothesis > 0) & (reference > 0)
    orders = np.maximum(used.sum(axis=-1), 1)
    precision, recall = (
        np.divide(common, total, out=np.zeros_like(common), where=used).sum(axis=-1) / orders for total in (hypothesis, reference)
    )
    below = 4 * precision + recall
    return 100 * np.divide(5 * precision * recall, below, out=np.zeros_like(below), where=below > 0)


def corpus_chrf(statistics: np.ndarray, seed: int = 0) -> dict[str, float | int]:
    """Corpus chrF++ with the standard deviation over resampled corpora; counts as from `chrf_statistics`."""
    n = len(statistics)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    value = float(chrf(statistics.sum(axis=0)))
    se = float(chrf(np.tensordot(drawn, statistics, axes=1)).std(ddof=1))
    return {"value": value, "n": n, "se": se, "low": value - Z95 * se, "high": value + Z95 * se}


def _entry(interval: Interval, n: int) -> dict[str, float | int]:
    return {"value": interval.mean, "n": n, "se": interval.se, "low": interval.low, "high": interval.high}


# Files ----------------------------------------------------------------------------------------------------------------


def write_result(result: Result, model: str, weights: str, scores: Path | str, items: Path | str) -> None:
    """Write a model's score to `{scores}/{benchmark}/{language}.json` and its items to `{items}/{benchmark}/{language}.parquet`.

    `scores` and `items` are the model's own folders; `weights` is the sha256 of its weights.
    """
    cell = Path(result.benchmark, result.language)
    with atomic(Path(items, cell).with_suffix(".parquet")) as temporary:
        result.items.to_parquet(temporary, index=False)
    content = {
        "model": model,
        "benchmark": result.benchmark,
        "language": result.language,
        "main": result.main,
        "metrics": result.metrics,
        "signature": {**result.signature, "weights": weights},
    }
    write_json(Path(scores, cell).with_suffix(".json"), content)
