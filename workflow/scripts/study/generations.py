"""How a generated translation fails: the paper's error modes (appendix B), counted by rule."""

import re
import unicodedata
from collections import Counter

import pandas as pd
from sacrebleu.metrics import CHRF
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

MODES = {
    "empty": "empty",
    "copy": "copied",
    "other_language": "other language",
    "no_language": "no language",
    "no_stop": "no stop",
    "repetition": "repetition",
}
COPY_CHRF = 60  # chrF of the output against the source from which on it counts as a copy
SURE = 0.5  # probability from which on the language counts as identified
ONE_SCRIPT = 0.8  # share of an output's letters in one script, below which it is in no language
DIGIT_SHARE = 0.3  # of all characters but spaces
NGRAM, DISTINCT_SHARE = 4, 0.5  # an output with fewer distinct character n-grams than this share of all repeats itself

_CHRF = CHRF(word_order=0)


def train_identifier(sentences: dict[str, list[str]]) -> Pipeline:
    """A language identifier from some sentences per language: logistic regression on character 1- to 3-grams within words.

    Character n-gram models are the established method for short texts of a few known languages (Cavnar and Trenkle 1994; Jauhiainen
    et al. 2019); trained on the benchmark's own development sentences, it needs no download and knows any language of the experiment.
    The script follows from single characters.
    """
    texts = [text for texts in sentences.values() for text in texts]
    labels = [language for language, texts in sentences.items() for _ in texts]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True, preprocessor=_letters)
    return make_pipeline(vectors, LogisticRegression(C=300.0, max_iter=300)).fit(texts, labels)


def identify(identifier: Pipeline, texts: list[str]) -> list[str]:
    """The language of each text; empty where scripts are mixed, or no language is more likely than all others together."""
    probabilities = identifier.predict_proba(texts)
    languages = identifier.classes_[probabilities.argmax(axis=1)]
    sure = probabilities.max(axis=1) >= SURE
    return [
        str(name) if known and _has_one_script(text) else "" for name, known, text in zip(languages, sure, texts, strict=True)
    ]


def _has_one_script(text: str) -> bool:
    """Whether nearly all letters are of one script, told by the first word of their Unicode names; False without letters."""
    scripts = Counter(unicodedata.name(c, "?").split()[0] for c in text if c.isalpha())
    return bool(scripts) and max(scripts.values()) >= ONE_SCRIPT * scripts.total()


def _letters(text: str) -> str:
    """Words only, in lower case: no digits, punctuation or symbols, which belong to no language."""
    return " ".join("".join(c if unicodedata.category(c)[0] in "LM" else " " for c in text.lower()).split())


def is_copy(hypothesis: str, source: str, reference: str) -> bool:
    """Whether an output is the source rather than a translation: chrF of at least `COPY_CHRF`, and nearer to it than to the reference."""
    against_source = _CHRF.sentence_score(hypothesis, [source]).score
    return against_source >= COPY_CHRF and against_source > _CHRF.sentence_score(hypothesis, [reference]).score


def repeats(text: str) -> bool:
    """Whether an output consists of numerals to a good part, or of the same few character sequences again and again."""
    characters = re.sub(r"\s+", " ", text.strip())
    dense = characters.replace(" ", "")
    if not dense:
        return False
    if sum(c.isdigit() for c in dense) / len(dense) >= DIGIT_SHARE:
        return True
    ngrams = [characters[i : i + NGRAM] for i in range(len(characters) - NGRAM + 1)]
    return len(ngrams) >= 10 and len(set(ngrams)) / len(ngrams) < DISTINCT_SHARE


def classify(items: pd.DataFrame, target: str, identifier: Pipeline) -> pd.DataFrame:
    """The items with the identified `language` and one boolean column per error mode; an output can have several.

    Args:
        items: with the columns source, reference, hypothesis, hit_limit.
        target: language of the references.
    """
    hypotheses = items.hypothesis.fillna("").tolist()
    languages = identify(identifier, hypotheses)
    texts = zip(hypotheses, items.source, items.reference, strict=True)
    words = [bool(_letters(text)) for text in hypotheses]
    return items.assign(
        hypothesis=hypotheses,
        language=languages,
        empty=[not any_words for any_words in words],
        copy=[is_copy(*text) for text in texts],
        other_language=[language not in ("", target) for language in languages],
        no_language=[not name and any_words for name, any_words in zip(languages, words, strict=True)],
        no_stop=items.hit_limit.astype(bool),
        repetition=[repeats(text) for text in hypotheses],
    )
