"""German: verb-second main clauses, verb-final relative clauses, three cases, weak adjectives, number and person agreement."""

from dataclasses import replace

from miniature.language import Language, Segment
from miniature.world import ANIMALS, ANIMATES, Agreement, Clause, NounPhrase, Relative

# The definite article; its nominative is the relative pronoun too.
ARTICLES = {
    "subject": {"m": "der", "f": "die", "n": "das", "plural": "die"},
    "object": {"m": "den", "f": "die", "n": "das", "plural": "die"},
    "dative": {"m": "dem", "f": "der", "n": "dem", "plural": "den"},
}


class German(Language):
    """Also what Dutch is built on, which shares the clause structure; what is written around it differs."""

    code = "deu"
    phenomena = ("number", "person")
    relative_opening = ", "

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Cases are "subject", "object" and, after prepositions, "dative"; a relative clause at the end is left open."""
        head, modifier = self._simple(phrase.noun, phrase.plural, case, phrase.adjective), phrase.modifier
        if isinstance(modifier, Relative):
            verb = self._finite(modifier.verb, phrase.noun, Agreement(3, phrase.plural))
            seen = self._object(modifier.verb, NounPhrase(modifier.noun, modifier.plural))
            return head + self.relative_opening + " ".join([self._relative_pronoun(phrase), seen, verb])
        if modifier:
            preposition = self.lexicon["prepositions"][modifier.preposition]
            return f"{head} {preposition} {self._simple(modifier.noun, modifier.plural, 'dative')}"
        return head

    def _simple(self, noun: str, plural: bool, case: str, adjective: str | None = None) -> str:
        """Article, adjective and noun, or a pronoun."""
        if noun in self.lexicon["pronouns"]:
            return self.lexicon["pronouns"][noun][case]
        gender = self.lexicon["nouns"][noun]["gender"]
        words = [ARTICLES[case]["plural" if plural else gender]]
        if adjective:
            short = not plural and (case == "subject" or (case == "object" and gender != "m"))
            words.append(self.lexicon["adjectives"][adjective] + ("e" if short else "en"))
        return " ".join([*words, self._noun(noun, plural, case)])

    def _noun(self, noun: str, plural: bool, case: str) -> str:
        forms = self.lexicon["nouns"][noun]
        if plural:
            return forms["pl"] + ("n" if case == "dative" and forms["pl"][-1] not in "ns" else "")
        return forms["sg"] if case == "subject" else forms.get("oblique", forms["sg"])

    def _object(self, verb: str, phrase: NounPhrase) -> str:
        """The object as its verb takes it; a few Dutch verbs take a preposition: "van de hond houden"."""
        preposition = self.lexicon["object_prepositions"].get(verb)
        return " ".join(filter(None, [preposition, self.noun_phrase(phrase, "object")]))

    def _relative_pronoun(self, head: NounPhrase) -> str:
        return ARTICLES["subject"]["plural" if head.plural else self.lexicon["nouns"][head.noun]["gender"]]

    def verb(self, verb: str, agreement: Agreement) -> str:
        """The finite verb without its particle."""
        return self._form(self.lexicon["verbs"][verb], agreement)

    def _form(self, forms: list[str], agreement: Agreement) -> str:
        return forms[agreement.person - 1 + 3 * agreement.plural]

    def _finite(self, verb: str, subject: str, agreement: Agreement, inverted: bool = False) -> str:
        """The finite verb after its subject or, if `inverted`, before it. Animals have verbs of their own: fressen, not essen."""
        own = self.lexicon["verbs_of_animals"]
        return self._form(own[verb], agreement) if verb in own and subject in ANIMALS else self.verb(verb, agreement)

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """The verb stands second; the particle of a separable verb ("kam ... an") closes the clause as role "other"."""
        fronted = clause.fronted and clause.place is not None
        subject = Segment("subject", self.noun_phrase(clause.subject, "subject"))
        verb = Segment("verb", self._finite(clause.verb, clause.subject.noun, agreement, inverted=fronted))
        place = [Segment("place", self.place(clause.place))] if clause.place else []
        rest = [Segment("object", self._object(clause.verb, clause.object))] if clause.object else []
        order = [*place, verb, subject, *rest] if fronted else [subject, verb, *rest, *place]
        order += [Segment("other", particle) for particle in self._particle(clause.verb)]
        # A relative clause ends in a comma, unless the sentence ends there.
        phrases = {"subject": clause.subject, "object": clause.object}
        for i, segment in enumerate(order[:-1]):
            if segment.role in phrases and isinstance(phrases[segment.role].modifier, Relative):
                order[i] = replace(segment, text=segment.text + ",")
        return order

    def _particle(self, verb: str) -> list[str]:
        particle = self.lexicon["particles"].get(verb)
        return [particle] if particle else []

    def ask_who(self, clause: Clause) -> str:
        segments = self.segments(clause, Agreement(3, False))
        return self.asked(self.lexicon["questions"]["who"], *(segment.text for segment in segments if segment.role != "subject"))

    def ask_what(self, clause: Clause) -> str:
        return self._ask(clause, "what")

    def ask_where(self, clause: Clause) -> str:
        return self._ask(clause, "where")

    def _ask(self, clause: Clause, question: str) -> str:
        """The question word is first and the verb second, so that the subject follows."""
        # The question word stands where some fronted place would.
        statement = Clause(clause.subject, clause.verb, place="park", fronted=True)
        segments = self.segments(statement, self.agreement(clause.subject))
        return self.asked(self.lexicon["questions"][question], *(segment.text for segment in segments[1:]))

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """Whether the verb suits another reading: "sie" as she or they, the object as subject, or another word or mood."""
        subjects = self._agreements(clause.subject)
        if clause.object and self._reversible(clause):
            subjects |= self._agreements(clause.object)
        fronted = clause.fronted and clause.place is not None
        own, *others = (
            self._finite(clause.verb, clause.subject.noun, other, inverted=fronted) for other in (agreement, *subjects)
        )
        return own in others or self._other_word(own, clause, subjects)

    def _agreements(self, phrase: NounPhrase) -> set[Agreement]:
        """Every agreement that the written subject allows: she and they are written alike."""
        if phrase.noun in ("she", "they"):
            return {Agreement(3, False), Agreement(3, True)}
        agreement = self.agreement(phrase)
        return {Agreement(agreement.person, agreement.plural)}

    def _reversible(self, clause: Clause) -> bool:
        """Whether the object can be read as the subject: "Die Frau sehen die Hunde." A thing that sees is no reading."""
        alike = (
            self.noun_phrase(phrase, "subject") == self._object(clause.verb, phrase) for phrase in (clause.subject, clause.object)
        )
        return clause.object.noun in ANIMATES and all(alike)

    def _other_word(self, form: str, clause: Clause, subjects: set[Agreement]) -> bool:
        """Whether it is the subjunctive of reported speech, like the first person's indicative: "Er sehe den Hund." """
        subjunctive = self._finite(clause.verb, clause.subject.noun, Agreement(1, False))
        return Agreement(3, False) in subjects and form == subjunctive
