"""Where a value may stand to its label, and what ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hunyuan_ocr.extraction.context import read_context
from hunyuan_ocr.extraction.labels import HitMap, LabelBook
from hunyuan_ocr.extraction.layout import build_layout, label_key
from hunyuan_ocr.extraction.leads import Lead, collect_leads
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span


@pytest.fixture
def leads_of(profiles: tuple[PromptProfile, ...], draw: Callable[..., Reading]) -> Callable[..., dict[str, list[Lead]]]:
    def read(drawing: str, profile_name: str = "invoice_en", **options: object) -> dict[str, list[Lead]]:
        layout = build_layout([draw(drawing, **options)])
        profile = next(profile for profile in profiles if profile.code == profile_name)
        hits = HitMap(layout, LabelBook(profile, profiles).hits(layout))
        return collect_leads(hits, profile, read_context(layout, profile))

    return read


def _values(leads: dict[str, list[Lead]], path: str) -> list[str]:
    return [lead.norm for lead in leads.get(path, [])]


class TestRelations:
    @pytest.mark.parametrize(
        "drawing",
        [
            "Invoice No: 123-A",
            "Invoice No.            123-A",
            "Invoice No\n123-A",
            "Invoice Number   Due Date\n123-A            14 May 2024",
            "INVOICE # 123-A",
            "InvoiceNo:123-A",
        ],
        ids=["same span", "right", "below", "under its heading", "sharp", "lost spaces"],
    )
    def test_the_value_is_found(self, drawing: str, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        assert _values(leads_of(drawing), "invoice_number")[0] == "123-A"

    def test_the_same_span_is_surer_than_below(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        beside = leads_of("Invoice No: 123-A")["invoice_number"][0]
        below = leads_of("Invoice No\n123-A")["invoice_number"][0]
        assert beside.confidence > below.confidence

    def test_several_labels_in_one_span_keep_their_own_values(
        self, leads_of: Callable[..., dict[str, list[Lead]]]
    ) -> None:
        leads = leads_of("Invoice No: 123-A Date: 14 May 2024 PO Number: 77-B")
        assert _values(leads, "invoice_number")[0] == "123-A"
        assert _values(leads, "issue_date")[0] == "2024-05-14"
        assert _values(leads, "purchase_order_ref")[0] == "77-B"

    def test_the_next_label_on_the_row_ends_the_value(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        leads = leads_of("Invoice No:      Customer No: 881")
        assert _values(leads, "invoice_number") == []

    def test_a_chinese_label_may_be_spread_over_its_field(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        leads = leads_of("发  票  号  码：24112000000012345678", "cn_vat_invoice")
        assert _values(leads, "invoice_number")[0] == "24112000000012345678"

    def test_a_slip_of_the_reader_in_a_label_is_forgiven_on_scans_only(
        self, leads_of: Callable[..., dict[str, list[Lead]]]
    ) -> None:
        drawing = "lnvoice Nurnber: 123-A"
        assert _values(leads_of(drawing, reader=Reader.RAPIDOCR), "invoice_number") == ["123-A"]
        assert _values(leads_of(drawing), "invoice_number") == []


class TestLongestLabelWins:
    def test_total_due_is_not_the_total(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        leads = leads_of("Total Due   610.00")
        assert _values(leads, "amount_due") == ["610.00"]
        assert _values(leads, "total_with_tax") == []

    def test_subtotal_is_not_the_total(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        assert _values(leads_of("Subtotal   610.00"), "total_with_tax") == []

    def test_the_invoice_date_is_no_invoice_number(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        assert _values(leads_of("Invoice Date: 14/05/2024"), "invoice_number") == []

    def test_a_label_inside_a_word_is_none(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        assert _values(leads_of("Totalitarian 12.00"), "total_with_tax") == []


class TestTypes:
    @pytest.mark.parametrize("text", ["14 May 2024", "12.50", "see above", "1/2", "12:30", "19%"])
    def test_what_is_no_identifier_is_no_invoice_number(
        self, text: str, leads_of: Callable[..., dict[str, list[Lead]]]
    ) -> None:
        assert _values(leads_of(f"Invoice No: {text}"), "invoice_number") == []

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("INV/2023/03/0008", "INV/2023/03/0008"),
            ("#INV03051", "INV03051"),
            ("001", "001"),
            ("FT 2024/118", "FT 2024/118"),
            ("471102 vom 05.03.2018", "471102"),
            ("471102vom", "471102"),
            ("16-073042", "16-073042"),
            ("Nr. 42", "42"),
        ],
    )
    def test_identifiers_of_every_shape(
        self, text: str, number: str, leads_of: Callable[..., dict[str, list[Lead]]]
    ) -> None:
        assert _values(leads_of(f"Invoice No: {text}"), "invoice_number") == [number]

    def test_the_date_after_the_number_is_the_issue_date(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        for drawing in ("Rechnung Nr. 471102 vom 05.03.2018", "Rechnung Nr. 471102 vom\n05.03.2018"):
            assert _values(leads_of(drawing, "invoice_de"), "issue_date") == ["2018-03-05"]

    def test_digits_beside_a_chinese_number_do_not_run_into_it(
        self, leads_of: Callable[..., dict[str, list[Lead]]]
    ) -> None:
        leads = leads_of("发票号码：87654321 1100094140", "cn_vat_invoice")
        assert _values(leads, "invoice_number") == ["87654321"]

    def test_the_rate_in_a_tax_label_is_no_amount(self, leads_of: Callable[..., dict[str, list[Lead]]]) -> None:
        assert _values(leads_of("VAT 15%     16.94"), "total_tax") == ["16.94"]
        assert set(_values(leads_of("Tax 15% on $ 112.90        $ 16.94"), "total_tax")) <= {"112.90", "16.94"}


class TestLayout:
    def test_labels_are_compared_without_accents_spaces_and_marks(self) -> None:
        assert label_key("Numéro de facture :")[0] == label_key("NUMERO  DE FACTURE")[0]
        assert label_key("N° 12")[0] == "no12"

    def test_text_printed_twice_is_read_once(self) -> None:
        spans = (Span("Total", Box(10, 10, 60, 20)), Span("Total", Box(10.4, 10.1, 60.4, 20.1)))
        layout = build_layout([Reading(1, Reader.TEXT_LAYER, "", spans, 595, 842)])
        assert [chunk.text for row in layout.rows for chunk in row.chunks] == ["Total"]

    def test_rows_of_a_skewed_scan_stay_together(self) -> None:
        spans = tuple(
            Span(f"{word} {row}", Box(x, 100 + 20 * row + 0.02 * x, x + 80, 110 + 20 * row + 0.02 * x), 0.9)
            for row in range(8)
            for word, x in (("left", 50), ("middle", 450), ("right", 850))
        )
        layout = build_layout([Reading(1, Reader.RAPIDOCR, "", spans, 1000, 1400)])
        assert [row.text for row in layout.rows] == [f"left {n}  middle {n}  right {n}" for n in range(8)]

    def test_pages_are_put_in_order(self, draw: Callable[..., Reading]) -> None:
        layout = build_layout([draw("second", page_no=2), draw("first", page_no=1)])
        assert [row.text for row in layout.rows] == ["first", "second"]

    def test_rows_of_a_dense_table_are_not_taken_for_a_slope(self) -> None:
        # Each row's amount stands as level with the next row's text, shifted by one, as with its own.
        spans = tuple(
            Span(f"{word} {row}", Box(x, 100 + 20 * row, x + 80, 118 + 20 * row), 0.9)
            for row in range(30)
            for word, x in (("left", 60), ("right", 850))
        )
        jitter = tuple(
            Span(span.text, Box(span.box.x0, span.box.y0 + n % 3, span.box.x1, span.box.y1 + n % 3), 0.9)
            for n, span in enumerate(spans)
        )
        layout = build_layout([Reading(1, Reader.RAPIDOCR, "", jitter, 1000, 1400)])
        assert [row.text for row in layout.rows] == [f"left {n}  right {n}" for n in range(30)]
