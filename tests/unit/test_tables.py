"""Tables against means, CVs and intervals computed independently with the statistics module, and the rules of the error modes."""

import csv
import math
import statistics
from pathlib import Path

import pandas as pd
import pytest
import tabulate_benchmark
import tabulate_correlations
import tabulate_overview
import tabulate_samples
from synthetic_scores import LANGUAGES, make_config, write_scores

from study.experiment import Cell
from study.files import UserError
from study.generations import MODES, classify, identify, is_copy, repeats, train_identifier
from study.languages import LANGUAGES as TABLE
from study.languages import language
from study.scores import read_scores
from study.tables import number

SENTENCES = {
    "eng": ["The old man reads the newspaper in the garden.", "The children are playing with the dog near the house.",
            "We would like to know when the train arrives.", "She has never seen such a beautiful city."],
    "deu": ["Der alte Mann liest die Zeitung im Garten.", "Die Kinder spielen mit dem Hund neben dem Haus.",
            "Wir möchten wissen, wann der Zug ankommt.", "Sie hat noch nie eine so schöne Stadt gesehen."],
    "fra": ["Le vieil homme lit le journal dans le jardin.", "Les enfants jouent avec le chien près de la maison.",
            "Nous voudrions savoir quand le train arrive.", "Elle n'a jamais vu une si belle ville."],
    "ita": ["Il vecchio uomo legge il giornale nel giardino.", "I bambini giocano con il cane vicino alla casa.",
            "Vorremmo sapere quando arriva il treno.", "Non ha mai visto una città così bella."],
    "nld": ["De oude man leest de krant in de tuin.", "De kinderen spelen met de hond bij het huis.",
            "We willen graag weten wanneer de trein aankomt.", "Ze heeft nog nooit zo'n mooie stad gezien."],
    "rus": ["Старик читает газету в саду.", "Дети играют с собакой возле дома.",
            "Мы хотели бы знать, когда придёт поезд.", "Она никогда не видела такого красивого города."],
    "spa": ["El viejo lee el periódico en el jardín.", "Los niños juegan con el perro cerca de la casa.",
            "Quisiéramos saber cuándo llega el tren.", "Ella nunca ha visto una ciudad tan hermosa."],
    "tur": ["Yaşlı adam bahçede gazete okuyor.", "Çocuklar evin yanında köpekle oynuyor.",
            "Trenin ne zaman geleceğini bilmek istiyoruz.", "Hiç bu kadar güzel bir şehir görmemişti."],
    "ara": ["يقرأ الرجل العجوز الجريدة في الحديقة.", "يلعب الأطفال مع الكلب بالقرب من البيت.",
            "نود أن نعرف متى يصل القطار.", "لم تر قط مدينة جميلة كهذه."],
    "zho": ["老人在花园里看报纸。", "孩子们在房子旁边和狗玩。", "我们想知道火车什么时候到。", "她从未见过这么美丽的城市。"],
}  # fmt: skip
UNSEEN = {
    "eng": "The teacher is writing a letter to her friends.",
    "deu": "Die Lehrerin schreibt einen Brief an ihre Freunde.",
    "fra": "La maîtresse écrit une lettre à ses amis.",
    "ita": "La maestra scrive una lettera ai suoi amici.",
    "nld": "De lerares schrijft een brief aan haar vrienden.",
    "rus": "Учительница пишет письмо своим друзьям.",
    "spa": "La maestra escribe una carta a sus amigos.",
    "tur": "Öğretmen arkadaşlarına bir mektup yazıyor.",
    "ara": "تكتب المعلمة رسالة إلى صديقاتها.",
    "zho": "老师正在给她的朋友们写信。",
}


def value(cell: Cell) -> float:
    """A score that differs by model and language in a known way."""
    base = {"untrained": 50, "mixed": 85}.get(cell.model, 55 if cell.model.startswith("merged") else 95)
    return base + LANGUAGES.index(cell.language) / 2


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    config = make_config(models={"baselines": {"b-1": {"label": "Base_line", "tokens": 5e6}}, "experts": {}, "mixed": {}})
    write_scores(folder, config, value)
    return folder


