"""Month names as printed, long and short: seven languages by heart, others from the CLDR when a caller names them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

_BY_HEART = (
    # English, German, French, Spanish, Dutch, Italian, Portuguese; no name means two months in any two of them.
    "january jan januar jänner janvier janv enero ene januari gennaio genn gen janeiro",
    "february feb februar febr feber février févr fév febrero februari febbraio febb fevereiro fev",
    "march mar märz mär mrz mars marzo maart mrt março",
    "april apr avril avr abril abr aprile",
    "may mai mayo mei maggio mag magg maio",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug lugl julho",
    "august aug août agosto ago augustus agos",
    "september sep sept septembre septiembre setiembre settembre sett set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre déc diciembre dic dicembre dezembro",
)


def _spellings(name: str) -> set[str]:
    """The name as composed and decomposed text, and without its accents, as capitals and bad scans have it."""
    decomposed = unicodedata.normalize("NFD", name)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return {unicodedata.normalize("NFC", name), decomposed, bare}


@cache
def month_numbers(languages: tuple[str, ...] = ()) -> dict[str, int]:
    """Month name (case folded, without a trailing point) -> 1 to 12.

    ``languages`` are ISO 639-1 codes; their names are added to those known by heart and win over them. A language
    the CLDR does not know adds nothing.
    """
    names: dict[str, int] = {}
    for number, line in enumerate(_BY_HEART, start=1):
        for name in line.split():
            names.update(dict.fromkeys(_spellings(name), number))
    for language in languages:
        for number, name in _cldr_names(language):
            names.update(dict.fromkeys(_spellings(name), number))
    return names


def _cldr_names(language: str) -> Iterable[tuple[int, str]]:
    from babel import Locale, UnknownLocaleError

    try:
        months = Locale.parse(language).months
    except (UnknownLocaleError, ValueError):
        return
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, printed in months[context][width].items():
                name = printed.casefold().rstrip(".")
                # The CLDR calls the months of some languages by their number; those are no names.
                if len(name) > 1 and name.isalpha():
                    yield number, name
