"""Write the training documents of one language of the miniature world, one JSON object a line.

Example:
    python workflow/scripts/generate_corpus.py --language deu --languages deu eng fra --documents 9000 \\
        --english-share 0.05 --bilingual-share 0.04 --seed 1 --output results/laptop/data/corpora/deu.jsonl
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

from miniature.documents import Narrator, Writer, translation
from miniature.languages import load
from study.files import atomic, run_script
from study.prompts import prompts


def documents(
    language: str, languages: list[str], count: int, english_share: float, bilingual_share: float, seed: int
) -> Iterator[str]:
    """Training documents in a language, a share of them in English or in two languages.

    The bilingual ones pair the language with English, in both directions; those of English pair it with each other language.
    """
    rng = random.Random(f"{seed} {language}")
    words = prompts()
    writers = {code: Writer(load(code), words[code], rng) for code in {language, "eng"}}
    narrator = Narrator(rng, held_out=False)
    others = [code for code in languages if code != language] if language == "eng" else ["eng"]
    for _ in range(count):
        kind = rng.random()
        if kind < bilingual_share and others:
            codes = [language, rng.choice(others)]
            rng.shuffle(codes)
            source, target = ((words[code]["label"], load(code)) for code in codes)
            yield translation(source, target, narrator.event())
        elif kind < bilingual_share + english_share:
            yield writers["eng"].document()
        else:
            yield writers[language].document()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", required=True)
    parser.add_argument("--languages", nargs="+", required=True, help="all languages of the study")
    parser.add_argument("--documents", type=int, required=True)
    parser.add_argument("--english-share", type=float, required=True)
    parser.add_argument("--bilingual-share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)

    texts = documents(args.language, args.languages, args.documents, args.english_share, args.bilingual_share, args.seed)
    with atomic(args.output) as path, open(path, "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)


if __name__ == "__main__":
    run_script(main)
