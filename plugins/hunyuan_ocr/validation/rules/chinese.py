"""What makes an invoice a Chinese VAT invoice, and which special regime its print declares.

Type table and exceptions as printed on State Taxation Administration invoices.
"""

from __future__ import annotations

import re
from decimal import Decimal

from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, TaxBreakdown, TaxIdType
from hunyuan_ocr.validation.rules.amounts import EXEMPT_WORDS

CN_TAX_ID_TYPES = frozenset({TaxIdType.USCC, TaxIdType.CN15, TaxIdType.CN20, TaxIdType.CN_RIC18})

# Digital invoices have a 20-digit number and no code; their paper copies have both numbers and a code.
DIGITAL_TYPES = frozenset({"31", "32", "51", "59", "61", "83", "84"})
PAPER_COPY_TYPES = frozenset({"85", "86", "87", "88"})
CLASSIC_TYPES = frozenset({"01", "03", "04", "08", "10", "11", "14", "15"})

_DIFFERENCE = re.compile(r"差额征税(?:[:：]\s*(?P<deduction>[0-9][0-9,]*(?:\.[0-9]+)?))?")
_LIST_ELSEWHERE = re.compile(r"详见.{0,4}清单|销货清单|见清单")
_ORIGINAL_REFERENCE = re.compile(r"被红冲蓝字|对应正数发票|红字发票信息")


def is_chinese_vat(invoice: Invoice) -> bool:
    """True for a fapiao: it prints what only a fapiao prints. A Chinese exporter's commercial invoice is none."""
    if invoice.document_kind not in {DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.DEBIT_NOTE}:
        return False
    printed = (
        invoice.cn_invoice_type,
        invoice.cn_invoice_code,
        invoice.cn_einvoice_number,
        invoice.cn_amount_in_words,
        invoice.cn_check_code,
        invoice.cn_red_notice_number,
    )
    has_chinese_seller = invoice.seller.tax_id_type in CN_TAX_ID_TYPES and invoice.currency == "CNY"
    return has_chinese_seller or any(value is not None for value in printed)


def _remarks(invoice: Invoice) -> str:
    return " ".join([invoice.note or "", *(line.description or "" for line in invoice.lines)])


def is_taxed_on_difference(invoice: Invoice) -> bool:
    """True when the remarks say 差额征税: the tax is on the price less a deduction."""
    return bool(_DIFFERENCE.search(_remarks(invoice))) or "差额征税" in (invoice.cn_special_business or "")


def deduction(invoice: Invoice) -> Decimal | None:
    """The deduction of 差额征税 as printed in the remarks (``差额征税：100.00。``), in CNY with tax."""
    match = _DIFFERENCE.search(_remarks(invoice))
    return Decimal(match["deduction"].replace(",", "")) if match and match["deduction"] else None


def lines_are_elsewhere(invoice: Invoice) -> bool:
    """True when the lines are on a list (详见销货清单) that is not among the lines read."""
    texts = [invoice.note or "", *(line.name or "" for line in invoice.lines)]
    return len(invoice.lines) <= 2 and any(_LIST_ELSEWHERE.search(text) for text in texts)


def has_reduced_levy(invoice: Invoice, row: Line) -> bool:
    """True for 减按 taxation (5 % reduced to 1.5 %, 3 % to 2 %): by its words, or by a rate only this regime has."""
    words = f"{_remarks(invoice)} {row.cn_rate_text or ''}"
    return "减按" in words or row.tax_rate in {Decimal("1.5"), Decimal(2)}


def exempt_word(row: Line | TaxBreakdown) -> str | None:
    """The words printed in place of a rate (免税, 不征税, 零税率), if any."""
    return next((word for word in EXEMPT_WORDS if word in (row.cn_rate_text or "")), None)


def refers_to_original(invoice: Invoice) -> bool:
    """True when a red invoice names the invoice it corrects, in a field or in the remarks."""
    return invoice.preceding_invoice_number is not None or bool(_ORIGINAL_REFERENCE.search(invoice.note or ""))
