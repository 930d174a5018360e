"""Languages under the names that their sources give them; the project itself uses ISO 639-3 codes.

Sources: the data cards of the benchmarks and models (paper, section 2): jumelet/multiblimp, facebook/belebele, facebook/flores,
openlanguagedata/flores_plus, jon-tow/okapi_hellaswag, INK-USC/xcsr, HPLT/HPLT2.0_cleaned and HPLT's models, and lang2vec.
"""

from dataclasses import dataclass

from study.files import UserError


@dataclass(frozen=True)
class Language:
    """One language: its ISO 639-3 code, English name, ISO 15924 script, and the code of each source."""

    code: str
    name: str
    script: str
    short: str  # two letters: okapi HellaSwag, X-CSQA, prompts of translation
    individual: str  # the member of a macrolanguage that parallel corpora hold: Modern Standard Arabic, Mandarin
    hplt_model: str  # as in HPLT/hplt2c_{hplt_model}_checkpoints

    @property
    def multiblimp(self) -> str:
        return self.individual

    @property
    def flores(self) -> str:
        """Of facebook/flores and facebook/belebele, which call Mandarin `zho`."""
        return f"{self.code if self.code == 'zho' else self.individual}_{self.script}"

    @property
    def flores_plus(self) -> str:
        return f"{self.individual}_{self.script}"

    belebele = flores

    @property
    def hellaswag(self) -> str:
        return self.short

    @property
    def xcsqa(self) -> str:
        return self.short

    @property
    def hplt(self) -> str:
        """Of the corpora HPLT/HPLT2.0_cleaned."""
        return f"{self.code}_{self.script}"

    @property
    def lang2vec(self) -> str:
        return self.individual


_LANGUAGES = (
    Language("ara", "Arabic", "Arab", "ar", "arb", "ara"),
    Language("deu", "German", "Latn", "de", "deu", "deu"),
    Language("eng", "English", "Latn", "en", "eng", "eng"),
    Language("fra", "French", "Latn", "fr", "fra", "fra"),
    Language("ita", "Italian", "Latn", "it", "ita", "ita"),
    Language("nld", "Dutch", "Latn", "nl", "nld", "nld"),
    Language("rus", "Russian", "Cyrl", "ru", "rus", "rus"),
    Language("spa", "Spanish", "Latn", "es", "spa", "spa"),
    Language("tur", "Turkish", "Latn", "tr", "tur", "tur"),
    Language("zho", "Chinese", "Hans", "zh", "cmn", "zhos"),
)
LANGUAGES = {language.code: language for language in _LANGUAGES}


def language(code: str) -> Language:
    """The language of an ISO 639-3 code.

    Raises:
        UserError: if the table does not have it.
    """
    try:
        return LANGUAGES[code]
    except KeyError:
        raise UserError(
            f"Unknown language {code!r}; known are {', '.join(LANGUAGES)}. Add a line to study/languages.py."
        ) from None
