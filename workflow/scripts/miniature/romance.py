"""What the Romance grammars share: gendered nouns, agreeing adjectives, verbs that keep six forms, word order."""

from miniature.language import Language
from miniature.world import Agreement, Clause, NounPhrase, Relative


class Romance(Language):
    """Articles, prepositions and adjectives as the lexicon lists them; subclasses choose the article.

    In the lexicon, adjectives and participles list masculine, feminine, masculine plural, feminine plural; verbs list first
    to third person singular, then plural.
    """

    def article(self, gender: str, plural: bool, following: str) -> str:
        """The definite article, which may depend on the word that follows it."""
        raise NotImplementedError

    def gender(self, phrase: NounPhrase) -> str:
        """The noun's gender; a few nouns have another in the plural."""
        noun = self.lexicon["nouns"][phrase.noun]
        return noun.get("plural_gender", noun["gender"]) if phrase.plural else noun["gender"]

    def noun_phrase(self, phrase: NounPhrase, case: str) -> str:
        """Article, noun and adjective, then the modifier. `case` may also be a key of the lexicon's `determiners`."""
        if phrase.is_pronoun:
            return self.lexicon["pronouns"][phrase.noun]
        gender = self.gender(phrase)
        words = [self.lexicon["nouns"][phrase.noun]["pl" if phrase.plural else "sg"]]
        if phrase.adjective:
            adjective = inflected(self.lexicon["adjectives"][phrase.adjective], gender, phrase.plural)
            if phrase.adjective in self.lexicon["prenominal"]:
                # Short forms (French bel, Italian bei) stand where the noun by itself would take the article listed.
                short = self.lexicon["shortened"].get(adjective, {})
                words = [short.get(self.article(gender, phrase.plural, words[0]), adjective), *words]
            else:
                words.append(adjective)
        article = self.article(gender, phrase.plural, words[0])
        words = [self.lexicon["determiners"].get(case, {}).get(article, article), *words]
        if modifier := phrase.modifier:
            attractor = NounPhrase(modifier.noun, modifier.plural)
            if isinstance(modifier, Relative):
                verb = self.verb(modifier.verb, Agreement(3, phrase.plural, gender))
                words += [self.lexicon["relative"], verb, self.noun_phrase(attractor, "object")]
            else:
                words.append(self.noun_phrase(attractor, modifier.preposition))
        return tied(words)

    def verb(self, verb: str, agreement: Agreement) -> str:
        """A simple form, or the auxiliary "be" with a participle that agrees in gender and number."""
        index = agreement.person - 1 + 3 * agreement.plural
        if participle := self.lexicon.get("participles", {}).get(verb):
            return f"{self.lexicon['auxiliary'][index]} {inflected(participle, agreement.gender, agreement.plural)}"
        return self.lexicon["verbs"][verb][index]

    def ask_who(self, clause: Clause) -> str:
        who = Agreement(3, False, "m")
        rest = (segment.text for segment in self.segments(clause, who) if segment.role != "subject")
        return self.asked(self.lexicon["questions"]["who"], *rest)

    def ask_what(self, clause: Clause) -> str:
        return self._ask("what", clause)

    def ask_where(self, clause: Clause) -> str:
        return self._ask("where", clause)

    def _ask(self, question: str, clause: Clause) -> str:
        """A question with the subject after the verb."""
        verb = self.verb(clause.verb, self.agreement(clause.subject))
        return self.asked(self.lexicon["questions"][question], verb, self.noun_phrase(clause.subject, "subject"))


def inflected(forms: list[str], gender: str, plural: bool) -> str:
    """One of the four forms of an adjective or participle; masculine where there is no gender (French je, tu, nous)."""
    return forms[(gender == "f") + 2 * plural]


def tied(words: list[str]) -> str:
    """The words with spaces between them, but for none after an apostrophe."""
    return " ".join(words).replace("' ", "'")
