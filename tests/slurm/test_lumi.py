"""The profile for LUMI on a Slurm with LUMI's partitions, accounts and limits (one_machine.py)."""

import json

import pytest
from one_machine import ACCOUNT

# Rule: partition, GCDs, cores, MiB of memory, time limit, as profiles/lumi has them.
ASKED = {
    "generate_corpus": ("small", 0, 1, 8000, "01:00:00"),
    "generate_multiblimp": ("small", 0, 1, 8000, "01:00:00"),
    "train_tokenizer": ("small", 0, 1, 8000, "01:00:00"),
    "tokenize_corpus": ("small", 0, 1, 8000, "01:00:00"),
    "initialise_model": ("small", 0, 1, 16000, "00:30:00"),
    "train_expert": ("small-g", 1, 7, 60000, "06:00:00"),
    "train_mixed": ("small-g", 1, 7, 60000, "06:00:00"),
    "merge_linear": ("small", 0, 16, 32000, "01:00:00"),
    "score_all": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_all_experts": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_all_experts_fra": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_all_experts_zho": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_nested_1": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_pairs_1": ("small-g", 1, 7, 60000, "06:00:00"),
    "score_steps_1": ("small-g", 1, 7, 60000, "06:00:00"),
    "extract_representations": ("small-g", 1, 7, 60000, "06:00:00"),
    "compare_parameters": ("small", 0, 32, 64000, "02:00:00"),
    "compute_cka": ("debug", 0, 8, 16000, "00:20:00"),  # moved there by the test
    "measure_neighbours": ("small", 0, 8, 16000, "01:00:00"),
    "measure_neurons": ("small", 0, 8, 16000, "01:00:00"),
    "pretrain_expert": ("standard-g", 16, 112, 2 * 491520, "2-00:00:00"),  # on two nodes, in the test's copy of the profile
}


def test_each_kind_of_job_gets_what_the_profile_says(finished_study, ranks):
    got: dict[str, set] = {}
    for job in [*finished_study.jobs(), *ranks.jobs()]:
        kind = (job.partition, int(job.resources.get("gres/gpu", 0)), int(job.resources["cpu"]), job.memory, job.limit)
        got.setdefault(job.rule, set()).add(kind)
    assert got == {rule: {kind} for rule, kind in ASKED.items()}


def test_the_study_is_complete(finished_study):
    for made in ("tables/table1.csv", "figures/figure1.pdf", "figures/figure2.pdf", "similarity/cka.csv"):
        assert finished_study.results(made).stat().st_size


def test_sixteen_ranks_on_two_nodes_find_each_other(ranks):
    found = json.loads((ranks.folder / "results/ranks.json").read_text())
    assert found["sum"] == sum(range(16))
    gcds = "0,1,2,3,4,5,6,7"  # each process sees all of its node and takes the one of its local rank
    assert found["places"] == [[node, rank, gcds] for node in ("lumig1", "lumig2") for rank in range(8)]


def test_a_killed_driver_loses_nothing_and_repeats_nothing(finished_study):
    names = [job.name for job in finished_study.jobs()]
    assert len(names) == len(set(names))
    assert {job.state for job in finished_study.jobs()} == {"COMPLETED"}
    assert "of an earlier run are still in Slurm's queue" in finished_study.log.read_text()


def test_jobs_beyond_the_limit_of_a_partition_are_held_back(finished_study):
    held = [job for job in finished_study.jobs() if job.partition == "debug"]
    assert len(held) == 4
    for job in held:
        assert sum(other.submitted <= job.submitted < other.ended for other in held) <= 2
    assert "sbatch failed" not in finished_study.log.read_text()


def weights(study, model: str) -> str:
    return json.loads(study.results("models", model, "model.json").read_text())["sha256"]


def test_training_goes_on_after_its_time_limit(disturbed_study, finished_study):
    # The first attempt went down with its node.
    assert disturbed_study.states("train_mixed") == ["NODE_FAIL", "TIMEOUT", "COMPLETED"]
    assert "resuming after step" in disturbed_study.results("logs/train_mixed.log").read_text()
    assert weights(disturbed_study, "mixed") == weights(finished_study, "mixed")


def test_a_job_whose_node_goes_down_is_repeated_on_another(disturbed_study, finished_study):
    for language in ("fra", "zho"):
        assert disturbed_study.states(f"train_expert:{language}") == ["NODE_FAIL", "COMPLETED"]
        assert weights(disturbed_study, f"mono-{language}") == weights(finished_study, f"mono-{language}")


def test_a_cancelled_job_is_repeated(disturbed_study, finished_study):
    assert disturbed_study.states("train_expert:eng") == ["NODE_FAIL", "CANCELLED", "COMPLETED"]
    assert weights(disturbed_study, "mono-eng") == weights(finished_study, "mono-eng")


def test_a_job_short_of_memory_gets_more_each_time(disturbed_study):
    attempts = [job for job in disturbed_study.jobs() if job.rule == "generate_multiblimp"]
    assert [(job.state, job.memory) for job in attempts] == [("FAILED", 8000), ("FAILED", 16000), ("COMPLETED", 24000)]


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ("project_465999999", f"Slurm has no account project_465999999 for you, only {ACCOUNT}, root."),
        (None, "$SBATCH_ACCOUNT is not set."),
    ],
)
def test_a_wrong_account_is_one_sentence(prepared, monkeypatch, account, message):
    monkeypatch.setenv("SBATCH_ACCOUNT", account) if account else monkeypatch.delenv("SBATCH_ACCOUNT")
    prepared.log.unlink(missing_ok=True)
    assert prepared.start("results/test/models/mixed/model.json").wait(120) == 1
    said = prepared.log.read_text()
    assert said.count(message) == 1 and "Traceback" not in said and "Error in rule" not in said
    assert prepared.jobs() == []


def test_models_are_not_downloaded_into_the_home_folder(prepared, monkeypatch):
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    paper = prepared.snakemake("results/paper/models/mono-eng/model.json", profile="profiles/lumi", check=False)
    assert paper.returncode == 1 and paper.stderr.count("HF_HOME is not set") == 1 and "Traceback" not in paper.stderr
