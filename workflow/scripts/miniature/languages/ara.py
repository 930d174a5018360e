"""Modern Standard Arabic: subject-verb-object with full agreement in the present, verb-subject in the past."""

from dataclasses import replace

from miniature.language import Language, Segment
from miniature.world import MOTION, PEOPLE, Agreement, Clause, NounPhrase, Relative

# By person and form: prefix, which stem of the lexicon, suffix. Gender shows in the third person alone, as "you" is
# masculine here.
PRESENT = {
    (1, "m"): ("أ", "stem", ""),
    (2, "m"): ("ت", "stem", ""),
    (3, "m"): ("ي", "stem", ""),
    (3, "f"): ("ت", "stem", ""),
    (1, "mpl"): ("ن", "stem", ""),
    (2, "mpl"): ("ت", "mpl", "ون"),
    (3, "mpl"): ("ي", "mpl", "ون"),
    (3, "fpl"): ("ي", "fpl", "ن"),
}
PAST = {
    (1, "m"): ("", "fpl", "ت"),
    (2, "m"): ("", "fpl", "ت"),
    (3, "m"): ("", "stem", ""),
    (3, "f"): ("", "stem", "ت"),
    (1, "mpl"): ("", "fpl", "نا"),
    (2, "mpl"): ("", "fpl", "تم"),
    (3, "mpl"): ("", "mpl", "وا"),
    (3, "fpl"): ("", "fpl", "ن"),
}


class Arabic(Language):
    code = "ara"
    question_mark = "؟"

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Noun, adjective, relative clause. As vowels are not written, case shows in sound masculine plurals alone."""
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun]
        agreement = self.agreement(phrase)
        words = [self._noun(phrase.noun, phrase.plural)]
        if phrase.adjective:
            words.append(self.lexicon["adjectives"][phrase.adjective][_form(agreement)])
        if case != "subject":
            words = [_oblique(word) for word in words]
        modifier = phrase.modifier
        if modifier:
            # Also before a preposition: without a relative pronoun that phrase would go with the verb.
            relation = (
                self.verb(modifier.verb, agreement)
                if isinstance(modifier, Relative)
                else self.lexicon["prepositions"][modifier.preposition]
            )
            attractor = _oblique(self._noun(modifier.noun, modifier.plural))
            words += [self.lexicon["relative"][_form(agreement)], relation, attractor]
        return " ".join(words)

    def _noun(self, noun: str, plural: bool) -> str:
        return self.lexicon["nouns"][noun]["pl" if plural else "sg"]

    def gender(self, phrase: NounPhrase) -> str:
        return self.lexicon["nouns"][phrase.noun]["gender"]

    def agreement(self, subject: NounPhrase) -> Agreement:
        """Plurals of animals and things agree like a feminine singular."""
        if subject.plural and not subject.is_pronoun and subject.noun not in PEOPLE:
            return Agreement(3, False, "f")
        return super().agreement(subject)

    def verb(self, verb: str, agreement: Agreement) -> str:
        form = _form(agreement) if agreement.person == 3 else _form(replace(agreement, gender="m"))
        prefix, stem, suffix = (PAST if verb in MOTION else PRESENT)[agreement.person, form]
        stems = self.lexicon["verbs"][verb]
        return (prefix + stems.get(stem, stems["stem"]) + suffix).replace("أأ", "آ")

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """Subject, verb, object, place; in the past, verb before subject, if that is not a pronoun.

        A fronted place is set off by a comma, as "في الحديقة الولد" alone would say that the boy is in the garden.
        """
        segments = super().segments(clause, agreement)
        if clause.place and clause.fronted:
            segments[0] = Segment("place", segments[0].text + "،")
        if clause.verb in MOTION and not clause.subject.is_pronoun:
            at = next(i for i, segment in enumerate(segments) if segment.role == "subject")
            segments[at : at + 2] = Segment("verb", self._initial_verb(clause, agreement)), segments[at]
        return segments

    def _initial_verb(self, clause: Clause, agreement: Agreement) -> str:
        """The verb as it stands before its subject: without number, unless the subject is a pronoun."""
        return self.verb(clause.verb, agreement if clause.subject.is_pronoun else replace(agreement, plural=False))

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """True for what is as right as the usual agreement, or has the bare letters of something that is."""
        subject = clause.subject
        if agreement.gender == "n":  # Arabic has no neuter
            return True
        if subject.is_pronoun:
            return _reads_otherwise(clause, agreement)
        noun = self.lexicon["nouns"][subject.noun]
        if not subject.plural:
            return bool(noun.get("both")) and not agreement.plural
        if clause.verb in MOTION:
            # Before a broken plural a verb may have either gender.
            return subject.noun not in PEOPLE or not noun["pl"].endswith(("ون", "ات"))
        # After a feminine plural the singular is in use too: "الفتيات ترى".
        return subject.noun in PEOPLE and agreement.gender == noun["gender"] == "f"

    def ask_who(self, clause: Clause) -> str:
        """Literally "who is it that": after a bare "who", the noun that follows could be the subject as well."""
        who = Agreement(3, False, "m")
        segments = self.segments(replace(clause, fronted=False), who)
        return self.asked("من الذي", *(segment.text for segment in segments if segment.role != "subject"))

    def ask_what(self, clause: Clause) -> str:
        return self._ask("ماذا", clause)

    def ask_where(self, clause: Clause) -> str:
        return self._ask("أين", clause)

    def _ask(self, word: str, clause: Clause) -> str:
        verb = self._initial_verb(clause, self.agreement(clause.subject))
        return self.asked(word, verb, self.noun_phrase(clause.subject, "subject"))


def _reads_otherwise(clause: Clause, agreement: Agreement) -> bool:
    """Whether after a pronoun the verb's letters also spell something else that is right there."""
    subject, verb = clause.subject.noun, clause.verb
    if verb == "return":
        return subject == "she" and agreement.person != 3  # هي عدت: she ran, she counted
    if agreement.person != 1 or agreement.plural:
        return False
    if subject == "he" and verb == "love":
        return True  # هو أحب: he loved
    # هو أعرف الأطباء, هي أحب الفتيات: the most knowing, the dearest of them
    return verb in ("love", "know") and bool(clause.object and clause.object.plural)


def _form(agreement: Agreement) -> str:
    """The lexicon's label of a form: m, f, mpl or fpl."""
    return ("f" if agreement.gender == "f" else "m") + ("pl" if agreement.plural else "")


def _oblique(word: str) -> str:
    """Accusative and genitive of a word."""
    return word.removesuffix("ون") + "ين" if word.endswith("ون") else word
