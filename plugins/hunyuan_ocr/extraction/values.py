"""Typed values in a piece of text beside a label: an amount, a date, an identifier.

A label is only a promise; its value must look like what it promises. "Invoice date" followed by a name has no value.
This module finds what has the right form in a short text. It does not choose between fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hunyuan_ocr.extraction.context import Context, mask_dates
from hunyuan_ocr.extraction.prompts import ValueType
from hunyuan_ocr.model.invoice import TaxIdType
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount
from hunyuan_ocr.model.parsing.currencies import find_currency, is_active_currency
from hunyuan_ocr.model.parsing.dates import find_dates, parse_date
from hunyuan_ocr.model.parsing.money import MoneyMatch, find_money
from hunyuan_ocr.model.parsing.tax_ids import TaxId, find_tax_ids, parse_tax_id
from hunyuan_ocr.model.parsing.text import plain, squeeze


@dataclass(frozen=True, slots=True)
class Found:
    """A value at ``text[start:end]``. ``quality`` (0 to 1) is how well its form fits; ``readings`` has more than one
    entry when the text alone leaves it open (a day or a month first, a thousands or a decimal point)."""

    start: int
    end: int
    raw: str
    norm: str
    quality: float
    readings: tuple[str, ...]


def _found(text: str, start: int, end: int, norm: str, quality: float, readings: tuple[str, ...] = ()) -> Found:
    return Found(start, end, text[start:end].strip(), norm, quality, readings or (norm,))


_TOKEN = re.compile(r"[^\W_][\w./\-+&*]*")
# A reader that loses spaces: "471102vom".
_GLUED_WORD = re.compile(r"^([^a-z]*\d)[a-z]{2,}$")
_NOISE_WORD = re.compile(r"(?:no|nr|num|number|nummer|numero|numéro|n|nº|n°|#|id|is|ref|code)\.?$", re.IGNORECASE)
_PREFIX_WORD = re.compile(r"[A-Z]{1,6}$")
_NOT_AN_ID = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?$|\d+(?:[.,]\d+)?%$|\d{1,3}/\d{1,3}$|[\d.,]*\d[.,]\d{2}$|\w+@\w+")
_OF = re.compile(r"\s*(?:of|von|de|sur|/)\s*\d+\b", re.IGNORECASE)


# "914 220 0376 / 11": a number set in groups, alone beside its label.
_GROUPED = re.compile(r"\d{2,}(?: \d{2,})+(?: ?/ ?\d+)?")
_SHORTEST_GROUPED = 8


def find_number(text: str, _: Context) -> list[Found]:
    """An identifier with at least one digit at the head of the text, never a date, an amount or a page count."""
    masked = mask_dates(text)
    whole = masked.strip(" :.#")
    if _GROUPED.fullmatch(whole) and sum(character.isdigit() for character in whole) >= _SHORTEST_GROUPED:
        start = masked.index(whole)
        return [_found(text, start, start + len(whole), squeeze(whole), 1.0)]
    prefix_start = -1
    for match in _TOKEN.finditer(masked):
        token = match.group().rstrip(".-/+&*")
        if (glued := _GLUED_WORD.match(token)) is not None:
            token = glued.group(1)
        start, end = match.start(), match.start() + len(token)
        if not token or "\x00" in masked[: match.start()]:
            return []
        lead = masked[prefix_start if prefix_start >= 0 else 0 : start]
        if any(character in "$€£¥%" for character in lead):
            return []
        if not any(character.isdigit() for character in token):
            if _NOISE_WORD.match(token):
                prefix_start = -1
                continue
            if prefix_start < 0 and _PREFIX_WORD.match(token):
                prefix_start = start
                continue
            return []
        if masked[end : end + 2].strip()[:1] == "%":
            return []
        if masked[end : end + 1] == ":" and masked[end + 1 : end + 2].isdigit():
            return []
        if _NOT_AN_ID.match(token) or len(token) > 40 or _OF.match(masked, end):
            return []
        if prefix_start >= 0 and start - prefix_start <= 8:
            start = prefix_start
        whole = text[start:end]
        digits = sum(character.isdigit() for character in token)
        quality = 1.0
        if len(token) <= 2:
            quality = 0.72
        elif digits * 4 < len(token):
            quality = 0.75
        return [_found(text, start, end, squeeze(whole), quality)]
    return []


_DIGIT_GROUP = re.compile(r"\d+")


def find_digits(text: str, lengths: tuple[int, ...] = ()) -> list[Found]:
    """A run of digits of one of ``lengths`` (else at least six); a printer may have set spaces into it."""
    line = plain(text)
    groups = list(_DIGIT_GROUP.finditer(line))
    for first in range(len(groups)):
        digits = ""
        for last in range(first, len(groups)):
            if last > first and line[groups[last - 1].end() : groups[last].start()].strip():
                break
            digits += groups[last].group()
            if (not lengths and len(digits) >= 6) or len(digits) in lengths:
                return [_found(text, groups[first].start(), groups[last].end(), digits, 1.0)]
    return []


# "30 j", "14 Tage": a bare whole number with a word after it counts something else.
_BARE = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19[7-9]|20[0-4])\d")
_COUNTED = re.compile(r"\s?[^\W\d_]")
# A raised point is read as a dash or a dot at mid-height: ¥77-10元.
_RAISED_POINT = re.compile(r"(?<=\d)[·•∙\-](?=\d{2}\s?元)")


def find_amounts(text: str, context: Context) -> list[Found]:
    """Every amount, dates blanked out first."""
    text = _RAISED_POINT.sub(".", text)
    return [
        _found(
            text,
            match.start,
            match.end,
            decimal_text(match.parsed.amount),
            _amount_quality(text, match, context),
            tuple(decimal_text(reading) for reading in match.parsed.readings),
        )
        for match in find_money(mask_dates(text), context.notation)
    ]


def _amount_quality(text: str, match: MoneyMatch, context: Context) -> float:
    """A bare whole number may count something else, the more so where amounts are printed with cents."""
    raw = text[match.start : match.end].strip()
    if match.parsed.currency_symbol is not None or not _BARE.fullmatch(raw):
        return 1.0
    if _COUNTED.match(text, match.end):
        return 0.5
    if context.notation is not None:
        return 0.4 if _YEAR.fullmatch(raw) else 0.85
    return 0.95


def decimal_text(amount: Decimal) -> str:
    """An amount as plain digits with a point; no exponent."""
    return format(amount, "f")


def find_date_values(text: str, context: Context) -> list[Found]:
    """Every date with all its readings in ISO 8601; the order is settled for the whole document, not here."""
    matches = find_dates(text, languages=context.languages) or find_dates(text)
    if not matches and (whole := parse_date(text.strip(" :："))) is not None:
        readings = tuple(reading.isoformat() for reading in whole.readings)
        return [_found(text, 0, len(text), readings[0], 1.0, readings)]
    return [
        _found(
            text,
            match.start,
            match.end,
            match.parsed.readings[0].isoformat(),
            1.0,
            tuple(reading.isoformat() for reading in match.parsed.readings),
        )
        for match in matches
    ]


_ID_RUN = re.compile(r"[A-Z]{0,4}[- ]?\d[\dA-Z]*(?:[ .\-/]?[\dA-Z]*\d[\dA-Z]*)*(?:[ -]?[A-Z]{1,3}\b)?")


def _tax_id_norm(tax_id: TaxId, printed: str) -> str:
    """Without separators where the scheme has none; a tax office's own number keeps its dashes and slashes."""
    if tax_id.type in (TaxIdType.EIN, TaxIdType.OTHER) and any(mark in printed for mark in "-/"):
        return squeeze(printed).upper()
    return tax_id.value


