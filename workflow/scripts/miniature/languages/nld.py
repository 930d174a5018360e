"""Dutch: the clause structure of German without cases; a singular "jij" after its verb takes the form without -t."""

from miniature.languages.deu import German
from miniature.world import Agreement, Clause, NounPhrase


class Dutch(German):
    code = "nld"
    relative_opening = " "  # restrictive relative clauses open without a comma

    def _simple(self, noun: str, plural: bool, case: str, adjective: str | None = None) -> str:
        """Article, adjective (always in -e, as the phrase is definite) and noun, or a pronoun."""
        if noun in self.lexicon["pronouns"]:
            return self.lexicon["pronouns"][noun]["subject" if case == "subject" else "object"]
        article = "het" if self._neuter(noun, plural) else "de"
        words = [article, adjective and self.lexicon["adjectives"][adjective], self._noun(noun, plural, case)]
        return " ".join(filter(None, words))

    def _noun(self, noun: str, plural: bool, case: str) -> str:
        return self.lexicon["nouns"][noun]["pl" if plural else "sg"]

    def _neuter(self, noun: str, plural: bool) -> bool:
        return not plural and self.lexicon["nouns"][noun].get("neuter", False)

    def _relative_pronoun(self, head: NounPhrase) -> str:
        return "dat" if self._neuter(head.noun, head.plural) else "die"

    def _form(self, forms: list[str], agreement: Agreement) -> str:
        first, other, plural = forms
        if agreement.plural:
            return plural
        return first if agreement.person == 1 else other

    def _finite(self, verb: str, subject: str, agreement: Agreement, inverted: bool = False) -> str:
        if inverted and agreement.person == 2 and not agreement.plural:  # "jij leest", but "wat lees jij?"
            agreement = Agreement(1, False)
        return super()._finite(verb, subject, agreement)

    def _reversible(self, clause: Clause) -> bool:
        """An object can open the sentence, but unlike in German it cannot stand between verb and subject."""
        return not clause.fronted and super()._reversible(clause)

    def _other_word(self, form: str, clause: Clause, subjects: set[Agreement]) -> bool:
        """Whether it is also a form of "be": "hij was" for "hij wast"."""
        return form == "was"
