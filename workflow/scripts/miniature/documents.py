"""Training text of the miniature world: short documents of related sentences, and what is kept out of them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate

from miniature.language import Language
from miniature.world import (
    ANIMATE_ADJECTIVES,
    ANIMATES,
    FACTS,
    INTRANSITIVE,
    MOTION,
    NOUNS,
    PEOPLE,
    PERCEPTION,
    PLACES,
    PREPOSITIONS,
    PRONOUNS,
    SCRIPTS,
    THING_ADJECTIVES,
    THINGS,
    Beside,
    Clause,
    NounPhrase,
    Relative,
    content_bucket,
)

# A tenth of all meanings is set aside, and so are two fifths of the questions about facts, of which there are only 96.
HELD_OUT_CLAUSES = (0, 1)  # of 20 buckets
HELD_OUT_QUESTIONS = (0, 1)  # of 5 buckets

EVERYDAY = tuple(verb for verb in INTRANSITIVE if verb != "live")  # "live" is for facts
FACT_KINDS = ("what", "where")  # what is asked about a fact


def is_held_out(clause: Clause) -> bool:
    """Whether this meaning is kept for evaluation, in every language and run.

    Decided without the place, which some languages add before or after an unchanged rest, and with he and she alike, which
    Turkish does not distinguish: else a training sentence could contain an evaluation item.
    """
    subject = NounPhrase("he") if clause.subject.noun == "she" else clause.subject
    return content_bucket(replace(clause, subject=subject, place=None, fronted=False), 20) in HELD_OUT_CLAUSES


def is_held_out_question(noun: str, plural: bool, kind: str) -> bool:
    """Whether the question of this kind about a noun's fact, in this number, is kept for evaluation (its statement is not)."""
    return content_bucket((noun, plural, kind), 5) in HELD_OUT_QUESTIONS


@cache
def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / (rank + 2) for rank in range(count)))


