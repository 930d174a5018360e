"""The study in all 38 languages of HPLT's models: its codes exist where they are used, and its plan has the jobs that its keys imply."""

import re
import resource
import warnings
from math import comb
from pathlib import Path

import lm_eval
import pytest
import yaml
from project import ROOT, Project
from snakemake.utils import update_config

from study.benchmarks import MISSING
from study.experiment import BENCHMARKS
from study.languages import LANGUAGES
from study.prompts import prompts
from study.validation import checked

TASKS = Path(lm_eval.__file__).parent / "tasks"
FILES = ("config.yaml", "experiments/all_languages.yaml")
# Of INK-USC/xcsr, which lm-eval lacks (Lin et al. 2021, section 3); `jap` is Japanese.
XCSQA = "ar de en es fr hi it jap nl pl pt ru sw ur vi zh".split()
# What alexandrainst/m_hellaswag has besides the languages of lm-eval's tasks; English and Turkish come from elsewhere.
HELLASWAG = {"is", "nb", "zh", "en", "tr"}


@pytest.fixture(scope="module")
def experiment() -> dict:
    """The experiment as Snakemake reads it: the second file laid over the first."""
    config: dict = {}
    for file in FILES:
        update_config(config, yaml.safe_load((ROOT / file).read_text(encoding="utf-8")))
    return config


def test_the_experiment_has_every_language_once_and_is_right(experiment):
    assert len(experiment["languages"]) == 38 and set(experiment["languages"]) == set(LANGUAGES) == set(prompts())
    assert set(experiment["merging"]["nested"]) == set(LANGUAGES)
    assert checked(experiment, ROOT) == experiment
    paper = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert (
        experiment["languages"][:10] == paper["languages"] and experiment["merging"]["nested"][:10] == paper["merging"]["nested"]
    )
    for method in experiment["merging"]["methods"].values():
        assert 38 * method["model_parameters"]["weight"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("benchmark", "exists"),
    [
        ("multiblimp", lambda language: (TASKS / f"multiblimp/multiblimp_{language.multiblimp}.yaml").exists()),
        ("belebele", lambda language: (TASKS / f"belebele/belebele_{language.belebele}.yaml").exists()),
        (
            "hellaswag",
            lambda language: (
                (TASKS / f"okapi/hellaswag_multilingual/hellaswag_{language.hellaswag}.yaml").exists()
                or language.hellaswag in HELLASWAG
            ),
        ),
        ("xcsqa", lambda language: language.xcsqa in XCSQA),
    ],
)
def test_a_benchmark_lacks_what_the_table_says(experiment, benchmark, exists):
    lacking = {code for code, language in LANGUAGES.items() if not exists(language)}
    if benchmark in ("hellaswag", "xcsqa"):  # `zh` is in simplified characters there
        lacking.add("zhot")
    assert set(MISSING[benchmark]) == lacking == set(experiment["evaluation"]["benchmarks"][benchmark]["missing"])


def test_lang2vec_knows_every_language():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lang2vec.lang2vec as lang2vec
    assert {language.lang2vec for language in LANGUAGES.values()} <= lang2vec.URIEL_LANGUAGES


def test_sources_that_call_a_language_otherwise():
    assert LANGUAGES["est"].flores_plus == "ekk_Latn" and LANGUAGES["est"].belebele == "est_Latn"
    assert LANGUAGES["lvs"].multiblimp == "lav" and LANGUAGES["lvs"].flores_plus == "lvs_Latn"
    assert LANGUAGES["hrv"].multiblimp == LANGUAGES["bos"].multiblimp == "hbs"
    zhot = LANGUAGES["zhot"]
    assert (zhot.hplt_model, zhot.flores, zhot.flores_plus, zhot.hplt) == ("zhot", "zho_Hant", "cmn_Hant", "zho_Hant")


def batches(merges: int, size: int) -> int:
    return -(-merges // size)


def test_the_plan_has_the_jobs_that_the_keys_imply(experiment, tmp_path):
    """With neither hub, GPU nor Slurm. The limit is 60 s, of one process, so its CPU time is counted: other processes do not matter."""
    n = len(experiment["languages"])
    evaluation = experiment["evaluation"]
    has = {benchmark: n - len(evaluation["benchmarks"][benchmark]["missing"]) for benchmark in BENCHMARKS}
    merges, baselines = len(experiment["merging"]["methods"]), len(experiment["models"]["baselines"])
    multilingual = baselines + merges + 2  # and the mixed and the untrained model
    steps = len(experiment["merging"]["steps"]) - 1  # before the last
    size = evaluation["sweep_batch"]
    expected = {
        # English HellaSwag's `train`; `dev` and `devtest`
        "download_benchmark": sum(has.values()) + 1 + has["flores200"],
        "download_model": n + 2 + baselines,
        "download_checkpoint": (n + 1) * steps,
        "merge": merges,
        "score": len(BENCHMARKS) * multilingual,
        "score_experts": sum(has.values()),
        "score_pairs": batches(comb(n, 2) - comb(n - has["multiblimp"], 2), size),  # pairs of which one language can be scored
        "score_nested": batches(n - 1, size),
        "score_steps": batches(2 * steps, size),
        "extract_representations": n,
    }

    project = Project(tmp_path / "project")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pending = project.pending("all", "--configfile", *FILES, profile="profiles/lumi")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    kinds = {
        "download_benchmark": "download_benchmark",
        "download_model": "download_model",
        "download_checkpoint": "download_checkpoint",
        "merge": "merge_.*",
        "score": f"score_({'|'.join(BENCHMARKS)})",
        "score_experts": "score_.*_experts.*",
        **{f"score_{sweep}": rf"score_{sweep}_\d+" for sweep in ("pairs", "nested", "steps")},
        "extract_representations": "extract_representations",
    }
    counted = {kind: sum(jobs for rule, jobs in pending.items() if re.fullmatch(rules, rule)) for kind, rules in kinds.items()}
    assert counted == expected
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
    page = (ROOT / "docs/languages.md").read_text(encoding="utf-8").split("## What runs")[1].split("##")[0]
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert rows[:-1] == list(expected.values()) and sum(rows) == sum(pending.values()) and f"| **{sum(rows)}** |" in page
    # What does not depend on the number of languages is what the paper's experiment plans, too.
    rest = {rule for rule in pending if not any(re.fullmatch(rules, rule) for rules in kinds.values())}
    assert {rule for rule in rest if re.match("(download|merge|score|extract|train|pretrain)_", rule)} == set()
    assert (pending["compute_cka"], pending["correlate_similarity"], pending["tabulate_pairs"], pending["all"]) == (4, 3, 1, 1)
