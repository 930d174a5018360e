"""Checking an experiment file before anything runs: one sentence for what is wrong, with what is allowed."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from study.benchmarks import MISSING, translation_source
from study.experiment import Experiment
from study.files import UserError
from study.languages import LANGUAGES

SCHEMA = Path("workflow/schemas/experiment.schema.yaml")
# The languages of the miniature world.
WORLD = sorted(file.stem for file in (Path(__file__).parents[1] / "miniature" / "lexicons").glob("*.yaml"))
NEMO_KEYS = ("micro_batch_size", "precision", "save_interval")
KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def checked(config: Mapping[str, Any], folder: Path | str = ".") -> dict[str, Any]:
    """The experiment file, if it is right.

    Raises:
        UserError: naming the key that is wrong, and what is allowed there.
    """
    schema = yaml.safe_load((Path(folder) / SCHEMA).read_text(encoding="utf-8"))
    schema["$defs"]["language"]["enum"] = list(LANGUAGES)
    errors = sorted(
        Draft202012Validator(schema).iter_errors(dict(config)),
        # A misspelt key before the one that it leaves missing.
        key=lambda error: (list(map(str, error.absolute_path)), error.validator != "additionalProperties"),
    )
    if errors:
        raise UserError(f"The experiment file is wrong: {explain(errors[0])}")
    if problem := contradiction(config):
        raise UserError(f"The experiment file is wrong: {problem}")
    return dict(config)


def explain(error: ValidationError) -> str:
    """What a violation of the schema means, in a sentence."""
    place = ".".join(map(str, error.absolute_path)) or "the top level"
    known = sorted(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
    allowed = error.validator_value
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, Mapping):
            unknown = sorted(map(str, set(error.instance) - set(known)))
            close = difflib.get_close_matches(unknown[0], known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(known)}."
            return f"unknown key '{unknown[0]}' in {place}; {hint}"
        case "required":
            missing = [key for key in allowed if key not in error.instance]
            return f"{place} lacks the key '{missing[0]}'."
        case "oneOf":
            choices = " or ".join(f"'{choice['required'][0]}'" for choice in allowed)
            return f"{place} must have one of the keys {choices}, and only one."
        case "minProperties" | "maxProperties":
            return f"{place} has {len(error.instance)} keys; choose one of {', '.join(known)}." if known else f"{place} is empty."
        case "enum":
            return f"{place} is {error.instance!r}; allowed: {', '.join(map(str, allowed))}."
        case "const":
            return f"{place} is {error.instance!r}; it can only be {allowed!r}."
        case "type":
            kinds = [allowed] if isinstance(allowed, str) else allowed
            return f"{place} is {error.instance!r}; it must be {' or '.join(KINDS[kind] for kind in kinds)}."
        case "pattern":
            meaning = error.schema.get("description")
            return f"{place} is {error.instance!r}; it must be {meaning}." if meaning else f"{place}: {error.message}."
        case "uniqueItems":
            return f"{place} names something twice."
        case "minimum":
            return f"{place} is {error.instance}; it must be at least {allowed}."
        case "maximum":
            return f"{place} is {error.instance}; it must be at most {allowed}."
        case "exclusiveMinimum":
            return f"{place} is {error.instance}; it must be more than {allowed}."
    return f"{place}: {error.message}."


def contradiction(config: Mapping[str, Any]) -> str | None:
    """What two keys that are each right contradict each other in; None if nothing."""
    checks = (_languages, _origins, _names, _steps, _suites, _sources, _templates)
    return next((problem for check in checks if (problem := check(config))), None)


def _languages(config: Mapping[str, Any]) -> str | None:
    languages = config["languages"]
    for key, named in (
        ("merging.nested", config["merging"]["nested"]),
        ("evaluation.samples.direction", config["evaluation"]["samples"]["direction"]),
        ("similarity.language", [config["similarity"]["language"]]),
    ):
        for language in named:
            if language not in languages:
                return f"{key} names '{language}', which is not among the languages ({', '.join(languages)})."
    for benchmark, settings in config["evaluation"]["benchmarks"].items():
        for language in MISSING.get(benchmark, ()):
            if language in languages and language not in settings["missing"]:
                return f"evaluation.benchmarks.{benchmark}.missing must name '{language}', which this benchmark does not have."
    flores = config["evaluation"]["benchmarks"].get("flores200")
    translated = [language for language in languages if flores and language not in flores["missing"]]
    for language in translated:
        if (source := translation_source(language)) not in translated:
            return (
                f"flores200 translates into '{language}' from '{source}', which it lacks here; add '{source}' to languages or name "
                f"'{language}' in evaluation.benchmarks.flores200.missing."
            )
    return None


def _origins(config: Mapping[str, Any]) -> str | None:
    """What is trained needs its data and recipe, and starts where the others started."""
    models, data = config["models"], config["data"]
    trained = [name for name in ("experts", "mixed") if "train" in models[name]]
    if "untrained" not in models:
        if len(trained) < 2:
            adopted = " and ".join(name for name in ("experts", "mixed") if name not in trained)
            return (
                f"models.{adopted} come from the hub, so the initialisation that all share must too; give models.untrained.hub."
            )
        if "architecture" not in models:
            return "models.untrained is initialised here, which needs models.architecture."
    if not trained:
        return None
    for key in ("corpora", "tokenizer"):
        if key not in data:
            return f"models.{trained[0]} is trained, which needs data.{key}."
    if "training" not in config:
        return f"models.{trained[0]} is trained, which needs training."
    training = config["training"]
    for key in NEMO_KEYS:
        if training["backend"] == "nemo" and key not in training:
            return f"training.backend is nemo, which needs training.{key}."
        if training["backend"] != "nemo" and key in training:
            return f"training.{key} is a setting of NeMo, but training.backend is {training['backend']}."
    corpora = data["corpora"].get("files")
    if corpora is not None and (missing := [language for language in config["languages"] if language not in corpora]):
        return f"data.corpora.files has no file for '{missing[0]}'."
    return None


def _names(config: Mapping[str, Any]) -> str | None:
    for name in config["models"]["baselines"]:
        if name in ("untrained", "mixed") or name.startswith(("mono-", "merged-", "pair-", "nested-")):
            return f"models.baselines.{name} has a name that means a model of the study; choose another."
    adopted = Experiment(config).adopted if not _templates(config) else {}
    for name in config["models"].get("revisions", {}):
        if adopted and name not in adopted:
            return (
                f"models.revisions names '{name}', which does not come from the hub; there are {', '.join(list(adopted)[:4])}, …"
            )
    return None


def _steps(config: Mapping[str, Any]) -> str | None:
    steps = config["merging"]["steps"]
    if steps != sorted(steps):
        return "merging.steps must rise; the last is the end of training."
    if not any("train" in config["models"][name] for name in ("experts", "mixed")):
        return None
    training = config["training"]
    saved = {*training["save_steps"], training["steps"]}
    for step in steps:
        if step not in saved:
            return f"merging.steps names {step}, which is neither in training.save_steps nor the last step."
    if steps[-1] != training["steps"]:
        return f"merging.steps must rise and end with training.steps ({training['steps']})."
    if (last := max(training["save_steps"], default=0)) > training["steps"]:
        return f"training.save_steps names {last}, but training ends at step {training['steps']}."
    return None


def _suites(config: Mapping[str, Any]) -> str | None:
    evaluation = config["evaluation"]
    suites = [benchmark for benchmarks in evaluation["suites"].values() for benchmark in benchmarks]
    for benchmark in evaluation["benchmarks"]:
        if suites.count(benchmark) != 1:
            return f"evaluation.suites must name each benchmark once; '{benchmark}' is there {suites.count(benchmark)} times."
    if unknown := set(suites) - set(evaluation["benchmarks"]):
        return f"evaluation.suites names '{min(unknown)}', which evaluation.benchmarks lacks."
    return None


def _sources(config: Mapping[str, Any]) -> str | None:
    """Each benchmark comes from one place, apart from the languages that the user's own files replace."""
    sources = config["data"]["benchmarks"]
    made, hub = sources.get("miniature", {}).get("items", {}), sources.get("hub", {})
    for benchmark, settings in config["evaluation"]["benchmarks"].items():
        if benchmark in made and benchmark in hub:
            return f"data.benchmarks has {benchmark} both under miniature and under hub; keep one."
        own = sources.get("files", {}).get(benchmark, {})
        for language in config["languages"]:
            if benchmark in hub or language in settings["missing"] or language in own:
                continue
            if benchmark not in made:
                return f"data.benchmarks says nowhere where {benchmark} in '{language}' comes from; give it under hub or files."
            if language not in WORLD:
                return f"data.benchmarks.miniature has no '{language}', only {', '.join(WORLD)}; give {benchmark} under files."
    if "miniature" in config["data"].get("corpora", {}) and (strange := [x for x in config["languages"] if x not in WORLD]):
        return f"data.corpora.miniature has no '{strange[0]}', only {', '.join(WORLD)}; give all languages under files."
    return None


