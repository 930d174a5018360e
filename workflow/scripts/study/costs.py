"""What jobs cost before they run: time, GPU-hours, bytes, energy, as functions of the experiment and of a machine.

The experiment says how many tokens, parameters and items there are; the machine (`machine.yaml` beside a profile) how fast they
go, how hours are billed and what they emit. Floating-point operations follow PaLM's accounting (Chowdhery et al. 2022, appendix
B): per token, 2 for each parameter and 4 x layers x width x length for attention, three times that in training.
"""

import heapq
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from study.experiment import Experiment
from study.files import UserError

# The experts' and the mixed model's shape (their config.json; paper, section 3.1); the vocabulary is padded.
PUBLISHED_SHAPE = {"layers": 24, "hidden_size": 2048, "feed_forward_size": 8192, "vocabulary": 262_272, "context": 2048}
# Parameters of published models of other shapes (paper, Table 1). One that is not named here counts as an expert.
PUBLISHED_PARAMETERS = {"eurollm-1.7b": 1.7e9, "gemma-2-2b": 2.6e9, "tiny-aya-base": 3.35e9}
# What training one model took (paper, "Model Pre-Training"): GPU-hours as LUMI bills them, kilograms of CO2.
PUBLISHED_TRAINING = {"gpu_hours": 3000, "co2_kg": 59}

# Items of the published benchmarks: pairs of MultiBLiMP by language (its data.tsv), and the sizes of the splits.
MULTIBLIMP_ITEMS = {
    "eng": 770, "deu": 2298, "fra": 2548, "ita": 2999, "nld": 2331, "rus": 3832, "spa": 2541, "tur": 1742, "ara": 1215,
}  # fmt: skip
SPLIT_ITEMS = {"multiblimp": 2253, "belebele": 900, "hellaswag": 10_042, "xcsqa": 1000, "flores200": 1012}
# Tokens of an item's prompt and of one answer, and how many answers: of published items, rounded means over languages as far as
# one can tell without the tokenizer (words x 1.5); of miniature ones as counted.
LENGTHS = {
    "hub": {
        "multiblimp": (0, 20, 2),
        "belebele": (160, 8, 4),
        "hellaswag": (60, 35, 4),
        "xcsqa": (25, 3, 5),
        "flores200": (45, 45, 1),
    },
    "miniature": {
        "multiblimp": (0, 8, 2),
        "belebele": (40, 3, 4),
        "hellaswag": (15, 8, 4),
        "xcsqa": (12, 1, 5),
        "flores200": (14, 12, 1),
    },
}
BYTES = {"float16": 2, "bfloat16": 2, "float32": 4}
# What comes from the hub besides models, in bytes.
DOWNLOADS = {
    "download_shard": 250e6,  # of a file: HPLT/HPLT2.0_cleaned is cut into Parquet files of 140 to 320 MB (its listings, 2025)
    "download_tokenizer": 35e6,  # assumed: as other vocabularies of a quarter of a million have it
    "download_benchmark": 1.5e6,  # of a language; the largest, Belebele's, has about as many
}
ID_BYTES = 4  # of a token in Megatron's files, for vocabularies above 65,536
TRAINS = ("train_expert", "train_mixed", "pretrain_")
# Most of what a short job takes is what its script imports: the libraries of models, those of tensors, or neither.
START = {
    "start_seconds": (*TRAINS, "initialise_model", "merge_", "score_", "extract_", "tokenize_shard", "assemble_corpus"),
    "tensor_seconds": ("compute_cka", "measure_neighbours", "compare_parameters"),
}


