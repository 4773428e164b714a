"""What a whole document proves about its own notation: decimal sign, order of dates, currency, country, language.

An amount such as 1.234 or a date such as 03/04/2024 cannot be read alone. This module collects the evidence that
settles it. Without evidence it says so; it has no default.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.model.parsing.currencies import find_currency
from hunyuan_ocr.model.parsing.dates import DateOrder, date_order_of, find_dates
from hunyuan_ocr.model.parsing.money import Notation, find_money, notation_of
from hunyuan_ocr.model.parsing.tax_ids import find_tax_ids

EURO_COUNTRIES = frozenset([
    "AT",
    "BE",
    "CY",
    "DE",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PT",
    "SI",
    "SK",
])

# Country -> currency and the order its people write numeric dates in (CLDR short date patterns, territory defaults).
COUNTRIES: Mapping[str, tuple[str, DateOrder]] = {
    "US": ("USD", DateOrder.MDY), "CN": ("CNY", DateOrder.YMD), "JP": ("JPY", DateOrder.YMD),
    "KR": ("KRW", DateOrder.YMD), "TW": ("TWD", DateOrder.YMD), "HU": ("HUF", DateOrder.YMD),
    "MY": ("MYR", DateOrder.DMY), "SG": ("SGD", DateOrder.DMY), "IN": ("INR", DateOrder.DMY),
    "GB": ("GBP", DateOrder.DMY), "AU": ("AUD", DateOrder.DMY), "NZ": ("NZD", DateOrder.DMY),
    "HK": ("HKD", DateOrder.DMY), "CH": ("CHF", DateOrder.DMY), "BR": ("BRL", DateOrder.DMY),
    "ID": ("IDR", DateOrder.DMY), "TH": ("THB", DateOrder.DMY), "PH": ("PHP", DateOrder.MDY),
    "MX": ("MXN", DateOrder.DMY), "PL": ("PLN", DateOrder.DMY), "CZ": ("CZK", DateOrder.DMY),
    "SE": ("SEK", DateOrder.YMD), "NO": ("NOK", DateOrder.DMY), "DK": ("DKK", DateOrder.DMY),
    "TR": ("TRY", DateOrder.DMY), "RO": ("RON", DateOrder.DMY), "BG": ("BGN", DateOrder.DMY),
    **dict.fromkeys(EURO_COUNTRIES, ("EUR", DateOrder.DMY)),
}  # fmt: skip

_CURRENCY_COUNTRY = {currency: country for country, (currency, _) in COUNTRIES.items() if currency != "EUR"}

# Berhad is a company, not the dinar of Bahrain.
_COMPANY_FORM = re.compile(r"\b(?:sdn\.?\s*)?bhd\b|\btop\b", re.IGNORECASE)
_US_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
)
_US_STATE_AND_ZIP = re.compile(rf"\b(?:{_US_STATES}),?\s+\d{{5}}(?:-\d{{4}})?\b")
# The bank of the one who wants to be paid is mostly in his country.
_IBAN = re.compile(r"\bIBAN\W{0,3}([A-Z]{2})\d{2}\b")
# Where the words of a page say in which country its seller lives.
_COUNTRY_WORDS: Mapping[str, re.Pattern[str]] = {
    "MY": re.compile(
        r"\bsdn\.?\s*bhd\b|\bS/B\b|\bmalaysia\b|\bselangor\b|\bjohor\b|\bkuala lumpur\b|\btaman\b|\bjalan\b|\bjln\b|"
        r"\bpenang\b|\bpulau pinang\b|\bRM\s?\d|\bSST\b",
        re.IGNORECASE,
    ),
    "SG": re.compile(r"\bpte\.?\s*ltd\b|\bsingapore\b", re.IGNORECASE),
    "IN": re.compile(r"\bGSTIN\b|\bpvt\.?\s*ltd\b|\bIGST\b|\bCGST\b|\bIFSC\b", re.IGNORECASE),
    "GB": re.compile(
        r"\bunited kingdom\b|\bengland\b|\b(?-i:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2})\b|"
        r"\bVAT\s+(?:Reg\S*\s+)?(?:No\.?\s*)?:?\s*GB",
        re.IGNORECASE,
    ),
    "AU": re.compile(r"\bABN\b|\baustralia\b", re.IGNORECASE),
    "NZ": re.compile(r"\bnew zealand\b", re.IGNORECASE),
    "HK": re.compile(r"\bhong kong\b", re.IGNORECASE),
    "CH": re.compile(r"\bCHE-?\d|\bschweiz\b|\bswitzerland\b", re.IGNORECASE),
    "CA": re.compile(r"\bcanada\b|\bHST\b|\bGST/HST\b", re.IGNORECASE),
    "ID": re.compile(r"\bNPWP\b|\bindonesia\b", re.IGNORECASE),
    "BR": re.compile(r"\bCNPJ\b|\bR\$", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about how this document writes numbers and dates. ``None`` means: it does not say."""

    notation: Notation | None
    date_order: DateOrder | None
    date_order_reason: str
    currency: str | None
    currency_is_printed: bool
    country: str | None
    languages: tuple[str, ...]


