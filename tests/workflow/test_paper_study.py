"""The paper's study against a stand-in of the hub: tiny models, a few rows of each benchmark, all tables and figures.

The experiment is config.yaml with fewer languages and steps, on a processor; repositories, revisions, paths and the protocol are
its own. It is run in one folder: with two models that cannot be had, again when they can, and without the hub.
"""

import copy
import io
import json
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from PIL import Image
from project import ROOT, Project
from stand_in_hub import StandInHub
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Cohere2Config, Gemma2Config, LlamaConfig, PreTrainedTokenizerFast
from transformers.models.cohere2 import Cohere2ForCausalLM
from transformers.models.gemma2 import Gemma2ForCausalLM
from transformers.models.llama import LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from miniature.benchmarks import MAKERS, translations
from miniature.languages import load

TOKEN = "hf_recognisable"
# All that a benchmark lacks or has elsewhere, codes that differ between sources, and French, which is translated into English.
LANGUAGES = ["ara", "eng", "fra", "tur", "zho"]
STEPS = [1000, 2000, 47684]
ROWS = 12  # of each benchmark, without those that drop out; neighbours are sought among more than ten sentences

GEMMA, EUROLLM, AYA = "models/google/gemma-2-2b", "models/utter-project/EuroLLM-1.7B", "models/CohereLabs/tiny-aya-base"
MIXED = "models/sethjsa/mixed-10-checkpoints"
HPLT_CODES = {"ara": "ara", "eng": "eng", "fra": "fra", "tur": "tur", "zho": "zhos"}
FLORES = "datasets/openlanguagedata/flores_plus"
# What each dataset calls the languages, from its card.
MULTIBLIMP_CODES = {"ara": "arb", "eng": "eng", "fra": "fra", "tur": "tur"}
BELEBELE_CODES = {"ara": "arb_Arab", "eng": "eng_Latn", "fra": "fra_Latn", "tur": "tur_Latn", "zho": "zho_Hans"}
FLORES_CODES = {**BELEBELE_CODES, "zho": "cmn_Hans"}
TWO_LETTERS = {"ara": "ar", "eng": "en", "fra": "fr", "zho": "zh"}  # of X-CSQA and, less English, of m_hellaswag


def paper_in_small() -> dict:
    """config.yaml with less of everything."""
    experiment = yaml.safe_load((ROOT / "config.yaml").read_text())
    experiment["languages"] = [language for language in experiment["languages"] if language in LANGUAGES]
    merging, evaluation = experiment["merging"], experiment["evaluation"]
    merging["nested"] = [language for language in merging["nested"] if language in LANGUAGES]
    merging["steps"] = [step for step in merging["steps"] if step in STEPS]
    # One suite, since each process spends most of its time on imports.
    evaluation |= {"device": "cpu", "dtype": "float32", "sweep_batch": 10, "suites": {"all": list(evaluation["benchmarks"])}}
    evaluation["benchmarks"]["flores200"]["max_new_tokens"] = 16
    return experiment


# The benchmarks in the hub's formats ----------------------------------------------------------------------------------


def jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def tsv(rows: list[dict]) -> bytes:
    return pd.DataFrame(rows).to_csv(sep="\t", index=False).encode()