class Narrator:
    """Draws meanings at random: held-out ones for evaluation, the others for training."""

    def __init__(self, rng: random.Random, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out

    def draw(self, make: Callable[[], Clause]) -> Clause:
        """The first clause that `make()` gives on this side of the split."""
        while is_held_out(clause := make()) != self.held_out:
            pass
        return clause

    def pick(self, options: Sequence[str]) -> str:
        """One of the options, the first ones more often, as words are in any language (Zipf's law, flattened)."""
        options = tuple(options)
        return self.rng.choices(options, cum_weights=_zipf(len(options)))[0]

    def maybe(self, probability: float) -> bool:
        return self.rng.random() < probability

    def noun_phrase(self, nouns: tuple[str, ...] | list[str], attractor: float = 0.0) -> NounPhrase:
        """A random noun phrase, with an adjective in a quarter of the cases and an attractor with the given probability."""
        rng = self.rng
        noun = self.pick(nouns)
        adjectives = THING_ADJECTIVES if noun in THINGS else ANIMATE_ADJECTIVES
        modifier: Beside | Relative | None = None
        if self.maybe(attractor):
            if noun in ANIMATES and self.maybe(0.5):
                modifier = Relative(self.pick(PERCEPTION), self.pick(ANIMATES), self.maybe(0.5))
            else:
                modifier = Beside(rng.choice(PREPOSITIONS), self.pick(NOUNS), self.maybe(0.5))
        return NounPhrase(noun, self.maybe(0.5), self.pick(adjectives) if self.maybe(0.25) else None, modifier)

    def pronoun(self, choices: tuple[str, ...] = PRONOUNS) -> NounPhrase:
        noun = self.rng.choice(choices)
        return NounPhrase(noun, noun in ("we", "they"))

    def event(self, attractor: float = 0.35, pronoun: float = 0.3) -> Clause:
        """Something that happens: perception, an action without an object, or a motion in the past."""
        return self.draw(lambda: self._event(attractor, pronoun))

    def _event(self, attractor: float, pronoun: float) -> Clause:
        rng = self.rng
        subject = self.pronoun() if self.maybe(pronoun) else self.noun_phrase(ANIMATES, attractor)
        kind = rng.random()
        if kind < 0.33:
            if subject.is_pronoun:
                subject = self.pronoun(("he", "she", "they"))
            return Clause(subject, self.pick(MOTION))
        place = self.pick(PLACES) if self.maybe(0.3) else None
        fronted = place is not None and self.maybe(0.4)
        if kind < 0.55:
            return Clause(subject, self.pick(EVERYDAY), None, place, fronted)
        verb = self.pick(PERCEPTION)
        seen = NOUNS if verb in ("see", "find") else ANIMATES
        return Clause(subject, verb, self.noun_phrase(seen), place, fronted)

    def person(self) -> NounPhrase:
        return self.noun_phrase(PEOPLE)

    def presence(self, subject: NounPhrase, place: str) -> Clause:
        """That somebody is at a place, doing there what could be done anywhere."""
        return Clause(subject, self.rng.choice(("sing", "dance", "laugh", "run", "cry")), None, place)

    def activity(self, subject: NounPhrase, place: str) -> Clause:
        """What is done at a place, by anybody there."""
        verb, thing = SCRIPTS[place]
        return Clause(subject, verb, NounPhrase(thing, self.maybe(0.5)) if thing else None)

    def scene(self) -> tuple[Clause, Clause]:
        """Somebody is somewhere and does what one does there."""
        while True:
            subject, place = self.person(), self.pick(PLACES)
            clauses = self.presence(subject, place), self.activity(subject, place)
            if all(is_held_out(clause) == self.held_out for clause in clauses):
                return clauses

    def passage(self) -> list[Clause]:
        """Three events by different people and animals, two of them at different places: something to ask about."""
        rng = self.rng

        def named() -> NounPhrase:
            return NounPhrase(self.pick(ANIMATES), self.maybe(0.5))

        def encounter() -> Clause:
            return Clause(named(), self.pick(PERCEPTION), named())

        def presence() -> Clause:
            return Clause(named(), self.pick(EVERYDAY), None, self.pick(PLACES))

        while True:
            clauses = [self.draw(encounter), self.draw(presence), self.draw(presence)]
            nouns = [phrase.noun for clause in clauses for phrase in (clause.subject, clause.object) if phrase]
            if len(set(nouns)) == len(nouns) and clauses[1].place != clauses[2].place:
                rng.shuffle(clauses)
                return clauses

    def fact_question(self) -> tuple[str, bool, str]:
        """Whose fact is asked about, whether of one or of several, and what is asked."""
        while True:
            key = self.pick(FACTS), self.maybe(0.5), self.rng.choice(FACT_KINDS)
            if is_held_out_question(*key) == self.held_out:
                return key


def fact_clauses(noun: str, plural: bool, things_plural: bool) -> tuple[Clause, Clause]:
    """What is known of a noun: where it lives, and what it does to which thing."""
    place, verb, thing = FACTS[noun]
    subject = NounPhrase(noun, plural)
    return Clause(subject, "live", None, place), Clause(subject, verb, NounPhrase(thing, things_plural))


def question_and_answer(language: Language, kind: str, clause: Clause) -> tuple[str, str]:
    """A question about a clause and its answer, as written."""
    return ask(language, kind, clause), answer(language, kind, clause)


def ask(language: Language, kind: str, clause: Clause) -> str:
    """The question of a kind about a clause."""
    return {"who": language.ask_who, "what": language.ask_what, "where": language.ask_where}[kind](clause)


def answer(language: Language, kind: str, clause: Clause) -> str:
    """The constituent of a clause that answers the question of a kind, written as a short sentence.

    Raises:
        ValueError: if the clause has no such constituent.
    """
    if kind == "who":
        return language.written([language.noun_phrase(clause.subject, "subject")])
    if kind == "what" and clause.object:
        return language.written([language.noun_phrase(clause.object, "object")])
    if kind == "where" and clause.place:
        return language.written([language.place(clause.place)])
    raise ValueError(f"{clause} cannot answer '{kind}'")


def exercise(words: dict[str, str], passage: str, question: str, answer: str) -> str:
    """A question and its answer, after a passage or without one, laid out as in the cloze form of the benchmarks."""
    colon = words["colon"] + words["space"]
    lines = (passage, words["question_word"] + colon + question, words["answer_word"] + colon + answer)
    return "\n".join(filter(None, lines))


class Writer:
    """Writes the training documents of one language."""

    def __init__(self, language: Language, words: dict[str, str], rng: random.Random) -> None:
        self.language, self.words, self.rng = language, words, rng
        self.narrator = Narrator(rng, held_out=False)

    def text(self, clauses: list[Clause] | tuple[Clause, ...]) -> str:
        separator = self.language.space
        return separator.join(self.language.sentence(clause) for clause in clauses)

    def document(self) -> str:
        kinds = (self._events, self._scene, self._comprehension, self._fact, self._fact_question)
        (kind,) = self.rng.choices(kinds, weights=(58, 16, 12, 7, 7))
        return kind()

    def _events(self) -> str:
        return self.text([self.narrator.event() for _ in range(self.rng.randint(2, 4))])

    def _scene(self) -> str:
        scene = self.narrator.scene()
        more = [self.narrator.event()] if self.rng.random() < 0.5 else []
        return self.text([*scene, *more])

    def _comprehension(self) -> str:
        clauses = self.narrator.passage()
        clause = self.rng.choice(clauses)
        question, answer = question_and_answer(
            self.language, "where" if clause.place and self.rng.random() < 0.5 else "who", clause
        )
        return exercise(self.words, self.text(clauses), question, answer)

    def _fact(self) -> str:
        noun = self.narrator.pick(FACTS)
        return self.text(fact_clauses(noun, self.narrator.maybe(0.5), self.narrator.maybe(0.5)))

    def _fact_question(self) -> str:
        noun, plural, kind = self.narrator.fact_question()
        home, habit = fact_clauses(noun, plural, self.narrator.maybe(0.5))
        question, answer = question_and_answer(self.language, kind, home if kind == "where" else habit)
        return exercise(self.words, "", question, answer)


def translation(source: tuple[str, Language], target: tuple[str, Language], clause: Clause) -> str:
    """A sentence and its translation, laid out as in the translation benchmark's prompt; each language with its label."""
    return " ".join(f"{label}: {language.sentence(clause)}" for label, language in (source, target))