@dataclass(frozen=True)
class Machine:
    """How fast a machine is, how it bills, what it emits: a `machine.yaml`, whose comments say what each key is."""

    speed: Mapping[str, float]
    partitions: Mapping[str, Mapping[str, float]]
    gpu_hours_per_gpu: float
    energy: Mapping[str, float]

    @classmethod
    def read(cls, path: Path | str) -> "Machine":
        """Read a machine file.

        Raises:
            UserError: if it does not exist or is not one.
        """
        try:
            return cls(**yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise UserError(f"{path} does not exist; copy profiles/lumi/machine.yaml there and edit it.") from None
        except (TypeError, yaml.YAMLError) as error:
            raise UserError(f"{path} is not a machine file ({error}); compare it with profiles/lumi/machine.yaml.") from None

    def energy_kwh(self, gpu_hours: float, cpu_hours: float) -> float:
        """Energy in kWh of GPU-hours and of core-hours without a GPU, the building's share included."""
        return (gpu_hours * self.energy["gpu_watts"] + cpu_hours * self.energy["core_watts"]) / 1000 * self.energy["pue"]

    def co2_kg(self, kwh: float) -> float:
        return kwh * self.energy["grams_per_kwh"] / 1000


@dataclass
class Job:
    """A job of Snakemake's plan: what it runs with, what it waits for (positions in the plan), and what it makes."""

    rule: str
    wildcards: dict[str, str]
    pending: bool
    local: bool = False
    threads: int = 1
    resources: dict[str, Any] = field(default_factory=dict)
    needs: list[int] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    temporary: bool = False
    usage: str | None = None
    share: float = 1.0  # of what the jobs of its rule do for one language together

    def asked(self, resource: str, default: float = 0) -> float:
        """A resource as a number; the default if it is not asked for, or not as a number."""
        try:
            return float(self.resources.get(resource, default))
        except (TypeError, ValueError):
            return default

    @property
    def nodes(self) -> int:
        return max(1, int(self.asked("nodes", 1)))

    @property
    def gpus(self) -> int:
        """GPUs on all nodes: resource `gpu`, or those of each node, which Snakemake passes on to Slurm as an option."""
        option = re.search(r"--gpus-per-node[= ](?:\w+:)*(\d+)", str(self.resources.get("slurm_extra", "")))
        return int(max(self.asked("gpu"), self.nodes * (int(option[1]) if option else self.asked("gpus_per_node"))))

    @property
    def cores(self) -> int:
        """Cores on all nodes."""
        if self.gpus and "cpus_per_gpu" in self.resources:
            return int(self.gpus * self.asked("cpus_per_gpu"))
        tasks = self.asked("tasks") or self.nodes * self.asked("tasks_per_node", 1)
        return int(tasks * self.asked("cpus_per_task", self.threads))


@dataclass(frozen=True)
class Estimate:
    """What a job takes: seconds, bytes from the network, bytes that it leaves on the disk."""

    seconds: float
    download: float = 0.0
    disk: float = 0.0


# Models ---------------------------------------------------------------------------------------------------------------


def shape(experiment: Experiment) -> dict[str, int]:
    """The architecture that all experts share."""
    architecture = experiment.config["models"].get("architecture", {})
    vocabulary = experiment.config["data"].get("tokenizer", {}).get("vocabulary", PUBLISHED_SHAPE["vocabulary"])
    return {**PUBLISHED_SHAPE, **architecture, "vocabulary": vocabulary}


def count_parameters(model: Mapping[str, int]) -> int:
    """Parameters of a Llama with as many key as query heads, SwiGLU, RMSNorm, no biases, and tied embeddings."""
    width, layers = model["hidden_size"], model["layers"]
    layer = 4 * width**2 + 3 * width * model["feed_forward_size"] + 2 * width
    return model["vocabulary"] * width + layers * layer + width


def flops_per_token(model: Mapping[str, int], length: int, parameters: float | None = None) -> float:
    """Operations of one token's forward pass in sequences of `length` tokens (PaLM, appendix B)."""
    return 2 * (parameters or count_parameters(model)) + 4 * model["layers"] * model["hidden_size"] * length


def training_flops(model: Mapping[str, int], tokens: float, length: int) -> float:
    """Operations of training: forward, and twice that backward."""
    return 3 * flops_per_token(model, length) * tokens


def training_gpu_hours(model: Mapping[str, int], tokens: float, length: int, machine: Machine) -> float:
    """GPU-hours as billed of training a model; on LUMI those of an MI250X, which holds two of the devices that jobs ask for."""
    return training_flops(model, tokens, length) / machine.speed["training_flops"] / 3600 * machine.gpu_hours_per_gpu


def tokens_of_training(experiment: Experiment) -> float:
    """Tokens that a model is trained on here: each expert, and the mixed model on all languages together."""
    recipe = experiment.config["training"]
    return recipe["steps"] * recipe["batch_size"] * recipe["sequence_length"]


def hub_corpus(experiment: Experiment) -> Mapping[str, Any]:
    """What the experiment file says of training text from the hub."""
    return experiment.config["data"].get("corpora", {}).get("hub", {})


def tokens_of_language(experiment: Experiment) -> float:
    """Tokens of a language's corpus: as many as are asked of the hub, or else what training reads of it."""
    asked = hub_corpus(experiment).get("tokens")
    return asked or tokens_of_training(experiment) / (1 if experiment.trains_experts else len(experiment.languages))


def parameters_of(model: str, experiment: Experiment) -> float:
    return PUBLISHED_PARAMETERS.get(model) or count_parameters(shape(experiment))


# Scoring --------------------------------------------------------------------------------------------------------------


def items_of(experiment: Experiment, benchmark: str, language: str) -> int:
    """Items that are scored of a benchmark in a language."""
    generated = experiment.config["data"]["benchmarks"].get("miniature", {}).get("items", {})
    items = generated.get(benchmark)
    if items is None:
        items = MULTIBLIMP_ITEMS.get(language) if benchmark == "multiblimp" else None
    items = items or SPLIT_ITEMS[benchmark]
    return min(items, experiment.benchmarks[benchmark].get("limit") or items)


def lengths_of(experiment: Experiment) -> dict[str, tuple[int, int, int]]:
    return LENGTHS["miniature" if "miniature" in experiment.config["data"]["benchmarks"] else "hub"]


def scoring_seconds(experiment: Experiment, machine: Machine, model: str, cells: list[tuple[str, str]]) -> float:
    """Seconds on one GPU (or thread) to score a loaded model on (benchmark, language) cells.

    An item is one row: its examples and prompt once, then its answers. A pass takes `pass_seconds` at least. Generation takes a
    pass per token up to `max_new_tokens`, because a batch goes on until its last line ends.
    """
    lengths = lengths_of(experiment)
    context, speed = shape(experiment)["context"], machine.speed
    seconds = 0.0
    for benchmark, language in cells:
        settings = experiment.benchmarks[benchmark]
        prompt, answer, answers = lengths[benchmark]
        row = min(settings["shots"] * (prompt + answer) + prompt + answers * answer, context)
        items = items_of(experiment, benchmark, language)
        passes = math.ceil(items / experiment.config["evaluation"]["batch_size"])
        flops = items * row * flops_per_token(shape(experiment), row, parameters_of(model, experiment))
        seconds += max(flops / speed["scoring_flops"], passes * speed["pass_seconds"])
        seconds += passes * settings.get("max_new_tokens", 0) * speed["pass_seconds"]
    return seconds


# Jobs -----------------------------------------------------------------------------------------------------------------


def estimate(job: Job, experiment: Experiment, machine: Machine) -> Estimate:
    """What a job of the plan takes if nothing of its kind has been measured.

    A rule of which nothing is known here takes the time of a script that loads no model.
    """
    speed, config = machine.speed, experiment.config
    start = speed[next((key for key, rules in START.items() if job.rule.startswith(rules)), "script_seconds")]
    evaluated, merged = (BYTES[config[part]["dtype"]] for part in ("evaluation", "merging"))
    weights = count_parameters(shape(experiment))
    cells = [(parts[-2], Path(parts[-1]).stem) for parts in map(_parts, job.outputs) if "scores" in parts]

    if not job.outputs:
        return Estimate(0)  # a target rule
    if job.rule.startswith("download_"):
        size = DOWNLOADS.get(job.rule) or 2 * parameters_of(next(iter(job.wildcards.values()), ""), experiment)
        if job.rule == "download_shard":
            size *= hub_corpus(experiment).get("files_per_shard", 1)
        return Estimate(start + size / speed["download_bytes"], size, size)
    if job.rule == "tokenize_shard":
        tokens = job.share * tokens_of_language(experiment)
        return Estimate(start + tokens / speed["tokens"] / job.cores, disk=tokens * ID_BYTES)
    if job.rule.startswith(TRAINS):
        flops = training_flops(shape(experiment), tokens_of_training(experiment), config["training"]["sequence_length"])
        seconds = start + flops / speed["training_flops"] / (job.gpus or job.threads)
        return Estimate(seconds, disk=len(job.outputs) * weights * 4)
    if job.rule.startswith("merge_"):
        parents = len(experiment.languages) + 1
        return Estimate(start + parents * weights * merged / speed["merge_bytes"], disk=weights * merged)
    if (cells and "model" in job.wildcards) or "experts" in job.rule:
        model = job.wildcards.get("model", "")
        seconds = start + parameters_of(model, experiment) * evaluated / speed["read_bytes"]
        return Estimate(seconds + scoring_seconds(experiment, machine, model, cells))
    if cells:
        seconds = start + scoring_seconds(experiment, machine, "", cells)
        for model in dict.fromkeys(parts[-3] for parts in map(_parts, job.outputs) if "scores" in parts):
            parents = len(experiment.recipe(model)["models"])
            seconds += parents * weights * merged / speed["merge_bytes" if parents > 1 else "read_bytes"]
        return Estimate(seconds)
    if job.rule == "extract_representations":
        model, sentences = shape(experiment), items_of(experiment, "flores200", "eng")
        length, _, _ = lengths_of(experiment)["flores200"]
        rows = len(experiment.languages) * sentences
        seconds = start + max(
            rows * length * flops_per_token(model, length) / speed["scoring_flops"],
            rows / config["evaluation"]["batch_size"] * speed["pass_seconds"],
        )
        return Estimate(seconds, disk=6 * 4 * sentences * model["layers"] * model["hidden_size"])
    if job.rule == "compare_parameters":
        return Estimate(start + len(experiment.languages) * weights * evaluated / speed["read_bytes"])
    return Estimate(start)


def _parts(path: str) -> tuple[str, ...]:
    return Path(path).parts


# Billing and time -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bill:
    """Hours as billed: of GPUs, of cores of jobs without a GPU, and of whole nodes."""

    gpu_hours: float = 0.0
    cpu_hours: float = 0.0
    node_hours: float = 0.0


def bill(job: Job, seconds: float, machine: Machine) -> Bill:
    """What a job of so many seconds is billed: the largest of its shares of a node's GPUs, cores and memory, in slots."""
    hours = seconds / 3600
    if job.local and machine.partitions:
        return Bill()  # the login node
    partition = machine.partitions.get(str(job.resources.get("slurm_partition")))
    if partition is None:
        gpu_hours = job.gpus * machine.gpu_hours_per_gpu * hours
        return Bill(gpu_hours, 0.0 if job.gpus else job.cores * hours)
    memory_gb = job.asked("mem_mb") / 1024  # of each node
    shares = [job.cores / job.nodes / partition["cores"], memory_gb / partition["memory_gb"]]
    if partition["gpus"]:
        shares.append(job.gpus / job.nodes / partition["gpus"])
    slots = job.nodes * (partition["slots"] if partition.get("whole") else max(map(math.ceil, shares)))
    gpu_hours = slots * partition["gpu_hours"] * hours
    return Bill(gpu_hours, 0.0 if partition["gpus"] else slots * hours, slots / partition["slots"] * hours)


def longest_chain(jobs: list[Job], seconds: list[float]) -> float:
    """Seconds of the longest chain of pending jobs that wait for each other: no number of machines is faster."""
    ends: list[float | None] = [None] * len(jobs)
    for first in range(len(jobs)):
        stack = [first]
        while stack:
            number = stack[-1]
            missing = [need for need in jobs[number].needs if ends[need] is None]
            if missing:
                stack += missing
                continue
            stack.pop()
            own = seconds[number] if jobs[number].pending else 0.0
            ends[number] = own + max((ends[need] or 0.0 for need in jobs[number].needs), default=0.0)
    return max((end or 0.0 for end in ends), default=0.0)


def schedule(jobs: list[Job], seconds: list[float], disk: list[float], remote: int | None, local: int) -> tuple[float, float]:
    """Wall time in seconds and peak bytes on the disk when pending jobs start as soon as they can.

    At most `remote` jobs run at once on the cluster, and local ones on `local` cores here; with None, all run here. Waiting in
    the queue is not known. A temporary output goes when the last job that reads it has ended.
    """
    waits = {n: sum(jobs[need].pending for need in set(job.needs)) for n, job in enumerate(jobs) if job.pending}
    readers: list[list[int]] = [[] for _ in jobs]
    for n, job in enumerate(jobs):
        for need in set(job.needs):
            readers[need].append(n)
    unread = [sum(jobs[reader].pending for reader in readers[n]) for n in range(len(jobs))]
    here = [job.local or remote is None for job in jobs]
    free = {False: remote or 0, True: local}
    ready: dict[bool, list[int]] = {False: [], True: []}
    for n, count in waits.items():
        if not count:
            heapq.heappush(ready[here[n]], n)
    used = sum(size for job, size in zip(jobs, disk, strict=True) if not job.pending and not job.temporary)
    peak, now, running = used, 0.0, []
    while running or ready[False] or ready[True]:
        for place in (False, True):
            while ready[place]:
                width = min(jobs[ready[place][0]].threads, local) if place else 1
                if width > free[place]:
                    break
                n = heapq.heappop(ready[place])
                free[place] -= width
                used += disk[n]
                heapq.heappush(running, (now + seconds[n], n, width))
        peak = max(peak, used)
        now, n, width = heapq.heappop(running)
        free[here[n]] += width
        for reader in readers[n]:
            if reader in waits:
                waits[reader] -= 1
                if not waits[reader]:
                    heapq.heappush(ready[here[reader]], reader)
        for need in set(jobs[n].needs):
            unread[need] -= 1
            if jobs[need].temporary and not unread[need]:
                used -= disk[need]
    return now, peak
