"""Tax numbers: which kind, of which country, and whether their check digits agree.

Refuses to correct: a slip of a reader (``O`` for ``0``) is at most *proposed* as a repair, and only when the repaired
number passes its checksum. Refuses to place a bare number: without a prefix or a caller who knows the country it is
``OTHER``. Format and checksum only: nothing here asks a registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import ModuleType

from stdnum import exceptions, iban
from stdnum.util import get_cc_module

from hunyuan_ocr.model.invoice import TaxIdType
from hunyuan_ocr.model.parsing.cn_tax_ids import chinese_tax_id, gb11714_check_digit, uscc_check_digit
from hunyuan_ocr.model.parsing.text import plain

__all__ = ["TaxId", "TaxIdMatch", "find_tax_ids", "gb11714_check_digit", "parse_tax_id", "uscc_check_digit"]


@dataclass(frozen=True, slots=True)
class TaxId:
    """A tax number.

    ``value`` is what is printed, in capitals, without spaces, points and dashes. ``country`` is ISO 3166 (``GR`` for
    a number that begins with ``EL``, ``XI`` for Northern Ireland), ``None`` when nothing tells. ``is_valid`` is
    ``None`` when no checksum is known for this kind. ``problems`` explain, without quoting the number; there may be
    some on a valid number. ``repair`` is a number to propose to a clerk: never accept it without a second source.
    """

    value: str
    type: TaxIdType
    country: str | None
    is_valid: bool | None
    problems: tuple[str, ...] = ()
    repair: str | None = None


@dataclass(frozen=True, slots=True)
class TaxIdMatch:
    """A tax number in a longer text: ``text[start:end]`` with its prefix."""

    start: int
    end: int
    tax_id: TaxId


# What stands after the prefix: # a digit, ? a digit or letter, @ a letter. European Commission, VIES FAQ, question 11.
_EU_SHAPES: dict[str, tuple[str, ...]] = {
    "AT": ("U########",), "BE": ("##########", "#########"), "BG": ("##########", "#########"), "CY": ("########@",),
    "CZ": ("##########", "#########", "########"), "DE": ("#########",), "DK": ("########",), "EE": ("#########",),
    "EL": ("#########",), "ES": ("?#######?",), "FI": ("########",), "FR": ("??#########",), "GR": ("#########",),
    "HR": ("###########",), "HU": ("########",), "IE": ("#?#####@@", "#?#####@"), "IT": ("###########",),
    "LT": ("############", "#########"), "LU": ("########",), "LV": ("###########",), "MT": ("########",),
    "NL": ("#########B##",), "PL": ("##########",), "PT": ("#########",), "RO": ("##########", "#########",
    "########", "#######", "######"), "SE": ("############",), "SI": ("########",), "SK": ("##########",),
    "XI": ("############", "#########", "GD###", "HA###"),
}  # fmt: skip
_GB_SHAPES = ("############", "#########", "GD###", "HA###")
_EU_COUNTRIES = frozenset(_EU_SHAPES) - {"EL"}

# Elsewhere python-stdnum knows the number by "vat"; these are the exceptions.
_STDNUM_NAMES = {"CH": "uid", "NO": "orgnr", "ZA": "tin"}

_SEPARATORS = re.compile(r"[\s\u00a0./_\-:,'·]+")
_NUMBER = re.compile(r"(?=.*[0-9])[0-9A-ZÑ&+*]{4,24}")
_LOOK_ALIKES = str.maketrans("IOZS", "1025")
_GSTIN = re.compile(r"[0-9]{2}[A-Z]{5}[0-9]{4}[A-Z][0-9A-Z]Z[0-9A-Z]")
_SWISS = re.compile(r"(CHE[0-9]{9})(?:MWST|TVA|IVA|TPV)?")
_NORWEGIAN = re.compile(r"(?:NO)?([0-9]{9})(?:MVA)?")
_JAPANESE = re.compile(r"T[0-9]{13}")
_EIN = re.compile(r"[0-9]{2}-[0-9]{7}")
_MALAYSIAN = re.compile(r"[0-9]{12}|[A-Z][0-9]{14}")


def parse_tax_id(text: str, country: str | None = None) -> TaxId | None:
    """The tax number a text consists of (or the only one in it); ``None`` when it has none.

    ``country`` (ISO 3166, ``EL`` and ``UK`` understood) is what the caller knows about the party; a prefix on the
    number itself wins over it.

    >>> parse_tax_id("DE 232 446 240").type, parse_tax_id("232446240").country, parse_tax_id("232446240", "DE").is_valid
    (<TaxIdType.EU_VAT: 'EU_VAT'>, None, True)
    """
    value = _compact(text)
    if not _NUMBER.fullmatch(value):
        found = find_tax_ids(text)
        return found[0].tax_id if len(found) == 1 else None
    if iban.is_valid(value):
        return None
    code = _country_code(country)
    known = _chinese(value, code) or _with_prefix(value, code) or _by_shape(plain(text).strip(), value, code)
    known = known or (_of_country(value, code) if code else None)
    if known:
        return known
    found = find_tax_ids(text)
    if len(found) == 1 and (found[0].tax_id.value != value or found[0].tax_id.is_valid):
        return found[0].tax_id
    if 2 * sum(character.isdigit() for character in value) < len(value):
        return None
    return TaxId(value, TaxIdType.OTHER, code, None, () if code else ("the country is not known",))


def find_tax_ids(text: str) -> list[TaxIdMatch]:
    """Every piece of a text that has the shape of a tax number by itself, valid or not, in order, without overlaps.

    Bare digits of a country without a tell-tale shape are not found: they need a label or a known country.
    """
    line = plain(text)
    found: list[TaxIdMatch] = []
    for pattern, country in _FINDERS:
        for match in pattern.finditer(line):
            tax_id = _found(match, line, country)
            if tax_id is not None:
                found.append(TaxIdMatch(match.start(), match.end(), tax_id))
    kept: list[TaxIdMatch] = []
    # A valid number beats the longer one that swallows it.
    for candidate in sorted(found, key=lambda m: (m.tax_id.is_valid is not True, m.start - m.end, m.start)):
        if all(candidate.end <= other.start or candidate.start >= other.end for other in kept):
            kept.append(candidate)
    return sorted(kept, key=lambda m: m.start)


def _country_code(country: str | None) -> str | None:
    code = (country or "").strip().upper()
    code = {"EL": "GR", "UK": "GB"}.get(code, code)
    return code if re.fullmatch("[A-Z]{2}", code) else None


def _compact(text: str) -> str:
    return _SEPARATORS.sub("", plain(text).upper())


def _chinese(value: str, code: str | None) -> TaxId | None:
    if code not in (None, "CN"):
        return None
    # EN 16931 wants a country prefix (BR-CO-09); the number itself has none.
    bare = value[2:] if value.startswith("CN") and len(value) in (17, 20) else value
    kind = chinese_tax_id(bare)
    if kind is None:
        if code is None:
            return None
        return TaxId(value, TaxIdType.OTHER, "CN", False, ("a Chinese tax number has 15, 18 or 20 characters",))
    if code is None and bare == value:
        # 15 and 20 characters, and 18 bare digits that fail their check, are too common to be Chinese by themselves.
        tells = kind.is_valid or kind.repair or (kind.type is TaxIdType.USCC and not value.isdigit())
        if not tells:
            return None
    return TaxId(bare, kind.type, "CN", kind.is_valid, kind.problems, kind.repair)


def _with_prefix(value: str, code: str | None) -> TaxId | None:
    prefix, body = value[:2], value[2:]
    if prefix not in _EU_SHAPES and prefix != "GB":
        return None
    if 2 * sum(character.isdigit() for character in body) < len(body) or len(body) < 2:
        return None
    if code and code not in _EU_COUNTRIES | {"GB"}:
        of_country = _of_country(value, code)
        if of_country and of_country.is_valid:
            return of_country
    return _checked(value, prefix)


def _checked(value: str, prefix: str) -> TaxId:
    """A number with its European or British prefix."""
    kind = TaxIdType.GB_VAT if prefix == "GB" else TaxIdType.EU_VAT
    country = "GR" if prefix == "EL" else prefix
    module = _module(country, "vat")
    problem = _problem(module, value, f"VAT number of {country}")
    if problem is None:
        return TaxId(value, kind, country, True)
    repaired = prefix + value[2:].translate(_LOOK_ALIKES)
    is_repaired = repaired != value and _problem(module, repaired, "") is None
    return TaxId(value, kind, country, False, (problem,), repaired if is_repaired else None)


def _by_shape(printed: str, value: str, code: str | None) -> TaxId | None:
    """Numbers that are recognised by their shape whatever the country of the party is."""
    swiss = _SWISS.fullmatch(value)
    if swiss:
        return _other(value, "CH", swiss[1])
    norwegian = _NORWEGIAN.fullmatch(value)
    if norwegian and (code == "NO" or value.startswith("NO") or value.endswith("MVA")):
        return _other(value, "NO", norwegian[1])
    if _JAPANESE.fullmatch(value):
        return _other(value, "JP", value[1:])
    if _GSTIN.fullmatch(value):
        return _other(value, "IN", value)
    if _EIN.fullmatch(printed) and code is None:
        return _employer_number(value)
    return None


def _of_country(value: str, code: str) -> TaxId | None:
    if code == "US":
        return _employer_number(value)
    if code == "MY":
        problems = () if _MALAYSIAN.fullmatch(value) else ("not in the format of a Malaysian tax number",)
        return TaxId(value, TaxIdType.OTHER, "MY", None, problems)
    if code in _EU_COUNTRIES or code == "GB":
        prefix = "EL" if code == "GR" else code
        tax_id = _checked(prefix + value, prefix)
        if tax_id.is_valid or tax_id.repair or _has_shape(value, prefix):
            repair = tax_id.repair[2:] if tax_id.repair else None
            return TaxId(value, tax_id.type, code, tax_id.is_valid, tax_id.problems, repair)
        # A German Steuernummer or a French SIREN is a tax number too, of another kind.
        return TaxId(value, TaxIdType.OTHER, code, None, (f"not in the format of a VAT number of {code}",))
    return _other(value, code, value)


def _has_shape(value: str, prefix: str) -> bool:
    shapes = _GB_SHAPES if prefix == "GB" else _EU_SHAPES[prefix]
    return any(re.fullmatch(_spelled(shape, separated=False), value) for shape in shapes)


def _employer_number(value: str) -> TaxId | None:
    problem = _problem(_module("US", "ein"), value, "US employer identification number")
    if not (value.isdigit() and len(value) == 9):
        return TaxId(value, TaxIdType.OTHER, "US", None, (problem,) if problem else ())
    # Only the first two digits can be wrong: there is no check digit.
    return TaxId(value, TaxIdType.EIN, "US", None if problem is None else False, (problem,) if problem else ())


def _other(value: str, country: str, number: str) -> TaxId | None:
    module = _module(country, _STDNUM_NAMES.get(country, "vat"))
    if module is None:
        return None
    problem = _problem(module, number, f"tax number of {country}")
    if problem is None:
        if country == "MX" and not module.is_valid(number, validate_check_digits=True):
            # Mexico itself has issued numbers whose check digit does not agree.
            return TaxId(value, TaxIdType.OTHER, country, None, ("the check digit does not agree",))
        return TaxId(value, TaxIdType.OTHER, country, True)
    return TaxId(value, TaxIdType.OTHER, country, False, (problem,))


def _module(country: str, name: str) -> ModuleType | None:
    if country == "XI":
        # Northern Ireland has no module of its own; its numbers are British ones with another prefix.
        country = "GB"
    module = get_cc_module(country.lower(), name)
    return module if isinstance(module, ModuleType) else None


def _problem(module: ModuleType | None, number: str, kind: str) -> str | None:
    if module is None:
        return None
    try:
        module.validate(number)
    except exceptions.InvalidLength:
        return f"wrong length for a {kind}"
    except exceptions.InvalidChecksum:
        return f"the check digit of the {kind} does not agree"
    except exceptions.ValidationError:
        return f"not in the format of a {kind}"
    return None


def _spelled(shape: str, *, separated: bool) -> str:
    """A shape as a regular expression; letters that readers take for digits are let in where a digit belongs."""
    classes = {"#": "[0-9IOZS]", "?": "[0-9A-Z]", "@": "[A-Z]"}
    return ("[ \u00a0.\\-]?" if separated else "").join(classes.get(character, character) for character in shape)


def _finders() -> tuple[tuple[re.Pattern[str], str | None], ...]:
    start, end = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
    patterns: list[tuple[str, str | None]] = [
        (r"[0-9A-Z](?:[ \u00a0]?[0-9A-Z]){17}", "CN"),
        (_GSTIN.pattern, None),
        (r"CHE[- ]?[0-9]{3}[. ]?[0-9]{3}[. ]?[0-9]{3}(?: ?(?:MWST|TVA|IVA|TPV))?", None),
        (r"(?:NO ?)?[0-9]{3} ?[0-9]{3} ?[0-9]{3} ?MVA", None),
        (r"(?<!-)[0-9]{2}-[0-9]{7}(?!-)", None),
        (r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}", "BR"),
        (r"T[0-9]{13}", None),
        (r"00[0-9]{10}", "MY"),
        (r"(?:(?<=ABN )|(?<=ABN:)|(?<=ABN: ))[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "AU"),
        (r"[A-ZÑ&]{3,4}-?[0-9]{6}-?[0-9A-Z]{3}", "MX"),
    ]
    for prefix, shapes in (*_EU_SHAPES.items(), ("GB", _GB_SHAPES)):
        bodies = "|".join(_spelled(shape, separated=True) + end for shape in shapes)
        patterns.append((rf"{prefix}[ \u00a0.:\-]{{0,2}}(?:{bodies})", None))
    return tuple((re.compile(start + pattern + end), country) for pattern, country in patterns)


_FINDERS = _finders()
_GOES_ON = re.compile(r"[ \u00a0.\-]?[0-9]")


def _found(match: re.Match[str], line: str, country: str | None) -> TaxId | None:
    value = _compact(match.group())
    if country == "CN":
        kind = chinese_tax_id(value)
        # With spaces inside, or with letters for digits, only the checksum tells it from ordinary words.
        sure = kind is not None and (kind.is_valid or kind.repair)
        solid = len(match.group()) == 18 and sum(character.isdigit() for character in value) >= 12
        if kind is None or kind.type not in (TaxIdType.USCC, TaxIdType.CN_RIC18) or not (sure or solid):
            return None
        return TaxId(value, kind.type, "CN", kind.is_valid, kind.problems, kind.repair)
    tax_id = (
        _of_country(value, country) if country else _with_prefix(value, None) or _by_shape(match.group(), value, None)
    )
    if tax_id is None:
        return None
    plain_digits = not re.search(r"[IOZS]", value[2:]) or tax_id.country not in _EU_COUNTRIES | {"GB"}
    alone = not _GOES_ON.match(line, match.end())
    # The shapes of Mexico and Australia are too common to be believed when the check fails.
    shape_is_enough = plain_digits and alone and not (country in ("MX", "AU") and tax_id.is_valid is False)
    return tax_id if tax_id.is_valid or tax_id.repair or shape_is_enough else None