def parquet(rows: list[dict]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


def rows_of(benchmark: str, language: str, seed: int = 1) -> list[dict]:
    return MAKERS[benchmark](load(language), ROWS, seed)


def hellaswag(language: str, seed: int = 1) -> list[dict]:
    source = {"activity_label": "Work", "source_id": "activitynet~v_0", "split": "val", "split_type": "indomain"}
    return [{**row, **source} for row in rows_of("hellaswag", language, seed)]


def xcsqa(language: str) -> list[dict]:
    """Rows as datasets stores them: a list of structs has become a struct of lists. One row has an empty choice."""
    rows = rows_of("xcsqa", language)
    rows.insert(3, copy.deepcopy(rows[0]))
    rows[3]["question"]["choices"][2]["text"] = ""
    for row in rows:
        choices = row["question"]["choices"]
        row["question"]["choices"] = {key: [choice[key] for choice in choices] for key in ("label", "text")}
    return rows


def flores(language: str, split: str) -> list[dict]:
    sentences = translations(load(language), ROWS, 1)[split]
    return [{"id": number, "text": text, "domain": "wikinews"} for number, text in enumerate(sentences)]


def add_datasets(hub: StandInHub, experiment: dict) -> None:
    sources = experiment["data"]["benchmarks"]["hub"].values()
    places = [place for source in sources for place in (source, *source.get("languages", {}).values())]
    revisions = {f"datasets/{place['repository']}": place["revision"] for place in places}

    def add(repository: str, files: dict[str, bytes]) -> None:
        hub.add(repository, files, revisions[repository])

    add(
        "datasets/jumelet/multiblimp",
        {f"{code}/data.tsv": tsv(rows_of("multiblimp", language)) for language, code in MULTIBLIMP_CODES.items()},
    )
    add(
        "datasets/facebook/belebele",
        {f"data/{code}.jsonl": jsonl(rows_of("belebele", language)) for language, code in BELEBELE_CODES.items()},
    )
    translated = {language: hellaswag(language) for language in TWO_LETTERS if language != "eng"}
    translated["ara"].insert(5, {**translated["ara"][0], "endings": ["", *translated["ara"][0]["endings"][1:]]})
    endings = translated["zho"][2]["endings"]
    endings[1] = {"zh": endings[1], "en": "runs away."}
    add(
        "datasets/alexandrainst/m_hellaswag",
        {f"data/{TWO_LETTERS[language]}/val.jsonl": jsonl(rows) for language, rows in translated.items()},
    )
    add(
        "datasets/Rowan/hellaswag",
        {
            f"data/{split}-00000-of-00001.parquet": parquet(hellaswag("eng", seed))
            for split, seed in (("validation", 1), ("train", 2))
        },
    )
    add("datasets/malhajar/hellaswag_tr-v0.2", {"data/validation-00000-of-00001.parquet": parquet(hellaswag("tur"))})
    add(
        "datasets/INK-USC/xcsr",
        {f"X-CSQA-{code}/validation-00000-of-00001.parquet": parquet(xcsqa(language)) for language, code in TWO_LETTERS.items()},
    )
    add(
        FLORES,
        {
            f"{split}/{code}.jsonl": jsonl(flores(language, split))
            for language, code in FLORES_CODES.items()
            for split in ("dev", "devtest")
        },
    )


# The models as transformers saves them --------------------------------------------------------------------------------


def tokenizer(vocabulary: int, **special: str) -> PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer, trained.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    trained.train_from_iterator([row["text"] for language in LANGUAGES for row in flores(language, "dev")], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=trained, **special)


def ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int | None]:
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}


def saved(folder: Path, model, tokenizer, shard_size: str = "1GB") -> dict[str, bytes]:
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size=shard_size)
    tokenizer.save_pretrained(folder)
    return {file.name: file.read_bytes() for file in folder.iterdir()} | {"README.md": b"words"}


