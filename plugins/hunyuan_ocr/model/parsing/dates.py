"""Dates as printed: numeric in any order, with month names, Chinese; never shifted by a time zone.

Refuses to guess: ``01/02/2024`` keeps two readings unless the caller knows the document's order. Refuses impossible
dates, years outside 1950 to 2100, dates without a day, and digits inside a longer identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from hunyuan_ocr.model.parsing.months import month_numbers
from hunyuan_ocr.model.parsing.text import LETTER, plain


class DateOrder(StrEnum):
    """In which order a document writes day, month and year in figures."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True)
class ParsedDate:
    """The dates a text may mean, at least one; ``order`` is the order in figures that it proves, if any."""

    readings: tuple[date, ...]
    order: DateOrder | None = None

    @property
    def value(self) -> date | None:
        """The only reading, or ``None`` when there are two."""
        return None if self.is_ambiguous else self.readings[0]

    @property
    def is_ambiguous(self) -> bool:
        return len(self.readings) > 1


@dataclass(frozen=True, slots=True)
class DateMatch:
    """A date in a longer text: ``text[start:end]``, without the time of day beside it."""

    start: int
    end: int
    parsed: ParsedDate


_SP = r"[ \u00a0\t]"
_GAP = rf"{_SP}{{0,3}}"
_YEAR = r"(?P<y>(?:19[5-9]|20[0-9])[0-9]|2100)"
_MONTH = r"(?P<m>1[0-2]|0?[1-9])"
_DAY = r"(?P<d>3[01]|[12][0-9]|0?[1-9])"
# Not inside a number or an identifier; but readers lose the space after a label: "InvoiceDate25/12/2018".
_NOT_GLUED_BEFORE = rf"(?:(?<![0-9{LETTER}_])(?<![0-9{LETTER}][-/])(?<![0-9]\.)|(?<=[{LETTER}]{{3}}))"
# … and the one before the time of day: "25/12/20188:13:39".
_NOT_GLUED_AFTER = (
    rf"(?:(?![0-9{LETTER}_])(?![-/.][0-9])(?!-[{LETTER}])|(?=[Tt ]?[0-9]{{1,2}}:[0-9]{{2}})|(?=[{LETTER}]{{3}}))"
)
_END_OF_SHORT_YEAR = rf"(?![0-9:{LETTER}_])(?![-/.,][0-9])"

_CHINESE = re.compile(
    rf"(?<![0-9])(?P<y>[0-9]{{4}}|[0-9]{{2}}){_GAP}[年년]{_GAP}{_MONTH}{_GAP}[月월]{_GAP}{_DAY}(?![0-9]){_GAP}[日号號일]?"
)
_CHINESE_NUMERALS = re.compile(
    r"(?P<y>[〇零○一二三四五六七八九]{4})年(?P<m>[一二三四五六七八九十]{1,2})月(?P<d>[一二三四五六七八九十]{1,3})日"
)
_YEAR_FIRST = re.compile(
    rf"{_NOT_GLUED_BEFORE}{_YEAR}{_GAP}(?P<s>[-/.]){_GAP}{_MONTH}{_GAP}(?P=s){_GAP}{_DAY}{_NOT_GLUED_AFTER}"
)
_SPACED = re.compile(rf"{_YEAR}{_SP}(?P<m>[01][0-9]){_SP}(?P<d>[0-3][0-9])")
_COMPACT = re.compile(
    rf"(?<![0-9{LETTER}_])(?<![0-9{LETTER}][-/.,:]){_YEAR}(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12][0-9]|3[01])"
    rf"(?![0-9{LETTER}_])(?![-/.,:'][0-9])(?!-[{LETTER}])"
)
_YEAR_LAST = re.compile(
    rf"{_NOT_GLUED_BEFORE}(?P<a>[0-9]{{1,2}}){_GAP}(?P<s>[-/.]){_GAP}(?P<b>[0-9]{{1,2}}){_GAP}(?P=s){_GAP}"
    rf"(?:(?P<y>(?:19[5-9]|20[0-9])[0-9]|2100){_NOT_GLUED_AFTER}|(?P<yy>[0-9]{{2}}){_END_OF_SHORT_YEAR})"
)

