"""Languages under the names that their sources give them; the project itself uses ISO 639-3 codes.

The 38 languages of HPLT's monolingual models, in which Chinese in simplified (`zho`) and in traditional characters (`zhot`, HPLT's
name, since ISO 639-3 does not tell scripts apart) are two. The list is that of the hub's collection "HPLT 2.0 Monolingual reference
models"; what of it was seen, and which benchmark has which language, is in docs/languages.md.

Sources of the codes: the data cards of the benchmarks and models (paper, section 2): jumelet/multiblimp, facebook/belebele,
facebook/flores, openlanguagedata/flores_plus, alexandrainst/m_hellaswag, INK-USC/xcsr, HPLT/HPLT2.0_cleaned and HPLT's models, and
lang2vec.
"""

from dataclasses import dataclass

from study.files import UserError


@dataclass(frozen=True)
class Language:
    """One language: its ISO 639-3 code, English name, ISO 15924 script, two letters, and where sources call it otherwise."""

    code: str
    name: str
    script: str
    short: str  # two letters (ISO 639-1): m_hellaswag, X-CSQA
    individual: str = ""  # the member of a macrolanguage that parallel corpora hold: Modern Standard Arabic, Mandarin
    hplt_model: str = ""  # as in HPLT/hplt2c_{hplt_model}_checkpoints
    multiblimp: str = ""
    flores: str = ""  # of facebook/flores and facebook/belebele, with the script
    lang2vec: str = ""

    def __post_init__(self) -> None:
        """Sources that are not named call the language by its code, or by its individual code."""
        individual = self.individual or self.code
        usual = {
            "individual": individual,
            "hplt_model": self.code,
            "multiblimp": individual,
            "flores": f"{individual}_{self.script}",
            "lang2vec": individual,
        }
        for field, code in usual.items():
            object.__setattr__(self, field, getattr(self, field) or code)

    @property
    def flores_plus(self) -> str:
        return f"{self.individual}_{self.script}"

    @property
    def belebele(self) -> str:
        return self.flores

    @property
    def hplt(self) -> str:
        """Of the corpora HPLT/HPLT2.0_cleaned, to which both kinds of Chinese are `zho`."""
        return f"{self.code[:3]}_{self.script}"

    @property
    def hellaswag(self) -> str:
        return self.short

    @property
    def xcsqa(self) -> str:
        return self.short


_LANGUAGES = (
    Language("ara", "Arabic", "Arab", "ar", individual="arb"),
    Language("bos", "Bosnian", "Latn", "bs", multiblimp="hbs"),  # Serbo-Croatian
    Language("bul", "Bulgarian", "Cyrl", "bg"),
    Language("cat", "Catalan", "Latn", "ca"),
    Language("ces", "Czech", "Latn", "cs"),
    Language("dan", "Danish", "Latn", "da"),
    Language("deu", "German", "Latn", "de"),
    Language("ell", "Greek", "Grek", "el"),
    Language("eng", "English", "Latn", "en"),
    Language("est", "Estonian", "Latn", "et", individual="ekk", multiblimp="est", flores="est_Latn"),
    Language("eus", "Basque", "Latn", "eu"),
    Language("fin", "Finnish", "Latn", "fi"),
    Language("fra", "French", "Latn", "fr"),
    Language("glg", "Galician", "Latn", "gl"),
    Language("hin", "Hindi", "Deva", "hi"),
    Language("hrv", "Croatian", "Latn", "hr", multiblimp="hbs"),
    Language("hun", "Hungarian", "Latn", "hu"),
    Language("isl", "Icelandic", "Latn", "is"),
    Language("ita", "Italian", "Latn", "it"),
    Language("kor", "Korean", "Hang", "ko"),
    Language("lit", "Lithuanian", "Latn", "lt"),
    Language("lvs", "Latvian", "Latn", "lv", multiblimp="lav", lang2vec="lav"),
    Language("mkd", "Macedonian", "Cyrl", "mk"),
    Language("nld", "Dutch", "Latn", "nl"),
    Language("nno", "Norwegian Nynorsk", "Latn", "nn", lang2vec="nor"),  # Norwegian, since lang2vec lacks nno
    Language("nob", "Norwegian Bokmål", "Latn", "nb"),
    Language("pol", "Polish", "Latn", "pl"),
    Language("por", "Portuguese", "Latn", "pt"),
    Language("ron", "Romanian", "Latn", "ro"),
    Language("rus", "Russian", "Cyrl", "ru"),
    Language("slk", "Slovak", "Latn", "sk"),
    Language("slv", "Slovenian", "Latn", "sl"),
    Language("spa", "Spanish", "Latn", "es"),
    Language("swe", "Swedish", "Latn", "sv"),
    Language("tur", "Turkish", "Latn", "tr"),
    Language("ukr", "Ukrainian", "Cyrl", "uk"),
    Language("zho", "Chinese", "Hans", "zh", individual="cmn", hplt_model="zhos", flores="zho_Hans"),
    Language("zhot", "Traditional Chinese", "Hant", "zh", individual="cmn", flores="zho_Hant"),
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
