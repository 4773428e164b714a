"""Invoices that are right in every respect, to be spoilt one value at a time by the tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hunyuan_ocr.model.findings import Finding, Outcome
from hunyuan_ocr.model.invoice import (
    DocumentKind,
    Invoice,
    Line,
    Party,
    Payment,
    TaxBreakdown,
    TaxIdType,
)
from hunyuan_ocr.validation.rules import InvoiceFacts, run_rules

RECEIVED = date(2026, 11, 20)


def german_invoice() -> Invoice:
    """Two lines at 19 %, one at 7 %; every printed total agrees."""
    return Invoice(
        document_kind=DocumentKind.INVOICE,
        invoice_type_code="380",
        invoice_number="RE-2026-0815",
        issue_date=date(2026, 11, 3),
        due_date=date(2026, 12, 3),
        currency="EUR",
        seller=Party(name="Musterbau GmbH", tax_id="DE136695976", tax_id_type=TaxIdType.EU_VAT, country="DE"),
        buyer=Party(name="Beispiel AG", country="DE"),
        lines=(
            Line(line_no=1, name="Schrauben", quantity=Decimal(3), unit_price=Decimal("33.33"),
                 net_amount=Decimal("99.99"), tax_rate=Decimal(19), tax_category="S"),
            Line(line_no=2, name="Montage", quantity=Decimal("1.5"), unit_price=Decimal("80.00"),
                 net_amount=Decimal("120.00"), tax_rate=Decimal(19), tax_category="S"),
            Line(line_no=3, name="Fachbuch", quantity=Decimal(1), unit_price=Decimal("42.00"),
                 net_amount=Decimal("42.00"), tax_rate=Decimal(7), tax_category="S"),
        ),
        tax_breakdown=(
            TaxBreakdown(category="S", rate=Decimal(19), taxable_amount=Decimal("219.99"), tax_amount=Decimal("41.80")),
            TaxBreakdown(category="S", rate=Decimal(7), taxable_amount=Decimal("42.00"), tax_amount=Decimal("2.94")),
        ),
        sum_of_lines=Decimal("261.99"),
        total_without_tax=Decimal("261.99"),
        total_tax=Decimal("44.74"),
        total_with_tax=Decimal("306.73"),
        amount_due=Decimal("306.73"),
        payments=(Payment(iban_or_account="DE89 3704 0044 0532 0130 00", bic="COBADEFFXXX"),),
    )  # fmt: skip


def chinese_invoice() -> Invoice:
    """A digital VAT invoice (type 31) with two lines at 13 %."""
    return Invoice(
        document_kind=DocumentKind.INVOICE,
        cn_invoice_type="31",
        invoice_number="26312000000136634917",
        issue_date=date(2026, 11, 3),
        currency="CNY",
        seller=Party(name="某某贸易有限公司", tax_id="91350100M000100Y43", tax_id_type=TaxIdType.USCC, country="CN"),
        buyer=Party(name="某某制造有限公司", tax_id="91350100M000100Y43", tax_id_type=TaxIdType.USCC, country="CN"),
        lines=(
            Line(line_no=1, name="*五金*螺丝", quantity=Decimal(7), unit_price=Decimal("14.285714"),
                 net_amount=Decimal("100.00"), tax_rate=Decimal(13), cn_rate_text="13%", tax_amount=Decimal("13.00")),
            Line(line_no=2, name="*五金*螺母", quantity=Decimal(2), unit_price=Decimal("25.25"),
                 net_amount=Decimal("50.50"), tax_rate=Decimal(13), cn_rate_text="13%", tax_amount=Decimal("6.57")),
        ),
        tax_breakdown=(
            TaxBreakdown(category="S", rate=Decimal(13), taxable_amount=Decimal("150.50"), tax_amount=Decimal("19.57")),
        ),
        total_without_tax=Decimal("150.50"),
        total_tax=Decimal("19.57"),
        total_with_tax=Decimal("170.07"),
        cn_amount_in_words="壹佰柒拾圆零柒分",
    )  # fmt: skip


def receipt() -> Invoice:
    """What a till prints: seller, day and total."""
    return Invoice(
        document_kind=DocumentKind.RECEIPT,
        issue_date=date(2026, 11, 3),
        currency="MYR",
        total_with_tax=Decimal("9.00"),
        seller=Party(name="Kedai Buku"),
    )


def facts(**known: Any) -> InvoiceFacts:
    return InvoiceFacts(**{"invoice_id": "inv-1", "received_on": RECEIVED, **known})


def change(invoice: Invoice, **fields: Any) -> Invoice:
    """The invoice with some header fields replaced, checked again by the model."""
    return Invoice.model_validate({**{name: getattr(invoice, name) for name in Invoice.model_fields}, **fields})


def change_line(invoice: Invoice, at: int, **fields: Any) -> Invoice:
    lines = list(invoice.lines)
    lines[at] = Line.model_validate({**lines[at].model_dump(), **fields})
    return change(invoice, lines=tuple(lines))


def negative(invoice: Invoice) -> Invoice:
    """The credit note that reverses an invoice in full: every amount signed negative."""
    totals = ("sum_of_lines", "total_without_tax", "total_tax", "total_with_tax", "amount_due")
    minus: dict[str, Any] = {n: -v for n in totals if (v := getattr(invoice, n)) is not None}
    lines = tuple(
        line.model_copy(
            update={
                "quantity": None if line.quantity is None else -line.quantity,
                "net_amount": None if line.net_amount is None else -line.net_amount,
                "tax_amount": None if line.tax_amount is None else -line.tax_amount,
            }
        )
        for line in invoice.lines
    )
    taxes = tuple(
        row.model_copy(update={"taxable_amount": -row.taxable_amount, "tax_amount": -row.tax_amount})
        for row in invoice.tax_breakdown
        if row.taxable_amount is not None and row.tax_amount is not None
    )
    return change(
        invoice,
        document_kind=DocumentKind.CREDIT_NOTE,
        preceding_invoice_number="RE-2026-0001",
        lines=lines,
        tax_breakdown=taxes,
        **minus,
    )


def judge(invoice: Invoice, rule_id: str, known: InvoiceFacts | None = None) -> Finding:
    """What one rule says; every rule must have said something."""
    found = {finding.rule_id: finding for finding in run_rules(invoice, known or facts())}
    return found[rule_id]


def rejections(invoice: Invoice, known: InvoiceFacts | None = None) -> set[str]:
    return {finding.rule_id for finding in run_rules(invoice, known or facts()) if finding.is_rejection}


def failures(invoice: Invoice, known: InvoiceFacts | None = None) -> set[str]:
    return {f.rule_id for f in run_rules(invoice, known or facts()) if f.outcome is Outcome.FAILED}