def arguments(run: Path) -> list[str]:
    return ["--experiment", str(run / "experiment.json"), "--scores", str(run / "scores")]


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_scores_are_percent_and_name_the_missing_file(run):
    experiment = tabulate_overview.load_experiment(run / "experiment.json")
    row = read_scores(experiment, [Cell("mixed", "multiblimp", "deu")], run / "scores").iloc[0]
    assert row.score == pytest.approx(85.5) and row.metric == "acc"
    assert row.se == pytest.approx(100 * math.sqrt(0.855 * 0.145 / 900))
    assert read_scores(experiment, [Cell("mixed", "flores200", "deu")], run / "scores").score[0] == pytest.approx(
        85.5
    )  # chrF++ as is
    with pytest.raises(UserError, match=r"1 of 1 .*nobody/multiblimp/deu\.json"):
        read_scores(experiment, [Cell("nobody", "multiblimp", "deu")], run / "scores")


def test_overview_equals_means_and_cvs_by_hand(run, tmp_path):
    tabulate_overview.main([*arguments(run), "--output", str(tmp_path / "t.csv"), str(tmp_path / "t.tex")])
    rows = {(row["row"], row["benchmark"]): row for row in read(tmp_path / "t.csv")}
    assert len(rows) == 7 * 5  # baseline, experts, mixed, three merges, floor
    for benchmark, absent in (("multiblimp", "zho"), ("xcsqa", "tur"), ("belebele", None)):
        scores = [value(Cell("mixed", benchmark, x)) for x in LANGUAGES if x != absent]
        row = rows["mixed", benchmark]
        assert float(row["mean"]) == pytest.approx(statistics.mean(scores), rel=1e-5)
        assert float(row["cv"]) == pytest.approx(100 * statistics.stdev(scores) / statistics.mean(scores), rel=1e-5)
        errors = [100 * math.sqrt(s / 100 * (1 - s / 100) / 900) for s in scores]
        half = 1.96 * math.sqrt(sum(e * e for e in errors)) / len(errors)
        assert float(row["high"]) - float(row["mean"]) == pytest.approx(half, rel=1e-3)
        assert int(row["languages"]) == len(scores) and row["averaged"].split() == [x for x in LANGUAGES if x != absent]
    each = 1000 * 16 * 64
    assert float(rows["mono", "belebele"]["tokens"]) == float(rows["mixed", "belebele"]["tokens"]) == each
    assert float(rows["merged-ties", "belebele"]["tokens"]) == 10 * each
    assert float(rows["b-1", "belebele"]["tokens"]) == 5e6 and rows["untrained", "belebele"]["tokens"] == "0"


def test_latex_marks_the_best_and_escapes(run, tmp_path):
    tabulate_benchmark.main(
        [*arguments(run), "--benchmark", "multiblimp", "--output", str(tmp_path / "t.csv"), str(tmp_path / "t.tex")]
    )
    lines = (tmp_path / "t.tex").read_text(encoding="utf-8").splitlines()
    experts = next(line for line in lines if line.startswith("Experts"))
    assert experts.count(r"\textbf") == 9 and experts.endswith(r"& -- \\")  # MultiBLiMP has no Chinese
    assert next(line for line in lines if line.startswith(r"Base\_line")).count(r"\textbf{95.5}") == 1  # a tie: both bold
    assert not any(r"\textbf" in line for line in lines if line.startswith(("Mixed", "Linear", "Untrained")))
    tabular = [line for line in lines if line.endswith(r"\\") and "multicolumn" not in line]
    assert {line.count("&") for line in tabular} == {10}
    rows = read(tmp_path / "t.csv")
    assert {(row["model"], row["language"]) for row in rows if row["row"] == "mono"} == {(f"mono-{x}", x) for x in LANGUAGES[:-1]}
    assert all(float(row["low"]) < float(row["score"]) < float(row["high"]) for row in rows)


def test_numbers_for_print():
    assert (
        number(-0.04) == "0.0"
        and number(-1.25, 2) == "$-$1.25"
        and number(math.nan) == "--"
        and number(3, 1, True) == r"\textbf{3.0}"
    )


def test_correlation_table_states_sign_and_stars(tmp_path):
    columns = ["measure", "n", "spearman_rho", "spearman_p", "pearson_r", "pearson_p", "mantel_spearman_p"]
    table = pd.DataFrame([["cka", 45, 0.4, 0.0064, -0.45, 0.03, 0.0001], ["l2", 45, 0.03, 0.83, 0.04, 0.8, 0.7]], columns=columns)
    table.to_csv(tmp_path / "c.csv", index=False)
    tabulate_correlations.main(["--correlations", str(tmp_path / "c.csv"), "--output", str(tmp_path / "t.tex")])
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"Mean CKA & 0.40** & 0.006 & $<$0.001 & $-$0.45* & 0.030 \\" in latex
    assert r"L2 distance of all weights & 0.03 & 0.830" in latex and "negative: merging loses" in latex


