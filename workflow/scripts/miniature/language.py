"""What the ten concrete grammars share: how constituents become sentences, questions and minimal pairs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import yaml

from miniature.world import PRONOUNS, Agreement, Clause, NounPhrase

LEXICONS = Path(__file__).parent / "lexicons"
PHENOMENA = ("number", "person", "gender")

PRONOUN_AGREEMENT = {
    "i": Agreement(1, False),
    "you": Agreement(2, False),
    "he": Agreement(3, False, "m"),
    "she": Agreement(3, False, "f"),
    "we": Agreement(1, True),
    "they": Agreement(3, True, "m"),
}
assert tuple(PRONOUN_AGREEMENT) == PRONOUNS


@dataclass(frozen=True)
class Segment:
    """A constituent as it is written. `role`: subject, verb, object, place, or other."""

    role: str
    text: str


class Language:
    """One concrete grammar. Subclasses say how noun phrases, verbs and places look and in which order they stand.

    A subclass sets `code` and overrides `noun_phrase`, `verb`, `segments` and the question methods where they differ from
    subject-verb-object order. `self.lexicon` is the mapping read from `lexicons/{code}.yaml`.
    """

    code: str
    phenomena: tuple[str, ...] = PHENOMENA  # those that this language's verbs can show
    space = " "
    stop = "."
    question_mark = "?"
    question_opening = ""

    def __init__(self) -> None:
        text = (LEXICONS / f"{self.code}.yaml").read_text(encoding="utf-8")
        self.lexicon = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        # One cache per instance, so that a language is freed with its cache.
        self.noun_phrase = lru_cache(maxsize=100_000)(self.noun_phrase)
        self.verb = lru_cache(maxsize=10_000)(self.verb)

    # What a subclass provides -----------------------------------------------------------------------------------------

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """The written noun phrase. `case` is "subject", "object", or another label that the language uses itself."""
        raise NotImplementedError

    def verb(self, verb: str, agreement: Agreement) -> str:
        """The finite verb (or auxiliary with participle) of a main clause."""
        raise NotImplementedError

    def gender(self, phrase: NounPhrase) -> str:
        """The gender that verbs agree with, of a phrase that is not a pronoun; empty where verbs show none."""
        return ""

    def place(self, place: str) -> str:
        """Where: "in the library"."""
        return self.lexicon["places"][place]

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """The constituents of a main clause in their order; here subject, verb, object, place."""
        segments = [
            Segment("subject", self.noun_phrase(clause.subject, "subject")),
            Segment("verb", self.verb(clause.verb, agreement)),
        ]
        if clause.object:
            segments.append(Segment("object", self.noun_phrase(clause.object, "object")))
        if clause.place:
            place = Segment("place", self.place(clause.place))
            segments = [place, *segments] if clause.fronted else [*segments, place]
        return segments

    def ask_who(self, clause: Clause) -> str:
        """The question for the subject: "Who sees the dogs in the park?" The answer is the subject."""
        raise NotImplementedError

    def ask_what(self, clause: Clause) -> str:
        """The question for the thing that is the object: "What does the boy read?" The answer is the object."""
        raise NotImplementedError

    def ask_where(self, clause: Clause) -> str:
        """The question for the place: "Where does the boy wait?" The answer is the place."""
        raise NotImplementedError

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """Whether the clause with this agreement, other than the subject's own, is grammatical all the same."""
        return False

    # What all languages share -----------------------------------------------------------------------------------------

    def agreement(self, subject: NounPhrase) -> Agreement:
        """The agreement that a subject asks of its verb."""
        if subject.is_pronoun:
            return PRONOUN_AGREEMENT[subject.noun]
        return Agreement(3, subject.plural, self.gender(subject))

    def sentence(self, clause: Clause, agreement: Agreement | None = None) -> str:
        """The written sentence; with `agreement`, the verb agrees with that instead of with its subject."""
        return self.written([segment.text for segment in self.segments(clause, agreement or self.agreement(clause.subject))])

    def capitalised(self, text: str) -> str:
        """The text with its first letter in upper case and the rest as it is."""
        return text[:1].upper() + text[1:]

    def written(self, texts: list[str]) -> str:
        """Constituents as a sentence: joined, capitalised, with a full stop."""
        return self.capitalised(self.space.join(texts)) + self.stop

    def asked(self, *texts: str) -> str:
        """Constituents as a question."""
        return self.question_opening + self.capitalised(self.space.join(texts)) + self.question_mark

    def minimal_pairs(self, clause: Clause) -> Iterator[tuple[str, str, str]]:
        """Triples (phenomenon, sentence, ungrammatical sentence) that differ in the verb alone, at most one a phenomenon.

        Person is contrasted after pronouns only: after a noun the other persons' forms mostly repeat the number contrast.
        """
        right = self.agreement(clause.subject)
        sentence = self.sentence(clause)
        for phenomenon in self.phenomena:
            if phenomenon == "person" and not clause.subject.is_pronoun:
                continue
            for wrong in self._alternatives(phenomenon, right):
                other = self.sentence(clause, wrong)
                if other != sentence and not self.acceptable(clause, wrong):
                    yield phenomenon, sentence, other
                    break

    @staticmethod
    def _alternatives(phenomenon: str, right: Agreement) -> list[Agreement]:
        if phenomenon == "number":
            return [replace(right, plural=not right.plural)]
        if phenomenon == "person":
            return [replace(right, person=person) for person in (3, 1, 2) if person != right.person]
        return [replace(right, gender=gender) for gender in ("m", "f", "n") if right.gender and gender != right.gender]
