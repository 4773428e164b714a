"""What is true of a sample document, before anybody draws it.

A layout prints facts and nothing else; ``ground_truth`` says the same facts in the words of the evaluation manifest.
Facts are kept as they will be *printed*: a planted fault is a change of facts, so the truth of a faulty document is
what a reader must read there, not what should have been there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """``amount`` rounded half up, away from zero, to two decimals."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


class DocType(StrEnum):
    """The document types of the evaluation manifest that the generator makes."""

    INVOICE = "invoice"
    RECEIPT = "receipt"
    CN_DIGITAL_SPECIAL = "cn_digital_special_invoice"
    CN_DIGITAL_GENERAL = "cn_digital_general_invoice"
    CN_VAT_SPECIAL = "cn_vat_special_invoice"
    CN_VAT_GENERAL = "cn_vat_electronic_general_invoice"
    NOT_AN_INVOICE = "not_an_invoice"


@dataclass(frozen=True)
class PartyFacts:
    """A seller or buyer as printed. All of them are invented."""

    name: str
    tax_id: str | None = None
    address: tuple[str, ...] = ()
    country: str = ""
    phone: str = ""
    email: str = ""
    bank_name: str = ""
    account: str = ""
    bic: str = ""


@dataclass(frozen=True)
class LineFacts:
    """One printed row of the item table. ``rate`` is percent; ``None`` with a ``rate_text`` such as 免税."""

    name: str
    net: Decimal
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    unit: str = ""
    specification: str = ""
    rate: Decimal | None = None
    rate_text: str = ""
    tax: Decimal | None = None
    is_discount: bool = False


@dataclass(frozen=True)
class InvoiceFacts:
    """Everything a layout may print."""

    doc_type: DocType
    lang: str
    currency: str
    number: str
    issue_date: date
    seller: PartyFacts
    buyer: PartyFacts | None
    lines: tuple[LineFacts, ...]
    net: Decimal
    tax: Decimal | None
    total: Decimal
    code: str | None = None
    due_date: date | None = None
    order_ref: str | None = None
    amount_in_words: str | None = None
    check_code: str | None = None
    machine_number: str | None = None
    cipher: tuple[str, ...] = ()
    payee: str | None = None
    reviewer: str | None = None
    drawer: str | None = None
    note: str = ""
    printed_time: str = ""
    paid_in: Decimal | None = None

    def with_totals(self) -> InvoiceFacts:
        """The same document with its totals as sums of its lines; ``tax`` is ``None`` when no line has any (免税)."""
        net = sum((line.net for line in self.lines), Decimal(0))
        taxes = [line.tax for line in self.lines if line.tax is not None]
        tax = sum(taxes, Decimal(0)) if taxes else None
        return replace(self, net=net, tax=tax, total=net + (tax or 0))

    def tax_by_rate(self) -> list[tuple[Decimal, Decimal, Decimal]]:
        """``(rate, taxable amount, tax)`` per rate, highest rate first."""
        rates: dict[Decimal, tuple[Decimal, Decimal]] = {}
        for line in self.lines:
            if line.rate is not None:
                net, tax = rates.get(line.rate, (Decimal(0), Decimal(0)))
                rates[line.rate] = (net + line.net, tax + (line.tax or Decimal(0)))
        return [(rate, *rates[rate]) for rate in sorted(rates, reverse=True)]

    def ground_truth(self) -> dict[str, Any]:
        """The facts in the manifest's words: amounts as decimal strings, dates ISO 8601, absent keys not printed."""
        prints_net = self.doc_type is not DocType.RECEIPT or self.tax is not None
        truth: dict[str, Any] = {
            "doc_type": self.doc_type.value,
            "invoice_number": self.number,
            "invoice_code": self.code,
            "issue_date": self.issue_date.isoformat(),
            "due_date": self.due_date.isoformat() if self.due_date else None,
            "currency": self.currency,
            "net_amount": str(self.net) if prints_net else None,
            "tax_amount": str(self.tax) if self.tax is not None else None,
            "total_amount": str(self.total),
            "seller_name": self.seller.name,
            "seller_tax_id": self.seller.tax_id,
            "buyer_name": self.buyer.name if self.buyer else None,
            "buyer_tax_id": self.buyer.tax_id if self.buyer else None,
            "order_number": self.order_ref,
            "check_code": self.check_code,
            "machine_number": self.machine_number,
            "line_count": len(self.lines),
        }
        return {key: value for key, value in truth.items() if value is not None}
