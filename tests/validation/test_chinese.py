"""Chinese VAT invoices: numbers, amounts, tax limits, words, ids, red invoices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from hunyuan_ocr.model.evidence import FieldState
from hunyuan_ocr.model.findings import Outcome, Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, TaxIdType
from hunyuan_ocr.validation.rules import REGISTRY
from hunyuan_ocr.validation.rules.chinese_numbers import type_of_code
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


def classic(**fields: Any) -> Invoice:
    base = {"cn_invoice_type": "10", "cn_invoice_code": "011002000611", "invoice_number": "03630024"}
    return change(chinese_invoice(), **{**base, **fields})


def red() -> Invoice:
    return change(
        negative(chinese_invoice()), cn_is_red=True, cn_amount_in_words="（负数）壹佰柒拾圆零柒分",
        preceding_invoice_number="26312000000136634001",
    )  # fmt: skip


@pytest.mark.parametrize("rule_id", [rule_id for rule_id in REGISTRY if rule_id.startswith("CN-")])
@pytest.mark.parametrize("invoice", [german_invoice(), receipt()])
def test_chinese_rules_do_not_apply_elsewhere(rule_id: str, invoice: Invoice) -> None:
    assert judge(invoice, rule_id).outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, PASSED),
        ({"cn_invoice_type": None}, PASSED),
        ({"invoice_number": "2631200000013663491"}, FAILED),
        ({"cn_invoice_code": "011002000611"}, FAILED),
        ({"cn_invoice_type": None, "invoice_number": "03630024"}, FAILED),
        ({"invoice_number": None}, NOT_APPLICABLE),
        ({"cn_invoice_type": "86", "cn_invoice_code": "011002000611", "invoice_number": "03630024",
          "cn_einvoice_number": "26312000000136634917"}, PASSED),
        ({"cn_invoice_type": "86", "cn_invoice_code": "011002000611", "invoice_number": "03630024"}, FAILED),
        ({"cn_invoice_type": "10", "cn_invoice_code": "011002000611", "invoice_number": "03630024"}, NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_a_digital_invoice_has_twenty_digits_and_no_code(fields: dict[str, Any], outcome: Outcome) -> None:
    assert judge(change(chinese_invoice(), **fields), "CN-NUM-1").outcome is outcome


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({}, PASSED),
        ({"cn_invoice_type": None}, PASSED),
        ({"cn_invoice_type": "01", "cn_invoice_code": "1200154130"}, PASSED),
        ({"cn_invoice_type": "01"}, FAILED),
        ({"cn_invoice_code": "01100200061"}, FAILED),
        ({"invoice_number": "3630024"}, FAILED),
        ({"cn_invoice_code": None}, FAILED),
        ({"cn_invoice_type": "31", "cn_invoice_code": None}, NOT_APPLICABLE),
    ],
)
def test_a_classic_invoice_has_a_code_and_eight_digits(fields: dict[str, Any], outcome: Outcome) -> None:
    assert judge(classic(**fields), "CN-NUM-2").outcome is outcome


@pytest.mark.parametrize(
    ("code", "kind"),
    [("4200161350", "04"), ("1200154130", "01"), ("011001900104", "04"), ("011001900107", "11"),
     ("011002000611", "10"), ("011001900112", "14"), ("011001900113", "08"), ("011001900117", "15"),
     ("131001570151", "10"), ("152001900104", "03"), ("011001900199", None)],
)  # fmt: skip
def test_an_invoice_code_names_its_type(code: str, kind: str | None) -> None:
    assert type_of_code(code) == kind


def test_a_code_of_another_type_is_a_warning() -> None:
    assert judge(classic(), "CN-NUM-3").outcome is PASSED
    other = judge(classic(cn_invoice_code="011001900104"), "CN-NUM-3")
    assert (other.outcome, other.severity) == (FAILED, Severity.WARN)
    assert judge(classic(cn_invoice_type=None), "CN-NUM-3").outcome is NOT_APPLICABLE


def test_a_digital_number_starts_with_year_and_region() -> None:
    assert judge(chinese_invoice(), "CN-NUM-4").outcome is PASSED
    assert judge(change(chinese_invoice(), invoice_number="25312000000136634917"), "CN-NUM-4").outcome is FAILED
    assert judge(change(chinese_invoice(), invoice_number="26992000000136634917"), "CN-NUM-4").outcome is FAILED
    assert judge(classic(), "CN-NUM-4").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("total", "outcome", "severity"),
    [("170.07", PASSED, Severity.ERROR), ("170.08", FAILED, Severity.WARN), ("170.09", FAILED, Severity.ERROR)],
)
def test_totals_agree_and_one_fen_is_a_warning(total: str, outcome: Outcome, severity: Severity) -> None:
    finding = judge(change(chinese_invoice(), total_with_tax=Decimal(total)), "CN-AMT-1")
    assert (finding.outcome, finding.severity) == (outcome, severity)


def test_lines_add_up_to_net_and_tax_within_one_fen() -> None:
    assert judge(chinese_invoice(), "CN-AMT-2").outcome is PASSED
    assert judge(change(chinese_invoice(), total_without_tax=Decimal("150.51")), "CN-AMT-2").outcome is PASSED
    assert judge(change(chinese_invoice(), total_without_tax=Decimal("150.52")), "CN-AMT-2").is_rejection
    assert judge(change(chinese_invoice(), total_tax=Decimal("19.59")), "CN-AMT-2").is_rejection


def test_discount_lines_count_negative_and_a_list_elsewhere_is_not_judged() -> None:
    base = chinese_invoice()
    discount = Line(
        line_no=3, kind="discount", name="*五金*螺母", net_amount=Decimal("-0.50"), tax_rate=Decimal(13),
        tax_amount=Decimal("-0.07"),
    )  # fmt: skip
    with_discount = change(
        base, lines=(*base.lines, discount), total_without_tax=Decimal("150.00"), total_tax=Decimal("19.50"),
        total_with_tax=Decimal("169.50"), cn_amount_in_words="壹佰陆拾玖圆伍角整", tax_breakdown=(),
    )  # fmt: skip
    assert rejections(with_discount) == set()
    listed = change(base, lines=(Line(line_no=1, name="（详见销货清单）", net_amount=Decimal(1)),))
    assert judge(listed, "CN-AMT-2").outcome is NOT_APPLICABLE


def test_quantity_times_price_is_the_amount() -> None:
    assert judge(chinese_invoice(), "CN-AMT-3").outcome is PASSED
    wrong = judge(change_line(chinese_invoice(), 1, quantity=Decimal(3)), "CN-AMT-3")
    assert (wrong.outcome, wrong.severity) == (FAILED, Severity.WARN)
    none = change(chinese_invoice(), lines=(Line(line_no=1, net_amount=Decimal("150.50")),))
    assert judge(none, "CN-AMT-3").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(("tax", "is_rejected"), [("13.06", False), ("12.94", False), ("13.07", True), ("12.93", True)])
def test_a_lines_tax_may_be_six_fen_off(tax: str, is_rejected: bool) -> None:
    invoice = change_line(chinese_invoice(), 0, tax_amount=Decimal(tax))
    assert judge(invoice, "CN-TAX-1").is_rejection is is_rejected


@pytest.mark.parametrize(("last", "is_rejected"), [("13.01", False), ("13.02", True)])
def test_an_invoices_tax_differences_may_add_up_to_one_yuan_twenty_seven(last: str, is_rejected: bool) -> None:
    taxes = [*["13.06"] * 21, last]
    lines = tuple(
        Line(line_no=n, net_amount=Decimal(100), tax_rate=Decimal(13), tax_amount=Decimal(tax))
        for n, tax in enumerate(taxes, 1)
    )
    assert judge(change(chinese_invoice(), lines=lines), "CN-TAX-1").is_rejection is is_rejected


def test_tax_on_a_difference_is_not_rate_times_amount() -> None:
    line = Line(
        line_no=1,
        name="*劳务*服务费",
        net_amount=Decimal("995.24"),
        tax_rate=Decimal(5),
        tax_amount=Decimal("4.76"),
    )
    invoice = change(
        chinese_invoice(), lines=(line,), tax_breakdown=(), note="差额征税：900.00。",
        total_without_tax=Decimal("995.24"), total_tax=Decimal("4.76"),
        total_with_tax=Decimal("1000.00"), cn_amount_in_words="壹仟圆整",
    )  # fmt: skip
    assert rejections(invoice) == set()
    assert judge(invoice, "CN-TAX-1").outcome is NOT_APPLICABLE
    assert judge(invoice, "CN-TAX-2").outcome is PASSED
    off = judge(change(invoice, note="差额征税：500.00。"), "CN-TAX-2")
    assert (off.outcome, off.severity) == (FAILED, Severity.WARN)
    assert judge(change(invoice, note="差额征税"), "CN-TAX-2").outcome is NOT_APPLICABLE
    assert judge(change(invoice, note=None), "CN-TAX-1").is_rejection


def test_a_reduced_levy_is_taken_on_the_price_with_tax() -> None:
    line = Line(
        line_no=1,
        name="*经营租赁*房租",
        net_amount=Decimal("985.71"),
        tax_rate=Decimal("1.5"),
        tax_amount=Decimal("14.29"),
    )
    reduced = change(chinese_invoice(), lines=(line,))
    assert judge(reduced, "CN-TAX-1").outcome is PASSED
    full = change(reduced, lines=(line.model_copy(update={"tax_rate": Decimal(5)}),))
    assert judge(full, "CN-TAX-1").is_rejection
    assert judge(change(full, note="减按1.5%"), "CN-TAX-1").outcome is PASSED


def exempt(word: str, **fields: Any) -> Invoice:
    line = Line(line_no=1, name="*蔬菜*青菜", net_amount=Decimal("150.00"), cn_rate_text=word, **fields)
    return change(
        chinese_invoice(), lines=(line,), tax_breakdown=(), total_without_tax=Decimal(150), total_tax=None,
        total_with_tax=Decimal(150), cn_amount_in_words="壹佰伍拾圆整",
    )  # fmt: skip


@pytest.mark.parametrize("word", ["免税", "不征税", "***"])
def test_words_in_place_of_a_rate_are_no_rate_and_bear_no_tax(word: str) -> None:
    assert rejections(exempt(word)) == set()
    assert judge(exempt(word), "CN-TAX-1").outcome is NOT_APPLICABLE
    assert judge(exempt(word, tax_rate=Decimal(0)), "CN-TAX-4").is_rejection


def test_an_exempt_line_with_tax_is_rejected_and_zero_rated_words_may_be_zero() -> None:
    assert judge(exempt("免税"), "CN-TAX-2").outcome is PASSED
    assert judge(exempt("免税", tax_amount=Decimal("19.50")), "CN-TAX-2").is_rejection
    assert judge(exempt("出口零税率", tax_rate=Decimal(0)), "CN-TAX-4").outcome is PASSED
    assert judge(change_line(chinese_invoice(), 0, cn_rate_text="9%"), "CN-TAX-4").is_rejection


@pytest.mark.parametrize(
    ("issued", "rate", "outcome"),
    [
        (date(2026, 11, 3), "13", PASSED), (date(2026, 11, 3), "17", FAILED), (date(2019, 3, 31), "16", PASSED),
        (date(2019, 4, 1), "16", FAILED), (date(2018, 4, 30), "17", PASSED), (date(2018, 5, 1), "17", FAILED),
        (date(2017, 6, 30), "13", PASSED), (date(2017, 7, 1), "13", FAILED), (date(2026, 11, 3), "1.5", PASSED),
    ],
)  # fmt: skip
def test_a_rate_was_in_force_on_the_day_of_issue(issued: date, rate: str, outcome: Outcome) -> None:
    lines = (Line(line_no=1, net_amount=Decimal(1), tax_rate=Decimal(rate)),)
    finding = judge(change(chinese_invoice(), issue_date=issued, lines=lines, tax_breakdown=()), "CN-TAX-3")
    assert (finding.outcome, finding.is_rejection) == (outcome, False)


def test_words_and_figures_are_the_same_amount() -> None:
    assert judge(chinese_invoice(), "CN-WORD-1").outcome is PASSED
    assert judge(change(chinese_invoice(), cn_amount_in_words="壹佰柒拾圆零捌分"), "CN-WORD-1").is_rejection
    assert judge(change(chinese_invoice(), cn_amount_in_words="壹佰柒拾凰零柒分"), "CN-WORD-1").is_rejection
    assert judge(change(chinese_invoice(), cn_amount_in_words=None), "CN-WORD-1").outcome is NOT_APPLICABLE
    assert judge(red(), "CN-WORD-1").outcome is PASSED
    assert judge(change(red(), cn_amount_in_words="壹佰柒拾圆零柒分"), "CN-WORD-1").is_rejection


def test_a_check_code_has_twenty_digits_where_there_is_one() -> None:
    twenty = "48114255542168294433"
    assert judge(classic(cn_check_code=twenty), "CN-CHK-1").outcome is PASSED
    assert judge(classic(cn_check_code=twenty[:6]), "CN-CHK-1").outcome is FAILED
    assert judge(classic(), "CN-CHK-1").outcome is NOT_APPLICABLE
    assert judge(chinese_invoice(), "CN-CHK-1").outcome is PASSED
    assert judge(change(chinese_invoice(), cn_check_code=twenty), "CN-CHK-1").outcome is FAILED


def with_ids(seller: str | None, buyer: str | None = None, kind: TaxIdType | None = TaxIdType.USCC) -> Invoice:
    base = chinese_invoice()
    return change(
        base,
        seller=base.seller.model_copy(update={"tax_id": seller, "tax_id_type": kind}),
        buyer=base.buyer.model_copy(update={"tax_id": buyer}),
    )


GOOD = "91350100M000100Y43"


def test_a_tax_id_of_no_chinese_form_rejects_for_the_seller_and_warns_for_the_buyer() -> None:
    assert judge(with_ids(GOOD, GOOD), "CN-ID-1").outcome is PASSED
    assert judge(with_ids("9135010"), "CN-ID-1").is_rejection
    buyer = judge(with_ids(GOOD, "9135010"), "CN-ID-1")
    assert (buyer.outcome, buyer.severity) == (FAILED, Severity.WARN)
    assert judge(with_ids(None, None), "CN-ID-1").outcome is NOT_APPLICABLE


@pytest.mark.parametrize("changed", ["91350100M000100Y44", "91350100M000100Y34", "91350100M0O0100Y43"])
def test_a_social_credit_code_that_fails_its_checksum_is_rejected(changed: str) -> None:
    assert judge(with_ids(GOOD), "CN-ID-2").outcome is PASSED
    assert judge(with_ids(changed), "CN-ID-2").is_rejection


def test_a_masked_id_is_not_judged() -> None:
    masked = facts(field_states={"seller.tax_id": FieldState.MASKED})
    assert judge(with_ids("9135**********0Y43"), "CN-ID-2", masked).outcome is NOT_APPLICABLE


def test_the_organisation_code_inside_an_id_is_checked_too() -> None:
    assert judge(with_ids(GOOD), "CN-ID-3").outcome is PASSED
    wrong = judge(with_ids("91350100M000100Y53"), "CN-ID-3")
    assert (wrong.outcome, wrong.severity) == (FAILED, Severity.WARN)
    fifteen = "350100M000100Y4"
    assert judge(with_ids(fifteen, kind=TaxIdType.CN15), "CN-ID-3").outcome is PASSED
    assert judge(with_ids(fifteen[:-1] + "5", kind=TaxIdType.CN15), "CN-ID-3").outcome is FAILED


def test_a_look_alike_slip_is_only_proposed_for_repair() -> None:
    finding = judge(with_ids("9I350100M000100Y43"), "CN-ID-4")
    assert (finding.outcome, finding.severity) == (FAILED, Severity.INFO)
    assert finding.expected == GOOD
    assert judge(with_ids("9I350100M000100Y43"), "CN-ID-2").is_rejection
    assert judge(with_ids(GOOD), "CN-ID-4").outcome is PASSED


def test_a_red_invoice_is_red_throughout_and_names_its_original() -> None:
    assert rejections(red()) == set()
    assert judge(red(), "CN-RED-1").outcome is PASSED
    assert judge(chinese_invoice(), "CN-RED-1").outcome is NOT_APPLICABLE
    assert judge(change(red(), preceding_invoice_number=None), "CN-RED-1").is_rejection
    noted = change(red(), preceding_invoice_number=None, note="被红冲蓝字数电票号码：26312000000136634001")
    assert judge(noted, "CN-RED-1").outcome is PASSED
    assert judge(change(red(), cn_amount_in_words="壹佰柒拾圆零柒分"), "CN-RED-1").is_rejection
    assert judge(change(red(), document_kind=DocumentKind.INVOICE), "CN-RED-1").is_rejection
    assert judge(change(red(), total_tax=Decimal("19.57")), "CN-RED-1").is_rejection
