"""How one invoice compares with the truth, field by field.

Numbers are compared as numbers, dates as dates, tax ids without their separators, other texts after NFKC, case and
space folding. Only what the truth states is scored: an absent key is unchecked, an explicit ``null`` is a statement
that the document has no such value. It does not forgive: a value that is nearly right is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from hunyuan_ocr.evaluation.manifest import Truth
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, LineKind
from hunyuan_ocr.model.parsing.text import fold


class Outcome(StrEnum):
    """``exact`` and ``wrong``: a value is given and so is the truth; ``missing``: only the truth is; ``invented``: a
    value is given though the document has none."""

    EXACT = "exact"
    MISSING = "missing"
    WRONG = "wrong"
    INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class FieldScore:
    """The outcome for one field of one invoice, with both values as text for whoever looks into it."""

    field: str
    outcome: Outcome
    expected: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class _Field:
    names: tuple[str, ...]
    value: Callable[[Invoice], Any]
    same: Callable[[Any, Any], bool]
    is_amount: bool = False


def _same_number(expected: Any, actual: Any) -> bool:
    try:
        return Decimal(str(expected)) == Decimal(actual)
    except InvalidOperation:
        return False


def _same_date(expected: Any, actual: date) -> bool:
    return str(expected) == actual.isoformat()


def _same_text(expected: Any, actual: str) -> bool:
    return fold(str(expected)) == fold(actual)


def _same_identifier(expected: Any, actual: str) -> bool:
    return re.sub(r"\s", "", fold(str(expected))) == re.sub(r"\s", "", fold(actual))


def _same_tax_id(expected: Any, actual: str) -> bool:
    return re.sub(r"[\W_]", "", fold(str(expected))) == re.sub(r"[\W_]", "", fold(actual))


def _line_count(invoice: Invoice) -> int | None:
    return sum(line.kind is LineKind.ITEM for line in invoice.lines) or None


# The manifest's names (the first one names the row of the report) and the canonical fields they stand for.
_FIELDS = (
    _Field(("invoice_number",), lambda invoice: invoice.invoice_number, _same_identifier),
    _Field(("invoice_code",), lambda invoice: invoice.cn_invoice_code, _same_identifier),
    _Field(("issue_date",), lambda invoice: invoice.issue_date, _same_date),
    _Field(("due_date",), lambda invoice: invoice.due_date, _same_date),
    _Field(("currency",), lambda invoice: invoice.currency, _same_text),
    _Field(("net_amount",), lambda invoice: invoice.total_without_tax, _same_number, is_amount=True),
    _Field(("tax_amount",), lambda invoice: invoice.total_tax, _same_number, is_amount=True),
    _Field(("total_amount",), lambda invoice: invoice.total_with_tax, _same_number, is_amount=True),
    _Field(("payable_amount",), lambda invoice: invoice.amount_due, _same_number, is_amount=True),
    _Field(("rounding",), lambda invoice: invoice.rounding_amount, _same_number),
    _Field(("seller_name",), lambda invoice: invoice.seller.name, _same_text),
    _Field(("seller_tax_id", "seller_tax_no"), lambda invoice: invoice.seller.tax_id, _same_tax_id),
    _Field(("buyer_name",), lambda invoice: invoice.buyer.name, _same_text),
    _Field(("buyer_tax_id", "buyer_tax_no"), lambda invoice: invoice.buyer.tax_id, _same_tax_id),
    _Field(("check_code",), lambda invoice: invoice.cn_check_code, _same_identifier),
    _Field(("machine_number",), lambda invoice: invoice.cn_machine_number, _same_identifier),
    _Field(("line_count",), _line_count, _same_number),
)

DOC_TYPE = "doc_type"
FIELD_NAMES = (DOC_TYPE, *(field.names[0] for field in _FIELDS))
KEY_FIELDS = ("invoice_number", "issue_date", "total_amount", "seller_tax_id")

# Kinds that would be booked. A document that is no invoice must not come out as one of them.
_BOOKABLE = {DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE, DocumentKind.RECEIPT}


def expected_kind(doc_type: str) -> DocumentKind | None:
    """The document kind a manifest's ``doc_type`` stands for; ``None`` for one that says nothing about invoices.

    Chinese VAT invoices of every layout are invoices, tickets and taxi receipts are receipts.
    """
    if doc_type == "not_an_invoice":
        return DocumentKind.OTHER
    for word, kind in (
        ("credit_note", DocumentKind.CREDIT_NOTE),
        ("debit_note", DocumentKind.DEBIT_NOTE),
        ("statement", DocumentKind.STATEMENT),
        ("receipt", DocumentKind.RECEIPT),
        ("ticket", DocumentKind.RECEIPT),
        ("invoice", DocumentKind.INVOICE),
    ):
        if word in doc_type:
            return kind
    return None


def score(truth: Truth, invoice: Invoice | None) -> tuple[FieldScore, ...]:
    """Compare one invoice with its truth; ``None`` (nothing could be read) leaves every stated value missing.

    A document that is no invoice has no values: when it comes out as a bookable kind, the kind and every value given
    are invented.
    """
    kind = expected_kind(str(truth.get(DOC_TYPE, "")))
    scores = []
    if kind is not None:
        scores.append(_kind_score(kind, invoice))
    is_no_invoice = kind is DocumentKind.OTHER
    for field in _FIELDS:
        name = next((name for name in field.names if name in truth), None)
        actual = field.value(invoice) if invoice is not None else None
        if is_no_invoice:
            if actual is not None and invoice is not None and invoice.document_kind in _BOOKABLE:
                scores.append(FieldScore(field.names[0], Outcome.INVENTED, None, str(actual)))
        elif name is not None and not _is_silent(field, truth[name]):
            compared = _field_score(field, truth[name], actual, is_unsigned=kind is DocumentKind.CREDIT_NOTE)
            if compared is not None:
                scores.append(compared)
    return tuple(scores)


def score_document(truths: Sequence[Truth], invoices: Sequence[Invoice]) -> tuple[FieldScore, ...]:
    """Compare all invoices of a file with all its truths: each truth with the invoice left that fits it best."""
    left = list(invoices)
    scores: list[FieldScore] = []
    for truth in truths:
        best = max(left, key=lambda invoice: _exact_count(score(truth, invoice)), default=None)
        if best is not None:
            left = [invoice for invoice in left if invoice is not best]
        scores.extend(score(truth, best))
    return tuple(scores)


def best_score(alternatives: Sequence[Sequence[Truth]], invoices: Sequence[Invoice]) -> tuple[FieldScore, ...]:
    """The score against whichever set of truths fits best; empty when nothing about the file is verified."""
    return max((score_document(truths, invoices) for truths in alternatives), key=_exact_count, default=())


def _exact_count(scores: Sequence[FieldScore]) -> int:
    return sum(each.outcome is Outcome.EXACT for each in scores)


def _kind_score(expected: DocumentKind, invoice: Invoice | None) -> FieldScore:
    shown = "not_an_invoice" if expected is DocumentKind.OTHER else expected.value
    if invoice is None:
        return FieldScore(DOC_TYPE, Outcome.MISSING, shown, None)
    actual = invoice.document_kind
    if expected is DocumentKind.OTHER:
        outcome = Outcome.INVENTED if actual in _BOOKABLE else Outcome.EXACT
    else:
        outcome = Outcome.EXACT if actual is expected else Outcome.WRONG
    return FieldScore(DOC_TYPE, outcome, shown, actual.value)


def _is_silent(field: _Field, expected: Any) -> bool:
    # No lines in the truth of a header-only e-invoice profile says nothing about the lines on its page.
    return field.names[0] == "line_count" and expected == 0


def _field_score(field: _Field, expected: Any, actual: Any, *, is_unsigned: bool) -> FieldScore | None:
    name = field.names[0]
    given = None if actual is None else str(actual)
    if expected is None:
        return None if actual is None else FieldScore(name, Outcome.INVENTED, None, given)
    if actual is None:
        return FieldScore(name, Outcome.MISSING, str(expected), None)
    if field.is_amount and is_unsigned:
        # The canonical credit note is signed negative; the truth is as printed, mostly without a sign.
        is_same = _same_number(str(expected).lstrip("-"), abs(actual))
    else:
        is_same = field.same(expected, actual)
    return FieldScore(name, Outcome.EXACT if is_same else Outcome.WRONG, str(expected), given)
