"""Italian: subject-verb-object, articles that depend on the next sound, gender agreement in the passato prossimo."""

import re

from miniature.romance import Romance
from miniature.world import Agreement, Clause

VOWEL = re.compile("[aeiou]")
TAKES_LO = re.compile("s[^aeiou]|z|gn|ps|x|y")  # lo studente, lo zio


class Italian(Romance):
    code = "ita"

    def article(self, gender: str, plural: bool, following: str) -> str:
        vowel = VOWEL.match(following)
        if gender == "f":
            return "le" if plural else "l'" if vowel else "la"
        if plural:
            return "gli" if vowel or TAKES_LO.match(following) else "i"
        return "l'" if vowel else "lo" if TAKES_LO.match(following) else "il"

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """Whether it is an order ("Tu canta!"), or suits a pronoun of either gender: "loro", and "lei" as the polite "you"."""
        noun = clause.subject.noun
        if noun == "you":
            return agreement.person == 3
        return noun in ("she", "they") and agreement.gender != self.agreement(clause.subject).gender
