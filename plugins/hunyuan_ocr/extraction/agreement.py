"""Whether two spellings of one value say the same: dates as dates, amounts as amounts, numbers without spaces.

A vision model copies what is printed, but pads dates, drops signs of currency, breaks or cuts long lines and leaves out
the separators of identifiers. None of that is a disagreement. Decides about two texts only, never which one is right.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from enum import StrEnum

from hunyuan_ocr.extraction.context import mask_dates
from hunyuan_ocr.extraction.layout import label_key
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.model.evidence import Candidate
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount
from hunyuan_ocr.model.parsing.currencies import find_currency
from hunyuan_ocr.model.parsing.dates import find_dates, parse_date
from hunyuan_ocr.model.parsing.money import find_money, parse_money

_AMOUNTS = (
    "total", "amount", "sum_of", "allowances", "charges", "cash", "change", "prior", "paid", "rounding",
)  # fmt: skip
_IDENTIFIERS = frozenset({
    "payment.iban_or_account", "preceding_invoice_code",
    "seller.legal_id", "seller.party_id", "buyer.legal_id", "buyer.party_id",
})  # fmt: skip
# A printed middle dot is read as a point by the model and as a dash or a dot by others: 77·10元.
_RAISED_POINT = re.compile(r"(?<=\d)[·•∙](?=\d{2}(?!\d))")
_LIKE = 0.85
_SHORTEST_PART = 4
_PART = 0.4
_DRIFT = 2
_SHORTEST_DRIFTED = 4


class Likeness(StrEnum):
    """``SAME`` is one value in two spellings, ``NEAR`` is one text with letters lost, ``OTHER`` is another value."""

    SAME = "same"
    NEAR = "near"
    OTHER = "other"


def value_type(path: str, profile: PromptProfile | None = None) -> ValueType:
    """What kind of value a field has: the profile's word for it, else what its name tells."""
    if profile is not None and path in profile.fields:
        return profile.fields[path].type
    if path.endswith("_date") or path in ("period_start", "period_end"):
        return ValueType.DATE
    if path == "currency":
        return ValueType.CURRENCY
    if path.endswith(".tax_id"):
        return ValueType.TAX_ID
    if path == "cn_amount_in_words":
        return ValueType.CAPITAL_AMOUNT
    if path.startswith(_AMOUNTS):
        return ValueType.MONEY
    is_number = path.endswith(("_number", "_code", "_ref")) or path in _IDENTIFIERS
    return ValueType.NUMBER if is_number else ValueType.TEXT


def readings_of(raw: str, kind: ValueType) -> tuple[str, ...]:
    """Every canonical value ``raw`` can mean as a value of this kind, likeliest first; none: it cannot be one.

    ``05/11/20`` and ``1.234`` have two. An amount must be the only one in the text.
    """
    text = unicodedata.normalize("NFKC", raw).strip()
    match kind:
        case ValueType.MONEY | ValueType.RATE:
            return _amounts(text)
        case ValueType.DATE:
            return _days(text)
        case ValueType.CAPITAL_AMOUNT:
            return (re.sub(r"\s", "", text),) if parse_capital_amount(text) is not None else _amounts(text)
        case ValueType.CURRENCY:
            hint = find_currency(text)
            return hint.codes if hint is not None else ()
        case ValueType.TEXT:
            return (text,) if label_key(text)[0] else ()
        case _:
            return (identifier_key(text),) if any(character.isdigit() for character in text) else ()


def _amounts(text: str) -> tuple[str, ...]:
    text = _RAISED_POINT.sub(".", text)
    whole = parse_money(text)
    if whole is None:
        if find_dates(text):
            return ()
        found = find_money(mask_dates(text))
        whole = (
            found[0].parsed if len(found) == 1 and not _has_other_digits(text, found[0].start, found[0].end) else None
        )
    return tuple(format(reading, "f") for reading in whole.readings) if whole is not None else ()


def _has_other_digits(text: str, start: int, end: int) -> bool:
    return any(character.isdigit() for character in text[:start] + text[end:])


def _days(text: str) -> tuple[str, ...]:
    whole = parse_date(text)
    if whole is not None:
        return tuple(day.isoformat() for day in whole.readings)
    days = [day for match in find_dates(text) for day in match.parsed.readings]
    return tuple(dict.fromkeys(day.isoformat() for day in days))


