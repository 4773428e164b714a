"""The canonical invoice: null is null, money is never a float, and every EN 16931 term is known by its path."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from hunyuan_ocr.model.invoice import (
    AllowanceCharge,
    DocumentKind,
    Invoice,
    Line,
    Party,
    Payment,
    TaxBreakdown,
    TaxIdType,
    bt_of,
)  # fmt: skip

PARTIES = ("seller", "buyer", "payee", "tax_representative", "deliver_to")
GROUPS: dict[str, type[BaseModel]] = {
    "lines[0].": Line, "tax_breakdown[0].": TaxBreakdown, "allowances_charges[0].": AllowanceCharge,
    "payments[0].": Payment,
}  # fmt: skip
# Fields that EN 16931 does not have, or has only as a group.
WITHOUT_TERM = {
    "document_kind", "exchange_rate", "preceding_invoice_code", "authenticity", *PARTIES, "lines", "tax_breakdown",
    "allowances_charges", "payments", "kind", "specification", "unit_text", "tax_amount", "gross_amount", "is_charge",
    "bank_name",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "term"),
    [
        ("invoice_number", "BT-1"), ("issue_date", "BT-2"), ("invoice_type_code", "BT-3"), ("currency", "BT-5"),
        ("tax_currency", "BT-6"), ("due_date", "BT-9"), ("purchase_order_ref", "BT-13"), ("total_with_tax", "BT-112"),
        ("rounding_amount", "BT-114"), ("amount_due", "BT-115"), ("seller.name", "BT-27"), ("buyer.name", "BT-44"),
        ("seller.tax_id", "BT-31"), ("buyer.tax_id", "BT-48"), ("tax_representative.tax_id", "BT-63"),
        ("deliver_to.country", "BT-80"), ("lines[3].net_amount", "BT-131"), ("lines[0].line_no", "BT-126"),
        ("tax_breakdown[1].rate", "BT-119"), ("payments[0].bic", "BT-86"),
        ("allowances_charges[0].amount", "BT-92/BT-99"), ("cn_check_code", None), ("lines[0].tax_amount", None),
        ("payee.tax_id", None), ("no_such_field", None), ("lines[0].no_such_field", None), ("", None),
    ],
)  # fmt: skip
def test_terms(path: str, term: str | None) -> None:
    assert bt_of(path) == term


def test_every_field_has_its_term_or_is_known_to_have_none() -> None:
    for prefix, owner in {"": Invoice, **GROUPS}.items():
        for name in owner.model_fields:
            has_none = name.startswith("cn_") or name in WITHOUT_TERM
            if prefix == "tax_breakdown[0]." and name == "tax_amount":
                has_none = False
            term = bt_of(prefix + name)
            assert (term is None) == has_none, prefix + name
            assert term is None or re.fullmatch(r"BT-\d+(/BT-\d+)?", term)


def test_no_two_fields_share_a_term() -> None:
    paths = [prefix + name for prefix, owner in {"": Invoice, **GROUPS}.items() for name in owner.model_fields]
    paths += [f"{party}.{name}" for party in PARTIES for name in Party.model_fields]
    terms = [term for path in paths if (term := bt_of(path))]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("blank", ["", " ", "\u3000"])
def test_an_empty_text_is_no_value(blank: str) -> None:
    with pytest.raises(ValidationError, match="use None"):
        Party(name=blank)
    with pytest.raises(ValidationError, match="use None"):
        Invoice(document_kind=DocumentKind.INVOICE, invoice_number=blank)


def test_what_is_not_on_the_document_is_none() -> None:
    invoice = Invoice(document_kind=DocumentKind.RECEIPT)
    fields = invoice.model_dump(exclude={"document_kind", "authenticity", "seller", "buyer"})
    assert all(value is None or value == () for value in fields.values())
    assert all(value is None or value == () for value in invoice.seller.model_dump().values())


def _decimal_fields(owner: type[BaseModel]) -> list[str]:
    return [name for name, field in owner.model_fields.items() if Decimal in get_args(field.annotation)
            or "Decimal" in str(field.annotation)]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "required"),
    [(Invoice, {"document_kind": "invoice"}), (Line, {"line_no": 1}), (TaxBreakdown, {}),
     (AllowanceCharge, {"is_charge": True})],
)  # fmt: skip
def test_floats_are_refused_everywhere(owner: type[BaseModel], required: dict[str, object]) -> None:
    names = _decimal_fields(owner)
    assert names
    for name in names:
        with pytest.raises(ValidationError, match="float"):
            owner.model_validate({**required, name: 1.5})
        assert getattr(owner.model_validate({**required, name: "1.5"}), name) == Decimal("1.5")


def test_unknown_fields_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Invoice.model_validate({"document_kind": "invoice", "total": "1"})
    invoice = Invoice(document_kind=DocumentKind.INVOICE)
    with pytest.raises(ValidationError, match="frozen"):
        invoice.currency = "EUR"  # type: ignore[misc]


MONEY = st.none() | st.decimals(min_value=-(10**9), max_value=10**9, places=2)
TEXT = st.none() | st.text(min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


@given(number=TEXT, name=TEXT, total=MONEY, net=MONEY, issued=st.none() | st.dates())
def test_json_round_trip_keeps_every_digit(
    number: str | None, name: str | None, total: Decimal | None, net: Decimal | None, issued: date | None
) -> None:
    invoice = Invoice(
        document_kind=DocumentKind.CREDIT_NOTE,
        invoice_number=number,
        issue_date=issued,
        total_with_tax=total,
        seller=Party(name=name, tax_id="00015045", tax_id_type=TaxIdType.OTHER, address_lines=("a", "b")),
        lines=(Line(line_no=1, net_amount=net, quantity=Decimal("1.50")),),
        tax_breakdown=(TaxBreakdown(rate=Decimal("13.0000"), cn_rate_text="13%"),),
    )
    again = Invoice.model_validate_json(invoice.model_dump_json())
    assert again == invoice
    assert str(again.total_with_tax) == str(total)
    assert str(again.lines[0].quantity) == "1.50"
    assert again.seller.tax_id == "00015045"
