"""Signed money in every notation people print, as ``Decimal``.

Refuses to guess: ``1.234`` keeps two readings unless the caller knows the document's notation. Refuses what only looks
like money: identifiers (``INV100``, leading zeros, more than 15 digits), percentages, dates, times, and pieces of a
number whose other half it cannot read. Never passes through ``float``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from hunyuan_ocr.model.parsing.currencies import MARK_PATTERN, codes_of, needs_decimals
from hunyuan_ocr.model.parsing.text import CJK, LETTER, plain


class Notation(StrEnum):
    """How a document writes numbers: POINT is ``1,234.56``, COMMA is ``1.234,56``."""

    POINT = "point"
    COMMA = "comma"


@dataclass(frozen=True, slots=True)
class ParsedMoney:
    """An amount with its sign.

    ``amount`` is the first of ``readings``; there are more when the separators (``1.234``) or a loose dash
    (``Total - 5.00``) allow it. ``currency`` is an ISO 4217 code, given only when the printed mark leaves no choice;
    ``currency_symbol`` is the mark itself. ``notation`` is the one this amount proves, if it proves any.
    """

    amount: Decimal
    currency: str | None
    currency_symbol: str | None
    readings: tuple[Decimal, ...]
    notation: Notation | None = None

    @property
    def is_ambiguous(self) -> bool:
        return len(self.readings) > 1


@dataclass(frozen=True, slots=True)
class MoneyMatch:
    """An amount in a longer text: ``text[start:end]`` with its sign and currency."""

    start: int
    end: int
    parsed: ParsedMoney


@dataclass(frozen=True, slots=True)
class _Number:
    """An unsigned number; where separators allow two readings the grouped one comes first."""

    readings: tuple[Decimal, ...]
    has_fraction: bool = False
    notation: Notation | None = None


_SP = "[ \u00a0]"
_MARGIN = " \u00a0\t\r\n*=:"
_LONGEST = 60
_MAX_DIGITS = 15
_WINDOW = 24

# A tight run of digits and separators; whatever it means, it is one thing and never taken apart.
_TIGHT_RUN = re.compile(
    rf"(?:[0-9]+|(?<![0-9{LETTER}.,'])[.,](?=[0-9]{{2}}(?![0-9.,'])))(?:(?<=[0-9])[.,'][0-9]|[0-9])*"
)
_END = r"(?![0-9]|[.,'][0-9])"
_HEAD = r"[1-9][0-9]{0,2}"
_SPACE_GROUPED = re.compile(rf"{_HEAD}(?:{_SP}[0-9]{{3}})+[.,][0-9]{{1,4}}{_END}")
_NBSP_GROUPED = re.compile(rf"{_HEAD}(?:\u00a0[0-9]{{3}})+{_END}")
_SPACE_GROUPED_INTEGER = re.compile(rf"{_HEAD}(?:{_SP}[0-9]{{3}})+{_END}")
# What readers make of 1,234.56 on a bad scan: a space beside a separator.
_TORN = re.compile(
    rf"{_HEAD}{_SP}?(?P<group>[,.']){_SP}?[0-9]{{3}}(?:{_SP}?(?P=group){_SP}?[0-9]{{3}})*"
    rf"{_SP}?(?!(?P=group))[.,]{_SP}?[0-9]{{2}}{_END}"
)
_TORN_FRACTION = re.compile(rf"[0-9]+{_SP}?[.,]{_SP}?[0-9]{{1,2}}{_END}")
_SPACE_BESIDE_SEPARATOR = re.compile(rf"{_SP}?([.,']){_SP}?")
# A text that groups tightly, or not at all, does not also group by plain spaces: there they separate columns.
_GROUPS_OTHERWISE = re.compile(
    r"(?<![0-9.,'])(?:[0-9]{1,3}[.,'][0-9]{3}[.,][0-9]{2}|[1-9][0-9]{3,}[.,][0-9]{2})(?![0-9.,'])"
)

_GROUPED = re.compile(rf"{_HEAD}(?:[^0-9][0-9]{{3}})+")
_GROUPED_IN_INDIA = re.compile(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")

_SIGN = rf"[-+]{_SP}?"
_NO_CENTS = rf"(?P<no_cents>[.,]{_SP}?-{{1,2}}(?![0-9])|/[-=](?![0-9]))?"
_MINUS = rf"-(?:(?=[A-Z]{{3}}(?![{LETTER}]))|(?![-0-9{LETTER}]))"
_CREDIT = rf"(?:{_SP}?(?P<credit>CR|Cr|DR|Dr)(?![{LETTER}0-9]))?"
_BEFORE = re.compile(rf"(?P<sign>{_SIGN})?(?:(?P<mark>{MARK_PATTERN}){_SP}{{0,3}})?(?P<sign2>{_SIGN})?$")
_AFTER = re.compile(
    rf"{_NO_CENTS}(?P<minus>{_MINUS})?(?:{_SP}{{0,2}}(?P<mark>{MARK_PATTERN})[整正]?(?P<minus2>{_MINUS})?)?{_CREDIT}"
)
_AFTER_WITHOUT_MARK = re.compile(rf"{_NO_CENTS}(?P<minus>{_MINUS})?(?P<mark>(?!))?(?P<minus2>(?!))?{_CREDIT}")
_BEFORE_IN_BRACKETS = re.compile(
    rf"(?:(?P<outer>{MARK_PATTERN}){_SP}{{0,3}})?\({_SP}?(?P<sign>{_SIGN})?"
    rf"(?:(?P<mark>{MARK_PATTERN}){_SP}{{0,3}})?(?P<sign2>{_SIGN})?$"
)
_AFTER_IN_BRACKETS = re.compile(
    rf"{_NO_CENTS}(?P<minus>{_MINUS})?(?:{_SP}{{0,2}}(?P<mark>{MARK_PATTERN}))?{_SP}?\)"
    rf"(?:{_SP}{{0,2}}(?P<outer>{MARK_PATTERN}))?{_CREDIT}"
)
_NEXT_AMOUNT = re.compile(rf"(?P<space>{_SP}?)[-(]?[0-9]")

_GLUED_BEFORE = re.compile(rf"(?:[{LETTER}0-9_#@\\²³]|[0-9{LETTER}][-/]|[0-9]:|(?<!\.)\.|(?<![{LETTER}{CJK}])[,'])$")
_GLUED_SIGN_BEFORE = re.compile(rf"[{LETTER}0-9_/]$")
_NOT_MONEY_AFTER = re.compile(
    rf"[{LETTER}_²³]|{_SP}?[%‰]|[/:][0-9]|-+[0-9{LETTER}]|{_SP}?[万萬亿億]|"
    rf"{_SP}?(?:[Mm]illion|[Mm]io\b|[Bb]illion|[Mm]rd\b|[Tt]housand|[Tt]sd\b|[Ll]akh|[Cc]rore)"
)
_CJK_CHARACTER = re.compile(rf"[{CJK}]")
_COMPACT_DATE = re.compile(r"(?:19[5-9][0-9]|20[0-9]{2})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_DAY_OR_MONTH_AND_YEAR = re.compile(r"(?:[1-9]|[12][0-9]|3[01])[.,](?:19[5-9][0-9]|20[0-9]{2})")


def parse_money(text: str, notation: Notation | None = None) -> ParsedMoney | None:
    """The amount a text consists of; ``None`` when it is anything else (a label, a percentage, ``***``).

    ``notation`` decides between the two readings of ``1.234``; it never overrules what the separators prove.

    >>> parse_money("(1.234,56) €").amount, parse_money("1.234").readings, parse_money("INV100")
    (Decimal('-1234.56'), (Decimal('1234'), Decimal('1.234')), None)
    """
    line = plain(text).strip(_MARGIN)
    if not 0 < len(line) <= _LONGEST:
        return None
    first = next(_matches(line, notation, whole=True), None)
    if first is None or first.start != 0 or line[first.end :] not in ("", ".", ",", ";"):
        return None
    return first.parsed


def find_money(text: str, notation: Notation | None = None) -> list[MoneyMatch]:
    """Every amount-looking piece of a text, in order, with sign and currency; positions are those of ``text``.

    Bare whole numbers count (``Total 100``); what stands for something else beyond doubt does not.
    """
    return list(_matches(plain(text), notation, whole=False))


def notation_of(texts: Iterable[str]) -> Notation | None:
    """The notation that the unambiguous amounts of a document prove; ``None`` when there are none or they disagree.

    Amounts with two decimals or with both separators count. Strays (a clock time ``14.30`` among comma amounts) are
    outvoted by four to one, not by less.
    """
    proven = [match.parsed.notation for text in texts for match in find_money(text)]
    point, comma = proven.count(Notation.POINT), proven.count(Notation.COMMA)
    if max(point, comma) == 0 or max(point, comma) < 4 * min(point, comma):
        return None
    return Notation.POINT if point > comma else Notation.COMMA


def _matches(line: str, notation: Notation | None, *, whole: bool) -> Iterator[MoneyMatch]:
    may_group_by_space = whole or not _GROUPS_OTHERWISE.search(line)
    position = consumed = 0
    while run := _next_run(line, position, may_group_by_space=may_group_by_space, whole=whole):
        position = run.end()
        match = _match_around(line, run, consumed, notation, whole=whole)
        if match is not None:
            yield match
            position = consumed = match.end


def _next_run(line: str, position: int, *, may_group_by_space: bool, whole: bool) -> re.Match[str] | None:
    tight = _TIGHT_RUN.search(line, position)
    if tight is None:
        return None
    start = tight.start()
    patterns = [_TORN, _NBSP_GROUPED]
    if may_group_by_space:
        patterns.append(_SPACE_GROUPED)
        if whole or _mark_before(line, start):
            patterns.append(_SPACE_GROUPED_INTEGER)
    if whole:
        patterns.append(_TORN_FRACTION)
    found = [match for pattern in patterns if (match := pattern.match(line, start))]
    return max([tight, *found], key=lambda match: match.end())


def _mark_before(line: str, start: int) -> bool:
    before = _BEFORE.search(line, max(0, start - _WINDOW), start)
    return bool(before and before["mark"])


def _match_around(
    line: str, run: re.Match[str], consumed: int, notation: Notation | None, *, whole: bool
) -> MoneyMatch | None:
    """The amount whose digits are ``run``, with the sign and currency around it; ``None`` when it is not money."""
    in_brackets = _bracketed(line, run, consumed, notation, whole=whole)
    if in_brackets is not None:
        return in_brackets
    before = _BEFORE.search(line, max(consumed, run.start() - _WINDOW), run.start())
    after = _AFTER.match(line, run.end())
    if after is None or not _is_mark_of_this(line, after, before["mark"] if before else None):
        after = _AFTER_WITHOUT_MARK.match(line, run.end())
    if before is None or after is None:
        return None
    number = _interpret(run.group(), after["no_cents"], notation)
    if number is None:
        return None

    mark, mark_after = (
        None if m and needs_decimals(m) and not number.has_fraction else m for m in (before["mark"], after["mark"])
    )
    start = before.start()
    if before["mark"] and not mark:
        start = run.start()
    signs = [before[group] or "" for group in ("sign", "sign2")] if start < run.start() else []
    if not (mark or mark_after) and _is_something_else(line, run, after, number, whole=whole):
        return None
    if _NOT_MONEY_AFTER.match(line, run.end()) and after.end() == run.end():
        return None
    glue = _GLUED_BEFORE if start == run.start() else _GLUED_SIGN_BEFORE
    if not (mark and not signs[0]) and glue.search(line, max(0, start - 2), start):
        return None

    minus = any("-" in sign for sign in signs) or bool(after["minus"] or after["minus2"]) or _is_credit(after)
    # "Total - 5.00": the dash may be a sign or a separator.
    loose = bool(signs and signs[0].startswith("-") and (line[:start].strip(_MARGIN) and len(signs[0]) > 1))
    loose = loose or bool(signs and "-" in signs[0] and line[start - 1 : start] == "-")
    end = after.end() if mark_after or not after["mark"] else run.end()
    return MoneyMatch(start, end, _parsed(number, mark or mark_after, mark_after, minus=minus, sign_is_loose=loose))


def _bracketed(
    line: str, run: re.Match[str], consumed: int, notation: Notation | None, *, whole: bool
) -> MoneyMatch | None:
    """``(12.00)``, ``¥ (12.00)``, ``(12,00) €``: the accountants' minus. A bare ``(3)`` in a text is a remark."""
    after = _AFTER_IN_BRACKETS.match(line, run.end())
    if after is None:
        return None
    before = _BEFORE_IN_BRACKETS.search(line, max(consumed, run.start() - _WINDOW), run.start())
    number = _interpret(run.group(), after["no_cents"], notation)
    if before is None or number is None:
        return None
    marks = [m for m in (before["outer"], before["mark"], after["mark"], after["outer"]) if m]
    if not (marks or whole or number.has_fraction):
        return None
    start = before.start()
    if line[start] == "(" and _GLUED_SIGN_BEFORE.search(line, max(0, start - 1), start):
        return None
    first, last = (marks[0], marks[-1]) if marks else (None, None)
    return MoneyMatch(start, after.end(), _parsed(number, first, last, minus=True, sign_is_loose=False))


