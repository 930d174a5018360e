"""Russian: three genders, case with animacy, number and person in the present tense and gender in the past."""

import re
from dataclasses import replace

from miniature.language import Language, Segment
from miniature.world import ANIMATES, MOTION, Agreement, Clause, NounPhrase, Relative

CASES = ("subject", "object", "instrumental")  # the order of a noun's forms in the lexicon
WHICH = {"m": "который", "f": "которая", "n": "которое", "pl": "которые"}
BEFORE_SO = re.compile("[сзшж][^аеёиоуыэюя]")  # "со студентом", but "с собакой"


class Russian(Language):
    code = "rus"

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Adjective, noun and what modifies it. The comma that closes a relative clause is left to `segments`."""
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun][CASES.index(case)]
        words = [phrase.adjective and self._adjective(phrase, case), self._noun(phrase.noun, phrase.plural, case)]
        modifier = phrase.modifier
        if isinstance(modifier, Relative):
            words[-1] += ","
            words += [WHICH[self._gender_or_plural(phrase)], self.verb(modifier.verb, Agreement(3, phrase.plural))]
            words.append(self._noun(modifier.noun, modifier.plural, "object"))
        elif modifier:
            noun = self._noun(modifier.noun, modifier.plural, "instrumental")
            near = "рядом со" if BEFORE_SO.match(noun) else "рядом с"
            words += [near if modifier.preposition == "near" else "за", noun]
        return " ".join(filter(None, words))

    def _noun(self, noun: str, plural: bool, case: str) -> str:
        return self.lexicon["nouns"][noun]["pl" if plural else "sg"][CASES.index(case)]

    def _adjective(self, phrase: NounPhrase, case: str) -> str:
        forms, key = self.lexicon["adjectives"][phrase.adjective], self._gender_or_plural(phrase)
        # Only the feminine singular and animate nouns tell the accusative from the nominative.
        accusative = case == "object" and (key == "f" or phrase.noun in ANIMATES)
        return forms["object" if accusative else "subject"][key]

    def _gender_or_plural(self, phrase: NounPhrase) -> str:
        return "pl" if phrase.plural else self.gender(phrase)

    def gender(self, phrase: NounPhrase) -> str:
        return self.lexicon["nouns"][phrase.noun]["gender"]

    def verb(self, verb: str, agreement: Agreement) -> str:
        """Person and number in the present; number and gender in the past (masculine where the gender is not known)."""
        forms = self.lexicon["verbs"][verb]
        if verb in MOTION:
            return forms["pl" if agreement.plural else agreement.gender or "m"]
        return forms[agreement.person - 1 + 3 * agreement.plural]

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """Subject, verb, object, place. A comma closes a relative clause that does not end the sentence."""
        *others, last = super().segments(clause, agreement)
        return [*(Segment(s.role, s.text + "," if "," in s.text else s.text) for s in others), last]

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """True for a feminine verb after a profession ("врач пришла"), and where the subject can be read as an object.

        The latter is so where its nominative is also an accusative: in "лошадь ждут" one waits for the horse, and in "учителя
        видит мышь" the mouse sees the teacher, as "учителя" is both the accusative singular and the nominative plural.
        """
        subject, other = clause.subject, clause.object
        if clause.verb in MOTION:
            return subject.noun in self.lexicon["either_gender"] and agreement.gender == "f" and not agreement.plural
        accusatives = [self.noun_phrase(replace(subject, plural=plural), "object") for plural in (False, True)]
        if self.noun_phrase(subject, "subject") not in accusatives:
            return False
        if not other:
            return clause.verb == "wait" and agreement.plural
        nominative = self.noun_phrase(replace(other, plural=agreement.plural), "subject")
        return other.noun in ANIMATES and self.noun_phrase(other, "object") == nominative

    def ask_who(self, clause: Clause) -> str:
        who = Agreement(3, False, "m")
        return self.asked("кто", *(segment.text for segment in self.segments(clause, who) if segment.role != "subject"))

    def ask_what(self, clause: Clause) -> str:
        return self.asked("что", *self._verb_and_subject(clause))

    def ask_where(self, clause: Clause) -> str:
        return self.asked("где", *self._verb_and_subject(clause))

    def _verb_and_subject(self, clause: Clause) -> list[str]:
        """In questions a noun follows its verb and a pronoun precedes it: "что читает мальчик", "что он читает"."""
        subject = self.noun_phrase(clause.subject, "subject")
        verb = self.verb(clause.verb, self.agreement(clause.subject))
        return [subject, verb] if clause.subject.is_pronoun else [verb, subject]
