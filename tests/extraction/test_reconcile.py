"""One invoice from readings and candidates: what wins, what is only a vote, what is not given, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.ledger import GIVE
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.model.invoice import DocumentKind

_PAGE = """
Pennine Lifts Ltd                                   INVOICE
Unit 4, Mill Lane, Leeds LS1 4AP
VAT No: GB 980 7806 84                              Invoice No.    2093
                                                    Invoice Date   13 April 2024
Invoice to:
Harrow Estates plc
19 Bond Street
London W1S 1AA

Description                  Qty    Price      Amount
Lift service                 1      800.00     800.00

                             Net Total         £800.00
                             VAT 20%           £160.00
                             Total             £960.00
"""


def _field(extraction: Extraction, path: str) -> FieldValue:
    return next(value for value in extraction.field_values if value.field_path == path)


def _codes(extraction: Extraction) -> set[str]:
    return {reason.split(":")[0] for reason in extraction.review_reasons}


@pytest.fixture
def page(draw: Callable[..., Reading]) -> Reading:
    return draw(_PAGE)


class TestEvidence:
    def test_every_given_value_knows_its_label_and_place(
        self, page: Reading, profiles: tuple[PromptProfile, ...]
    ) -> None:
        extraction = reconcile([page], profiles=profiles)
        number = _field(extraction, "invoice_number")
        assert number.chosen is not None
        assert number.chosen.label
        assert number.chosen.source is Source.TEXT
        span = next(span for span in page.spans if span.text == "2093")
        assert number.chosen.box == span.box

    def test_line_values_have_boxes_of_their_own(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        amount = _field(reconcile([page], profiles=profiles), "lines[0].net_amount").chosen
        assert amount is not None
        assert amount.box is not None
        assert amount.value_norm == "800.00"

    def test_what_arithmetic_proves_is_surer_than_what_a_label_says(
        self, page: Reading, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        proven = _field(reconcile([page], profiles=profiles), "total_with_tax")
        alone = draw("INVOICE\nInvoice No: 7\nInvoice Date: 13 April 2024\n\nTotal: 960.00")
        labelled = _field(reconcile([alone], profiles=profiles), "total_with_tax")
        assert proven.confidence > 0.95 > labelled.confidence >= GIVE

    def test_reasons_for_review_hold_no_values(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw("INVOICE\nInvoice No: 771188\nInvoice Date: 03/04/2024\nTotal  120.00\n\nTotal  90.00")
        extraction = reconcile([drawn], profiles=profiles)
        assert extraction.review_reasons
        assert not any(value in " ".join(extraction.review_reasons) for value in ("771188", "03/04", "120.00"))

    def test_the_same_readings_give_the_same_invoice(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        assert reconcile([page], profiles=profiles) == reconcile([page], profiles=profiles)


class TestAmbiguity:
    def test_a_date_that_could_be_either_way_round_is_not_given(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        extraction = reconcile(
            [draw("INVOICE\nInvoice No: 7\nInvoice Date: 03/04/2024\nTotal 9.00")], profiles=profiles
        )
        assert extraction.invoice.issue_date is None
        value = _field(extraction, "issue_date")
        assert value.state is FieldState.ILLEGIBLE
        assert value.others
        assert "DATE_AMBIGUOUS" in _codes(extraction)

    @pytest.mark.parametrize(
        ("proof", "expected"),
        [
            ("Due Date: 26/05/2024", date(2024, 4, 3)),
            ("Due Date: 05/26/2024", date(2024, 3, 4)),
            ("Fresno, CA 93721", date(2024, 3, 4)),
            ("VAT No: GB 980 7806 84", date(2024, 4, 3)),
        ],
    )
    def test_the_document_itself_settles_day_and_month(
        self, proof: str, expected: date, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw(f"INVOICE\n{proof}\n\nInvoice No: 7\nInvoice Date: 03/04/2024\nTotal 9.00")
        assert reconcile([drawn], profiles=profiles).invoice.issue_date == expected

    def test_payment_terms_settle_day_and_month(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw(
            "INVOICE\nInvoice No: 7\nInvoice Date: 01/02/2024\nDue Date: 03/03/2024\nTerms: 31 days\nTotal 9.00"
        )
        assert reconcile([drawn], profiles=profiles).invoice.issue_date == date(2024, 2, 1)

    def test_of_two_different_totals_none_is_given(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw("INVOICE\nInvoice No: 7\nInvoice Date: 14 May 2024\nTotal  120.00\n\n\nTotal  90.00")
        extraction = reconcile([drawn], profiles=profiles)
        assert extraction.invoice.total_with_tax is None
        assert "TOTAL_UNCLEAR" in _codes(extraction)

    def test_a_dollar_is_not_a_currency_where_another_dollar_is_at_home(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw("INVOICE\nABN 51 824 753 556\nSydney, Australia\nInvoice No: 7\nTotal $9.00")
        assert reconcile([drawn], profiles=profiles).invoice.currency == "AUD"

    def test_a_label_with_a_value_of_the_wrong_type_gives_nothing(
        self, draw: Callable[..., Reading], profiles: tuple[PromptProfile, ...]
    ) -> None:
        drawn = draw("INVOICE\nInvoice No: see below\nInvoice Date: on delivery\nTotal: to be agreed")
        invoice = reconcile([drawn], profiles=profiles).invoice
        assert (invoice.invoice_number, invoice.issue_date, invoice.total_with_tax) == (None, None, None)


class TestOtherSources:
    def test_exact_data_wins_and_the_conflict_is_reported(
        self, page: Reading, profiles: tuple[PromptProfile, ...]
    ) -> None:
        said = Candidate("invoice_number", "9999", "9999", Source.XML, 1.0)
        extraction = reconcile([page], profiles=profiles, candidates=[said])
        assert extraction.invoice.invoice_number == "9999"
        assert "2093" in {other.value_norm for other in _field(extraction, "invoice_number").others}
        assert "SOURCES_DISAGREE" in _codes(extraction)

    def test_numbers_agree_as_numbers(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        said = Candidate("total_with_tax", "960", "960.0", Source.QR, 1.0)
        extraction = reconcile([page], profiles=profiles, candidates=[said])
        assert "SOURCES_DISAGREE" not in _codes(extraction)

    def test_a_model_that_agrees_raises_confidence(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        said = Candidate("invoice_number", "2093", "2093", Source.VLM, 0.9)
        before = _field(reconcile([page], profiles=profiles), "invoice_number")
        after = _field(reconcile([page], profiles=profiles, candidates=[said]), "invoice_number")
        assert after.confidence > before.confidence

    def test_a_model_alone_never_gives_a_value(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        said = Candidate("purchase_order_ref", "PO-1", "PO-1", Source.VLM, 0.99)
        extraction = reconcile([page], profiles=profiles, candidates=[said])
        assert extraction.invoice.purchase_order_ref is None
        assert said in _field(extraction, "purchase_order_ref").others

    def test_a_model_that_contradicts_the_page_changes_nothing_but_asks(
        self, page: Reading, profiles: tuple[PromptProfile, ...]
    ) -> None:
        said = Candidate("invoice_number", "2098", "2098", Source.VLM, 0.99)
        extraction = reconcile([page], profiles=profiles, candidates=[said])
        assert extraction.invoice.invoice_number == "2093"
        assert "MODEL_DIGITS_DRIFTED" in _codes(extraction)

    def test_exact_data_makes_an_invoice_of_a_page_nobody_can_read(self, profiles: tuple[PromptProfile, ...]) -> None:
        said = [
            Candidate("document_kind", "380", "invoice", Source.XML, 1.0),
            Candidate("invoice_number", "X-1", "X-1", Source.XML, 1.0),
        ]
        invoice = reconcile([], profiles=profiles, candidates=said).invoice
        assert (invoice.document_kind, invoice.invoice_number) == (DocumentKind.INVOICE, "X-1")

    def test_a_value_the_invoice_cannot_hold_is_kept_aside(
        self, page: Reading, profiles: tuple[PromptProfile, ...]
    ) -> None:
        said = Candidate("currency", "pounds", "pounds", Source.XML, 1.0)
        extraction = reconcile([page], profiles=profiles, candidates=[said])
        assert extraction.invoice.currency is None
        assert _field(extraction, "currency").state is FieldState.ILLEGIBLE


class TestKinds:
    def test_nothing_to_read_is_not_an_invoice(self, profiles: tuple[PromptProfile, ...]) -> None:
        extraction = reconcile([], profiles=profiles)
        assert extraction.invoice.document_kind is DocumentKind.OTHER
        assert "NOT_AN_INVOICE" in _codes(extraction)

    def test_a_named_profile_is_used(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        assert reconcile([page], profiles=profiles, profile_name="invoice_en").profile == "invoice_en"

    def test_an_unknown_profile_is_refused_with_the_known_ones(
        self, page: Reading, profiles: tuple[PromptProfile, ...]
    ) -> None:
        with pytest.raises(ConfigurationError, match="invoice_en"):
            reconcile([page], profiles=profiles, profile_name="invoice_tlh")

    def test_a_skewed_scan_gives_the_same_values(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        def tilted(span: Span) -> Span:
            drop = 0.015 * (span.box.x0 - 500)
            box = Box(span.box.x0, max(0.0, span.box.y0 + drop), span.box.x1, max(0.0, span.box.y1 + drop))
            return Span(span.text, box, 0.95)

        scan = replace(page, spans=tuple(tilted(span) for span in page.spans), reader=Reader.RAPIDOCR)
        straight, skewed = (reconcile([one], profiles=profiles).invoice for one in (page, scan))
        assert (skewed.invoice_number, skewed.total_with_tax) == (straight.invoice_number, straight.total_with_tax)

    def test_lost_spaces_do_not_lose_the_labels(self, page: Reading, profiles: tuple[PromptProfile, ...]) -> None:
        torn = replace(
            page,
            reader=Reader.RAPIDOCR,
            spans=tuple(Span(span.text.replace(" ", ""), span.box, 0.93) for span in page.spans),
        )
        invoice = reconcile([torn], profiles=profiles).invoice
        assert (invoice.invoice_number, invoice.total_with_tax) == ("2093", Decimal("960.00"))


_WORDS = st.sampled_from([
    *("INVOICE", "Invoice No:", "Total", "Subtotal", "VAT 20%", "01/02/2024", "1.234,56", "-5.00", "***", "发票号码："),
    *("价税合计（大写）", "壹佰圆整", "名称：", "Description", "Qty", "Price", "Amount", "Bill To:", "合计", "税额"),
    *("Rechnung Nr. 1 vom", "DE136695976", "$", "(", "№", "  ", "%", "0", "\u200b", "Total:", "￥12.00", "金额"),
])  # fmt: skip
_COORDINATES = st.floats(0, 1000, allow_nan=False)


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    text = draw(st.one_of(_WORDS, st.text(max_size=12)))
    x, y = draw(_COORDINATES), draw(_COORDINATES)
    width, height = draw(st.floats(0, 300)), draw(st.floats(0, 60))
    return Span(text, Box(x, y, min(1000.0, x + width), min(1000.0, y + height)), draw(st.floats(0, 1)))


@given(spans=st.lists(_spans(), max_size=25), reader=st.sampled_from(list(Reader)), width=st.floats(0, 5000))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_on_a_page_reconcile_does_not_fail(
    spans: list[Span], reader: Reader, width: float, profiles: tuple[PromptProfile, ...]
) -> None:
    reading = Reading(1, reader, "any", tuple(spans), width, 842.0)
    extraction = reconcile([reading], profiles=profiles)
    for value in extraction.field_values:
        assert value.chosen is None or value.state in (
            FieldState.PRESENT,
            FieldState.DERIVED,
            FieldState.MASKED,
        )
