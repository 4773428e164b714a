"""Scoring: what counts as the same, and what as missing, wrong or invented."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from hunyuan_ocr.evaluation.scoring import (
    FIELD_NAMES,
    KEY_FIELDS,
    Outcome,
    best_score,
    expected_kind,
    score,
    score_document,
)
from hunyuan_ocr.model.invoice import DocumentKind, Invoice, Line, LineKind, Party


def invoice(kind: DocumentKind = DocumentKind.INVOICE, **fields) -> Invoice:
    return Invoice(document_kind=kind, **fields)


def outcome(truth: dict, read: Invoice | None, field: str) -> Outcome | None:
    return next((each.outcome for each in score(truth, read) if each.field == field), None)


class TestWhatCountsAsTheSame:
    @pytest.mark.parametrize(
        ("truth", "read"),
        [
            ({"total_amount": "119"}, {"total_with_tax": Decimal("119.00")}),
            ({"total_amount": "0.00"}, {"total_with_tax": Decimal("0")}),
            ({"net_amount": "-5.10"}, {"total_without_tax": Decimal("-5.1")}),
            ({"tax_amount": 19}, {"total_tax": Decimal("19")}),
            ({"payable_amount": "4647.68"}, {"amount_due": Decimal("4647.68")}),
            ({"rounding": "-0.01"}, {"rounding_amount": Decimal("-0.01")}),
            ({"issue_date": "2019-02-11"}, {"issue_date": date(2019, 2, 11)}),
            ({"seller_name": "ＡＢＣ  GmbH"}, {"seller": Party(name="abc gmbh")}),
            ({"buyer_name": "北京 某某公司"}, {"buyer": Party(name="北京某某公司")}),
            ({"seller_tax_id": "DE 232 446 240"}, {"seller": Party(tax_id="DE232446240")}),
            ({"seller_tax_no": "CHE-123.456.789 MWST"}, {"seller": Party(tax_id="CHE123456789MWST")}),
            ({"check_code": "76939056883466677916"}, {"cn_check_code": "76939 05688 34666 77916"}),
            ({"invoice_code": "012001800311"}, {"cn_invoice_code": "012001800311"}),
            ({"machine_number": "661619942171"}, {"cn_machine_number": "661619942171"}),
            ({"currency": "CNY"}, {"currency": "CNY"}),
        ],
    )
    def test_exact(self, truth, read):
        (only,) = score(truth, invoice(**read))
        assert only.outcome is Outcome.EXACT and only.field in FIELD_NAMES

    @pytest.mark.parametrize(
        ("truth", "read"),
        [
            ({"total_amount": "119.00"}, {"total_with_tax": Decimal("119.01")}),
            ({"total_amount": "119.00"}, {"total_with_tax": Decimal("-119.00")}),
            ({"total_amount": "12,50"}, {"total_with_tax": Decimal("1250")}),
            ({"issue_date": "2019-02-11"}, {"issue_date": date(2019, 11, 2)}),
            ({"invoice_number": "00417"}, {"invoice_number": "417"}),
            ({"invoice_number": "RE-1/7"}, {"invoice_number": "RE17"}),
            ({"seller_tax_id": "DE232446240"}, {"seller": Party(tax_id="DE232446241")}),
            ({"seller_name": "Acme Ltd."}, {"seller": Party(name="Acme Ltd. 12 Main Street")}),
        ],
    )
    def test_nearly_right_is_wrong(self, truth, read):
        (only,) = score(truth, invoice(**read))
        assert only.outcome is Outcome.WRONG

    def test_a_credit_note_is_signed_negative_whatever_sign_is_printed(self):
        read = invoice(DocumentKind.CREDIT_NOTE, total_with_tax=Decimal("-233.47"))
        for printed in ("233.47", "-233.47"):
            truth = {"doc_type": "credit_note", "total_amount": printed}
            assert outcome(truth, read, "total_amount") is Outcome.EXACT
        assert outcome({"doc_type": "credit_note", "total_amount": "233.40"}, read, "total_amount") is Outcome.WRONG

    def test_lines_are_counted_without_discounts_and_notes(self):
        kinds = (LineKind.ITEM, LineKind.DISCOUNT, LineKind.ITEM, LineKind.NOTE)
        read = invoice(lines=tuple(Line(line_no=number, kind=kind) for number, kind in enumerate(kinds, start=1)))
        assert outcome({"line_count": 2}, read, "line_count") is Outcome.EXACT
        assert outcome({"line_count": 4}, read, "line_count") is Outcome.WRONG
        assert outcome({"line_count": 2}, invoice(), "line_count") is Outcome.MISSING


class TestWhatIsScored:
    def test_an_absent_key_is_unchecked(self):
        assert score({}, invoice(invoice_number="4711", total_with_tax=Decimal(1))) == ()

    def test_a_value_not_given_is_missing(self):
        assert outcome({"invoice_number": "4711"}, invoice(), "invoice_number") is Outcome.MISSING

    def test_an_explicit_null_makes_any_value_invented(self):
        truth = {"due_date": None}
        assert outcome(truth, invoice(due_date=date(2026, 1, 1)), "due_date") is Outcome.INVENTED
        assert score(truth, invoice()) == ()

    def test_an_unread_document_misses_all_its_values(self):
        truth = {"doc_type": "invoice", "invoice_number": "1", "seller_tax_id": "X", "line_count": 3, "seat": "12A"}
        assert [each.outcome for each in score(truth, None)] == [Outcome.MISSING] * 4

    def test_the_key_fields_are_fields(self):
        assert set(KEY_FIELDS) <= set(FIELD_NAMES)


class TestDocumentKinds:
    @pytest.mark.parametrize(
        ("doc_type", "kind"),
        [
            ("invoice", DocumentKind.INVOICE),
            ("vat_einvoice_cn", DocumentKind.INVOICE),
            ("cn_vat_electronic_general_invoice", DocumentKind.INVOICE),
            ("credit_note", DocumentKind.CREDIT_NOTE),
            ("receipt", DocumentKind.RECEIPT),
            ("cn_taxi_receipt", DocumentKind.RECEIPT),
            ("cn_train_ticket", DocumentKind.RECEIPT),
            ("not_an_invoice", DocumentKind.OTHER),
            ("email", None),
        ],
    )
    def test_manifest_words(self, doc_type, kind):
        assert expected_kind(doc_type) is kind

    def test_what_is_no_invoice_and_would_be_booked_is_invented_with_all_its_values(self):
        scores = score({"doc_type": "not_an_invoice"}, invoice(invoice_number="7", total_with_tax=Decimal("10")))
        assert {each.field: each.outcome for each in scores} == {
            "doc_type": Outcome.INVENTED,
            "invoice_number": Outcome.INVENTED,
            "total_amount": Outcome.INVENTED,
        }

    @pytest.mark.parametrize("kind", [DocumentKind.OTHER, DocumentKind.STATEMENT])
    def test_what_is_no_invoice_and_is_seen_as_none_is_right(self, kind):
        scores = score({"doc_type": "not_an_invoice"}, invoice(kind, total_with_tax=Decimal("10")))
        assert [(each.field, each.outcome) for each in scores] == [("doc_type", Outcome.EXACT)]

    def test_a_credit_note_read_as_an_invoice_is_wrong(self):
        assert outcome({"doc_type": "credit_note"}, invoice(), "doc_type") is Outcome.WRONG


class TestSeveralInvoices:
    truths = ({"invoice_number": "1", "total_amount": "10"}, {"invoice_number": "2", "total_amount": "20"})

    def test_each_truth_meets_the_invoice_that_fits_it(self):
        read = [
            invoice(invoice_number="2", total_with_tax=Decimal(20)),
            invoice(invoice_number="1", total_with_tax=Decimal(10)),
        ]
        assert {each.outcome for each in score_document(self.truths, read)} == {Outcome.EXACT}

    def test_an_invoice_too_few_leaves_its_values_missing(self):
        scores = score_document(self.truths, [invoice(invoice_number="1", total_with_tax=Decimal(10))])
        assert [each.outcome for each in scores] == [Outcome.EXACT] * 2 + [Outcome.MISSING] * 2

    def test_a_file_that_shows_another_invoice_than_it_embeds_may_give_either(self):
        embedded, shown = {"invoice_number": "20131122-42"}, {"invoice_number": "42"}
        for number in ("42", "20131122-42"):
            scores = best_score([(embedded,), (shown,)], [invoice(invoice_number=number)])
            assert [each.outcome for each in scores] == [Outcome.EXACT]
        assert [each.outcome for each in best_score([(embedded,), (shown,)], [])] == [Outcome.MISSING]
        assert best_score([], [invoice()]) == ()