def _is_mark_of_this(line: str, after: re.Match[str], mark_before: str | None) -> bool:
    """False for a mark that belongs to the amount after it: ``5 $12.00``, ``EUR 5.00 USD 6.00``."""
    mark = after["mark"]
    if mark is None:
        return True
    following = _NEXT_AMOUNT.match(line, after.end("mark"))
    if following is None:
        return True
    if mark_before:
        return False
    is_apart = line[after.start("mark") - 1] in " \u00a0"
    prefixes = mark[-1] in "$¥£₹"
    return not (is_apart and (prefixes or not following["space"]))


def _is_something_else(line: str, run: re.Match[str], after: re.Match[str], number: _Number, *, whole: bool) -> bool:
    """A date, a count with its unit, or a number with a dash: nothing vouches for an amount."""
    if number.has_fraction:
        return not whole and bool(_DAY_OR_MONTH_AND_YEAR.fullmatch(run.group()))
    if _COMPACT_DATE.fullmatch(run.group()) or _CJK_CHARACTER.match(line, run.end()):
        return True
    return bool(after["minus"]) and not whole


def _is_credit(after: re.Match[str]) -> bool:
    return (after["credit"] or "").upper() == "CR"


def _parsed(number: _Number, mark: str | None, other: str | None, *, minus: bool, sign_is_loose: bool) -> ParsedMoney:
    signed: list[Decimal] = []
    for reading in number.readings:
        negative = -reading if reading else reading
        signed.extend((reading, negative) if sign_is_loose else (negative,) if minus else (reading,))
    readings = tuple(dict.fromkeys(signed))
    codes = codes_of(mark) if mark else ()
    if other and other != mark:
        codes = tuple(code for code in codes if code in codes_of(other))
    return ParsedMoney(readings[0], codes[0] if len(codes) == 1 else None, mark, readings, number.notation)


