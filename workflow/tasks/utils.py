"""How the task definitions beside this file word their documents.

Each function takes documents of study.benchmarks, joined with their language's entry of prompts.yaml, and returns them with the texts
that the prompts use. The forms follow the templates of lighteval 0.10, by which the paper evaluated.
"""

from typing import Any

from study.benchmarks import clean

Document = dict[str, Any]


def capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def tidy(text: str, words: Document) -> str:
    """A capital at the start, and at the end the language's own sign instead of an ASCII one."""
    text = text.strip()
    for sign, name in (("?", "question_mark"), (".", "full_stop"), (",", "comma"), (":", "colon")):
        if text.endswith(sign):
            text = text[:-1] + words[name]
            break
    return capitalise(text)


def ends_sentence(text: str, words: Document) -> bool:
    signs = ("question_mark", "full_stop", "exclamation_mark", "colon", "semicolon")
    return text.endswith(tuple(words[sign] for sign in signs))


def continued(before: str, text: str, words: Document) -> str:
    """`text` as it follows `before`: with a capital at the start of a sentence, else without."""
    return capitalise(text) if ends_sentence(before, words) else text[:1].lower() + text[1:]


def tidy_questions(documents: list[Document]) -> list[Document]:
    """Belebele and X-CSQA: passage, question and choices tidied; each choice begins with the language's space."""
    return [
        {
            **document,
            **{key: tidy(document[key], document) for key in ("passage", "question") if key in document},
            "choices": [document["space"] + tidy(choice, document) for choice in document["choices"]],
        }
        for document in documents
    ]


def tidy_endings(documents: list[Document]) -> list[Document]:
    """HellaSwag in all languages but English: both parts of the context cleaned and joined, each ending as it follows them."""
    return [_tidy_ending(document) for document in documents]


def _tidy_ending(document: Document) -> Document:
    context, second = (tidy(clean(document[part]), document) for part in ("context_a", "context_b"))
    if second:
        context += document["space"] + continued(context, second, document)
    endings = [continued(context, tidy(choice, document), document) for choice in document["choices"]]
    return {**document, "context": context, "choices": [document["space"] + ending for ending in endings]}


def original_endings(documents: list[Document]) -> list[Document]:
    """English HellaSwag: `Activity: context_a Context_b ` (without an activity, no colon either) and the endings as they are."""
    return [
        {
            **document,
            "context": clean(
                (f"{document['activity']}: " if document["activity"] else "")
                + f"{document['context_a']} {document['context_b'].capitalize()} "
            ),
        }
        for document in documents
    ]


def tidy_translations(documents: list[Document]) -> list[Document]:
    """FLORES: source and example translations tidied in their own languages' signs."""
    return [
        {
            **document,
            "prompt_source": tidy(document["source"], document["source_words"]),
            "prompt_target": tidy(document["target"], document),
            "source_label": document["source_words"]["label"],
        }
        for document in documents
    ]
