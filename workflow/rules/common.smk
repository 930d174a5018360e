# The Python helpers of all rules: the experiment's names, and which files of code a job's result depends on.

import argparse
import ast
import json
import os
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from study import cluster
from study.benchmarks import benchmark_files
from study.experiment import BENCHMARKS, Experiment
from study.validation import checked

E = Experiment(checked(config, workflow.basedir))

# Only the download rules speak to the hub; every other job, here or on a cluster, must find its files on the disk.
os.environ.update(HF_HUB_OFFLINE="1")
if config.get("hub", {}).get("cache"):
    os.environ.update(HF_HUB_CACHE=config["hub"]["cache"])
# Published checkpoints that are downloaded for Figure 1 and deleted after use.
CHECKPOINTS = {model for model in E.adopted if "@" in model}

SCRIPTS = Path("workflow/scripts")
# What only moves files about and makes names; editing it changes no result.
PLUMBING = {"study/files.py", "study/experiment.py", "study/validation.py"}


wildcard_constraints:
    language="|".join(E.languages),
    benchmark="|".join(BENCHMARKS),


@cache
def imports(path):
    """The files of our own modules that a file of code imports."""
    modules = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    relative = [Path(*module.split(".")).with_suffix(".py") for module in modules]
    ours = [file for file in relative if file.parts[0] in ("study", "miniature") and str(file) not in PLUMBING]
    return [SCRIPTS / file for file in ours if (SCRIPTS / file).is_file()]


@cache
def code(name):
    """A script and the modules of ours that it imports, as inputs: editing one reruns the jobs whose results it makes."""
    script = SCRIPTS / f"{name}.py"
    found, pending = {}, [script]
    while pending:
        path = pending.pop()
        if path not in found:
            found[path] = None
            pending += imports(path)
    return [str(script), *sorted(str(path) for path in found if path != script)]


def profile():
    """The profile that Snakemake was started with, for a Snakemake that a job starts; "none" if there is none."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--profile", default=os.environ.get("SNAKEMAKE_PROFILE", "none"))
    return options.parse_known_args()[0].profile


def manifest(model):
    """The small file that says a model is there; of a checkpoint that is deleted after use, the folder itself."""
    return E.path("models", model) if model in CHECKPOINTS else E.path("models", model, "model.json")


def manifests(models):
    return [manifest(model) for model in models]


def alternatives(names):
    """A wildcard constraint: one of the names; nothing at all if there are none."""
    return "|".join(map(re.escape, sorted(names))) or "none"


def as_json(content):
    """A part of the experiment file as one shell word."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def input_folder(name, levels=1):
    """A parameter: the folder so many levels above a named input, of several the first."""

    def folder(wildcards, input):
        files = input.get(name)
        return str(Path(files if isinstance(files, str) else files[0]).parents[levels - 1])

    return folder


def output_folder(levels=1, index=0):
    """A parameter: the folder so many levels above an output."""
    return lambda wildcards, output: str(Path(output[index]).parents[levels - 1])


# Training -------------------------------------------------------------------------------------------------------------

TRAINING = config.get("training", {})
STEPS = [step for step in TRAINING.get("save_steps", []) if step != TRAINING["steps"]]


def kept(model):
    """The manifests that training a model leaves: of the model, and of its checkpoints."""
    return [manifest(model), *(manifest(f"{model}@{step}") for step in STEPS)]


def launcher(wildcards, resources):
    """What starts the processes of a NeMo job: srun where a profile asks for several (resource `mpi`), else nothing."""
    if not resources.get("mpi"):
        return ""
    return (
        f"{resources.mpi} --nodes={resources.nodes} --ntasks-per-node={resources.tasks_per_node}"
        f" --cpus-per-task={resources.cpus_per_task}"
    )


# Merging --------------------------------------------------------------------------------------------------------------


def parents(model):
    """The manifests of what a merge is made from."""
    recipe = E.recipe(model)
    return manifests([*recipe["models"], *([recipe["base"]] if recipe["base"] else [])])


def merge_params(model):
    """How a merge is made, as arguments of merge_models.py."""
    recipe = E.recipe(model)
    return {
        "method": as_json(recipe["method"]),
        "models": [E.path("models", parent) for parent in recipe["models"]],
        "base": f"--base {E.path('models', recipe['base'])}" if recipe["base"] else "",
    }


# Evaluation -----------------------------------------------------------------------------------------------------------

EVALUATION = config["evaluation"]
BENCHMARKS_FOLDER = E.path("data/benchmarks")


def settings(benchmarks):
    """How some benchmarks are scored; labels and the like change no score."""
    unused = ("label", "missing", "chance")
    chosen = {b: {key: value for key, value in E.benchmarks[b].items() if key not in unused} for b in benchmarks}
    return as_json(chosen)


def data_of(cells):
    """The benchmark files that some (benchmark, language) cells read."""
    files = [
        str(file)
        for benchmark, language in cells
        for file in benchmark_files(benchmark, language, BENCHMARKS_FOLDER, E.benchmarks[benchmark]["shots"])
    ]
    return list(dict.fromkeys(files))


def score_files(model, cells):
    """The score files of a model's (benchmark, language) cells, then their item files."""
    scores = [E.path("scores", model, benchmark, f"{language}.json") for benchmark, language in cells]
    items = [E.path("items", model, benchmark, f"{language}.parquet") for benchmark, language in cells]
    return scores + items


def batches(sweep):
    """The merges of a sweep in batches that one process makes, scores and drops; numbered from 1."""
    merges, size = E.sweep(sweep), EVALUATION["sweep_batch"]
    return enumerate((merges[start : start + size] for start in range(0, len(merges), size)), 1)


# Tables and figures ---------------------------------------------------------------------------------------------------


def representations(pooling, text):
    """The files of all experts' representations in one pooling and text."""
    return [E.path(f"similarity/representations/{pooling}/{text}/mono-{language}.safetensors") for language in E.languages]


def table(number):
    return [E.path(f"tables/table{number}.{extension}") for extension in ("csv", "tex")]


def figure(name):
    return [E.path(f"figures/{name}.{extension}") for extension in ("pdf", "png", "csv")]


def shown(paths, category, what):
    """The outputs, with the picture or else the CSV among them in the report."""
    chosen = next(path for path in paths if path.endswith((".png", ".csv")))
    return [report(path, category=category, labels={"what": what}) if path == chosen else path for path in paths]
