"""Who, when, in which currency, paid where, and whether anybody could read it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from hunyuan_ocr.model.evidence import FieldState
from hunyuan_ocr.model.findings import Outcome, Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, Payment, TaxIdType
from hunyuan_ocr.validation.rules import REGISTRY, RULESET_VERSION, RulePolicy, rules_catalogue, run_rules
from tests.validation.invoices import (
    change,
    chinese_invoice,
    facts,
    german_invoice,
    judge,
    negative,
    receipt,
    rejections,
)

FAILED, PASSED, NOT_APPLICABLE = Outcome.FAILED, Outcome.PASSED, Outcome.NOT_APPLICABLE


def sold_by(**fields: Any) -> Invoice:
    base = german_invoice()
    return change(base, seller=base.seller.model_copy(update=fields))


@pytest.mark.parametrize(
    ("tax_id", "country", "kind", "outcome"),
    [
        ("DE136695976", "DE", TaxIdType.EU_VAT, PASSED), ("DE136695978", "DE", TaxIdType.EU_VAT, FAILED),
        ("EL094259216", "GR", TaxIdType.EU_VAT, PASSED), ("GB980780684", "GB", TaxIdType.GB_VAT, PASSED),
        ("GB980780685", "GB", TaxIdType.GB_VAT, FAILED), ("XI980780684", "XI", TaxIdType.EU_VAT, PASSED),
        ("ESB58378431", "ES", TaxIdType.EU_VAT, PASSED), ("FR40303265045", "FR", TaxIdType.EU_VAT, PASSED),
        ("FR84303265045", "FR", TaxIdType.EU_VAT, FAILED), (None, "DE", None, NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_a_vat_id_has_the_checksum_of_its_country(
    tax_id: str | None, country: str, kind: TaxIdType | None, outcome: Outcome
) -> None:
    finding = judge(sold_by(tax_id=tax_id, country=country, tax_id_type=kind), "ID-VAT-EU")
    assert finding.outcome is outcome
    assert finding.is_rejection is (outcome is FAILED)


def test_a_buyers_wrong_vat_id_is_a_warning() -> None:
    base = german_invoice()
    finding = judge(change(base, buyer=base.buyer.model_copy(update={"tax_id": "DE136695978"})), "ID-VAT-EU")
    assert (finding.outcome, finding.severity) == (FAILED, Severity.WARN)


def test_a_number_of_a_kind_without_checksum_is_not_judged() -> None:
    assert judge(sold_by(tax_id="12/345/67890", tax_id_type=TaxIdType.OTHER), "ID-VAT-EU").outcome is NOT_APPLICABLE


def test_a_vat_id_without_its_country_warns_on_paper_and_fails_in_xml() -> None:
    bare = sold_by(tax_id="136695976")
    assert judge(german_invoice(), "BR-CO-09").outcome is PASSED
    assert judge(bare, "BR-CO-09").severity is Severity.WARN
    assert judge(bare, "BR-CO-09", facts(source_is_structured=True)).is_rejection
    assert judge(sold_by(tax_id="136695976", tax_id_type=TaxIdType.OTHER), "BR-CO-09").outcome is NOT_APPLICABLE


def test_a_seller_without_any_number_is_rejected_but_a_till_is_not() -> None:
    unknown = sold_by(tax_id=None)
    assert judge(unknown, "BR-CO-26").is_rejection
    assert judge(sold_by(tax_id=None, legal_id="HRB 1234"), "BR-CO-26").outcome is PASSED
    assert judge(receipt(), "BR-CO-26").outcome is NOT_APPLICABLE
    lenient = facts(policy=RulePolicy(severity_overrides={"BR-CO-26": Severity.WARN}))
    assert judge(unknown, "BR-CO-26", lenient).severity is Severity.WARN
    assert rejections(unknown, lenient) == set()


def paid_to(account: str | None, bic: str | None = None) -> Invoice:
    return change(german_invoice(), payments=(Payment(iban_or_account=account, bic=bic),))


@pytest.mark.parametrize(
    ("account", "outcome", "severity"),
    [
        ("DE89 3704 0044 0532 0130 00", PASSED, None), ("DE89 3704 0044 0532 0130 01", FAILED, Severity.ERROR),
        ("DE89 3704 0044 0532 0130", FAILED, Severity.ERROR), ("GB29NWBK60161331926819", PASSED, None),
        ("6222 0200 0000 1234 567", PASSED, None), ("123-4567", FAILED, Severity.WARN), (None, NOT_APPLICABLE, None),
    ],
)  # fmt: skip
def test_an_iban_is_checked_and_another_account_has_eight_to_thirty_digits(
    account: str | None, outcome: Outcome, severity: Severity | None
) -> None:
    finding = judge(paid_to(account), "PAY-IBAN")
    assert finding.outcome is outcome
    assert severity is None or finding.severity is severity


def test_a_bic_has_the_form_of_one() -> None:
    assert judge(paid_to(None, "COBADEFFXXX"), "PAY-BIC").outcome is PASSED
    assert judge(paid_to(None, "COBADEFFX"), "PAY-BIC").outcome is FAILED
    assert judge(paid_to(None), "PAY-BIC").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("issued", "rule_id", "outcome"),
    [
        (date(2026, 11, 21), "DATE-1", PASSED), (date(2026, 11, 22), "DATE-1", FAILED),
        (date(2025, 10, 16), "DATE-2", PASSED), (date(2025, 10, 15), "DATE-2", FAILED),
        (None, "DATE-1", NOT_APPLICABLE), (None, "DATE-2", NOT_APPLICABLE),
    ],
)  # fmt: skip
def test_an_invoice_is_neither_from_the_future_nor_older_than_four_hundred_days(
    issued: date | None, rule_id: str, outcome: Outcome
) -> None:
    assert judge(change(german_invoice(), issue_date=issued, due_date=None), rule_id).outcome is outcome


def test_an_invoice_is_not_due_before_it_is_issued() -> None:
    assert judge(change(german_invoice(), due_date=date(2026, 11, 3)), "DATE-3").outcome is PASSED
    assert judge(change(german_invoice(), due_date=date(2026, 11, 2)), "DATE-3").is_rejection
    assert judge(change(german_invoice(), due_date=None), "DATE-3").outcome is NOT_APPLICABLE


def test_a_date_with_two_readings_goes_to_review_once() -> None:
    invoice = change(german_invoice(), issue_date=None, due_date=None)
    known = facts(ambiguous_fields=frozenset({"issue_date"}))
    assert rejections(invoice, known) == {"DATE-4"}
    assert judge(german_invoice(), "DATE-4").outcome is PASSED
    assert judge(invoice, "DATE-4").outcome is NOT_APPLICABLE


def test_a_currency_is_active_and_its_symbol_resolved() -> None:
    assert judge(german_invoice(), "CUR-1").outcome is PASSED
    assert judge(change(german_invoice(), currency="DEM"), "CUR-1").is_rejection
    assert judge(change(german_invoice(), currency="XAU"), "CUR-1").is_rejection
    unknown = change(german_invoice(), currency=None)
    assert judge(unknown, "CUR-1").outcome is NOT_APPLICABLE
    assert rejections(unknown, facts(ambiguous_fields=frozenset({"currency"}))) == {"CUR-2"}
    assert judge(german_invoice(), "CUR-2").outcome is PASSED
    assert judge(unknown, "CUR-2").outcome is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("rule_id", "fields"),
    [
        ("BR-02", {"invoice_number": None}), ("BR-03", {"issue_date": None}), ("BR-05", {"currency": None}),
        ("BR-14", {"total_with_tax": None}),
    ],
)  # fmt: skip
def test_a_mandatory_value_that_is_absent_is_named(rule_id: str, fields: dict[str, Any]) -> None:
    finding = judge(change(german_invoice(), **fields), rule_id)
    assert finding.is_rejection
    assert finding.fields == tuple(fields)
    assert judge(german_invoice(), rule_id).outcome is PASSED


def test_a_seller_has_a_name_and_a_missing_buyer_only_warns() -> None:
    assert judge(sold_by(name=None), "BR-06").is_rejection
    base = german_invoice()
    nobody = judge(change(base, buyer=base.buyer.model_copy(update={"name": None})), "BR-07")
    assert (nobody.outcome, nobody.severity) == (FAILED, Severity.WARN)
    assert judge(receipt(), "BR-07").outcome is NOT_APPLICABLE


def test_net_and_tax_are_required_in_china_and_asked_for_elsewhere() -> None:
    assert judge(change(chinese_invoice(), total_tax=None), "BR-13").is_rejection
    assert judge(change(german_invoice(), total_tax=None), "BR-13").is_rejection, "the total would stay unchecked"
    one_total = change(german_invoice(), total_tax=None, total_without_tax=None)
    assert judge(one_total, "BR-13").severity is Severity.WARN
    free = change(
        german_invoice(), total_tax=None, tax_breakdown=(),
        lines=(Line(line_no=1, net_amount=Decimal("306.73"), tax_category="E"),),
    )  # fmt: skip
    assert judge(free, "BR-13").outcome is NOT_APPLICABLE


def test_a_receipt_needs_only_day_currency_and_total() -> None:
    bare = change(receipt(), seller=receipt().seller.model_copy(update={"name": None}))
    assert rejections(bare) == set()
    assert judge(bare, "BR-02").outcome is NOT_APPLICABLE
    assert rejections(change(bare, total_with_tax=None)) == {"BR-14"}


def test_other_documents_are_not_staged() -> None:
    assert rejections(change(receipt(), document_kind=DocumentKind.STATEMENT)) == {"KIND-1"}


def test_a_credit_note_names_what_it_corrects() -> None:
    credit = negative(german_invoice())
    assert judge(credit, "REF-1").outcome is PASSED
    alone = judge(change(credit, preceding_invoice_number=None), "REF-1")
    assert (alone.outcome, alone.severity) == (FAILED, Severity.WARN)
    assert judge(german_invoice(), "REF-1").outcome is NOT_APPLICABLE


@pytest.mark.parametrize("state", [FieldState.ILLEGIBLE, FieldState.MASKED])
def test_a_mandatory_value_nobody_can_read_is_told_once_and_named(state: FieldState) -> None:
    invoice = change(german_invoice(), invoice_number=None)
    known = facts(field_states={"invoice_number": state})
    assert rejections(invoice, known) == {"EV-1"}
    assert judge(invoice, "EV-1", known).fields == ("invoice_number",)
    assert judge(german_invoice(), "EV-1").outcome is PASSED
    assert judge(change(receipt(), document_kind=DocumentKind.OTHER), "EV-1").outcome is NOT_APPLICABLE


def test_a_mandatory_value_read_without_certainty_goes_to_review() -> None:
    def read_with(confidence: float, **known: Any) -> Outcome:
        confidences = {"total_with_tax": confidence, "note": 0.1}
        return judge(german_invoice(), "EV-2", facts(confidences=confidences, **known)).outcome

    assert read_with(0.49) is FAILED
    assert read_with(0.5) is PASSED
    assert read_with(0.5, policy=RulePolicy(min_confidence=0.9)) is FAILED
    assert read_with(0.1, source_is_structured=True) is NOT_APPLICABLE
    assert judge(german_invoice(), "EV-2").outcome is NOT_APPLICABLE


def test_what_the_readers_left_open_goes_to_review() -> None:
    finding = judge(german_invoice(), "EV-3", facts(review_reasons=("two totals on the page",)))
    assert finding.is_rejection
    assert "two totals on the page" in finding.message
    assert judge(german_invoice(), "EV-3").outcome is PASSED


def test_every_rule_says_something_about_every_invoice() -> None:
    for invoice in (german_invoice(), chinese_invoice(), receipt(), change(receipt(), total_with_tax=None)):
        findings = run_rules(invoice, facts())
        assert [finding.rule_id for finding in findings] == list(REGISTRY)
        for finding in findings:
            told = finding.outcome is PASSED or finding.message
            assert told, finding
            assert finding.outcome is not FAILED or finding.severity in REGISTRY[finding.rule_id].severities


def test_the_catalogue_lists_every_rule_in_both_languages() -> None:
    catalogue = rules_catalogue()
    assert [entry.id for entry in catalogue] == list(REGISTRY)
    assert all(entry.explains_en and entry.explains_zh and entry.origin for entry in catalogue)
    assert len(RULESET_VERSION) == 12
    asked_for = (
        "BR-CO-10 BR-CO-11 BR-CO-12 BR-CO-13 BR-CO-14 BR-CO-15 BR-CO-16 BR-CO-17 BR-S-08 R120 BR-DEC BR-CO-09 BR-CO-26 "
        "CN-NUM-1 CN-NUM-2 CN-NUM-3 CN-NUM-4 CN-AMT-1 CN-AMT-2 CN-AMT-3 CN-TAX-1 CN-TAX-2 CN-TAX-3 CN-TAX-4 CN-WORD-1 "
        "CN-CHK-1 CN-ID-1 CN-ID-2 CN-ID-3 CN-ID-4 CN-RED-1 ID-VAT-EU PAY-IBAN PAY-BIC DATE-1 DATE-2 DATE-3 DATE-4 SIGN "
        "EV-1 EV-2 EV-3"
    )
    assert set(asked_for.split()) <= REGISTRY.keys()
