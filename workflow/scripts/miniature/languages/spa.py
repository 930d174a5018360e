"""Spanish: subject-verb-object, personal "a" before people and animals, number and person agreement."""

from miniature.romance import Romance
from miniature.world import ANIMATES, Agreement, Clause, NounPhrase


class Spanish(Romance):
    code = "spa"
    phenomena = ("number", "person")
    question_opening = "¿"

    def article(self, gender: str, plural: bool, following: str) -> str:
        return ("las" if plural else "la") if gender == "f" else ("los" if plural else "el")

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Objects that are people or animals take the preposition "a"."""
        return super().noun_phrase(phrase, "personal" if case == "object" and phrase.noun in ANIMATES else case)

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """After "tú", the third person singular reads as an order: "¡Tú lava la taza!"."""
        return clause.subject.noun == "you" and agreement.person == 3
