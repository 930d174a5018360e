"""Checking an experiment file before anything runs: one sentence for what is wrong, with what is allowed."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from study.files import UserError

SCHEMA = Path("workflow/schemas/experiment.schema.yaml")


def checked(config: Mapping[str, Any], folder: Path | str = ".") -> dict[str, Any]:
    """The experiment file, if it is right.

    Raises:
        UserError: naming the key that is wrong, and what is allowed there.
    """
    schema = yaml.safe_load((Path(folder) / SCHEMA).read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(dict(config)), key=lambda error: list(map(str, error.absolute_path)))
    if errors:
        raise UserError(f"The experiment file is wrong: {explain(errors[0])}")
    if problem := contradiction(config):
        raise UserError(f"The experiment file is wrong: {problem}")
    return dict(config)


def explain(error: ValidationError) -> str:
    """What a violation of the schema means, in a sentence."""
    place = ".".join(map(str, error.absolute_path)) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        close = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}."
        return f"unknown key '{unknown[0]}' in {place}; {hint}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{place} lacks the key '{missing[0]}'."
    if error.validator == "enum":
        return f"{place} is {error.instance!r}; allowed: {', '.join(map(str, error.validator_value))}."
    if error.validator == "minimum":
        return f"{place} is {error.instance}; it must be at least {error.validator_value}."
    if error.validator == "exclusiveMinimum":
        return f"{place} is {error.instance}; it must be more than {error.validator_value}."
    return f"{place}: {error.message}."


def contradiction(config: Mapping[str, Any]) -> str | None:
    """What two keys that are each right contradict each other in; None if nothing."""
    languages = config["languages"]
    merging, training, evaluation = config["merging"], config["training"], config["evaluation"]
    for key, named in (
        ("merging.nested", merging["nested"]),
        ("evaluation.samples.direction", evaluation["samples"]["direction"]),
        ("similarity.language", [config["similarity"]["language"]]),
    ):
        for language in named:
            if language not in languages:
                return f"{key} names '{language}', which is not among the languages ({', '.join(languages)})."
    saved = {*training["save_steps"], training["steps"]}
    for step in merging["steps"]:
        if step not in saved:
            return f"merging.steps names {step}, which is neither in training.save_steps nor the last step."
    if merging["steps"] != sorted(merging["steps"]) or merging["steps"][-1] != training["steps"]:
        return f"merging.steps must rise and end with training.steps ({training['steps']})."
    if (last := max(training["save_steps"], default=0)) > training["steps"]:
        return f"training.save_steps names {last}, but training ends at step {training['steps']}."
    suites = [benchmark for benchmarks in evaluation["suites"].values() for benchmark in benchmarks]
    for benchmark in evaluation["benchmarks"]:
        if suites.count(benchmark) != 1:
            return f"evaluation.suites must name each benchmark once; '{benchmark}' is there {suites.count(benchmark)} times."
    if unknown := set(suites) - set(evaluation["benchmarks"]):
        return f"evaluation.suites names '{min(unknown)}', which evaluation.benchmarks lacks."
    corpora = config["data"]["corpora"].get("files")
    if corpora is not None and (missing := [language for language in languages if language not in corpora]):
        return f"data.corpora.files has no file for '{missing[0]}'."
    return None
