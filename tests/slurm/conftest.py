"""The Slurm of the tests, and the three workflows that run in it.

They overlap where they can, since much of their time is waiting: ranks that find each other, while a study is prepared without Slurm;
that study with jobs that are disturbed; and beside the last of its attempts, the same study with jobs of every kind.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_machine import ACCOUNT, OneMachine, install, obstacle, output_of, wait_until
from study_on_slurm import LANGUAGES, StudyOnSlurm

HERE = Path(__file__).parent
PATIENCE = 600  # seconds that anything here may take
GENERATED = [f"generate_{benchmark}" for benchmark in ("multiblimp", "belebele", "hellaswag", "xcsqa", "flores200")]


@pytest.fixture(scope="session")
def slurm() -> Iterator[OneMachine]:
    """A running Slurm; a machine that cannot have one skips the tests, unless it is one of continuous integration."""
    if reason := obstacle():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm on this machine: {reason}")
    install()
    with pytest.MonkeyPatch.context() as environment, OneMachine() as machine:
        environment.setenv("SBATCH_ACCOUNT", ACCOUNT)
        yield machine
        for driver in StudyOnSlurm.drivers:  # where a test failed, some may still run
            driver.kill()
            driver.wait()


def succeed(study: StudyOnSlurm, driver: subprocess.Popen) -> None:
    """Wait for a Snakemake and see that it ended well."""
    assert driver.wait(PATIENCE) == 0, study.log.read_text()[-8000:]


@pytest.fixture(scope="session")
def preparation(slurm, tmp_path_factory) -> tuple[StudyOnSlurm, StudyOnSlurm]:
    """Ranks that were started on two nodes; and a study whose data and initialisation were made without Slurm, to keep its jobs few."""
    ranks = StudyOnSlurm(tmp_path_factory.mktemp("ranks") / "project")
    ranks.set_resources(pretrain_expert={"nodes": 2})
    for name in ("ranks.smk", "ranks.py"):
        shutil.copy2(HERE / name, ranks.folder)
    with (ranks.folder / "Snakefile").open("a") as snakefile:
        snakefile.write('\n\ninclude: "ranks.smk"\n')
    driver = ranks.start("results/ranks.json")
    study = StudyOnSlurm(tmp_path_factory.mktemp("prepared") / "project")
    study.snakemake("all", "--until", *GENERATED, "tokenize_corpus", "initialise_model")
    succeed(ranks, driver)
    return ranks, study


@pytest.fixture(scope="session")
def ranks(preparation) -> StudyOnSlurm:
    return preparation[0]


@pytest.fixture(scope="session")
def prepared(preparation) -> StudyOnSlurm:
    return preparation[1]


def copy_of(prepared: StudyOnSlurm, tmp_path_factory, name: str, step_seconds: float) -> StudyOnSlurm:
    """The prepared study in a folder of its own, with training so slow that it can be caught running."""
    study = StudyOnSlurm(tmp_path_factory.mktemp(name) / "project")
    shutil.copytree(prepared.folder / "results", study.folder / "results")
    slow = f"        loss.backward()\n        time.sleep({step_seconds})\n"
    study.edit("workflow/scripts/study/training.py", "        loss.backward()\n", slow)
    return study


@pytest.fixture(scope="session")
def disturbances(slurm, prepared, tmp_path_factory) -> tuple[StudyOnSlurm, subprocess.Popen]:
    """A study in which a job needs more memory than it asked for, a node goes down, a job is cancelled, and one lacks time."""
    study = copy_of(prepared, tmp_path_factory, "disturbed", step_seconds=9)
    study.set_resources(train_mixed={"runtime": "2 if attempt < 3 else 60"})
    (benchmark := study.results("data/benchmarks/multiblimp/fra/test.tsv")).unlink()
    study.edit(
        "workflow/scripts/generate_benchmark.py",
        "    args = parser.parse_args(argv)\n",
        "    args = parser.parse_args(argv)\n"
        "    import os, re, subprocess\n"
        '    job = subprocess.check_output(["scontrol", "show", "job", os.environ["SLURM_JOB_ID"]], text=True)\n'
        '    if int(re.search(r"MinMemoryNode=(\\d+)M", job)[1]) < 24000:\n'
        "        raise MemoryError\n",
    )
    models = ["mixed", "mono-eng", "mono-fra", "mono-zho"]
    manifests = [str(study.results("models", model, "model.json").relative_to(study.folder)) for model in models]
    driver = study.start(str(benchmark.relative_to(study.folder)), *manifests)
    logs = [study.results("logs", log) for log in ("train_mixed.log", *(f"train_expert/{name}.log" for name in LANGUAGES))]
    wait_until(lambda: all(log.exists() and "training" in log.read_text() for log in logs), "training", PATIENCE)
    slurm.lose("lumig1")
    wait_until(lambda: study.states("train_expert:eng") and study.running("train_expert:eng"), "second attempt", PATIENCE)
    output_of("scancel", study.running("train_expert:eng"))
    slurm.bring_back("lumig1")
    return study, driver


@pytest.fixture(scope="session")
def finished_study(prepared, disturbances, tmp_path_factory) -> StudyOnSlurm:
    """A study with jobs of every kind; its driver was killed while it trained, and started again."""
    study = copy_of(prepared, tmp_path_factory, "finished", step_seconds=1)
    for lost in ("corpora/fra.jsonl", "benchmarks/multiblimp/fra/test.tsv"):
        study.results("data", lost).unlink()
    for lost in ("data/tokenizer", "data/tokens", "models/untrained"):
        shutil.rmtree(study.results(lost))
    # A partition that takes two jobs of a user; there are four.
    study.set_resources(compute_cka={"slurm_partition": "debug", "debug": 1, "runtime": 20})
    made = ["tables/table1.csv", "figures/figure1.pdf", "figures/figure2.pdf", "scores/pair-eng+fra/multiblimp/eng.json"]
    made += [f"similarity/{measure}.csv" for measure in ("cka", "cka_without_first", "cka_last_token", "cka_in_language")]
    made += [f"similarity/{measure}.csv" for measure in ("neighbours", "neurons", "parameters", "lang2vec")]
    targets = [f"results/test/{path}" for path in made]
    driver = study.start(*targets)
    wait_until(lambda: study.running("train_mixed"), "training", PATIENCE)
    driver.kill()
    driver.wait()
    study.snakemake("--unlock", profile="profiles/lumi")
    succeed(study, study.start(*targets))
    return study


@pytest.fixture(scope="session")
def disturbed_study(disturbances, finished_study) -> StudyOnSlurm:
    study, driver = disturbances
    succeed(study, driver)
    return study