_CLOCK = (
    rf"[0-9]{{1,2}}{_SP}?[:.h]{_SP}?[0-9]{{2}}(?:{_SP}?[:.]{_SP}?[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?"
    rf"(?:{_SP}?(?:[AaPp]\.?[Mm]\.?|Uhr|h|hrs))?(?:{_SP}?(?:Z|UTC|GMT|[+-][0-9]{{2}}:?[0-9]{{2}}|[A-Z]{{3,4}}))?"
)
_TIME_AFTER = re.compile(rf"[Tt]?{_SP}*[,;(-]?{_SP}*(?:um|at|à|a las|om|alle)?{_SP}*{_CLOCK}\)?")
_TIME_BEFORE = re.compile(rf"{_CLOCK}{_SP}*[,;]?")
_WEEKDAY = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|montag|dienstag|mittwoch|donnerstag|freitag|"
    r"samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|"
    r"mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|"
    r"luned[iì]|marted[iì]|mercoled[iì]|gioved[iì]|venerd[iì]|sabato|domenica|segunda|ter[cç]a|quarta|quinta|sexta|"
    r"星期[一二三四五六日天]|周[一二三四五六日]",
    re.IGNORECASE,
)
# "1 set 12 pcs" is no date in September: these need a full year.
_ALSO_ENGLISH_WORDS = frozenset({"set", "out"})
_MARGIN = " \u00a0\t\r\n,;:.()"
_LONGEST = 80


def parse_date(text: str, order: DateOrder | None = None, languages: Sequence[str] = ()) -> ParsedDate | None:
    """The date a text consists of, perhaps with a weekday and a time of day; ``None`` when it is anything else.

    ``order`` decides between the readings of ``01/02/2024``; it never overrules what the figures prove. ``languages``
    (ISO 639-1) adds month names beyond English, German, French, Spanish, Dutch, Italian and Portuguese. Two-digit
    years: 00 to 69 are 20xx, 70 to 99 are 19xx.

    >>> parse_date("2024年01月05日").value.isoformat(), parse_date("01/02/2024").is_ambiguous, parse_date("31/02/2024")
    ('2024-01-05', True, None)
    """
    line = plain(text).strip(_MARGIN)
    if not 0 < len(line) <= _LONGEST:
        return None
    spaced = _SPACED.fullmatch(line)
    if spaced:
        return _one(_date(spaced["y"], spaced["m"], spaced["d"]), DateOrder.YMD)
    for match in _matches(line, order, tuple(languages)):
        rest = _TIME_BEFORE.sub("", line[: match.start], count=1), _TIME_AFTER.sub("", line[match.end :], count=1)
        if all(not part.strip(_MARGIN) or _WEEKDAY.fullmatch(part.strip(_MARGIN)) for part in rest):
            return match.parsed
    return None


def find_dates(text: str, order: DateOrder | None = None, languages: Sequence[str] = ()) -> list[DateMatch]:
    """Every date in a text, in order and without overlaps; positions are those of ``text``."""
    found: list[DateMatch] = []
    for match in sorted(_matches(plain(text), order, tuple(languages)), key=lambda m: (m.start, -m.end)):
        if not found or match.start >= found[-1].end:
            found.append(match)
    return found


def date_order_of(texts: Iterable[str]) -> DateOrder | None:
    """The order of figures that the unambiguous dates of a document prove; ``None`` when none do or they disagree.

    A year in front says nothing about the order of day and month, so YMD is the answer only when nothing else is.
    """
    proven = {match.parsed.order for text in texts for match in find_dates(text)}
    day_or_month_first = proven & {DateOrder.DMY, DateOrder.MDY}
    if day_or_month_first:
        return day_or_month_first.pop() if len(day_or_month_first) == 1 else None
    return DateOrder.YMD if DateOrder.YMD in proven else None