def add_models(hub: StandInHub, folder: Path) -> None:
    torch.manual_seed(0)
    disable_progress_bar()
    size = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.1,
    }
    gemma3 = tokenizer(400, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")  # all of the family share it
    # As published: tied embeddings, with more rows than there are tokens.
    untrained = LlamaForCausalLM(LlamaConfig(vocab_size=416, tie_word_embeddings=True, **ids(gemma3), **size))
    hub.add(MIXED, saved(folder / "untrained", untrained, gemma3), "checkpoint_0000000")
    for repository in (MIXED, *(f"models/HPLT/hplt2c_{code}_checkpoints" for code in HPLT_CODES.values())):
        for step, distance in zip(STEPS, (0.02, 0.05, 0.1), strict=True):
            model = copy.deepcopy(untrained)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter += distance * torch.randn_like(parameter)
            branch = "main" if step == STEPS[-1] else f"checkpoint_{step:07d}"
            hub.add(repository, saved(folder / repository / branch, model, gemma3), branch)

    size |= {"num_key_value_heads": 1, "head_dim": 16}
    own = tokenizer(384, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")
    hub.add(GEMMA, saved(folder / GEMMA, Gemma2ForCausalLM(Gemma2Config(vocab_size=384, **ids(own), **size)), own))
    own = tokenizer(350, pad_token="<PAD>", bos_token="<BOS>", eos_token="<END>")
    hub.add(AYA, saved(folder / AYA, Cohere2ForCausalLM(Cohere2Config(vocab_size=350, **ids(own), **size)), own))
    own = tokenizer(320, bos_token="<s>", eos_token="</s>")
    eurollm = LlamaForCausalLM(LlamaConfig(vocab_size=320, tie_word_embeddings=False, **ids(own), **size))
    files = saved(folder / EUROLLM, eurollm, own, "40KB")
    assert "model-00002-of-00002.safetensors" in files
    hub.add(EUROLLM, files)


# The runs -------------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One call of Snakemake, what it asked of the hub, and the files below results that it left, with their times."""

    process: CompletedProcess
    asked: list[str]
    files: dict[str, int]

    @property
    def said(self) -> str:
        return self.process.stdout + self.process.stderr


class Study:
    """A copy of the project, the hub, and the runs so far."""

    def __init__(self, folder: Path) -> None:
        self.project, self.hub = Project(folder / "project"), StandInHub()
        self.experiment = paper_in_small()
        self.project.write_experiment(self.experiment)
        self.results = self.project.folder / "results/paper"
        self.folder = folder
        add_datasets(self.hub, self.experiment)
        add_models(self.hub, folder / "saved")

    def run(self, *arguments: str) -> Run:
        before = len(self.hub.requests)
        process = self.project.snakemake(*arguments, "--printshellcmds", check=False)
        files = {str(f.relative_to(self.results)): f.stat().st_mtime_ns for f in self.results.rglob("*") if f.is_file()}
        return Run(process, [path for _, path, _ in self.hub.requests[before:]], files)

    def score(self, model: str, benchmark: str, language: str) -> dict:
        return json.loads((self.results / f"scores/{model}/{benchmark}/{language}.json").read_text())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    study = Study(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", study.hub.start())
        patch.setenv("HF_HOME", str(folder / "hub"))
        patch.setenv("HF_TOKEN", TOKEN)
        yield study
    study.hub.stop()


@pytest.fixture(scope="module")
def refused(study) -> Run:
    """Everything that can be made while Gemma's terms are not accepted and a part of EuroLLM arrives damaged."""
    study.hub.gated |= {FLORES: {TOKEN}, GEMMA: set()}
    study.hub.damaged = {"model-00002-of-00002.safetensors"}
    study.hub.cuts = [1000]
    return study.run("all", "--keep-going")


@pytest.fixture(scope="module")
def finished(study, refused) -> Run:
    """The same command, after the terms have been accepted and the line has been mended."""
    study.hub.gated[GEMMA].add(TOKEN)
    study.hub.damaged.clear()
    return study.run("all", "--keep-going")


def test_one_model_that_cannot_be_had_stops_only_what_needs_it(refused):
    assert refused.process.returncode == 1
    assert (
        "The hub refuses google/gemma-2-2b (HTTP 403): accept its terms at https://huggingface.co/google/gemma-2-2b"
        in refused.said
    )
    assert "model-00002-of-00002.safetensors of utter-project/EuroLLM-1.7B arrived damaged" in refused.said
    assert "Traceback" not in refused.said
    made = {name.split("/")[1] for name in refused.files if name.startswith("scores/")}
    assert {"untrained", "mixed", "tiny-aya-base", "merged-ties", "mono-zho", "pair-ara+eng", "nested-4", "mixed@1000"} <= made
    assert not made & {"gemma-2-2b", "eurollm-1.7b"}
    assert {"figures/figure2.png", "figures/figure3.png", "tables/table8.csv"} <= refused.files.keys()
    assert "tables/table1.csv" not in refused.files


def test_a_cut_connection_is_resumed_within_the_same_try(study, refused):
    """The first answer with a large file ended after a thousand bytes."""
    assert study.hub.cuts == []
    (log,) = [file for file in study.results.glob("logs/download_*/**/*.log") if "Trying to resume download" in file.read_text()]
    assert "connection was lost" not in log.read_text()


def test_the_next_run_fetches_and_makes_only_what_was_missing(refused, finished):
    assert finished.process.returncode == 0, finished.said
    repositories = {path.split("/resolve/")[0] for path in finished.asked if "/resolve/" in path}
    assert repositories == {"/google/gemma-2-2b", "/utter-project/EuroLLM-1.7B"}
    assert len([path for path in finished.asked if path.startswith("/cdn/")]) == 3  # EuroLLM's other part was complete
    scored = {name: time for name, time in refused.files.items() if name.startswith(("models/", "scores/", "figures/figure"))}
    assert scored and {name: finished.files[name] for name in scored} == scored


def test_a_third_run_has_nothing_to_do(study, finished):
    assert study.project.pending("all") == {}


def test_all_tables_and_figures_are_there(study, finished):
    for number in range(1, 9):
        assert len(pd.read_csv(study.results / f"tables/table{number}.csv"))
        assert "\\begin{tabular}" in (study.results / f"tables/table{number}.tex").read_text()
    figures = [f"figure{number}" for number in (1, 2, 3)] + ["similarity_heat_maps", "similarity_scatter", "cka_layers"]
    for figure in figures:
        assert (study.results / f"figures/{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert min(Image.open(study.results / f"figures/{figure}.png").size) > 300
        assert len(pd.read_csv(study.results / f"figures/{figure}.csv"))
    overview = pd.read_csv(study.results / "tables/table1.csv")
    assert {"EuroLLM-1.7B", "Gemma-2-2B", "Tiny Aya Base", "Mixed", "Linear", "TIES", "DARE-TIES"} <= set(overview["label"])
    assert len(pd.read_csv(study.results / "pairs.csv")) == 10
    assert (pd.read_csv(study.results / "published.csv")["ours"].notna()).sum() > 100


def test_every_file_came_from_where_the_experiment_says(study, finished):
    """Each model and file of a benchmark was asked for at its repository and revision."""
    asked = {path for _, path, _ in study.hub.requests}
    for code in HPLT_CODES.values():
        for branch in ("main", "checkpoint_0001000", "checkpoint_0002000"):
            assert f"/api/models/HPLT/hplt2c_{code}_checkpoints/revision/{branch}" in asked
    manifests = {file.parent.name: json.loads(file.read_text()) for file in study.results.glob("models/*/model.json")}
    assert manifests["untrained"]["revision"] == "checkpoint_0000000"
    assert manifests["mono-zho"]["source"] == "https://huggingface.co/HPLT/hplt2c_zhos_checkpoints"
    assert not any("@" in name for name in manifests)  # checkpoints are deleted after use
    weights = study.results / "models/eurollm-1.7b"
    assert len(list(weights.glob("*.safetensors"))) == 2 and all(file.is_symlink() for file in weights.glob("*.safetensors"))


def test_rows_with_an_empty_choice_drop_out(study, finished):
    data = study.results / "data/benchmarks"
    for model in ("mono-ara", "gemma-2-2b", "merged-linear"):
        for benchmark in ("xcsqa", "hellaswag"):
            assert len((data / benchmark / "ara/validation.jsonl").read_text().splitlines()) == ROWS + 1
            metrics = study.score(model, benchmark, "ara")["metrics"]
            assert {metric["n"] for metric in metrics.values()} == {ROWS}
    items = pd.read_parquet(study.results / "items/mono-ara/xcsqa/ara.parquet")
    assert sorted(items["item"]) == [row for row in range(ROWS + 1) if row != 3]


def test_the_chinese_ending_of_two_languages_is_read_in_chinese(study, finished):
    line = (study.results / "data/benchmarks/hellaswag/zho/validation.jsonl").read_text().splitlines()[2]
    assert json.loads(line)["endings"] == rows_of("hellaswag", "zho")[2]["endings"]
    assert study.score("mono-zho", "hellaswag", "zho")["metrics"]["acc"]["n"] == ROWS


def test_the_token_is_nowhere(study, refused, finished):
    """Not in what is printed, commands included, nor in any file that the runs left, the hub's cache included."""
    assert "--repository google/gemma-2-2b" in refused.said  # the commands are printed
    assert TOKEN not in refused.said + finished.said
    files = [file for file in study.project.folder.parent.rglob("*") if file.is_file()]
    assert any(file.suffix == ".log" for file in files)
    assert not [file for file in files if TOKEN.encode() in file.read_bytes()]


def test_experts_that_do_not_fit_together_are_not_merged(study, finished):
    """Another tokenizer, and more rows of embeddings, at commits that the experiment names."""
    french, turkish = (f"models/HPLT/hplt2c_{code}_checkpoints" for code in ("fra", "tur"))
    _, files = study.hub.repositories[french]["main"]
    _, baseline = study.hub.repositories[AYA]["main"]
    other_tokenizer = study.hub.add(french, {**files, "tokenizer.json": baseline["tokenizer.json"]}, "other")
    config = json.loads(files["config.json"])
    larger = LlamaForCausalLM(LlamaConfig(**{**config, "vocab_size": 448}))
    same_tokenizer = PreTrainedTokenizerFast.from_pretrained(study.folder / "saved" / turkish / "main")
    more_rows = study.hub.add(turkish, saved(study.folder / "larger", larger, same_tokenizer), "larger")

    experiment = {**copy.deepcopy(study.experiment), "run": "other"}
    experiment["models"]["revisions"] = {"mono-fra": other_tokenizer, "mono-tur": more_rows}
    study.project.write_experiment(experiment)
    targets = [f"results/other/models/pair-ara+{language}/model.json" for language in ("fra", "tur")]
    run = study.run(*targets, "--keep-going")
    study.project.write_experiment(study.experiment)
    assert run.process.returncode == 1 and "Traceback" not in run.said
    assert "merge_models.py: mono-fra has another tokenizer than mono-ara" in run.said
    assert "merge_models.py: mono-tur and mono-ara cannot be merged: model.embed_tokens.weight has shape (448, 32)" in run.said


def test_the_cache_serves_without_the_hub(study, finished):
    """Nothing is left but the cache, and the hub is down: all is made again, byte for byte, but for Figure 1.

    That needs checkpoints on the way, which are not kept.
    """
    study.hub.stop()
    before = study.results.rename(study.folder / "before")
    drawn = ("figure2", "figure3", "similarity_heat_maps", "similarity_scatter", "cka_layers")
    run = study.run("tables", "similarity", *(f"results/paper/figures/{name}.csv" for name in drawn))
    assert run.process.returncode == 0, run.said
    assert run.asked == []
    made = {name for name in run.files if name.startswith(("scores/", "data/", "models/")) and name.endswith("json")}
    made |= {name for name in run.files if name.startswith(("tables/", "figures/", "similarity/")) and name.endswith("csv")}
    first = {str(file.relative_to(before)) for file in before.rglob("*.*") if file.suffix in (".json", ".csv")}
    kinds = ("scores/", "tables/", "figures/", "similarity/")
    missing = {name for name in first - made if name.startswith(kinds) and "@" not in name}
    assert missing == {"figures/figure1.csv"}
    assert [name for name in made if (study.results / name).read_bytes() != (before / name).read_bytes()] == []
