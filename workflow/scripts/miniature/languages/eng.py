"""English: subject-verb-object, number and person agreement in the present tense."""

from miniature.language import Language
from miniature.world import MOTION, Agreement, Clause, NounPhrase, Relative


class English(Language):
    code = "eng"
    phenomena = ("number", "person")

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun]
        words = ["the", phrase.adjective and self.lexicon["adjectives"][phrase.adjective], self._noun(phrase.noun, phrase.plural)]
        if isinstance(phrase.modifier, Relative):
            verb = self.verb(phrase.modifier.verb, Agreement(3, phrase.plural))
            words += ["that", verb, "the", self._noun(phrase.modifier.noun, phrase.modifier.plural)]
        elif phrase.modifier:
            words += [phrase.modifier.preposition, "the", self._noun(phrase.modifier.noun, phrase.modifier.plural)]
        return " ".join(filter(None, words))

    def _noun(self, noun: str, plural: bool) -> str:
        return self.lexicon["nouns"][noun]["pl" if plural else "sg"]

    def verb(self, verb: str, agreement: Agreement) -> str:
        forms = self.lexicon["verbs"][verb]
        if verb in MOTION:
            return forms["past"]
        return forms["s" if agreement.person == 3 and not agreement.plural else "base"]

    def ask_who(self, clause: Clause) -> str:
        who = Agreement(3, False)
        return self.asked("who", *(segment.text for segment in self.segments(clause, who) if segment.role != "subject"))

    def ask_what(self, clause: Clause) -> str:
        return self.asked("what", *self._do_support(clause))

    def ask_where(self, clause: Clause) -> str:
        return self.asked("where", *self._do_support(clause))

    def _do_support(self, clause: Clause) -> tuple[str, str, str]:
        agreement = self.agreement(clause.subject)
        auxiliary = "does" if agreement.person == 3 and not agreement.plural else "do"
        return auxiliary, self.noun_phrase(clause.subject, "subject"), self.lexicon["verbs"][clause.verb]["base"]
