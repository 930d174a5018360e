"""What can be said in the miniature world: concepts, typical events, facts, and the meanings built from them.

Nothing here belongs to one language. A meaning (`Clause`) is realised by each class in `miniature.languages`; because all of
them realise the same meaning, every sentence has an exact translation in every other language.
"""

import hashlib
from dataclasses import dataclass

PEOPLE = [
    "boy",
    "girl",
    "man",
    "woman",
    "grandmother",
    "grandfather",
    "teacher",
    "doctor",
    "farmer",
    "baker",
    "cook",
    "student",
    "gardener",
    "fisherman",
    "king",
    "queen",
]
ANIMALS = ["dog", "cat", "horse", "cow", "bird", "rabbit", "mouse", "monkey"]
THINGS = [
    "book",
    "letter",
    "newspaper",
    "cake",
    "soup",
    "apple",
    "egg",
    "potato",
    "flower",
    "tree",
    "ball",
    "picture",
    "shirt",
    "cup",
    "door",
    "window",
    "key",
    "chair",
    "boat",
    "hat",
]
NOUNS = (*PEOPLE, *ANIMALS, *THINGS)
ANIMATES = (*PEOPLE, *ANIMALS)
PRONOUNS = ("i", "you", "he", "she", "we", "they")  # "you" is one person, informal

PLACES = ["library", "kitchen", "market", "school", "garden", "park", "station", "hospital", "river", "field"]

ANIMATE_ADJECTIVES = ["old", "young", "happy", "sad", "tired", "hungry", "strong", "quiet"]
THING_ADJECTIVES = ["big", "small", "new", "beautiful", "red", "heavy"]
ADJECTIVES = (*ANIMATE_ADJECTIVES, *THING_ADJECTIVES)

# Verbs by what they take. All are in the present tense but the motion verbs, which are in the past (of the kind that in
# French and Italian goes with être/essere): past tenses show gender agreement where present tenses do not.
PERCEPTION = ["see", "hear", "know", "love", "call", "follow", "find", "greet"]  # object: a person or an animal
ACTIVITIES = ["read", "cook", "buy", "write", "plant", "throw"]  # object: a thing; what people do at a place (SCRIPTS)
HABITS = ["eat", "wash", "carry", "open", "paint", "sell"]  # object: a thing; what is known of somebody (FACTS)
INTRANSITIVE = ["sleep", "sing", "dance", "laugh", "work", "swim", "run", "wait", "cry", "live"]
MOTION = ["arrive", "leave", "fall", "return"]  # past tense, no object
VERBS = (*PERCEPTION, *ACTIVITIES, *HABITS, *INTRANSITIVE, *MOTION)
TRANSITIVE = (*PERCEPTION, *ACTIVITIES, *HABITS)

PREPOSITIONS = ("near", "behind")

# What one does at a place: (verb, object or None).
SCRIPTS = {
    "library": ("read", "book"),
    "kitchen": ("cook", "soup"),
    "market": ("buy", "apple"),
    "school": ("write", "letter"),
    "garden": ("plant", "flower"),
    "park": ("throw", "ball"),
    "station": ("wait", None),
    "hospital": ("sleep", None),
    "river": ("swim", None),
    "field": ("work", None),
}

# What everybody knows: who lives where, and who does what to which thing. No two share a (verb, object).
FACTS = {
    "boy": ("park", "carry", "chair"),
    "girl": ("school", "paint", "picture"),
    "man": ("station", "wash", "window"),
    "woman": ("market", "open", "letter"),
    "grandmother": ("garden", "wash", "shirt"),
    "grandfather": ("library", "open", "newspaper"),
    "teacher": ("school", "open", "book"),
    "doctor": ("hospital", "carry", "key"),
    "farmer": ("field", "sell", "egg"),
    "baker": ("market", "sell", "cake"),
    "cook": ("kitchen", "wash", "cup"),
    "student": ("library", "carry", "book"),
    "gardener": ("garden", "sell", "flower"),
    "fisherman": ("river", "paint", "boat"),
    "king": ("park", "open", "door"),
    "queen": ("hospital", "sell", "hat"),
    "dog": ("station", "carry", "ball"),
    "cat": ("kitchen", "eat", "egg"),
    "horse": ("field", "eat", "apple"),
    "cow": ("field", "eat", "flower"),
    "bird": ("garden", "carry", "letter"),
    "rabbit": ("park", "eat", "potato"),
    "mouse": ("kitchen", "eat", "cake"),
    "monkey": ("river", "paint", "door"),
}


@dataclass(frozen=True)
class Beside:
    """An attractor in a prepositional phrase: "the boy [behind the dogs]"."""

    preposition: str
    noun: str
    plural: bool


@dataclass(frozen=True)
class Relative:
    """An attractor in a subject relative clause in the present tense: "the boy [who sees the dogs]"."""

    verb: str
    noun: str
    plural: bool


@dataclass(frozen=True)
class NounPhrase:
    """A definite noun phrase, or a pronoun (then only `noun` is set and `plural` agrees with it)."""

    noun: str
    plural: bool = False
    adjective: str | None = None
    modifier: Beside | Relative | None = None

    @property
    def is_pronoun(self) -> bool:
        return self.noun in PRONOUNS


@dataclass(frozen=True)
class Clause:
    """Who does what to whom, where. `fronted` puts the place first ("In the park the boy sees the dogs.")."""

    subject: NounPhrase
    verb: str
    object: NounPhrase | None = None
    place: str | None = None
    fronted: bool = False


@dataclass(frozen=True)
class Agreement:
    """What a verb shows of its subject. Gender is a language's own label; languages without it leave it empty."""

    person: int
    plural: bool
    gender: str = ""


def content_bucket(meaning: object, buckets: int) -> int:
    """A bucket in [0, buckets) that depends on the meaning alone: the same in every language, run and process.

    Training text uses some buckets and evaluation items the others, so no evaluation sentence can occur in training text.
    """
    digest = hashlib.blake2b(repr(meaning).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets
