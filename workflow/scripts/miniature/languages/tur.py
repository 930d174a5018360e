"""Turkish: subject-object-verb, modifiers before their noun, number and person agreement, no gender."""

from miniature.language import Language, Segment
from miniature.world import ANIMATES, MOTION, PEOPLE, THINGS, Agreement, Clause, NounPhrase, Relative

CASES = ("subject", "object", "genitive")  # the order of a noun's forms in the lexicon
VOWELS = "aeıioöuü"
SEXES = ("boy", "girl", "man", "woman")  # they form compounds with other nouns for people: "kız öğrenci", "balıkçı adam"
PRESENT_ENDINGS = ("um", "sun", "", "uz", "sunuz", "lar")  # after -yor, whose vowel is always the same


class Turkish(Language):
    code = "tur"
    phenomena = ("number", "person")

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Participial clause or postpositional attribute, then adjective, then noun: "köpeği gören yaşlı kız"."""
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun][CASES.index(case)]
        words = [phrase.adjective and self.lexicon["adjectives"][phrase.adjective], self._noun(phrase.noun, phrase.plural, case)]
        modifier = phrase.modifier
        if isinstance(modifier, Relative):
            participle = self.lexicon["verbs"][modifier.verb]["participle"]
            words = [self._noun(modifier.noun, modifier.plural, "object"), participle, *words]
        elif modifier:
            postposition = {"near": "yanındaki", "behind": "arkasındaki"}[modifier.preposition]
            words = [self._noun(modifier.noun, modifier.plural, "genitive"), postposition, *words]
        return " ".join(filter(None, words))

    def _noun(self, noun: str, plural: bool, case: str) -> str:
        return self.lexicon["nouns"][noun]["pl" if plural else "sg"][CASES.index(case)]

    def agreement(self, subject: NounPhrase) -> Agreement:
        """As everywhere, but animals and things in the plural take a verb in the singular: "köpekler koşuyor"."""
        if subject.is_pronoun:
            return super().agreement(subject)
        return Agreement(3, subject.plural and subject.noun in PEOPLE)

    def verb(self, verb: str, agreement: Agreement) -> str:
        """The third person singular with a personal ending, which after -di harmonises with the vowel before it."""
        ending = agreement.person - 1 + 3 * agreement.plural
        if verb not in MOTION:
            return self.lexicon["verbs"][verb]["present"] + PRESENT_ENDINGS[ending]
        past = self.lexicon["verbs"][verb]["past"]
        plural = "ler" if past[-1] in "iü" else "lar"
        return past + ("m", "n", "", "k", f"n{past[-1]}z", plural)[ending]

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """Subject, place, object, verb. A place can go to the front, and follows an object that has a modifier.

        Before such an object it would seem to belong to the modifier: "parkta köpeği gören kız", who sees it in the park.
        """
        segments = [Segment("subject", self.noun_phrase(clause.subject, "subject"))]
        if clause.object:
            segments.append(Segment("object", self.noun_phrase(clause.object, "object")))
        if clause.place:
            late = clause.object and clause.object.modifier
            segments.insert(0 if clause.fronted else 2 if late else 1, Segment("place", self.place(clause.place)))
        segments.append(Segment("verb", self.verb(clause.verb, agreement)))
        if clause.subject.noun in ("he", "she") and self._after_subject(segments) != "verb":
            # Without its comma, "o köpeği görüyor" would say "sees that dog".
            segments = [Segment(s.role, s.text + "," if s.role == "subject" else s.text) for s in segments]
        return segments

    @staticmethod
    def _after_subject(segments: list[Segment]) -> str:
        """The role of the constituent that follows the subject."""
        roles = [segment.role for segment in segments]
        return roles[roles.index("subject") + 1]

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """True for either number of the verb after a plural, and where the subject also reads as (part of) an object.

        For "they" can be left out: "doktor bekliyorlar" (they wait for a doctor), "inek yüzüyorlar" (they skin a cow).
        """
        subject = clause.subject
        if subject.noun == "they" or (subject.plural and not subject.is_pronoun):
            return agreement.person == 3
        if subject.is_pronoun:
            return False
        after = self._after_subject(self.segments(clause, agreement))
        if after == "verb":
            return clause.verb == "wait" or (clause.verb == "swim" and subject.noun not in PEOPLE)
        return after == "object" and self._forms_compound(subject.noun, clause.object)

    def _forms_compound(self, first: str, phrase: NounPhrase) -> bool:
        """Whether a noun right before an object could belong to it, if nothing else stands between the two nouns.

        So it does in "kız öğrenciyi" (the girl student); and in "kedi resmi" (a cat picture), "kadın şapkaları" (women's
        hats), where the ending of the compound has the letters of the accusative, but not in "kadın şapkayı".
        """
        if phrase.modifier:
            return True
        if phrase.adjective:
            return False
        if phrase.noun in THINGS:
            return phrase.plural or self._noun(phrase.noun, False, "subject")[-1] not in VOWELS
        return first in PEOPLE and phrase.noun in ANIMATES and (first in SEXES) != (phrase.noun in SEXES)

    def ask_who(self, clause: Clause) -> str:
        """The question word stands right before the verb: "parkta köpekleri kim görüyor"."""
        *others, verb = (segment.text for segment in self.segments(clause, Agreement(3, False)) if segment.role != "subject")
        return self.asked(*others, "kim", verb)

    def ask_what(self, clause: Clause) -> str:
        return self._ask("neyi", clause)

    def ask_where(self, clause: Clause) -> str:
        return self._ask("nerede", clause)

    def _ask(self, question_word: str, clause: Clause) -> str:
        verb = self.verb(clause.verb, self.agreement(clause.subject))
        return self.asked(self.noun_phrase(clause.subject, "subject"), question_word, verb)

    def capitalised(self, text: str) -> str:
        """As everywhere, but the capital of i keeps its dot."""
        return "İ" + text[1:] if text.startswith("i") else super().capitalised(text)
