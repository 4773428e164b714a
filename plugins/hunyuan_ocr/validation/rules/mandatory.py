"""What an invoice must have: kind, number, date, currency, parties, totals. A receipt must have less.

A value that is absent fails here; one that is printed but cannot be read fails EV-1, so that each cause is told once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, TaxBreakdown
from hunyuan_ocr.validation.rules.amounts import is_exempt, item_lines
from hunyuan_ocr.validation.rules.base import (
    InvoiceFacts,
    Rule,
    Ruling,
    failed,
    is_missing,
    not_applicable,
    passed,
)
from hunyuan_ocr.validation.rules.chinese import is_chinese_vat

ERROR, WARN = Severity.ERROR, Severity.WARN

INVOICE_KINDS = frozenset({DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE})
STAGED_KINDS = INVOICE_KINDS | {DocumentKind.RECEIPT}


@dataclass(frozen=True, slots=True)
class Term:
    """A mandatory field: its rule, its words, and the kinds of document that must have it."""

    rule_id: str
    field: str
    word: str
    word_zh: str
    kinds: frozenset[DocumentKind] = INVOICE_KINDS


TERMS = (
    Term("BR-02", "invoice_number", "invoice number", "发票号码"),
    Term("BR-03", "issue_date", "issue date", "开票日期", STAGED_KINDS),
    Term("BR-05", "currency", "currency", "币种", STAGED_KINDS),
    Term("BR-06", "seller.name", "seller's name", "销售方名称"),
    Term("BR-14", "total_with_tax", "total with tax", "价税合计", STAGED_KINDS),
)


def mandatory_fields(kind: DocumentKind) -> tuple[str, ...]:
    """The fields a document of this kind cannot be staged without."""
    return tuple(term.field for term in TERMS if kind in term.kinds)


def _check(term: Term) -> Callable[[Invoice, InvoiceFacts], Ruling]:
    def is_given(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
        if invoice.document_kind not in term.kinds:
            return not_applicable(f"A {invoice.document_kind.value} need not have it.", fields=(term.field,))
        if not is_missing(invoice, term.field):
            return passed(term.field)
        if facts.is_obscured(term.field) or term.field in facts.ambiguous_fields:
            return not_applicable(
                "Printed, but not readable for certain: see EV-1, DATE-4 and CUR-2.", fields=(term.field,)
            )
        return failed(
            term.field,
            message=f"No {term.word} was found: enter it from the document, or ask for a correct document.",
        )

    return is_given


def is_a_kind_we_stage(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.document_kind in STAGED_KINDS:
        return passed("document_kind", actual=invoice.document_kind.value)
    return failed(
        "document_kind",
        expected="invoice, credit_note, debit_note or receipt",
        actual=invoice.document_kind.value,
        message="This is not an invoice, credit note, debit note or receipt: file it, or correct its kind.",
    )


def net_and_tax_given(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-13: net and tax totals are required unless tax-free.

    Outside China an invoice may print one total only, which is a warning. One that prints a net amount and another
    gross amount has a tax between them: without it the total stays unchecked, and a wrong one would pass.
    """
    names = ("total_without_tax", "total_tax")
    if invoice.document_kind not in INVOICE_KINDS:
        return not_applicable("Only an invoice must have net and tax totals.", fields=names)
    lines = [line for _, line in item_lines(invoice)]
    rows: list[Line | TaxBreakdown] = [*lines, *invoice.tax_breakdown]
    if rows and all(is_exempt(row) for row in rows):
        return not_applicable("Tax-free.", fields=names)
    missing = [name for name in names if is_missing(invoice, name)]
    if not missing:
        return passed(*names)
    return failed(
        *missing,
        message=f"Not found: {', '.join(missing)}. The total cannot be checked: enter them or confirm there is no tax.",
        severity=ERROR if is_chinese_vat(invoice) or _hides_its_tax(invoice) else WARN,
    )


def _hides_its_tax(invoice: Invoice) -> bool:
    net, gross = invoice.total_without_tax, invoice.total_with_tax
    return invoice.total_tax is None and net is not None and gross is not None and net != gross


def buyer_named(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.document_kind not in INVOICE_KINDS:
        return not_applicable("Only an invoice must name its buyer.", fields=("buyer.name",))
    if invoice.buyer.name is not None:
        return passed("buyer.name")
    return failed("buyer.name", message="No buyer was found: make sure that the invoice is made out to your company.")


def credit_note_refers(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.document_kind is not DocumentKind.CREDIT_NOTE or is_chinese_vat(invoice):
        return not_applicable(
            "Not a credit note (a Chinese red invoice: CN-RED-1).", fields=("preceding_invoice_number",)
        )
    if invoice.preceding_invoice_number is not None:
        return passed("preceding_invoice_number")
    return failed(
        "preceding_invoice_number", message="The credit note does not name the invoice it corrects: enter its number."
    )


_TERM_RULES = tuple(
    Rule(term.rule_id, 1, (ERROR,), (), f"The {term.word} is given.", f"有{term.word_zh}。", _check(term))
    for term in TERMS
)

RULES = (
    Rule("KIND-1", 1, (ERROR,), (), "The document is an invoice, credit note, debit note or receipt.",
         "单据为发票、贷记单、借记单或收据。", is_a_kind_we_stage, "this project"),
    *_TERM_RULES,
    Rule("BR-07", 1, (WARN,), (), "The buyer's name is given.", "有购买方名称。", buyer_named),
    Rule("BR-13", 2, (ERROR, WARN), (), "Total without tax and total tax are given unless the invoice is tax-free.",
         "除免税外，有不含税合计和税额合计。", net_and_tax_given),
    Rule("REF-1", 1, (WARN,), (), "A credit note names the invoice it corrects.", "贷记单注明原发票号码。",
         credit_note_refers, "this project"),
)  # fmt: skip