def find_tax_id_values(text: str, context: Context) -> list[Found]:
    """A tax id that a known scheme vouches for, else a run of at least seven letters and digits, mostly digits."""
    line = plain(text)
    known = [
        _found(
            text,
            match.start,
            match.end,
            _tax_id_norm(match.tax_id, text[match.start : match.end]),
            1.0 if match.tax_id.is_valid is not False else 0.85,
        )
        for match in find_tax_ids(line)
    ]
    if known:
        return known
    masked = mask_dates(line)
    for match in _ID_RUN.finditer(masked):
        run = match.group().strip(" -./")
        compact = re.sub(r"[ .\-]", "", run)
        digits = sum(character.isdigit() for character in compact)
        if not 7 <= len(compact) <= 20 or digits < 6 or masked[: match.start()].strip(" :.#()-=No"):
            continue
        parsed = parse_tax_id(run, context.country)
        norm = _tax_id_norm(parsed, run) if parsed else compact if "/" not in run else run
        return [_found(text, match.start(), match.start() + len(run), norm, 0.8)]
    return []


_CODE = re.compile(r"\b[A-Z]{3}\b")


def find_currency_codes(text: str, _: Context) -> list[Found]:
    for match in _CODE.finditer(text):
        if is_active_currency(match.group()):
            return [_found(text, match.start(), match.end(), match.group(), 1.0)]
    hint = find_currency(text)
    return [_found(text, 0, len(text), hint.code, 0.8)] if hint and hint.code else []


_CAPITAL = re.compile(r"[（(]?负?数?[)）]?[零〇○壹贰貳叁參肆伍陆陸柒捌玖拾佰仟万萬亿億圆圓元角分整正负 ]{2,}")


def find_capital_amounts(text: str, _: Context) -> list[Found]:
    """A Chinese amount in words; its norm is the words without spaces."""
    for match in _CAPITAL.finditer(text):
        words = match.group().strip()
        if parse_capital_amount(words) is not None:
            return [_found(text, match.start(), match.end(), re.sub(r"\s", "", words), 1.0)]
    return []


_EDGE = " \t:：|-–—•·*#=_.,;"


def find_text(text: str, _: Context) -> list[Found]:
    shown = text.strip(_EDGE)
    if not any(character.isalnum() for character in shown):
        return []
    start = text.index(shown)
    return [_found(text, start, start + len(shown), squeeze(shown), 1.0)]


SCANNERS: Mapping[ValueType, Callable[[str, Context], list[Found]]] = {
    ValueType.NUMBER: find_number,
    ValueType.DIGITS: lambda text, _: find_digits(text),
    ValueType.MONEY: find_amounts,
    ValueType.DATE: find_date_values,
    ValueType.TAX_ID: find_tax_id_values,
    ValueType.CURRENCY: find_currency_codes,
    ValueType.CAPITAL_AMOUNT: find_capital_amounts,
    ValueType.TEXT: find_text,
}