def _matches(line: str, order: DateOrder | None, languages: tuple[str, ...]) -> Iterator[DateMatch]:
    for pattern in (_CHINESE, _YEAR_FIRST, _COMPACT):
        for match in pattern.finditer(line):
            parsed = _one(_date(match["y"], match["m"], match["d"]), DateOrder.YMD)
            if parsed:
                yield DateMatch(match.start(), match.end(), parsed)
    for match in _CHINESE_NUMERALS.finditer(line):
        parsed = _one(_date(*(_from_chinese(match[part]) for part in "ymd")), DateOrder.YMD)
        if parsed:
            yield DateMatch(match.start(), match.end(), parsed)
    for match in _YEAR_LAST.finditer(line):
        parsed = _in_figures(match, order)
        if parsed:
            yield DateMatch(match.start(), match.end(), parsed)
    for pattern in _patterns_with_names(languages):
        for match in pattern.finditer(line):
            name = match["month"].casefold()
            month = month_numbers(languages).get(name)
            if month is None or (match["yy"] and name in _ALSO_ENGLISH_WORDS):
                continue
            parsed = _one(_date(match["y"] or match["yy"], str(month), match["d"]), None)
            if parsed:
                yield DateMatch(match.start(), match.end(), parsed)


def _in_figures(match: re.Match[str], order: DateOrder | None) -> ParsedDate | None:
    first, second, year = match["a"], match["b"], match["y"] or match["yy"]
    readings = {
        DateOrder.DMY: _date(year, second, first),
        DateOrder.MDY: _date(year, first, second),
    }
    possible = {key: value for key, value in readings.items() if value is not None}
    two_digits_each = match["yy"] is not None and len(first) == len(second) == 2
    if two_digits_each and (order is DateOrder.YMD or not possible):
        year_first = _date(first, second, year)
        if year_first is not None:
            return ParsedDate((year_first,), DateOrder.YMD)
    if not possible:
        return None
    if order in possible:
        # The caller's knowledge is no proof, and where both orders agree there is none either.
        proof = order if len(possible) == 1 else None
        return ParsedDate((possible[order],), proof)
    if match["s"] == "." and DateOrder.DMY in possible:
        # Nobody who writes the month first puts points between.
        return ParsedDate((possible[DateOrder.DMY],), DateOrder.DMY)
    distinct = tuple(dict.fromkeys(possible.values()))
    return ParsedDate(distinct, next(iter(possible)) if len(possible) == 1 else None)


@cache
def _patterns_with_names(languages: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    names = "|".join(sorted(map(re.escape, month_numbers(languages)), key=lambda name: (-len(name), name)))
    between = rf"{_GAP}(?:[-/.,]|d'|d[eo]l?|of)?{_GAP}"
    ordinal = r"(?:st|nd|rd|th|er|re|[ºª°.])?"
    day_first = (
        rf"(?<![0-9{LETTER}_])(?<![0-9][-/.,]){_DAY}{ordinal}{between}(?P<month>{names})\.?{between}"
        rf"(?:{_YEAR}{_NOT_GLUED_AFTER}|'?(?P<yy>[0-9]{{2}}){_END_OF_SHORT_YEAR})"
    )
    month_first = (
        rf"(?<![{LETTER}])(?P<month>{names})\.?{_GAP}[-/.]?{_GAP}{_DAY}(?:st|nd|rd|th)?{_GAP}[-/,.]?{_GAP}"
        rf"(?:{_YEAR}{_NOT_GLUED_AFTER}|'(?P<yy>[0-9]{{2}}){_END_OF_SHORT_YEAR})"
    )
    year_first = (
        rf"(?<![0-9{LETTER}_])(?<![0-9][-/.,]){_YEAR}(?P<yy>(?!))?{_GAP}[-/.,]?{_GAP}(?P<month>{names})\.?{_GAP}"
        rf"[-/.,]?{_GAP}{_DAY}(?![0-9:{LETTER}])"
    )
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in (day_first, month_first, year_first))


def _one(value: date | None, order: DateOrder | None) -> ParsedDate | None:
    return None if value is None else ParsedDate((value,), order)


def _date(year: str, month: str, day: str) -> date | None:
    full_year = int(year)
    if len(year) == 2:
        full_year += 2000 if full_year < 70 else 1900
    if not 1950 <= full_year <= 2100:
        return None
    try:
        return date(full_year, int(month), int(day))
    except ValueError:
        return None


def _from_chinese(numeral: str) -> str:
    """一 to 三十一, and years digit by digit, as a decimal string."""
    digits = {character: str(value) for value, character in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0"}
    if "十" not in numeral:
        return "".join(digits[character] for character in numeral)
    tens, _, ones = numeral.partition("十")
    if "十" in ones:
        return "0"
    return str(int(digits.get(tens, "1") if tens else "1") * 10 + int(digits.get(ones, "0") if ones else "0"))
