"""The canonical invoice: EN 16931 terms in snake case, plus a ``cn_`` extension for Chinese VAT invoices.

Every field that is an EN 16931 business term carries its BT number in the field metadata (``bt``), so readers and
exporters of structured invoices map by term, not by name. ``bt_of("seller.tax_id")`` gives it back.

Null rules: ``None`` means *not on the document*. Never ``""``, ``0``, ``"N/A"`` or ``"***"``. Amounts are ``Decimal``
as printed (at most 8 decimals), identifiers are text, dates are dates, rates are percent (``13`` is 13 %). A credit
note is stored signed negative. Derived values never overwrite printed ones.

Source: EN 16931-1:2017 semantic model; Chinese terms as printed on State Taxation Administration invoices.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class DocumentKind(StrEnum):
    """What a document is, seen from its own page."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    DEBIT_NOTE = "debit_note"
    RECEIPT = "receipt"
    STATEMENT = "statement"
    OTHER = "other"


class LineKind(StrEnum):
    ITEM = "item"
    DISCOUNT = "discount"
    CHARGE = "charge"
    NOTE = "note"


class TaxIdType(StrEnum):
    USCC = "USCC"
    CN15 = "CN15"
    CN20 = "CN20"
    CN_RIC18 = "CN_RIC18"
    EU_VAT = "EU_VAT"
    GB_VAT = "GB_VAT"
    EIN = "EIN"
    OTHER = "OTHER"


class Authenticity(StrEnum):
    UNVERIFIED = "unverified"
    SIG_OK = "sig_ok"
    SIG_BAD = "sig_bad"
    TAX_PLATFORM_OK = "tax_platform_ok"
    TAX_PLATFORM_BAD = "tax_platform_bad"


def _refuse_float(value: object) -> object:
    if isinstance(value, float):
        raise ValueError("amounts are Decimal or text, never float: a float has already lost cents")
    return value


