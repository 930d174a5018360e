"""The training rules with `backend: nemo`: from generated text to a scored model, on the CPU (cpu_emulation.py)."""

import json

from project import ROOT, Project, small_experiment


def test_a_mixed_model_is_trained_with_nemo_and_scored(tmp_path, nemo_python, monkeypatch):
    experiment = small_experiment()
    languages = ["eng", "fra"]
    experiment["languages"] = experiment["merging"]["nested"] = languages
    experiment["data"]["corpora"]["miniature"]["documents"] = 300
    experiment["training"] |= {"backend": "nemo", "steps": 6, "save_steps": [4], "batch_size": 8, "micro_batch_size": 4}
    experiment["training"] |= {"precision": "32", "save_interval": 3}
    experiment["merging"]["steps"] = [4, 6]
    project = Project(tmp_path / "project")
    project.write_experiment(experiment)
    emulated = tmp_path / "python"
    emulated.write_text(f'#!/bin/sh\nexec {nemo_python} {ROOT}/tests/nemo/cpu_emulation.py "$@"\n')
    emulated.chmod(0o755)
    monkeypatch.setenv("NEMO_PYTHON", str(emulated))
    steps = ["mixed", "mixed@4"]
    models = [project.results("models", model, "model.json") for model in steps]
    score = project.results("scores/mixed/multiblimp/eng.json")
    project.snakemake(*(str(path.relative_to(project.folder)) for path in (*models, score)))

    untrained = json.loads(project.results("models/untrained/model.json").read_text())
    for path, step in zip(models, (6, 4), strict=True):
        manifest = json.loads(path.read_text())
        assert manifest["step"] == step and manifest["tokens"] == step * 8 * experiment["training"]["sequence_length"]
        assert manifest["parents"] == [{"model": "untrained", "sha256": untrained["sha256"]}]
        assert manifest["parameters"] == untrained["parameters"] and manifest["sha256"] != untrained["sha256"]
    assert json.loads(score.read_text())["metrics"]["acc"]["n"] == 20
    assert not project.pending("results/test/models/mixed/model.json")
