"""Totals, rates and lines add up, within the tolerances the standard and a scanner's rounding allow."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hunyuan_ocr.model.findings import Outcome, Severity
from hunyuan_ocr.model.invoice import AllowanceCharge, Invoice, Line, TaxBreakdown
from hunyuan_ocr.validation.rules.amounts import roundings
from tests.validation.invoices import (
    change,
    change_line,
    chinese_invoice,
    facts,
    german_invoice,
    judge,
    negative,
    receipt,
    rejections,
)

FAILED, PASSED, NOT_APPLICABLE = Outcome.FAILED, Outcome.PASSED, Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("invoice", [german_invoice(), chinese_invoice(), receipt(), negative(german_invoice())])
def test_an_invoice_that_is_right_is_not_rejected(invoice: Invoice) -> None:
    assert rejections(invoice) == set()


@pytest.mark.parametrize(
    ("rule_id", "field", "given"),
    [
        ("BR-CO-10", "sum_of_lines", "262.99"),
        ("BR-CO-13", "total_without_tax", "262.99"),
        ("BR-CO-14", "total_tax", "45.74"),
        ("BR-CO-15", "total_with_tax", "307.73"),
        ("BR-CO-16", "amount_due", "307.73"),
    ],
)
def test_a_wrong_total_is_rejected_with_expected_actual_and_difference(rule_id: str, field: str, given: str) -> None:
    finding = judge(change(german_invoice(), **{field: Decimal(given)}), rule_id)
    assert finding.is_rejection
    assert field in finding.fields
    assert finding.actual == given
    assert finding.difference == "1.00"
    assert finding.message


@pytest.mark.parametrize(
    ("rule_id", "field"),
    [
        ("BR-CO-10", "sum_of_lines"),
        ("BR-CO-13", "total_without_tax"),
        ("BR-CO-14", "total_tax"),
        ("BR-CO-15", "total_tax"),
        ("BR-CO-16", "amount_due"),
    ],
)
def test_a_rule_without_its_input_is_not_applicable(rule_id: str, field: str) -> None:
    assert judge(change(german_invoice(), **{field: None}), rule_id).outcome is NOT_APPLICABLE


def test_the_lines_stand_in_for_a_sum_of_lines_that_is_not_printed() -> None:
    invoice = change(german_invoice(), sum_of_lines=None)
    assert judge(invoice, "BR-CO-13").outcome is PASSED
    assert judge(change(invoice, lines=invoice.lines[:2]), "BR-CO-13").is_rejection


def test_lines_printed_with_tax_are_named_as_such() -> None:
    gross = Line(line_no=1, name="Anything", net_amount=Decimal("306.73"))
    finding = judge(change(german_invoice(), sum_of_lines=None, lines=(gross,)), "BR-CO-13")
    assert finding.is_rejection
    assert "tax included" in finding.message


@pytest.mark.parametrize(("cents", "outcome"), [("0.02", PASSED), ("0.03", FAILED)])
def test_a_sum_of_three_scanned_lines_may_be_two_cents_off(cents: str, outcome: Outcome) -> None:
    invoice = change(german_invoice(), sum_of_lines=Decimal("261.99") + Decimal(cents))
    assert judge(invoice, "BR-CO-10").outcome is outcome
    assert judge(invoice, "BR-CO-10", facts(source_is_structured=True)).outcome is FAILED


def test_one_cent_between_net_tax_and_total_is_a_warning_and_two_are_an_error() -> None:
    one = judge(change(german_invoice(), total_with_tax=Decimal("306.74")), "BR-CO-15")
    two = judge(change(german_invoice(), total_with_tax=Decimal("306.75")), "BR-CO-15")
    assert (one.outcome, one.severity) == (FAILED, Severity.WARN)
    assert two.is_rejection


def test_a_printed_rounding_amount_settles_the_amount_due() -> None:
    due = change(german_invoice(), rounding_amount=Decimal("-0.03"), amount_due=Decimal("306.70"))
    assert judge(due, "BR-CO-16").outcome is PASSED
    assert judge(change(due, rounding_amount=None), "BR-CO-16").is_rejection
    assert judge(change(due, paid_amount=Decimal("0.01")), "BR-CO-16").is_rejection


def test_allowances_and_charges_are_added_and_change_the_net_total() -> None:
    base = german_invoice()
    rows = (
        AllowanceCharge(is_charge=False, amount=Decimal("10.00"), tax_rate=Decimal(19)),
        AllowanceCharge(is_charge=True, amount=Decimal("4.00"), tax_rate=Decimal(19)),
    )
    taxes = (
        base.tax_breakdown[0].model_copy(update={"taxable_amount": Decimal("213.99"), "tax_amount": Decimal("40.66")}),
        base.tax_breakdown[1],
    )
    invoice = change(
        base, allowances_charges=rows, allowances_total=Decimal("10.00"), charges_total=Decimal("4.00"),
        total_without_tax=Decimal("255.99"), tax_breakdown=taxes, total_tax=Decimal("43.60"),
        total_with_tax=Decimal("299.59"), amount_due=Decimal("299.59"),
    )  # fmt: skip
    assert rejections(invoice) == set()
    assert judge(invoice, "BR-CO-11").outcome is PASSED
    assert judge(change(invoice, allowances_total=Decimal("10.03")), "BR-CO-11").is_rejection
    assert judge(change(invoice, charges_total=Decimal("4.03")), "BR-CO-12").is_rejection
    assert judge(change(invoice, allowances_charges=()), "BR-CO-12").outcome is NOT_APPLICABLE
    assert judge(base, "BR-CO-11").outcome is NOT_APPLICABLE


def test_an_allowance_is_its_base_times_its_percentage() -> None:
    row = AllowanceCharge(is_charge=False, amount=Decimal("10.02"), base_amount=Decimal("100.00"), percent=Decimal(10))
    right = change(german_invoice(), allowances_charges=(row,))
    wrong = change(right, allowances_charges=(row.model_copy(update={"amount": Decimal("10.03")}),))
    assert judge(right, "R040").outcome is PASSED
    assert judge(wrong, "R040").is_rejection
    assert judge(german_invoice(), "R040").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("tax", "outcome", "severity"),
    [("41.83", PASSED, None), ("41.84", FAILED, Severity.WARN), ("42.79", FAILED, Severity.WARN),
     ("42.80", FAILED, Severity.ERROR)],
)  # fmt: skip
def test_tax_of_a_rate_may_be_rounded_warns_below_one_and_fails_from_one(
    tax: str, outcome: Outcome, severity: Severity | None
) -> None:
    base = german_invoice()
    row = base.tax_breakdown[0].model_copy(update={"tax_amount": Decimal(tax)})
    finding = judge(change(base, tax_breakdown=(row, base.tax_breakdown[1])), "BR-CO-17")
    assert finding.outcome is outcome
    assert severity is None or finding.severity is severity


def test_both_roundings_of_a_negative_half_are_accepted() -> None:
    assert roundings(Decimal("-2.5"), Decimal(1)) == (Decimal(-3), Decimal(-2))
    assert roundings(Decimal("2.5"), Decimal(1)) == (Decimal(3), Decimal(3))
    row = TaxBreakdown(category="S", rate=Decimal(10), taxable_amount=Decimal("-0.25"))
    for tax in ("-0.02", "-0.03"):
        rows = (row.model_copy(update={"tax_amount": Decimal(tax)}),)
        finding = judge(change(negative(german_invoice()), tax_breakdown=rows), "BR-CO-17")
        assert finding.outcome is PASSED


def test_lines_of_a_rate_add_up_to_what_is_taxable_at_it() -> None:
    assert judge(german_invoice(), "BR-S-08").outcome is PASSED
    misread = change_line(german_invoice(), 2, tax_rate=Decimal(19))
    assert judge(misread, "BR-S-08").is_rejection
    unknown = change_line(german_invoice(), 2, tax_rate=Decimal(16))
    assert judge(unknown, "RATE-1").is_rejection
    assert judge(german_invoice(), "RATE-1").outcome is PASSED
    assert judge(change_line(unknown, 0, tax_rate=None), "RATE-1").outcome is NOT_APPLICABLE
    assert judge(change_line(german_invoice(), 2, tax_rate=None), "BR-S-08").outcome is NOT_APPLICABLE


def test_an_exempt_row_bears_no_tax() -> None:
    exempt = TaxBreakdown(category="E", rate=Decimal(0), taxable_amount=Decimal(10), tax_amount=Decimal(0))
    taxed = exempt.model_copy(update={"tax_amount": Decimal("1.90")})
    assert judge(change(german_invoice(), tax_breakdown=(exempt,)), "BR-E-09").outcome is PASSED
    assert judge(change(german_invoice(), tax_breakdown=(taxed,)), "BR-E-09").is_rejection
    assert judge(german_invoice(), "BR-E-09").outcome is NOT_APPLICABLE


def test_quantity_times_price_is_the_line_and_the_worst_line_is_named() -> None:
    spoilt = change_line(german_invoice(), 0, net_amount=Decimal("99.09"))
    spoilt = change_line(spoilt, 1, net_amount=Decimal("210.00"))
    finding = judge(spoilt, "R120")
    assert finding.is_rejection
    assert "line 2" in finding.message
    assert {"lines[0].net_amount", "lines[1].net_amount"} <= set(finding.fields)
    assert finding.difference is not None
    assert Decimal(finding.difference) == Decimal("90.00")


def test_a_rounded_price_allows_for_its_last_digit_but_a_whole_price_does_not() -> None:
    many = change_line(german_invoice(), 0, quantity=Decimal(1000), unit_price=Decimal("0.10"), net_amount=Decimal(104))
    assert judge(many, "R120").outcome is PASSED
    whole = change_line(german_invoice(), 0, quantity=Decimal(5), unit_price=Decimal(10), net_amount=Decimal("50.03"))
    assert judge(whole, "R120").is_rejection


def test_a_price_per_hundred_is_divided_by_its_base_quantity() -> None:
    fields = {"quantity": Decimal(300), "unit_price": Decimal("33.33"), "net_amount": Decimal("99.99")}
    assert judge(change_line(german_invoice(), 0, price_base_qty=Decimal(100), **fields), "R120").outcome is PASSED
    assert judge(change_line(german_invoice(), 0, price_base_qty=Decimal(0), **fields), "R120").is_rejection


@pytest.mark.parametrize(
    ("currency", "amount", "outcome"),
    [("EUR", "1.23", PASSED), ("EUR", "1.230", PASSED), ("EUR", "1.234", FAILED), ("JPY", "1200", PASSED),
     ("JPY", "1200.5", FAILED), ("KWD", "1.234", PASSED), ("KWD", "1.2345", FAILED)],
)  # fmt: skip
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str, outcome: Outcome) -> None:
    invoice = change(receipt(), currency=currency, total_with_tax=Decimal(amount))
    finding = judge(invoice, "BR-DEC")
    assert finding.outcome is outcome
    assert not finding.is_rejection
    assert judge(change(invoice, currency=None), "BR-DEC").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("currency", "total", "severity"),
    [("JPY", "1101", Severity.WARN), ("JPY", "1102", Severity.ERROR),
     ("KWD", "1100.001", Severity.WARN), ("KWD", "1100.002", Severity.ERROR)],
)  # fmt: skip
def test_the_minor_unit_of_the_currency_is_the_measure(currency: str, total: str, severity: Severity) -> None:
    invoice = change(
        german_invoice(), currency=currency, total_without_tax=Decimal(1000), total_tax=Decimal(100),
        total_with_tax=Decimal(total),
    )  # fmt: skip
    finding = judge(invoice, "BR-CO-15")
    assert (finding.outcome, finding.severity) == (FAILED, severity)


def test_a_credit_note_is_negative_and_an_invoice_is_not() -> None:
    credit = negative(german_invoice())
    assert judge(credit, "SIGN").outcome is PASSED
    lost_minus = change(credit, total_tax=Decimal("44.74"))
    assert judge(lost_minus, "SIGN").is_rejection
    assert judge(lost_minus, "SIGN").fields == ("total_tax",)
    assert judge(change(german_invoice(), total_with_tax=Decimal("-306.73")), "SIGN").is_rejection
    refund = judge(change(receipt(), total_with_tax=Decimal("-9.00")), "SIGN")
    assert (refund.outcome, refund.severity) == (FAILED, Severity.WARN)


def test_on_a_receipt_lines_that_do_not_add_up_only_warn_but_the_totals_must_agree() -> None:
    till = change(
        receipt(), lines=(Line(line_no=1, net_amount=Decimal("9.54")),), total_without_tax=Decimal("8.47"),
        total_tax=Decimal("0.51"), rounding_amount=Decimal("0.02"), total_with_tax=Decimal("9.00"),
    )  # fmt: skip
    assert judge(till, "BR-CO-13").severity is Severity.WARN
    assert rejections(till) == set()
    assert rejections(change(till, rounding_amount=None)) == {"BR-CO-15"}
    assert rejections(change(till, total_with_tax=Decimal("9.90"))) == {"BR-CO-15"}
