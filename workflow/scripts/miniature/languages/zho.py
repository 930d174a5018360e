"""Mandarin Chinese: no agreement; demonstratives with classifiers; places before the verb and modifiers before the noun."""

from miniature.language import Language, Segment
from miniature.world import INTRANSITIVE, Agreement, Clause, NounPhrase, Relative


class Chinese(Language):
    code = "zho"
    phenomena = ()
    space = ""
    stop = "。"
    question_mark = "？"

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun]
        adjective = self.lexicon["adjectives"][phrase.adjective] if phrase.adjective else ""
        modifier = phrase.modifier
        if modifier is None:
            return self._definite(phrase.noun, phrase.plural, adjective)
        attractor = self._definite(modifier.noun, modifier.plural)
        if isinstance(modifier, Relative):
            relative = self.lexicon["verbs"][modifier.verb] + attractor + "的"
            return self._definite(phrase.noun, phrase.plural, relative + adjective)
        # A place comes before the demonstrative: two demonstratives in a row (那个那些狗后面的男孩) would be clumsy.
        beside = attractor + self.lexicon["prepositions"][modifier.preposition] + "的"
        return beside + self._definite(phrase.noun, phrase.plural, adjective)

    def _definite(self, noun: str, plural: bool, modifiers: str = "") -> str:
        """Singular: 那 and the noun's classifier; plural: 那些. So number is as visible as elsewhere."""
        classifier, word = self.lexicon["nouns"][noun]
        return "那" + ("些" if plural else classifier) + modifiers + word

    def verb(self, verb: str, agreement: Agreement) -> str:
        return self.lexicon["verbs"][verb]

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """Subject, place, verb, object; a fronted place is set off by a comma.

        A verb that would stand alone after its subject is in the progressive (她在笑), as the bare 她笑 sounds unfinished.
        """
        verb = self.verb(clause.verb, agreement)
        if clause.verb in INTRANSITIVE and (clause.fronted or not clause.place):
            verb = "在" + verb
        segments = [Segment("subject", self.noun_phrase(clause.subject, "subject")), Segment("verb", verb)]
        if clause.object:
            segments.append(Segment("object", self.noun_phrase(clause.object, "object")))
        if clause.place:
            place = Segment("place", self.place(clause.place))
            segments = [place, Segment("other", "，"), *segments] if clause.fronted else [segments[0], place, *segments[1:]]
        return segments

    def ask_who(self, clause: Clause) -> str:
        segments = self.segments(clause, self.agreement(clause.subject))
        return self.asked(*("谁" if segment.role == "subject" else segment.text for segment in segments))

    def ask_what(self, clause: Clause) -> str:
        return self.asked(self.noun_phrase(clause.subject, "subject"), self.lexicon["verbs"][clause.verb], "什么")

    def ask_where(self, clause: Clause) -> str:
        return self.asked(self.noun_phrase(clause.subject, "subject"), "在哪里", self.lexicon["verbs"][clause.verb])
