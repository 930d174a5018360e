"""The ten concrete grammars, one module a language, looked up by ISO 639-3 code."""

import inspect
from functools import cache
from importlib import import_module

from miniature.language import Language


@cache
def load(code: str) -> Language:
    """The grammar of a language.

    Raises:
        ModuleNotFoundError: if the miniature world has no such language.
    """
    module = import_module(f"miniature.languages.{code}")
    (grammar,) = (
        c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__ and issubclass(c, Language)
    )
    return grammar()