def _templates(config: Mapping[str, Any]) -> str | None:
    """The names with {language.…} or {step} in them can be filled."""
    models, hub = config["models"], config["data"]["benchmarks"].get("hub", {})
    texts = [
        (f"data.benchmarks.hub.{benchmark}.files", path)
        for benchmark, source in hub.items()
        for chosen in (source, *source.get("languages", {}).values())
        for path in chosen["files"].values()
    ]
    origins = {f"models.{name}.hub": models[name]["hub"] for name in ("experts", "mixed") if "hub" in models[name]}
    texts += [(f"{place}.{key}", origin[key]) for place, origin in origins.items() for key in ("repository", "step")]
    if "hub" in (corpora := config["data"].get("corpora", {})):
        texts.append(("data.corpora.hub.files", corpora["hub"]["files"]))
    for place, text in texts:
        if problem := _unfilled(text):
            codes = "individual, short, hplt_model, hplt, multiblimp, belebele, flores_plus, hellaswag, xcsqa"
            return (
                f"{place}: {text!r} cannot be filled ({problem}); it may use {{step}} or {{language.CODE}}, CODE one of {codes}."
            )
    for place, origin in origins.items():
        if origin["step"].format(step=1) == origin["step"].format(step=2):
            return f"{place}.step is {origin['step']!r} at every step; write the step as {{step}} or {{step:07d}}."
    return None


def _unfilled(text: str) -> str | None:
    try:
        text.format(language=LANGUAGES["eng"], step=1)
    except (AttributeError, KeyError, IndexError, ValueError) as error:
        return str(error)
    return None
