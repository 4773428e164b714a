"""Two documents are the same invoice when their business keys agree."""

from __future__ import annotations

from datetime import date

import pytest

from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Party, TaxIdType
from hunyuan_ocr.staging.business_key import business_key, normalised_number
from tests.staging.builders import an_invoice

DIGITAL = "26112000000123456789"
SELLER = Party(name="示例公司", tax_id="91110000600037341L", tax_id_type=TaxIdType.USCC)
CODE = "4200161350"
OTHER_SELLER = Party(name="另一公司", tax_id="911100006000373999", tax_id_type=TaxIdType.USCC)


def cn(**changes: object) -> Invoice:
    return an_invoice(**{"number": DIGITAL, "seller": SELLER, "currency": "CNY", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (an_invoice("INV-0012"), an_invoice("ｉｎｖ 0012")),
        (an_invoice("00123"), an_invoice("123")),
        (an_invoice(), an_invoice(seller=Party(name="MUSTER gmbh", tax_id="de 811 907 980"))),
        (an_invoice(seller=Party(name="Muster, GmbH")), an_invoice(seller=Party(name="MUSTER GMBH"))),
        (an_invoice(issue_date=date(2026, 1, 1)), an_invoice(issue_date=date(2026, 12, 31))),
        (cn(cn_invoice_type="31"), cn(seller=OTHER_SELLER)),
        (cn(), an_invoice("12345678", seller=SELLER, cn_invoice_type="85", cn_einvoice_number=DIGITAL)),
        (cn(number="00015045", cn_invoice_code=CODE), cn(number="00015045", cn_invoice_code=CODE, seller=OTHER_SELLER)),
    ],
)  # fmt: skip
def test_the_same_invoice_has_one_key(one: Invoice, other: Invoice) -> None:
    assert business_key(one) == business_key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (an_invoice("1"), an_invoice("2")),
        (an_invoice(), an_invoice(issue_date=date(2025, 11, 1))),
        (an_invoice(), an_invoice(document_kind=DocumentKind.CREDIT_NOTE)),
        (an_invoice(), an_invoice(seller=Party(name="Muster GmbH", tax_id="DE136695976"))),
        (cn(), cn(number=DIGITAL[:-1] + "0")),
        (cn(number="00015045", cn_invoice_code=CODE), cn(number="00015045", cn_invoice_code="4200161351")),
        (cn(number="00015045", cn_invoice_code=CODE), cn(number="15045", cn_invoice_code=CODE)),
    ],
)  # fmt: skip
def test_different_invoices_have_different_keys(one: Invoice, other: Invoice) -> None:
    assert business_key(one) != business_key(other)


def test_tenants_do_not_share_keys() -> None:
    assert business_key(an_invoice(), tenant="a") != business_key(an_invoice(), tenant="b")


def test_without_a_number_or_a_seller_there_is_no_key() -> None:
    receipt = Invoice(document_kind=DocumentKind.RECEIPT, seller=SELLER)
    assert business_key(receipt) is None
    assert business_key(an_invoice(seller=Party())) is None
    assert business_key(an_invoice("---")) is None


def test_a_number_of_zeros_is_still_a_number() -> None:
    assert normalised_number("0000") == "0"
