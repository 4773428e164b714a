"""Currencies as printed: ISO 4217 codes, symbols and names.

Refuses to decide what a symbol leaves open: ``¥`` is CNY or JPY, ``$`` any dollar. Who knows the seller's country may.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import iso4217

from hunyuan_ocr.model.parsing.text import CJK, LETTER, plain

_DOLLARS = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN")
_KRONOR = ("SEK", "NOK", "DKK", "ISK")

# Printed mark (after ``plain``) -> the currencies it may stand for.
MARKS: dict[str, tuple[str, ...]] = {
    "€": ("EUR",), "Euro": ("EUR",), "EURO": ("EUR",), "euro": ("EUR",), "Euros": ("EUR",), "euros": ("EUR",),
    "£": ("GBP",), "₹": ("INR",), "Rs.": ("INR",), "Rs": ("INR",), "RS.": ("INR",), "RM": ("MYR",),
    "¥": ("CNY", "JPY"), "RMB": ("CNY",), "RMB¥": ("CNY",), "CNY¥": ("CNY",), "CN¥": ("CNY",), "JP¥": ("JPY",),
    "元": ("CNY",), "圆": ("CNY",), "圓": ("CNY",), "人民币": ("CNY",), "人民幣": ("CNY",), "円": ("JPY",),
    "$": _DOLLARS, "US$": ("USD",), "USD$": ("USD",), "C$": ("CAD",), "CA$": ("CAD",), "CAD$": ("CAD",),
    "A$": ("AUD",), "AU$": ("AUD",), "AUD$": ("AUD",), "NZ$": ("NZD",), "S$": ("SGD",), "SGD$": ("SGD",),
    "HK$": ("HKD",), "NT$": ("TWD",), "R$": ("BRL",), "MX$": ("MXN",),
    "₩": ("KRW",), "원": ("KRW",), "฿": ("THB",), "₽": ("RUB",), "₺": ("TRY",), "₫": ("VND",), "₪": ("ILS",),
    "₱": ("PHP",), "₦": ("NGN",), "₴": ("UAH",), "zł": ("PLN",), "ZŁ": ("PLN",), "Kč": ("CZK",), "KČ": ("CZK",),
    "kr": _KRONOR, "kr.": _KRONOR, "Kr": _KRONOR, "Kr.": _KRONOR, "KR": _KRONOR, "Ft": ("HUF",), "lei": ("RON",),
    "Rp": ("IDR",), "Rp.": ("IDR",), "SFr.": ("CHF",), "Fr.": ("CHF",),
}  # fmt: skip

# Words and abbreviations of everyday texts: a currency only beside an amount.
_WEAK_MARKS = frozenset({"kr", "kr.", "Kr", "Kr.", "KR", "Ft", "lei", "Rp", "Rp."})
_WEAK_CODES = frozenset({
    "ALL", "AMD", "ANG", "BAM", "BOB", "CHE", "CHW", "COP", "COU", "CUP", "DOP", "ERN", "GEL", "GIP", "LAK", "MAD",
    "MOP", "MUR", "NIO", "PAB", "PEN", "RON", "SAR", "SOS", "STN", "SVC", "TOP", "TRY", "USN",
})  # fmt: skip
# Codes that people also print in lower case.
_LOWER_CASE_CODES = frozenset({
    "EUR", "USD", "GBP", "CHF", "CNY", "INR", "MYR", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "AUD", "NZD",
    "SGD", "HKD", "JPY", "ZAR",
})  # fmt: skip

_MINOR_UNITS: dict[str, int] = {
    code: int(decimals)
    for code, row in iso4217.raw_table.items()
    if code and isinstance(decimals := row["CcyMnrUnts"], str) and decimals.isdigit()
}


def is_active_currency(code: str) -> bool:
    """True for a code of ISO 4217 list one that is money: not for metals, test codes and withdrawn currencies."""
    return code in _MINOR_UNITS


def minor_unit(code: str) -> int:
    """How many decimals an amount of this currency has: 2 for EUR, 0 for JPY, 3 for KWD (ISO 4217).

    Raises ``ValueError`` for a code that is not an active currency.
    """
    try:
        return _MINOR_UNITS[code]
    except KeyError:
        raise ValueError("not an active ISO 4217 currency code: check it with is_active_currency first") from None


def _one_of(words: set[str]) -> str:
    """A regular expression for the words, longest first, with shared beginnings written once: it compiles quickly."""
    by_first: dict[str, set[str]] = {}
    for word in words - {""}:
        by_first.setdefault(word[0], set()).add(word[1:])
    branches = [re.escape(first) + _one_of(rest) for first, rest in sorted(by_first.items())]
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)})" + ("?" if "" in words else "")


def _mark_pattern() -> str:
    spelled = {*MARKS, *_MINOR_UNITS, *(form for code in _LOWER_CASE_CODES for form in (code.lower(), code.title()))}
    words = {mark for mark in spelled if re.fullmatch(rf"[{LETTER}]+", mark)}
    starting = {mark for mark in spelled - words if re.match(rf"[{LETTER}]", mark)}
    others = spelled - words - starting
    letter = f"[{LETTER}]"
    return rf"(?:(?<!{letter})(?:{_one_of(starting)}|{_one_of(words)}(?!{letter}))|{_one_of(others)})"


# Every mark with its word boundaries, longest first, as one regular expression over ``plain`` text.
MARK_PATTERN = _mark_pattern()
_MARK = re.compile(MARK_PATTERN)
_BESIDE_AMOUNT_BEFORE = re.compile(r"[0-9][ \u00a0]?$")
_BESIDE_AMOUNT_AFTER = re.compile(r"[ \u00a0]?[-(]?[0-9]")
_BESIDE_DECIMALS_BEFORE = re.compile(r"[.,][0-9]{2}[ \u00a0]?$")
_BESIDE_DECIMALS_AFTER = re.compile(r"[ \u00a0]?[-(]?[0-9][0-9.,' \u00a0]*[.,][0-9]{2}(?![0-9])")
_CJK_CHARACTER = re.compile(rf"[{CJK}]")


def codes_of(mark: str) -> tuple[str, ...]:
    """The currencies a printed mark may stand for; one when it is unambiguous, none when it is not a mark."""
    if mark in MARKS:
        return MARKS[mark]
    code = mark.upper()
    return (code,) if code in _MINOR_UNITS else ()


def needs_decimals(mark: str) -> bool:
    """True for a mark that before a bare whole number is more likely a word: ``TOP 10``, ``Fr. 12``."""
    return mark in _WEAK_CODES or mark == "Fr."


@dataclass(frozen=True, slots=True)
class CurrencyHint:
    """What a text says about its currency.

    ``code`` is the ISO 4217 code when the text leaves only one, ``symbol`` the first mark as printed, ``codes`` all
    that are possible.
    """

    code: str | None
    symbol: str
    codes: tuple[str, ...]


def find_currency(text: str) -> CurrencyHint | None:
    """The currency a text names by code, symbol or word; ``None`` when it names none.

    Several marks must agree: ``$ … USD`` is USD; ``USD … EUR`` leaves both open.

    >>> find_currency("Total (US$)").code, find_currency("¥ 12.00").codes, find_currency("EUROPE 2024")
    ('USD', ('CNY', 'JPY'), None)
    """
    line = plain(text)
    symbol = ""
    possible: tuple[str, ...] = ()
    contradiction: list[str] = []
    for match in _MARK.finditer(line):
        mark = match.group()
        if not _stands_for_money(line, match):
            continue
        codes = codes_of(mark)
        contradiction.extend(code for code in codes if code not in contradiction)
        symbol = symbol or mark
        possible = tuple(code for code in possible if code in codes) if possible else codes
        if not possible:
            return CurrencyHint(None, symbol, tuple(contradiction))
    if not possible:
        return None
    return CurrencyHint(possible[0] if len(possible) == 1 else None, symbol, possible)


def _stands_for_money(line: str, match: re.Match[str]) -> bool:
    mark = match.group()
    window = line[max(0, match.start() - 2) : match.start()]
    beside_amount = bool(_BESIDE_AMOUNT_BEFORE.search(window) or _BESIDE_AMOUNT_AFTER.match(line, match.end()))
    if mark in ("元", "円", "圆", "圓"):
        # 单元, 元件 and 圆珠笔 are no money: the character must stand alone, or close an amount in words.
        following = line[match.end() : match.end() + 1]
        if following in ("整", "正") or line.endswith(("人民币", "人民幣"), 0, match.start()):
            return True
        alone = not _CJK_CHARACTER.match(line[max(0, match.start() - 1) : match.start()])
        return beside_amount or (mark in "元円" and alone and not _CJK_CHARACTER.match(following))
    if needs_decimals(mark):
        beside_amount = bool(_BESIDE_DECIMALS_BEFORE.search(line, max(0, match.start() - 5), match.start())) or bool(
            _BESIDE_DECIMALS_AFTER.match(line, match.end())
        )
    return beside_amount or not (mark in _WEAK_MARKS or needs_decimals(mark)) or line.strip() == mark
