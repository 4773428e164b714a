"""The canonical invoice from chosen field values: types, signs, and what follows from the values without doubt."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from hunyuan_ocr.extraction.line_items import PrintedLine
from hunyuan_ocr.extraction.prompts import SUPPORTING_FIELDS, PromptProfile
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, Party, Payment, TaxBreakdown
from hunyuan_ocr.model.parsing.tax_ids import parse_tax_id

_CREDIT_NOTE_CODE = "381"
_DEBIT_NOTE_CODE = "383"
_AMOUNTS = frozenset(
    {
        "sum_of_lines", "allowances_total", "charges_total", "total_without_tax", "total_tax", "total_tax_acc",
        "total_with_tax", "paid_amount", "rounding_amount", "amount_due",
    }
)  # fmt: skip
_LINE_AMOUNTS = ("net_amount", "tax_amount", "gross_amount", "quantity")


def build_invoice(
    values: dict[str, FieldValue],
    kind: DocumentKind,
    lines: Sequence[PrintedLine],
    tax_rows: Sequence[TaxBreakdown],
    profile: PromptProfile,
) -> Invoice:
    """The invoice of the chosen values. Derived fields (type code, tax id type, country) are added to ``values``.

    A value the canonical invoice refuses is taken back: it stays among the others of its field, with the reason.
    """
    is_credit = kind is DocumentKind.CREDIT_NOTE
    _derive(values, kind, profile)
    content: dict[str, Any] = {"document_kind": kind}
    parties: dict[str, dict[str, Any]] = {"seller": {}, "buyer": {}}
    payment: dict[str, Any] = {}
    for path, value in values.items():
        if value.chosen is None or path.startswith(("lines[", "tax_breakdown[")) or path in SUPPORTING_FIELDS:
            continue
        head, _, tail = path.partition(".")
        typed = _typed(path, value.chosen.value_norm, is_credit)
        if typed is None:
            continue
        if head in parties and tail in Party.model_fields:
            parties[head][tail] = typed
        elif head == "payment" and tail in Payment.model_fields:
            payment[tail] = typed
        elif not tail and head in Invoice.model_fields:
            content[head] = typed
    if payment:
        content["payments"] = (Payment(**payment),)
    if lines:
        content["lines"] = tuple(_signed_line(printed.line, is_credit) for printed in lines)
    if tax_rows:
        content["tax_breakdown"] = tuple(tax_rows)
    return _validated(content, parties, values)


def _derive(values: dict[str, FieldValue], kind: DocumentKind, profile: PromptProfile) -> None:
    code = {DocumentKind.CREDIT_NOTE: _CREDIT_NOTE_CODE, DocumentKind.DEBIT_NOTE: _DEBIT_NOTE_CODE}.get(kind)
    code = code or (profile.invoice_type_code if kind is DocumentKind.INVOICE else None)
    if code and "invoice_type_code" not in values:
        derive(values, "invoice_type_code", code, "follows from the kind of document")
    for party in ("seller", "buyer"):
        known = values.get(f"{party}.tax_id")
        if known is None or known.chosen is None:
            continue
        country = profile.locale.country
        parsed = parse_tax_id(known.chosen.value_norm, country)
        if parsed is None:
            continue
        if f"{party}.tax_id_type" not in values:
            derive(values, f"{party}.tax_id_type", str(parsed.type), "follows from the tax id")
        if parsed.country and f"{party}.country" not in values:
            derive(values, f"{party}.country", parsed.country, "follows from the tax id")


def derive(values: dict[str, FieldValue], path: str, norm: str, reason: str) -> None:
    """Add a value that is not printed but follows from others; never over a printed one."""
    candidate = Candidate(path, norm, norm, Source.RULE, 0.95)
    values.setdefault(path, FieldValue(path, FieldState.DERIVED, candidate, (), reason))


def _typed(path: str, norm: str, is_credit: bool) -> object | None:
    if path in _AMOUNTS:
        try:
            amount = Decimal(norm)
        except InvalidOperation:
            return None
        negative = is_credit and path not in ("rounding_amount",)
        return -abs(amount) if negative and amount else amount
    if path.endswith("_date") or path in ("period_start", "period_end"):
        with suppress(ValueError):
            return date.fromisoformat(norm)
        return None
    if path in ("cn_is_red", "cn_qr_crc_ok"):
        return norm == "true"
    if path == "exchange_rate":
        with suppress(InvalidOperation):
            return Decimal(norm)
        return None
    return norm.strip() or None


def _signed_line(line: Line, is_credit: bool) -> Line:
    """A credit note is stored signed negative; a line printed negative already stays as it is."""
    if not is_credit:
        return line
    amount = line.net_amount if line.net_amount is not None else line.gross_amount
    if amount is None or amount <= 0:
        return line
    update = {name: -value for name in _LINE_AMOUNTS if (value := getattr(line, name)) is not None and value}
    return line.model_copy(update=update)


def _validated(content: dict[str, Any], parties: dict[str, dict[str, Any]], values: dict[str, FieldValue]) -> Invoice:
    for _ in range(12):
        try:
            return Invoice(**content, **{party: Party(**fields) for party, fields in parties.items()})
        except ValidationError as problem:
            for error in problem.errors():
                where = [part for part in error["loc"] if isinstance(part, str)]
                _take_back(problem.title, where, content, parties, values)
    return Invoice(document_kind=content["document_kind"])


def _take_back(
    owner: str,
    where: Sequence[str],
    content: dict[str, Any],
    parties: dict[str, dict[str, Any]],
    values: dict[str, FieldValue],
) -> None:
    name = where[0] if where else ""
    paths = [f"{party}.{name}" for party in parties] if owner == "Party" else [name]
    for path in paths:
        party, _, tail = path.partition(".")
        if tail:
            parties[party].pop(tail, None)
        else:
            content.pop(path, None)
        known = values.get(path)
        if known is not None and known.chosen is not None:
            others = (known.chosen, *known.others)
            values[path] = FieldValue(path, FieldState.ILLEGIBLE, None, others, "not a possible value of this field")
