"""French: subject-verb-object, elision, adjectives before the noun, gender agreement in the passé composé."""

from dataclasses import replace

from miniature.language import Segment
from miniature.romance import Romance, tied
from miniature.world import Agreement, Clause

ELIDING = "aàâeéèêiîoôœuûyh"  # the lexicon has no aspirated h


class French(Romance):
    code = "fra"
    question_mark = " ?"

    def article(self, gender: str, plural: bool, following: str) -> str:
        return "les" if plural else elided("la" if gender == "f" else "le", following)

    def segments(self, clause: Clause, agreement: Agreement) -> list[Segment]:
        """As in all Romance, but "je" may be "j'", and a place in front is set off by a comma."""
        segments = super().segments(clause, agreement)
        for index, segment in enumerate(segments):
            if segment.text == "je":
                # By the right form, so that a wrong one changes nothing but the verb.
                verb = self.verb(clause.verb, self.agreement(clause.subject))
                segments[index] = replace(segment, text=elided("je", verb))
            elif segment.role == "place" and clause.fronted:
                segments[index] = replace(segment, text=f"{segment.text},")
        return segments

    def acceptable(self, clause: Clause, agreement: Agreement) -> bool:
        """Whether "nous" reads as the object, with the subject after the verb: "Au marché, nous suivent les femmes." """
        return clause.subject.noun == "we" and agreement.person == 3

    def written(self, texts: list[str]) -> str:
        return super().written([tied(texts)])

    def asked(self, *texts: str) -> str:
        return super().asked(tied(texts))

    def _ask(self, question: str, clause: Clause) -> str:
        """A question with "est-ce que", which suits nouns and pronouns alike and keeps the subject before the verb."""
        subject, verb = self.segments(Clause(clause.subject, clause.verb), self.agreement(clause.subject))
        return self.asked(self.lexicon["questions"][question], elided("que", subject.text), subject.text, verb.text)


def elided(word: str, following: str) -> str:
    """The word with an apostrophe for its vowel if a vowel follows: le, la, je, que."""
    return f"{word[:-1]}'" if following[0] in ELIDING else word
