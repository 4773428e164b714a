"""What makes two documents the same invoice, whatever their files: the business key.

Chinese invoices carry numbers that are unique in the country; elsewhere a number is unique only for its seller, kind
and year (many sellers start again on 1 January). Reads nothing but the canonical invoice.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from hunyuan_ocr.model.invoice import Invoice, TaxIdType

_CN_TAX_IDS = frozenset({TaxIdType.USCC, TaxIdType.CN15, TaxIdType.CN20, TaxIdType.CN_RIC18})
_FULLY_DIGITAL = re.compile(r"\d{20}")


def _folded(text: str | None) -> str:
    """NFKC, upper case, letters and digits only."""
    return "".join(char for char in unicodedata.normalize("NFKC", text or "").upper() if char.isalnum())


def normalised_number(number: str | None) -> str:
    """``number`` as compared: "INV-0012/a" and "inv 0012 A" are one; leading zeros do not count.

    >>> normalised_number("00-123"), normalised_number("ＩＮＶ－007"), normalised_number("000")
    ('123', 'INV007', '0')
    """
    folded = _folded(number)
    return folded.lstrip("0") or folded[:1]


def _cn_parts(invoice: Invoice) -> tuple[str, ...] | None:
    # The class, not the printed type: 31 and 32 share one number space, and one copy may lack the type.
    if invoice.cn_einvoice_number:
        return ("CN-DIGITAL", _folded(invoice.cn_einvoice_number))
    if invoice.cn_invoice_code and invoice.invoice_number:
        return ("CN-CODE", _folded(invoice.cn_invoice_code), _folded(invoice.invoice_number))
    is_chinese = (
        invoice.cn_invoice_type is not None
        or invoice.seller.tax_id_type in _CN_TAX_IDS
        or invoice.seller.country == "CN"
        or invoice.currency == "CNY"
    )
    if is_chinese and _FULLY_DIGITAL.fullmatch(_folded(invoice.invoice_number)):
        return ("CN-DIGITAL", _folded(invoice.invoice_number))
    return None


def is_same_seller(name: str | None, tax_id: str | None, other_name: str | None, other_tax_id: str | None) -> bool:
    """Whether two sellers have one name and no tax ids that say otherwise.

    >>> is_same_seller("Acme, Ltd.", "GB1", "ACME LTD", None), is_same_seller("Acme", "GB1", "Acme", "GB2")
    (True, False)
    """
    if tax_id and other_tax_id and _folded(tax_id) != _folded(other_tax_id):
        return False
    return bool(_folded(name)) and _folded(name) == _folded(other_name)


def business_key(invoice: Invoice, *, tenant: str = "") -> str | None:
    """SHA-256 (hex) of what identifies the invoice, ``None`` when the document does not say enough.

    Chinese: the 20-digit number, or code and number. Elsewhere: seller tax id (else folded seller name), kind,
    normalised number and year of issue. A receipt without a number has no key and is recognised by its bytes only.
    """
    parts = _cn_parts(invoice)
    if parts is None:
        seller = _folded(invoice.seller.tax_id) or _folded(invoice.seller.name)
        number = normalised_number(invoice.invoice_number)
        if not seller or not number:
            return None
        year = str(invoice.issue_date.year) if invoice.issue_date else ""
        parts = ("SELLER", seller, invoice.document_kind.value, number, year)
    return hashlib.sha256("\x1f".join((tenant, *parts)).encode()).hexdigest()
