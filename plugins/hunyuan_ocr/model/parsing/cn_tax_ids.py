"""Chinese taxpayer numbers: unified social credit code, resident identity number, the older 15 and 20 characters.

Knows check characters only; refuses to say whether a number was ever issued. python-stdnum is not used here because
it refuses social credit codes that begin with a letter, and knows no older numbers.

Sources: GB 32100-2015 (unified social credit code), GB 11714-1997 (organisation code, nested in it), GB 11643-1999
(resident identity number).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from hunyuan_ocr.model.invoice import TaxIdType

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

# Letters that readers take for digits and that a social credit code never has.
_LOOK_ALIKES = str.maketrans("IOZS", "1025")

_USCC_SHAPE = re.compile(r"[0-9A-Z]{2}[0-9IOZS]{6}[0-9A-Z]{10}")
_CN15_SHAPE = re.compile(r"[0-9]{6}[0-9A-Z]{9}")
_CN20_SHAPE = re.compile(r"[0-9]{17}[0-9X][0-9A-Z]{2}")
_RIC_SHAPE = re.compile(r"[1-9][0-9]{16}[0-9X]")


@dataclass(frozen=True, slots=True)
class ChineseTaxId:
    """What a number is by itself; the fields mean what they mean in ``TaxId``."""

    type: TaxIdType
    is_valid: bool | None
    problems: tuple[str, ...] = ()
    repair: str | None = None


def uscc_check_digit(first17: str) -> str:
    """The 18th character of a unified social credit code (GB 32100-2015: weights 3^i mod 31, modulus 31).

    Raises ``ValueError`` when there are not 17 characters of its alphabet (no I, O, S, V, Z).
    """
    if len(first17) != 17 or any(character not in _USCC_ALPHABET for character in first17):
        raise ValueError("a unified social credit code starts with 17 digits and capitals other than I, O, S, V and Z")
    total = sum(_USCC_ALPHABET.index(c) * weight for c, weight in zip(first17, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[-total % 31]


def gb11714_check_digit(first8: str) -> str:
    """The 9th character of an organisation code (GB 11714-1997, modulus 11, 10 is written X).

    Raises ``ValueError`` when there are not 8 digits and capitals.
    """
    if len(first8) != 8 or any(character not in _ORGANISATION_ALPHABET for character in first8):
        raise ValueError("an organisation code starts with 8 digits and capitals")
    total = sum(
        _ORGANISATION_ALPHABET.index(c) * weight for c, weight in zip(first8, _ORGANISATION_WEIGHTS, strict=True)
    )
    return "0123456789X"[-total % 11]


def chinese_tax_id(value: str) -> ChineseTaxId | None:
    """The kind of a number of 15, 18 or 20 characters (capitals, no spaces); ``None`` when it has no such shape."""
    if _RIC_SHAPE.fullmatch(value) and not _is_uscc(value) and _has_birth_date(value):
        if _is_resident_number(value):
            return ChineseTaxId(TaxIdType.CN_RIC18, True)
        return ChineseTaxId(TaxIdType.CN_RIC18, False, ("the check character of the identity number does not agree",))
    if _USCC_SHAPE.fullmatch(value):
        return _social_credit_code(value)
    if _CN15_SHAPE.fullmatch(value):
        return ChineseTaxId(TaxIdType.CN15, None, _organisation_problems(value[6:]))
    if _CN20_SHAPE.fullmatch(value):
        known = _is_resident_number(value[:18])
        problem = "does not begin with a valid identity number"
        return ChineseTaxId(TaxIdType.CN20, None, () if known else (problem,))
    return None


def _social_credit_code(value: str) -> ChineseTaxId:
    if _is_uscc(value):
        return ChineseTaxId(TaxIdType.USCC, True, _organisation_problems(value[8:17]))
    if all(character in _USCC_ALPHABET for character in value):
        return ChineseTaxId(TaxIdType.USCC, False, ("the check character of the social credit code does not agree",))
    repaired = value.translate(_LOOK_ALIKES)
    return ChineseTaxId(
        TaxIdType.USCC,
        False,
        ("a social credit code has none of the letters I, O, S, V and Z",),
        repaired if _is_uscc(repaired) else None,
    )


def _organisation_problems(code: str) -> tuple[str, ...]:
    """The nested check is old and not always kept: a problem, not a refusal."""
    if gb11714_check_digit(code[:8]) == code[8]:
        return ()
    return ("the check character of the organisation code inside does not agree",)


def _is_uscc(value: str) -> bool:
    in_alphabet = len(value) == 18 and all(character in _USCC_ALPHABET for character in value)
    return in_alphabet and value[2:8].isdigit() and uscc_check_digit(value[:17]) == value[17]


def _has_birth_date(value: str) -> bool:
    try:
        born = date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return False
    return 1900 <= born.year <= 2100


def _is_resident_number(value: str) -> bool:
    if not _RIC_SHAPE.fullmatch(value) or not _has_birth_date(value):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(value[:17], _RESIDENT_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == value[17]