def identifier_key(text: str) -> str:
    """Letters and digits only, in capitals: how identifiers are compared."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())


def likeness(vote: Candidate, printed: Candidate, kind: ValueType) -> Likeness:
    """How far a model's answer and the printed value of the same field agree."""
    match kind:
        case ValueType.MONEY | ValueType.RATE:
            return _among({_number(printed.value_norm), *map(_number, _amounts(printed.value_raw))}, vote, kind)
        case ValueType.DATE:
            return Likeness.SAME if printed.value_norm in readings_of(vote.value_raw, kind) else Likeness.OTHER
        case ValueType.CAPITAL_AMOUNT:
            said, known = parse_capital_amount(vote.value_raw), parse_capital_amount(printed.value_norm)
            if said is None:
                return _among({_number(format(known, "f"))} if known is not None else set(), vote, kind)
            return Likeness.SAME if said == known else Likeness.OTHER
        case ValueType.CURRENCY:
            return Likeness.SAME if printed.value_norm in readings_of(vote.value_raw, kind) else Likeness.OTHER
        case ValueType.TEXT:
            return _like_text(vote.value_raw, printed)
        case _:
            return Likeness.SAME if _is_same_identifier(vote.value_raw, printed) else Likeness.OTHER


def _number(text: str) -> str:
    """One spelling for equal decimals; what is none stays as it is."""
    sign = "-" if text.startswith("-") else ""
    whole, _, cents = text.removeprefix("-").partition(".")
    bare = f"{whole.lstrip('0') or '0'}.{cents.rstrip('0')}".rstrip(".")
    return bare if bare == "0" else sign + bare


def _among(known: set[str], vote: Candidate, kind: ValueType) -> Likeness:
    said = {_number(reading) for reading in readings_of(vote.value_raw, kind)}
    return Likeness.SAME if said & known else Likeness.OTHER


def _is_same_identifier(said: str, printed: Candidate) -> bool:
    """Equal without separators, also when words without a digit stand around the number ("No. 4711", "DE 123")."""
    said_key = identifier_key(said)
    for known in (identifier_key(printed.value_norm), identifier_key(printed.value_raw)):
        if said_key == known:
            return True
        longer, shorter = sorted((said_key, known), key=len, reverse=True)
        rest = longer.replace(shorter, "", 1) if shorter and shorter in longer else "0"
        if any(character.isdigit() for character in shorter) and not any(character.isdigit() for character in rest):
            return True
    return False


def _like_text(said: str, printed: Candidate) -> Likeness:
    known_texts = (printed.value_norm, printed.value_raw)
    key = label_key(said)[0]
    if any(key == label_key(known)[0] for known in known_texts):
        return Likeness.SAME
    return Likeness.NEAR if any(_is_near(key, label_key(known)[0]) for known in known_texts) else Likeness.OTHER


def _is_near(first: str, second: str) -> bool:
    """One text cut short, or with a few letters other; its digits must be the same."""
    longer, shorter = sorted((first, second), key=len, reverse=True)
    if len(shorter) >= max(_SHORTEST_PART, _PART * len(longer)) and shorter in longer:
        return True
    if [c for c in first if c.isdigit()] != [c for c in second if c.isdigit()]:
        return False
    return bool(shorter) and SequenceMatcher(None, first, second, autojunk=False).ratio() >= _LIKE


def has_drifted(vote: Candidate, printed: Candidate, kind: ValueType, *, is_strict: bool = True) -> bool:
    """True when two different values are the same but for one or two characters: one of them is misread.

    Strictly only one in dates and short numbers, where two others are soon another value.
    """
    if kind in (ValueType.TEXT, ValueType.CURRENCY, ValueType.CAPITAL_AMOUNT):
        return False
    known = identifier_key(printed.value_norm)
    for reading in readings_of(vote.value_raw, kind):
        said = identifier_key(reading)
        is_short = kind is ValueType.DATE or min(len(said), len(known)) < 2 * _SHORTEST_DRIFTED
        allowed = 1 if is_short and is_strict else _DRIFT
        if min(len(said), len(known)) >= _SHORTEST_DRIFTED - 1 and distance_within(said, known, allowed):
            return True
    return False


def distance_within(first: str, second: str, limit: int) -> bool:
    """True when at most ``limit`` characters must be replaced, added or taken away to make one of the other."""
    if abs(len(first) - len(second)) > limit:
        return False
    row = list(range(len(second) + 1))
    for order, character in enumerate(first, 1):
        above, row[0] = row[0], order
        for place, other in enumerate(second, 1):
            kept = above if character == other else above + 1
            above = row[place]
            row[place] = min(kept, above + 1, row[place - 1] + 1)
        if min(row) > limit:
            return False
    return row[-1] <= limit
