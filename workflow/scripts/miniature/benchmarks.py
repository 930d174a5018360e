"""The five benchmarks of the miniature world, as rows in the formats of the real ones.

All content comes from the held-out side of the world (`documents.is_held_out`), and is the same in every language, as in the
translated benchmarks; only MultiBLiMP's pairs are made per language, because the languages differ in what their verbs show.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from miniature.documents import (
    Narrator,
    answer,
    ask,
    fact_clauses,
)
from miniature.language import Language
from miniature.world import PEOPLE, PLACES, SCRIPTS, THINGS, Beside, Clause, NounPhrase, Relative

Row = dict[str, Any]

PHENOMENA = {"number": "SV-#", "person": "SV-P", "gender": "SV-G"}  # MultiBLiMP's own labels


def _unique(rows: Iterator[tuple[Any, Row]]) -> Iterator[Row]:
    seen = set()
    for key, row in rows:
        if key not in seen:
            seen.add(key)
            yield row


def minimal_pairs(language: Language, count: int, seed: int) -> list[Row]:
    """MultiBLiMP (Jumelet et al. 2025): sentences that differ in the verb; half of the pairs, as there, in its number."""
    narrator = Narrator(random.Random(f"multiblimp {seed}"), held_out=True)

    def pairs(phenomenon: str) -> Iterator[tuple[Any, Row]]:
        for _ in range(200 * count):
            clause = narrator.event(attractor=0.4)
            for name, right, wrong in language.minimal_pairs(clause):
                if name == phenomenon:
                    yield right, {"sen": right, "wrong_sen": wrong, "phenomenon": PHENOMENA[name], **_attractor(clause)}

    others = len(language.phenomena) - 1
    wanted = [count - others * (count // 2 // others), *[count // 2 // others] * others]
    return [
        row
        for phenomenon, number in zip(language.phenomena, wanted, strict=True)
        for row in islice(_unique(pairs(phenomenon)), number)
    ]


def _attractor(clause: Clause) -> Row:
    modifier = clause.subject.modifier
    distance = {Beside: "prepositional phrase", Relative: "relative clause", type(None): ""}[type(modifier)]
    return {"attractor": distance, "verb": clause.verb, "num": "PL" if clause.subject.plural else "SG"}


def passages(language: Language, count: int, seed: int) -> list[Row]:
    """Belebele (Bandarkar et al. 2024): who does something, or where, in a passage; one of the wrong answers is in it too."""
    narrator = Narrator(random.Random(f"belebele {seed}"), held_out=True)
    rng = narrator.rng

    def rows() -> Iterator[tuple[Any, Row]]:
        while True:
            clauses = narrator.passage()
            kind = rng.choice(("who", "where"))
            clause = rng.choice([clause for clause in clauses if kind == "who" or clause.place])
            near, far = _other_answers(rng, kind, clauses, clause)
            choices = [clause, near, *far]
            rng.shuffle(choices)
            text = language.space.join(language.sentence(clause) for clause in clauses)
            yield (
                tuple(clauses),
                {
                    "flores_passage": text,
                    "question": ask(language, kind, clause),
                    **{f"mc_answer{number}": answer(language, kind, choice) for number, choice in enumerate(choices, 1)},
                    "correct_answer_num": str(choices.index(clause) + 1),
                },
            )

    return list(islice(_unique(rows()), count))


def _other_answers(rng: random.Random, kind: str, clauses: list[Clause], right: Clause) -> tuple[Clause, list[Clause]]:
    """Clauses whose constituents are wrong answers: one from the passage, two from elsewhere."""
    if kind == "where":
        (near,) = (clause for clause in clauses if clause.place and clause != right)
        places = rng.sample([place for place in PLACES if place not in (right.place, near.place)], 2)
        return near, [Clause(right.subject, right.verb, None, place) for place in places]
    near = rng.choice([clause for clause in clauses if clause.subject != right.subject])
    mentioned = {clause.subject.noun for clause in clauses}
    nouns = rng.sample([noun for noun in PEOPLE if noun not in mentioned], 2)
    return near, [Clause(NounPhrase(noun, right.subject.plural), right.verb, right.object, right.place) for noun in nouns]


def endings(language: Language, count: int, seed: int) -> list[Row]:
    """HellaSwag (Zellers et al. 2019): what does one go on to do at a place? The wrong endings belong to other places."""
    narrator = Narrator(random.Random(f"hellaswag {seed}"), held_out=True)
    rng = narrator.rng

    def rows() -> Iterator[tuple[Any, Row]]:
        for index in range(100 * count):
            first, right = narrator.scene()
            others = [place for place, (verb, _) in SCRIPTS.items() if place != first.place and verb != right.verb]
            choices = [right, *(narrator.activity(right.subject, place) for place in rng.sample(others, 3))]
            rng.shuffle(choices)
            subject, texts = _beginning(language, choices)
            yield (
                (first, right),
                {
                    "ind": index,
                    "activity_label": "",
                    "ctx_a": language.sentence(first),
                    "ctx_b": subject,
                    "ctx": language.sentence(first) + language.space + subject,
                    "endings": texts,
                    "label": str(choices.index(right)),
                },
            )

    return list(islice(_unique(rows()), count))


def _beginning(language: Language, clauses: list[Clause]) -> tuple[str, list[str]]:
    """What the sentences of some clauses have in common at the start, their subject, and how each goes on."""
    texts = [language.sentence(clause) for clause in clauses]
    subject = language.written([language.noun_phrase(clauses[0].subject, "subject")]).removesuffix(language.stop)
    if any(not text.startswith(subject) for text in texts):
        raise ValueError(f"{language.code}: not all of {texts} begin with {subject!r}")
    return subject, [text.removeprefix(subject).removeprefix(language.space) for text in texts]


def fact_questions(language: Language, count: int, seed: int) -> list[Row]:
    """X-CSQA (Lin et al. 2021): questions about the world's facts, which training text states but never asks."""
    narrator = Narrator(random.Random(f"xcsqa {seed}"), held_out=True)
    rng = narrator.rng

    def rows() -> Iterator[tuple[Any, Row]]:
        for index in range(100 * count):
            noun, plural, kind = narrator.fact_question()
            home, habit = fact_clauses(noun, plural, rng.random() < 0.5)
            clause = home if kind == "where" else habit
            choices = [clause, *_other_facts(rng, kind, clause)]
            rng.shuffle(choices)
            stem = ask(language, kind, clause)
            texts = [answer(language, kind, choice) for choice in choices]
            yield (
                (stem, tuple(texts)),
                {
                    "id": str(index),
                    "lang": language.code,
                    "question": {
                        "stem": stem,
                        "choices": [dict(label=label, text=text) for label, text in zip("ABCDE", texts, strict=True)],
                    },
                    "answerKey": "ABCDE"[choices.index(clause)],
                },
            )

    return list(islice(_unique(rows()), count))


def _other_facts(rng: random.Random, kind: str, right: Clause) -> list[Clause]:
    if kind == "where":
        return [
            Clause(right.subject, right.verb, None, place) for place in rng.sample([p for p in PLACES if p != right.place], 4)
        ]
    plural = right.object.plural
    things = rng.sample([thing for thing in THINGS if thing != right.object.noun], 4)
    return [Clause(right.subject, right.verb, NounPhrase(thing, plural)) for thing in things]


def translations(language: Language, count: int, seed: int) -> dict[str, list[str]]:
    """FLORES-200: the same sentences in every language; as many again in `dev`, from which examples are taken."""
    narrator = Narrator(random.Random(f"flores200 {seed}"), held_out=True)
    clauses = list(islice(_unique((clause, clause) for clause in iter(lambda: narrator.event(pronoun=0.1), None)), 2 * count))
    sentences = [language.sentence(clause) for clause in clauses]
    return {"devtest": sentences[:count], "dev": sentences[count:]}


MAKERS: dict[str, Callable[[Language, int, int], list[Row]]] = {
    "multiblimp": minimal_pairs,
    "belebele": passages,
    "hellaswag": endings,
    "xcsqa": fact_questions,
}