def _interpret(run: str, no_cents: str | None, notation: Notation | None) -> _Number | None:
    """What a run of digits and separators says; ``None`` when its groups make no number."""
    tidy = _SPACE_BESIDE_SEPARATOR.sub(r"\1", run).replace("\u00a0", " ")
    separators = [character for character in tidy if not character.isdigit()]
    kinds = set(separators)
    if no_cents and no_cents[0] in ".,":
        # The cents are a dash: what stands before it is whole.
        if no_cents[0] in kinds or len(kinds) > 1 or (kinds and not _GROUPED.fullmatch(tidy)):
            return None
        return _whole_number(tidy, has_fraction=True, notation=_notation_of_decimal(no_cents[0]))
    if not kinds:
        return _whole_number(tidy)
    last = separators[-1]
    head, _, tail = tidy.rpartition(last)
    if len(kinds) == 1 and (len(separators) > 1 or last in " '"):
        if not (_GROUPED.fullmatch(tidy) or _GROUPED_IN_INDIA.fullmatch(tidy)):
            return None
        return _whole_number(tidy, notation=_notation_of_decimal(_OTHER[last]) if last in _OTHER else None)
    if last not in ".," or separators.count(last) > 1 or len(kinds) > 2:
        return None
    if len(kinds) == 2 and not (_GROUPED.fullmatch(head) or _GROUPED_IN_INDIA.fullmatch(head)):
        return None
    decimal_notation = _notation_of_decimal(last)
    proven = decimal_notation if len(kinds) == 2 or len(tail) == 2 else None
    whole = _whole_number(head or "0")
    if whole is None or len(tail) > _MAX_DIGITS:
        return None
    fraction = Decimal(f"{whole.readings[0]}.{tail}")
    if len(kinds) == 1 and _GROUPED.fullmatch(tidy) and notation is not decimal_notation:
        grouped = Decimal(head + tail)
        return _Number((grouped,) if notation else (grouped, fraction), has_fraction=True)
    return _Number((fraction,), has_fraction=True, notation=proven)


_OTHER = {".": ",", ",": "."}


def _notation_of_decimal(separator: str) -> Notation:
    return Notation.POINT if separator == "." else Notation.COMMA


def _whole_number(text: str, *, has_fraction: bool = False, notation: Notation | None = None) -> _Number | None:
    digits = "".join(character for character in text if character.isdigit())
    if not 0 < len(digits) <= _MAX_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return None
    return _Number((Decimal(digits),), has_fraction, notation)