def test_languages_have_the_codes_of_their_sources():
    assert list(TABLE) == sorted(TABLE) and set(LANGUAGES) <= set(TABLE)
    ara, zho = language("ara"), language("zho")
    assert (ara.multiblimp, ara.flores, ara.belebele, ara.hellaswag, ara.hplt_model) == (
        "arb",
        "arb_Arab",
        "arb_Arab",
        "ar",
        "ara",
    )
    assert (zho.flores, zho.flores_plus, zho.xcsqa, zho.hplt_model, zho.lang2vec) == ("zho_Hans", "cmn_Hans", "zh", "zhos", "cmn")
    assert language("rus").flores == "rus_Cyrl"
    with pytest.raises(UserError, match="xyz"):
        language("xyz")


def test_identifier_knows_unseen_sentences_of_the_ten_languages():
    identifier = train_identifier(SENTENCES)
    found = identify(identifier, list(UNSEEN.values()))
    # From four sentences each it may be unsure, but not wrong.
    assert all(name in (truth, "") for name, truth in zip(found, UNSEEN, strict=True))
    assert identifier.predict(list(UNSEEN.values())).tolist() == list(UNSEEN) and found.count("") <= 3
    assert (
        identify(identifier, ["", "1 2 3 !", "ვეფხისტყაოსანი", "der ло 的 ing ность"]) == [""] * 4
    )  # no letters, unknown or mixed scripts


def test_error_modes_by_rule():
    source, reference = SENTENCES["eng"][1], SENTENCES["fra"][1]
    assert is_copy(source, source, reference) and is_copy(source.removesuffix("."), source, reference)
    assert not is_copy(reference, source, reference) and not is_copy("", source, reference)
    assert repeats("12 34 56 78 9") and repeats("la la la la la la la la la") and not repeats(reference) and not repeats("")
    hypotheses = [reference, source, UNSEEN["deu"], "1 1 1 1 1 1", "", "der ло 的 ing"]
    items = pd.DataFrame({"source": source, "reference": reference, "hypothesis": hypotheses, "hit_limit": [0, 0, 1, 1, 0, 0]})
    modes = classify(items, "fra", train_identifier(SENTENCES))
    found = {mode: [i for i, hit in enumerate(modes[mode]) if hit] for mode in MODES}
    expected = {"copy": [1], "other_language": [1, 2], "no_language": [5], "no_stop": [2, 3], "repetition": [3], "empty": [3, 4]}
    assert found == expected


def test_samples_count_the_modes_of_every_model(run, tmp_path):
    experiment = tabulate_overview.load_experiment(run / "experiment.json")
    source, reference = SENTENCES["eng"], SENTENCES["fra"]
    for model in experiment.sample_models():
        outputs = {"mixed": reference, "mono-eng": source}.get(model, ["999 & 9_9 999", "", "…\n", "% 1"])
        items = {
            "item": range(4),
            "source": source,
            "reference": reference,
            "hypothesis": outputs,
            "tokens": 5,
            "hit_limit": False,
        }
        (tmp_path / model / "flores200").mkdir(parents=True)
        pd.DataFrame(items).to_parquet(tmp_path / model / "flores200" / "fra.parquet")
    files = []
    for name in LANGUAGES:
        files.append(tmp_path / f"{name}.dev")
        files[-1].write_text("\n".join(SENTENCES[name]) + "\n", encoding="utf-8")
    outputs = [str(tmp_path / f"t.{kind}") for kind in ("csv", "tex")]
    common = ["--experiment", str(run / "experiment.json"), "--items", str(tmp_path), "--output", *outputs, "--sentences"]
    tabulate_samples.main([*common, *map(str, files), "--counts", str(tmp_path / "counts.csv")])
    counts = {row["model"]: row for row in read(tmp_path / "counts.csv")}
    assert set(counts) == {
        "b-1",
        "mixed",
        "merged-linear",
        "merged-ties",
        "merged-dare_ties",
        "untrained",
        "mono-eng",
        "mono-fra",
    }
    assert (counts["mixed"]["none"], counts["mixed"]["copy"], counts["mono-eng"]["copy"]) == ("100", "0", "100")
    assert counts["mono-eng"]["other_language"] == "100" and counts["untrained"]["empty"] == "100"
    assert len(read(tmp_path / "t.csv")) == 4 * len(counts)
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"999 \& 9\_9 999" in latex and latex.count(r"\emph{Source}") == 2  # as many sentences as the experiment says
    with pytest.raises(UserError, match="2 files for 10 languages"):
        tabulate_samples.main([*common, *map(str, files[:2])])
