"""What of a page proves itself, without a label and without a model: sums, amounts in words, check digits, repetition.

A proof is what lets a lone contradicting answer of a vision model be set aside without asking a person. It says what it
proves: a sum ties a value to its place and to its digits, a check digit and a second print only to its digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import product

from stdnum import iban

from hunyuan_ocr.extraction.agreement import identifier_key, value_type
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.line_items import PrintedLine, sum_of
from hunyuan_ocr.extraction.printed import PrintedText
from hunyuan_ocr.extraction.prompts import PromptProfile, ValueType
from hunyuan_ocr.model.evidence import Candidate, FieldValue
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount
from hunyuan_ocr.model.parsing.tax_ids import parse_tax_id

_NET, _TAX, _TOTAL = "total_without_tax", "total_tax", "total_with_tax"
_SHORTEST_REPEATED = 5


class Proof(StrEnum):
    """``SUM``: the arithmetic of the page holds only with this value in this place. ``CHECK``: its check digits agree.
    ``REPEATED``: it is printed in two places alike."""

    SUM = "sum"
    CHECK = "check"
    REPEATED = "repeated"


def proofs_of(
    values: Mapping[str, FieldValue],
    lines: Sequence[PrintedLine],
    layout: Layout,
    profile: PromptProfile,
) -> dict[str, frozenset[Proof]]:
    """The proofs of every value read from the page, by field path; a field without any is left out."""
    chosen = {path: value.chosen for path, value in values.items() if value.chosen is not None}
    proven = dict.fromkeys(_summed(chosen, lines), frozenset({Proof.SUM}))
    printed = PrintedText(layout)
    for path, candidate in chosen.items():
        if path.startswith(("lines[", "tax_breakdown[")):
            continue
        if passes_check(path, candidate.value_norm, profile):
            proven[path] = proven.get(path, frozenset()) | {Proof.CHECK}
        kind = value_type(path, profile)
        is_long = len(identifier_key(candidate.value_norm)) >= _SHORTEST_REPEATED
        if kind is not ValueType.TEXT and is_long and printed.count(candidate.value_norm, kind) > 1:
            proven[path] = proven.get(path, frozenset()) | {Proof.REPEATED}
    return proven


def passes_check(path: str, text: str, profile: PromptProfile) -> bool:
    """True for a tax id or an account whose check digits agree; False also where the scheme has none."""
    if path.endswith(".tax_id"):
        parsed = parse_tax_id(text, profile.locale.country)
        return parsed is not None and parsed.is_valid is True
    return path == "payment.iban_or_account" and bool(iban.is_valid(text))


def fails_check(path: str, text: str, profile: PromptProfile) -> bool:
    """True for a tax id whose scheme has check digits that do not agree."""
    if not path.endswith(".tax_id"):
        return False
    parsed = parse_tax_id(text, profile.locale.country)
    return parsed is not None and parsed.is_valid is False


def _summed(chosen: Mapping[str, Candidate], lines: Sequence[PrintedLine]) -> Iterable[str]:
    """Paths of the amounts that other printed amounts confirm; signs are left aside (credit notes)."""
    amounts = {path: abs(amount) for path, candidate in chosen.items() if (amount := amount_of(candidate)) is not None}
    net, tax, total = (amounts.get(path) for path in (_NET, _TAX, _TOTAL))
    if net is not None and tax and total is not None:
        adds_up = any(net + tax + step == total for step in _steps(amounts))
        if adds_up and _are_apart(chosen[path] for path in (_NET, _TAX, _TOTAL)):
            yield from (_NET, _TAX, _TOTAL)
    words = chosen.get("cn_amount_in_words")
    in_words = parse_capital_amount(words.value_norm) if words is not None else None
    if total is not None and in_words is not None and abs(in_words) == total:
        yield from (_TOTAL, "cn_amount_in_words")
    added = sum_of(lines)
    for path in (_NET, _TOTAL, "sum_of_lines"):
        if added and abs(added) == amounts.get(path) and not _is_own_line(chosen[path], lines):
            yield path
    due = amounts.get("amount_due")
    if due is not None and due == total and _are_apart((chosen["amount_due"], chosen[_TOTAL])):
        yield "amount_due"


def amount_of(candidate: Candidate) -> Decimal | None:
    """The candidate's value as an amount, ``None`` when it is none."""
    try:
        return Decimal(candidate.value_norm)
    except InvalidOperation:
        return None


def _steps(amounts: Mapping[str, Decimal]) -> Iterable[Decimal]:
    """What may stand between net + tax and the total: rounding either way, charges, discounts."""
    rounding, charges, allowances = (
        amounts.get(path, Decimal(0)) for path in ("rounding_amount", "charges_total", "allowances_total")
    )
    for first, second, third in product(
        (Decimal(0), rounding, -rounding), (Decimal(0), charges), (Decimal(0), -allowances)
    ):
        yield first + second + third


def _are_apart(candidates: Iterable[Candidate]) -> bool:
    """Each printed in a place of its own: an amount that plays two roles proves nothing."""
    places = [(candidate.page_no, candidate.box) for candidate in candidates]
    return len(set(places)) == len(places)


def _is_own_line(candidate: Candidate, lines: Sequence[PrintedLine]) -> bool:
    return any(
        (value.cell.page_no, value.cell.box) == (candidate.page_no, candidate.box)
        for printed in lines
        for value in printed.values
    )
