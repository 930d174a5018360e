"""The two experiment files are right; what is wrong in one is said in a clear sentence."""

import copy
from pathlib import Path

import pytest
import yaml

from study.experiment import Experiment
from study.files import UserError
from study.validation import checked

ROOT = Path(__file__).parents[2]
PAPER, LAPTOP = ROOT / "config.yaml", ROOT / "profiles/laptop/experiment.yaml"
DELETED = object()


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def changed(path: Path, key: str, value) -> dict:
    """The experiment with one key ("a/b/c", a list's place as a number) set, changed by a function, or deleted."""
    config = copy.deepcopy(load(path))
    *parents, last = [int(part) if part.isdigit() else part for part in key.split("/")]
    place = config
    for parent in parents:
        place = place[parent]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value(place[last]) if callable(value) else value
    return config


def complaint(config: dict) -> str:
    with pytest.raises(UserError) as raised:
        checked(config, ROOT)
    message = str(raised.value)
    assert message.startswith("The experiment file is wrong: ") and "\n" not in message
    return message


@pytest.mark.parametrize("path", [PAPER, LAPTOP], ids=lambda path: path.name)
def test_the_two_experiments_are_right(path):
    assert checked(load(path), ROOT) == load(path)


@pytest.mark.parametrize(
    ("path", "key", "value", "message"),
    [
        # misspelt, missing, of the wrong kind, out of range
        (PAPER, "evaluation/batchsize", 8, "unknown key 'batchsize' in evaluation; did you mean 'batch_size'?"),
        (PAPER, "colour", "red", "unknown key 'colour' in the top level; known keys: data, evaluation, hub, languages,"),
        (PAPER, "models/experts/hub/final_step", "main", "unknown key 'final_step' in models.experts.hub; did you mean 'final'?"),
        (PAPER, "evaluation/benchmarks/belebele/shot", 5, "unknown key 'shot' in evaluation.benchmarks.belebele"),
        (PAPER, "merging/dtype", DELETED, "merging lacks the key 'dtype'."),
        (PAPER, "languages/3", "klingon", "languages.3 is 'klingon'; allowed: ara, bos,"),
        (PAPER, "languages/3", "deu", "languages names something twice."),
        (PAPER, "seed", -1, "seed is -1; it must be at least 0."),
        (PAPER, "seed", "one", "seed is 'one'; it must be a whole number."),
        (PAPER, "evaluation/benchmarks/belebele/shots", -5, "evaluation.benchmarks.belebele.shots is -5; it must be at least 0."),
        (PAPER, "evaluation/benchmarks/belebele/chance", 25, "evaluation.benchmarks.belebele.chance is 25; it must be at most 1."),
        (PAPER, "evaluation/dtype", "int8", "evaluation.dtype is 'int8'; allowed: float32, bfloat16, float16."),
        (PAPER, "models/experts/train", True, "models.experts must have one of the keys 'hub' or 'train', and only one."),
        (PAPER, "models/mixed", {"train": "nemo"}, "models.mixed.train is 'nemo'; it can only be True."),
        (PAPER, "models/revisions", {"mixed": "main"}, "models.revisions.mixed is 'main'; it must be a commit: 40 hexadecimal digits."),
        (PAPER, "models/untrained/hub/repository", "x", "models.untrained.hub.repository is 'x'; it must be owner/name on the"),
        (LAPTOP, "training/learning_rate", -0.1, "training.learning_rate is -0.1; it must be more than 0."),
        (LAPTOP, "models/baselines", {"x": {"label": "X"}}, "models.baselines.x must have one of the keys 'hub' or 'path', and only one."),
        # two keys that contradict each other
        (PAPER, "models/untrained", DELETED, "models.experts and mixed come from the hub, so the initialisation that all share must too"),
        (LAPTOP, "models/mixed", {"hub": {"repository": "a/b", "final": "main", "step": "{step}"}}, "models.mixed come from the hub, so"),
        (LAPTOP, "training/backend", "jax", "training.backend is 'jax'; allowed: transformers, nemo."),
        (LAPTOP, "training/backend", "nemo", "training.backend is nemo, which needs training.micro_batch_size."),
        (LAPTOP, "training/precision", "32", "training.precision is a setting of NeMo, but training.backend is transformers."),
        (PAPER, "models/revisions", {"mono-swe": 40 * "0"}, "models.revisions names 'mono-swe', which does not come from the hub"),
        (PAPER, "models/experts/hub/repository", "a/{language.hplt2}", "'a/{language.hplt2}' cannot be filled"),
        (PAPER, "models/experts/hub/step", "checkpoint", "models.experts.hub.step is 'checkpoint' at every step; write the step as"),
        (PAPER, "data/benchmarks/hub/belebele/files", {"test.jsonl": "{code}"}, "data.benchmarks.hub.belebele.files: '{code}' cannot"),
        (PAPER, "data/benchmarks/hub/belebele", DELETED, "data.benchmarks says nowhere where belebele in 'ara' comes from"),
        (PAPER, "data/benchmarks/miniature", {"items": {"xcsqa": 9}}, "data.benchmarks has xcsqa both under miniature and under hub"),
        (PAPER, "evaluation/benchmarks/xcsqa/missing", [], "evaluation.benchmarks.xcsqa.missing must name 'tur'"),
        (PAPER, "evaluation/suites/xcsqa", ["belebele"], "evaluation.suites must name each benchmark once; 'belebele' is there 2 times."),
        (PAPER, "merging/steps", [2000, 1000], "merging.steps must rise"),
        (PAPER, "languages", ["ara", "deu", "eng", "fra"], "merging.nested names 'ita', which is not among the languages"),
        (PAPER, "evaluation/benchmarks/flores200/missing", ["fra"], "flores200 translates into 'eng' from 'fra', which it lacks here"),
        (LAPTOP, "models/baselines", {"mixed": {"label": "X", "path": "x"}}, "models.baselines.mixed has a name that means a model"),
        (LAPTOP, "training", DELETED, "models.experts is trained, which needs training."),
        (LAPTOP, "data/tokenizer", DELETED, "models.experts is trained, which needs data.tokenizer."),
        (LAPTOP, "models/architecture", DELETED, "models.untrained is initialised here, which needs models.architecture."),
        (LAPTOP, "merging/steps", lambda steps: [7, *steps], "merging.steps names 7, which is neither in training.save_steps nor the last step."),
        (LAPTOP, "merging/steps", lambda steps: steps[:-1], "merging.steps must rise and end with training.steps"),
        (LAPTOP, "training/save_steps", lambda steps: [*steps, 9999], "training.save_steps names 9999, but training ends"),
        (LAPTOP, "data/corpora", {"files": {"deu": ["a.txt"]}}, "data.corpora.files has no file for 'eng'."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(path, key, value, message):
    assert message in complaint(changed(path, key, value))


def test_the_papers_models_and_files_have_their_places_on_the_hub():
    config = load(PAPER)
    config["models"]["revisions"] = {"mixed@2000": 40 * "a"}
    experiment = Experiment(checked(config, ROOT))
    adopted = experiment.adopted
    # ten experts and the mixed model at 48 steps each, the untrained one, three baselines
    assert len(adopted) == 11 * 48 + 1 + 3
    assert adopted["mono-zho@1000"] == {"repository": "HPLT/hplt2c_zhos_checkpoints", "revision": "checkpoint_0001000"}
    assert adopted["mono-ara"] == {
        "repository": "HPLT/hplt2c_ara_checkpoints",
        "revision": "main",
        "tokens": 47_684 * 1024 * 2048,
    }
    assert adopted["mixed@2000"] == {"repository": "sethjsa/mixed-10-checkpoints", "revision": 40 * "a"}
    assert adopted["untrained"]["revision"] == "checkpoint_0000000"
    files = experiment.benchmark_sources
    # 48 pairs of benchmark and language less FLORES's ten, whose columns are dev and devtest of ten languages; English HellaSwag's train
    assert len(files) == 48 - 10 + 20 + 1
    assert files["belebele/zho/test.jsonl"]["path"] == "data/zho_Hans.jsonl"
    assert files["multiblimp/ara/test.tsv"]["path"] == "arb/data.tsv"
    assert files["flores200/zho/dev.txt"]["path"] == "dev/cmn_Hans.jsonl"
    assert files["hellaswag/tur/validation.jsonl"]["repository"] == "malhajar/hellaswag_tr-v0.2"
    assert files["xcsqa/deu/validation.jsonl"]["path"] == "X-CSQA-de/validation-00000-of-00001.parquet"
    assert "multiblimp/zho/test.tsv" not in files and "xcsqa/tur/validation.jsonl" not in files


def test_own_files_take_the_place_of_the_hubs():
    config = load(PAPER)
    config["data"]["benchmarks"]["files"] = {"belebele": {"deu": {"test.jsonl": "mine.jsonl"}}}
    files = Experiment(checked(config, ROOT)).benchmark_sources
    assert "belebele/deu/test.jsonl" not in files and "belebele/eng/test.jsonl" in files
