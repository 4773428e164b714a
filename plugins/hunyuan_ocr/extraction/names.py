"""Which texts are names of people or companies: legal forms, salutations, what trails after a name.

Decides from one text alone. Whose name it is, and whether to give it, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hunyuan_ocr.extraction.layout import key_of, label_key

_NOT_A_NAME = re.compile(
    r"@|https?:|www\.|\b\d{3,}[\s-]?\d{3,}|^\W*\d|[:：]|^\(|^[\W\d]+$|\b(?:street|strasse|straße|str\.|road|avenue|"
    r"ave\b|rue\b|calle|via\b|jalan|jln|lorong|p\.?o\.? box|floor|suite)\b|\bpage\b|\bseite\b",
    re.IGNORECASE,
)
_ATTENTION = re.compile(r"^(?:attn|attention|att|z\.?\s?hd|c/o|to|m/s|messrs|spett\.?le|name)\.?\s*[:.]?\s+", re.I)
_TITLES = (
    "herrn?|frau|familie|fam|de heer|mevrouw|dhr|mevr|mw|mr|mrs|ms|miss|monsieur|madame|mademoiselle|mme|mlle|"
    "señora?|sra?|signora?|sig|sig\\.ra"
)
_SALUTATION = re.compile(rf"^(?:{_TITLES})\b\.?\s+(?=\w)", re.IGNORECASE)
# The first line of an address that only says how to address: "Firma", "Herrn", "An".
_ONLY_SALUTATION = re.compile(
    rf"^(?:{_TITLES}|herrn? und frau|firma|an|an die|an den|aan|to|messrs|m\.? et mme|attn|z\.?\s?hd\.?)\W*$",
    re.IGNORECASE,
)
_ABBREVIATED = re.compile(r"\b(?:inc|ltd|co|corp|pvt|pte|lda|cia|jr|sr|bros|bhd|ltda)\.$", re.IGNORECASE)
# The border of a receipt, read as a letter.
_EDGE_READ_AS_LETTER = re.compile(r"(\bBHD)[Il|1]$")
_EDGE = " \t:：,;-–•*_|"
_REGISTRY_TAIL = re.compile(
    r"(?:\s+\d{12})?\s*[(\[]\s*(?:co\.?\s*reg|company|no|reg)?[^()]*\d{4,}[^()]*[)\]]\s*$|\s+\d{12}$", re.IGNORECASE
)
# "Muster, S.L. CIF B12345678".
_TAX_ID_TAIL = re.compile(
    r"[,;\s–-]+(?:c\.?i\.?f|n\.?i\.?f|nipc|vat|tva|p\.?\s?iva|btw|ust|uid|gst|gstin|abn|siret|siren|kvk)\b[^\d]{0,14}\d{5,}.*$",
    re.IGNORECASE,
)
# "Mark is a trading name of Muster Ltd": the company is who sells.
_TRADING_NAME = re.compile(
    r"^.{2,60}?\b(?:is a (?:trading name|trademark|brand|division) of|(?:ist )?eine marke (?:der|von)|"
    r"est une marque (?:de la|de)|es una marca de|is een (?:handelsnaam|merk) van|è un marchio di|é uma marca d[aeo]) ",
    re.IGNORECASE,
)
# "Muster SAS au capital de 500 000 €": French law makes companies print it after their name.
_CAPITAL_TAIL = re.compile(r",?\s+(?:[-–]\s*)?(?:au\s+capital|capital\s+social)\b.*$", re.IGNORECASE)
# "Muster Limited. Company No. 09887711": the imprint at the foot of British letters.
_IMPRINT_TAIL = re.compile(
    r"[.,]?\s+(?:company\s+(?:no|number|reg)|registered\s+(?:in|office|company|no)|co\.?\s+reg)\b.*$", re.IGNORECASE
)
_WORD = re.compile(r"\S+")
_JOINING = frozenset({
    "of", "and", "the", "for", "de", "la", "le", "les", "du", "des", "et", "und", "für", "fuer", "van", "der", "den",
    "von", "zu", "zur", "y", "e", "en", "&", "i", "del", "los", "las",
})  # fmt: skip
_SENTENCE_WORDS = 4


class NameJudge:
    """Knows the legal forms of the document's languages (``company_suffixes`` of its profiles)."""

    def __init__(self, company_suffixes: Iterable[str]) -> None:
        suffixes = {key_of(text) for text in company_suffixes}
        self.suffixes = sorted((suffix for suffix in suffixes if suffix), key=len, reverse=True)

    def clean(self, text: str) -> str | None:
        """The text as a name, without "Attn:" and registry numbers; ``None`` when it does not look like a name."""
        name = _ATTENTION.sub("", text.strip(_EDGE))
        name = _TRADING_NAME.sub("", _TAX_ID_TAIL.sub("", _IMPRINT_TAIL.sub("", name)))
        name = _CAPITAL_TAIL.sub("", _REGISTRY_TAIL.sub("", name)).strip(_EDGE)
        if _ONLY_SALUTATION.match(name):
            return None
        head, _, tail = name.partition(",")
        if any(character.isdigit() for character in tail) and self.has_suffix(head):
            name = head.rstrip()
        if not self.has_suffix(name):
            name = _SALUTATION.sub("", name)
        elif _is_sentence(name):
            name = self._company_in(name) or ""
        letters = sum(character.isalpha() for character in name)
        name = _EDGE_READ_AS_LETTER.sub(r"\1", name)
        if name.endswith(".") and "." not in name[:-1] and not _ABBREVIATED.search(name):
            name = name[:-1]
        if letters < 2 or len(name) > 80 or letters < 0.5 * len(name.replace(" ", "")):
            return None
        if _NOT_A_NAME.search(name) and not (self.has_suffix(name) and ":" not in name and "@" not in name):
            return None
        return name

    def has_suffix(self, text: str) -> bool:
        """True when a word of the text is a company's legal form (or, on a receipt, a word shops are named by)."""
        key, places = label_key(text)
        for suffix in self.suffixes:
            place = key.find(suffix)
            while place >= 0:
                before = places[place] - 1
                after = places[place + len(suffix) - 1] + 1
                clear_before = place == 0 or not text[before].isalpha() or "\u4e00" <= suffix[0] <= "\u9fff"
                clear_after = after >= len(text) or not text[after].isalnum() or "\u4e00" <= suffix[0] <= "\u9fff"
                if clear_before and clear_after and place > 0:
                    return True
                place = key.find(suffix, place + 1)
        return False

    def is_only_suffix(self, name: str) -> bool:
        key = label_key(name)[0]
        for suffix in self.suffixes:
            key = key.replace(suffix, "")
        return len(key) < 3

    def _company_in(self, sentence: str) -> str | None:
        """The company at the end of "Make cheques payable to Muster Works Ltd": its capitalised words."""
        words = sentence.split()
        first = len(words)
        while first > 0 and (words[first - 1][0].isupper() or words[first - 1][0].isdigit() or words[first - 1] == "&"):
            first -= 1
        name = " ".join(words[first:]).strip(_EDGE)
        return name if len(words) - first >= 2 and self.has_suffix(name) else None


def is_personal(text: str) -> bool:
    """True for a line that names a person to be addressed ("Attn: …", "Herrn …"), not the company."""
    line = text.strip(_EDGE)
    return _ATTENTION.match(line) is not None or _SALUTATION.match(line) is not None


def _is_sentence(text: str) -> bool:
    """Several words in lower case that do not join the parts of a name."""
    plain = [word for word in _WORD.findall(text) if word[0].islower() and word.casefold() not in _JOINING]
    return len(plain) >= _SENTENCE_WORDS