def _refuse_blank(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("an empty text is not a value: use None for what is not on the document")
    return value


Money = Annotated[Decimal, BeforeValidator(_refuse_float), Field(max_digits=23, decimal_places=8)]
Quantity = Annotated[Decimal, BeforeValidator(_refuse_float), Field(max_digits=28, decimal_places=10)]
Rate = Annotated[Decimal, BeforeValidator(_refuse_float), Field(max_digits=7, decimal_places=4)]
Text = Annotated[str, BeforeValidator(_refuse_blank)]


def _bt(term: str, **extra: Any) -> Any:
    return Field(default=None, json_schema_extra={"bt": term, **extra})


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Party(_Noun):
    """Seller (BG-4), buyer (BG-7), payee (BG-10), tax representative (BG-11) or deliver-to (BG-13).

    The BT of a party field depends on its role; ``bt_of`` knows it (``seller.name`` is BT-27, ``buyer.name`` BT-44).
    """

    name: Text | None = None
    trading_name: Text | None = None
    tax_id: Text | None = None
    tax_id_type: TaxIdType | None = None
    legal_id: Text | None = None
    legal_id_scheme: Text | None = None
    party_id: Text | None = None
    address_lines: tuple[Text, ...] = ()
    city: Text | None = None
    postcode: Text | None = None
    subdivision: Text | None = None
    country: Annotated[Text | None, Field(pattern=r"^[A-Z]{2}$")] = None
    phone: Text | None = None
    email: Text | None = None
    cn_address_phone_raw: Text | None = None
    cn_bank_raw: Text | None = None


class AllowanceCharge(_Noun):
    """Document level allowance (BG-20) or charge (BG-21), or one on a line (BG-27, BG-28)."""

    is_charge: bool
    amount: Money | None = _bt("BT-92/BT-99")
    base_amount: Money | None = _bt("BT-93/BT-100")
    percent: Rate | None = _bt("BT-94/BT-101")
    reason: Text | None = _bt("BT-97/BT-104")
    reason_code: Text | None = _bt("BT-98/BT-105")
    tax_category: Text | None = _bt("BT-95/BT-102")
    tax_rate: Rate | None = _bt("BT-96/BT-103")


class TaxBreakdown(_Noun):
    """One row of the VAT breakdown (BG-23)."""

    category: Text | None = _bt("BT-118")
    rate: Rate | None = _bt("BT-119")
    taxable_amount: Money | None = _bt("BT-116")
    tax_amount: Money | None = _bt("BT-117")
    exemption_reason: Text | None = _bt("BT-120")
    exemption_reason_code: Text | None = _bt("BT-121")
    cn_rate_text: Text | None = None


class Line(_Noun):
    """Invoice line (BG-25). ``net_amount`` is required of an item; quantity and price are not."""

    line_no: int = Field(ge=1, json_schema_extra={"bt": "BT-126"})
    kind: LineKind = LineKind.ITEM
    name: Text | None = _bt("BT-153")
    description: Text | None = _bt("BT-154")
    cn_tax_class: Text | None = None
    specification: Text | None = None
    unit_text: Text | None = None
    unit_code: Text | None = _bt("BT-130")
    quantity: Quantity | None = _bt("BT-129")
    unit_price: Quantity | None = _bt("BT-146")
    price_base_qty: Quantity | None = _bt("BT-149")
    gross_price: Quantity | None = _bt("BT-148")
    price_discount: Quantity | None = _bt("BT-147")
    net_amount: Money | None = _bt("BT-131")
    tax_category: Text | None = _bt("BT-151")
    tax_rate: Rate | None = _bt("BT-152")
    cn_rate_text: Text | None = None
    tax_amount: Money | None = None
    gross_amount: Money | None = None
    seller_item_id: Text | None = _bt("BT-155")
    buyer_item_id: Text | None = _bt("BT-156")
    standard_id: Text | None = _bt("BT-157")
    order_line_ref: Text | None = _bt("BT-132")
    period_start: date | None = _bt("BT-134")
    period_end: date | None = _bt("BT-135")
    allowances_charges: tuple[AllowanceCharge, ...] = ()


class Payment(_Noun):
    """Payment instructions (BG-16)."""

    means_code: Text | None = _bt("BT-81")
    remittance: Text | None = _bt("BT-83")
    iban_or_account: Text | None = _bt("BT-84")
    account_name: Text | None = _bt("BT-85")
    bic: Text | None = _bt("BT-86")
    bank_name: Text | None = None


class Invoice(_Noun):
    """One reconciled invoice, credit note or receipt."""

    document_kind: DocumentKind
    invoice_type_code: Text | None = _bt("BT-3")
    cn_invoice_type: Annotated[Text | None, Field(max_length=2)] = None
    invoice_number: Annotated[Text | None, Field(max_length=64, json_schema_extra={"bt": "BT-1"})] = None
    cn_invoice_code: Annotated[Text | None, Field(max_length=12)] = None
    cn_einvoice_number: Annotated[Text | None, Field(max_length=20)] = None

    issue_date: date | None = _bt("BT-2")
    tax_point_date: date | None = _bt("BT-7")
    delivery_date: date | None = _bt("BT-72")
    period_start: date | None = _bt("BT-73")
    period_end: date | None = _bt("BT-74")
    due_date: date | None = _bt("BT-9")

    currency: Annotated[Text | None, Field(pattern=r"^[A-Z]{3}$", json_schema_extra={"bt": "BT-5"})] = None
    tax_currency: Annotated[Text | None, Field(pattern=r"^[A-Z]{3}$", json_schema_extra={"bt": "BT-6"})] = None
    exchange_rate: Annotated[Decimal | None, BeforeValidator(_refuse_float)] = None

    buyer_reference: Text | None = _bt("BT-10")
    project_ref: Text | None = _bt("BT-11")
    contract_ref: Text | None = _bt("BT-12")
    purchase_order_ref: Text | None = _bt("BT-13")
    sales_order_ref: Text | None = _bt("BT-14")
    receipt_advice_ref: Text | None = _bt("BT-15")
    despatch_ref: Text | None = _bt("BT-16")
    preceding_invoice_number: Text | None = _bt("BT-25")
    preceding_invoice_code: Text | None = None
    preceding_invoice_date: date | None = _bt("BT-26")
    note: Text | None = _bt("BT-22")
    payment_terms: Text | None = _bt("BT-20")

    sum_of_lines: Money | None = _bt("BT-106")
    allowances_total: Money | None = _bt("BT-107")
    charges_total: Money | None = _bt("BT-108")
    total_without_tax: Money | None = _bt("BT-109")
    total_tax: Money | None = _bt("BT-110")
    total_tax_acc: Money | None = _bt("BT-111")
    total_with_tax: Money | None = _bt("BT-112")
    paid_amount: Money | None = _bt("BT-113")
    rounding_amount: Money | None = _bt("BT-114")
    amount_due: Money | None = _bt("BT-115")

    cn_amount_in_words: Text | None = None
    cn_check_code: Text | None = None
    cn_machine_number: Text | None = None
    cn_payee: Text | None = None
    cn_reviewer: Text | None = None
    cn_drawer: Text | None = None
    cn_special_business: Text | None = None
    cn_tax_bureau: Text | None = None
    cn_is_red: bool | None = None
    cn_red_notice_number: Text | None = None
    cn_qr_raw: Text | None = None
    cn_qr_crc_ok: bool | None = None
    authenticity: Authenticity = Authenticity.UNVERIFIED

    seller: Party = Party()
    buyer: Party = Party()
    payee: Party | None = None
    tax_representative: Party | None = None
    deliver_to: Party | None = None

    lines: tuple[Line, ...] = ()
    tax_breakdown: tuple[TaxBreakdown, ...] = ()
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    payments: tuple[Payment, ...] = ()


_PARTY_TERMS: dict[str, dict[str, str]] = {
    "seller": {
        "name": "BT-27", "trading_name": "BT-28", "party_id": "BT-29", "legal_id": "BT-30", "tax_id": "BT-31",
        "city": "BT-37", "postcode": "BT-38", "subdivision": "BT-39", "country": "BT-40", "phone": "BT-42",
        "email": "BT-43", "address_lines": "BT-35",
    },
    "buyer": {
        "name": "BT-44", "trading_name": "BT-45", "party_id": "BT-46", "legal_id": "BT-47", "tax_id": "BT-48",
        "city": "BT-52", "postcode": "BT-53", "subdivision": "BT-54", "country": "BT-55", "phone": "BT-57",
        "email": "BT-58", "address_lines": "BT-50",
    },
    "payee": {"name": "BT-59", "party_id": "BT-60", "legal_id": "BT-61"},
    "tax_representative": {
        "name": "BT-62", "tax_id": "BT-63", "city": "BT-66", "postcode": "BT-67", "subdivision": "BT-68",
        "country": "BT-69", "address_lines": "BT-64",
    },
    "deliver_to": {
        "name": "BT-70", "party_id": "BT-71", "city": "BT-77", "postcode": "BT-78", "subdivision": "BT-79",
        "country": "BT-80", "address_lines": "BT-75",
    },
}  # fmt: skip

_GROUPS: dict[str, type[BaseModel]] = {
    "lines": Line,
    "tax_breakdown": TaxBreakdown,
    "allowances_charges": AllowanceCharge,
    "payments": Payment,
}


def bt_of(field_path: str) -> str | None:
    """The EN 16931 business term of a field path, or ``None`` for a field the standard does not have.

    >>> bt_of("seller.tax_id"), bt_of("lines[3].net_amount"), bt_of("cn_check_code")
    ('BT-31', 'BT-131', None)
    """
    head, _, tail = re.sub(r"\[\d+\]", "", field_path).partition(".")
    if head in _PARTY_TERMS:
        return _PARTY_TERMS[head].get(tail)
    owner = _GROUPS.get(head, Invoice)
    field = owner.model_fields.get(tail if head in _GROUPS else head)
    extra = field.json_schema_extra if field else None
    return str(extra["bt"]) if isinstance(extra, dict) and "bt" in extra else None
