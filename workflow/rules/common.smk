# The Python helpers of all rules: the experiment's names, and which files of code a job's result depends on.

import ast
import json
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

from study.benchmarks import benchmark_files
from study.experiment import BENCHMARKS, Experiment
from study.validation import checked

E = Experiment(checked(config, workflow.basedir))

SCRIPTS = Path("workflow/scripts")
# What only moves files about and makes names; editing it changes no result.
PLUMBING = {"study/files.py", "study/experiment.py", "study/validation.py"}


wildcard_constraints:
    language="|".join(E.languages),
    method="|".join(E.merges),
    benchmark="|".join(BENCHMARKS),
    step=r"\d+",
    count=r"\d+",


@cache
def code(name):
    """A script and the modules of ours that it imports, as inputs: editing one reruns the jobs whose results it makes."""
    found = {}
    pending = [SCRIPTS / f"{name}.py"]
    while pending:
        path = pending.pop()
        if path in found or not path.is_file():
            continue
        found[path] = None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                relative = Path(*module.split(".")).with_suffix(".py")
                if relative.parts[0] in ("study", "miniature") and str(relative) not in PLUMBING:
                    pending.append(SCRIPTS / relative)
    script, *modules = found
    return [str(script), *sorted(str(module) for module in modules)]


def manifest(model):
    """The small file that says a model is there."""
    return E.path("models", model, "model.json")


def manifests(models):
    return [manifest(model) for model in models]


def as_json(content):
    """A part of the experiment file as one shell word."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