def read_context(layout: Layout, profile: PromptProfile) -> Context:
    """The evidence of the whole document; the profile's locale counts only where the document is silent."""
    texts = [row.text for row in layout.rows]
    money_texts = [text for text in texts if any(character.isdigit() for character in text)]
    notation = notation_of(_without_dates(money_texts))
    if notation is None and profile.locale.decimal_comma is not None:
        notation = Notation.COMMA if profile.locale.decimal_comma else Notation.POINT
    country = _country(texts, profile)
    currency, printed = _currency(texts, country, profile)
    if country is None and currency in _CURRENCY_COUNTRY and currency not in ("USD", "CAD"):
        country = _CURRENCY_COUNTRY[currency]
    order, reason = _date_order(money_texts, country, profile)
    return Context(notation, order, reason, currency, printed, country, profile.languages)


def _without_dates(texts: Iterable[str]) -> list[str]:
    return [mask_dates(text) for text in texts]


def mask_dates(text: str) -> str:
    """The text with every date blanked out, of the same length: 05.03 in 05.03.2018 is no amount."""
    for match in find_dates(text):
        text = text[: match.start] + "\x00" * (match.end - match.start) + text[match.end :]
    return text


def _country(texts: list[str], profile: PromptProfile) -> str | None:
    if profile.locale.country:
        return profile.locale.country
    votes = _country_votes(texts)
    if not votes:
        return None
    ranked = votes.most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        return None
    return ranked[0][0]


def _country_votes(texts: list[str]) -> Counter[str]:
    votes: Counter[str] = Counter()
    for text in texts:
        if _US_STATE_AND_ZIP.search(text):
            votes["US"] += 2
        for country, words in _COUNTRY_WORDS.items():
            if words.search(text):
                votes[country] += 1
        votes.update(country for country in _IBAN.findall(text) if country in COUNTRIES)
        for match in find_tax_ids(text):
            if match.tax_id.is_valid and match.tax_id.country:
                votes[match.tax_id.country] += 2
    return votes


def _currency(texts: list[str], country: str | None, profile: PromptProfile) -> tuple[str | None, bool]:
    codes: Counter[str] = Counter()
    open_symbols: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        hint = find_currency(_COMPANY_FORM.sub(" ", text))
        if hint is None:
            continue
        amounts = max(1, len(find_money(text))) if any(character.isdigit() for character in text) else 1
        if hint.code:
            codes[hint.code] += min(amounts, 3)
        else:
            open_symbols[hint.codes] += min(amounts, 3)
    if codes and open_symbols:
        # "$ 12.00 … all charges are in USD": the code settles the symbol.
        possible, weight = open_symbols.most_common(1)[0]
        settled = [code for code in codes if code in possible]
        if settled:
            return max(settled, key=lambda code: codes[code]), True
        if weight > sum(codes.values()):
            codes.clear()
    if codes:
        ranked = codes.most_common(2)
        if len(ranked) == 1 or ranked[0][1] > ranked[1][1]:
            return ranked[0][0], True
        return None, False
    local = COUNTRIES[country][0] if country is not None and country in COUNTRIES else None
    if open_symbols:
        possible, _ = open_symbols.most_common(1)[0]
        if local in possible:
            # Across a border a bare $ may be the seller's dollar or the American one.
            is_abroad = "USD" in possible and local != "USD" and len(_country_votes(texts)) > 1
            return (None, False) if is_abroad else (local, True)
        if "USD" in possible and (country is None or country == "US"):
            # A bare $ without any sign of another dollar country.
            return "USD", True
        if profile.locale.currency in possible:
            return profile.locale.currency, True
        return None, False
    if profile.locale.currency:
        return profile.locale.currency, False
    return local, False


def _date_order(texts: list[str], country: str | None, profile: PromptProfile) -> tuple[DateOrder | None, str]:
    proven = date_order_of(texts)
    if proven is not None:
        return proven, "another date of the document shows the order"
    if profile.locale.date_order:
        return DateOrder[profile.locale.date_order], "the language of the document has one order"
    if country is not None and country in COUNTRIES:
        return COUNTRIES[country][1], "the country of the document has one order"
    return None, ""
