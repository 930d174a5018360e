"""The words and signs of each language's prompts, from workflow/tasks/prompts.yaml."""

from functools import cache
from pathlib import Path

import yaml

PROMPTS = Path(__file__).parents[2] / "tasks" / "prompts.yaml"


@cache
def prompts() -> dict[str, dict[str, str]]:
    """Per language (ISO 639-3): question_word, answer_word, label, space, and the signs."""
    entries = yaml.safe_load(PROMPTS.read_text(encoding="utf-8"))
    return {language: words for language, words in entries.items() if not language.startswith(".")}
