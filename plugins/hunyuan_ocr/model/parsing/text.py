"""Text as it is compared, and text as the parsers look at it.

``fold`` and ``squeeze`` may change the length of a text; ``plain`` never does, so that a position in the plain text is
a position in the printed one.
"""

from __future__ import annotations

import re
import unicodedata

# Chinese and Japanese writing, where a space carries no meaning.
CJK = r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Letters that glue to a number and make it an identifier; CJK characters do not.
LETTER = r"A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u052f\u1e00-\u1eff"

_WHITE_SPACE = re.compile(r"[\s\u200b\u2060\ufeff]+")
_SPACE_BESIDE_CJK = re.compile(rf"(?<=[{CJK}]) | (?=[{CJK}])")
_MINUS_SIGNS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_APOSTROPHES = "`\u00b4\u02bc\u2018\u2019\u2032\uff07"


class _PlainCharacters(dict[int, int]):
    """One character for one character; filled as characters are met."""

    def __missing__(self, code: int) -> int:
        self[code] = plain = self._plain(chr(code))
        return plain

    @staticmethod
    def _plain(character: str) -> int:
        if character in _MINUS_SIGNS:
            return ord("-")
        if character in _APOSTROPHES:
            return ord("'")
        if unicodedata.category(character) == "Zs":
            return ord(" ") if character in " \u3000" else 0xA0
        # Width variants only: a superscript or circled digit beside an amount is a footnote, not a digit of it.
        if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>", "<small>")):
            folded = unicodedata.normalize("NFKC", character)
            if len(folded) == 1:
                return ord(folded)
        return ord(character)


_PLAIN_CHARACTERS = _PlainCharacters()


def plain(text: str) -> str:
    """The text with full-width forms, minus signs and apostrophes in their ASCII form; as long as the text itself.

    Spaces other than U+0020 and the ideographic one become U+00A0, so that a space that binds can be told from one
    that may separate.
    """
    return text.translate(_PLAIN_CHARACTERS)


def squeeze(text: str) -> str:
    """NFKC, with each run of white space as one space and none at the ends; case is kept."""
    return _WHITE_SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip()


def fold(text: str) -> str:
    """The form in which two texts are compared: NFKC, case and white space folded.

    Spaces beside Chinese and Japanese characters are dropped, because readers put them there at will.

    >>> fold("ＡＢＣ  Gmbh") == fold("abc GMBH"), fold("北京 某某 公司")
    (True, '北京某某公司')
    """
    # Case folding can undo NFKC (and the other way round), hence twice.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _SPACE_BESIDE_CJK.sub("", squeeze(folded))
