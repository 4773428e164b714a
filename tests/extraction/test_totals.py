"""The arithmetic tells the total from its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.invoice import Invoice

_HEAD = "INVOICE\nInvoice No: 7-A\nInvoice Date: 14 May 2024\n\n"


@pytest.fixture
def read(profiles: tuple[PromptProfile, ...], draw: Callable[..., Reading]) -> Callable[[str], Invoice]:
    return lambda sums: reconcile([draw(_HEAD + sums)], profiles=profiles).invoice


def test_of_several_totals_the_one_that_adds_up(read: Callable[[str], Invoice]) -> None:
    invoice = read("Total   80.00\nSubtotal   100.00\nVAT 20%   20.00\nTotal   120.00")
    assert invoice.total_with_tax == Decimal("120.00")
    assert invoice.total_without_tax == Decimal("100.00")
    assert invoice.total_tax == Decimal("20.00")


def test_tax_per_rate_is_added_up(read: Callable[[str], Invoice]) -> None:
    invoice = read("Net Total   300.00\nVAT 7%   7.00\nVAT 19%   38.00\nTotal   345.00")
    assert invoice.total_tax == Decimal("45.00")
    assert [row.rate for row in invoice.tax_breakdown] == [Decimal(7), Decimal(19)]


def test_an_earlier_balance_is_due_but_not_invoiced(read: Callable[[str], Invoice]) -> None:
    invoice = read("Subtotal  100.00\nTax  10.00\nTotal  110.00\nPrevious Balance  500.00\nTotal Due  610.00")
    assert (invoice.total_with_tax, invoice.amount_due) == (Decimal("110.00"), Decimal("610.00"))


def test_a_deposit_is_paid_but_not_taken_off_the_total(read: Callable[[str], Invoice]) -> None:
    invoice = read("Net Total 100.00\nVAT  20.00\nTotal  120.00\nDeposit  50.00\nBalance Due  70.00")
    assert (invoice.total_with_tax, invoice.paid_amount, invoice.amount_due) == (
        Decimal("120.00"),
        Decimal("50.00"),
        Decimal("70.00"),
    )


def test_discount_and_shipping_stand_between_subtotal_and_total(read: Callable[[str], Invoice]) -> None:
    invoice = read("Subtotal  100.00\nDiscount  10.00\nShipping  5.00\nTax  9.50\nTotal  104.50")
    assert invoice.total_with_tax == Decimal("104.50")
    assert invoice.sum_of_lines == Decimal("100.00")
    assert invoice.total_without_tax is None


def test_amounts_that_contradict_each_other_are_all_given_for_the_rules_to_see(
    read: Callable[[str], Invoice],
) -> None:
    invoice = read("Net Total  100.00\nVAT 20%  20.00\nGrand Total  150.00")
    assert (invoice.total_without_tax, invoice.total_tax, invoice.total_with_tax) == (
        Decimal("100.00"),
        Decimal("20.00"),
        Decimal("150.00"),
    )


def test_comma_and_point_are_read_by_what_the_document_proves(read: Callable[[str], Invoice]) -> None:
    assert read("Net Total  1.000\nVAT  190,00\nTotal  1.190,00").total_without_tax == Decimal(1000)


def test_a_year_beside_a_tax_label_is_no_tax(read: Callable[[str], Invoice]) -> None:
    assert read("Total  85.54\nRelief under GST Act 2014").total_tax is None


def test_a_total_with_words_its_label_does_not_know_is_not_the_total(read: Callable[[str], Invoice]) -> None:
    assert read("Total before further rebates   100.00").total_with_tax is None
