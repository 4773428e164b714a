"""A vision model's HTML table as a last way to read the lines: only when it adds up, and only as the page shows it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.model.answers import Task
from hunyuan_ocr.model.evidence import FieldValue, Source
from hunyuan_ocr.model.geometry import Reader, Reading
from tests.extraction.planted import page_answer

Draw = Callable[..., Reading]
Profiles = tuple[PromptProfile, ...]


def _field(extraction: Extraction, path: str) -> FieldValue:
    return next(value for value in extraction.field_values if value.field_path == path)


_GOOD_TABLE = """
Pennine Lifts Ltd                                   INVOICE
VAT No: GB 980 7806 84                              Invoice Number   2093481
                                                    Invoice Date     13 April 2024

Description                  Qty    Price      Amount
Lift service                 1      800.00     800.00

                             Net Total         £800.00
                             VAT 20%           £160.00
                             Total             £960.00
"""
_BROKEN_TABLE = """
Pennine Lifts Ltd                                   INVOICE
VAT No: GB 980 7806 84                              Invoice Number   2093481
                                                    Invoice Date     13 April 2024
Bolts, galvanised
Washers
3 at 100.00        300.00
                      2 at 250.00  500.00

                             Net Total         £800.00
                             VAT 20%           £160.00
                             Total             £960.00
"""
_TABLE = (
    "<table><tr><td>Description</td><td>Qty</td><td>Unit Price</td><td>Amount</td></tr>"
    "<tr><td>Bolts, galvanised</td><td>3</td><td>100.00</td><td>300.00</td></tr>"
    "<tr><td>Washers</td><td>2</td><td>250.00</td><td>{amount}</td></tr>"
    "<tr><td colspan='3'>Net Total</td><td>800.00</td></tr></table>"
)


class TestTables:
    def _lines(self, drawn: Reading, profiles: Profiles, html: str) -> Extraction:
        return reconcile([drawn], profiles=profiles, answers=[page_answer(1, Task.TABLE, html)])

    def test_the_models_table_is_read_where_the_printed_rows_do_not_add_up(
        self, draw: Draw, profiles: Profiles
    ) -> None:
        extraction = self._lines(draw(_BROKEN_TABLE, reader=Reader.HUNYUAN), profiles, _TABLE.format(amount="500.00"))
        lines = [(line.name, line.quantity, line.net_amount) for line in extraction.invoice.lines]
        assert lines == [
            ("Bolts, galvanised", Decimal(3), Decimal("300.00")),
            ("Washers", Decimal(2), Decimal("500.00")),
        ]
        amount = _field(extraction, "lines[0].net_amount").chosen
        assert amount is not None
        assert (amount.source, amount.box is not None) == (Source.VLM, True)
        assert not extraction.review_reasons

    def test_a_table_that_adds_up_to_nothing_printed_is_not_taken(self, draw: Draw, profiles: Profiles) -> None:
        extraction = self._lines(draw(_BROKEN_TABLE, reader=Reader.HUNYUAN), profiles, _TABLE.format(amount="501.00"))
        assert not any(line.net_amount == Decimal("501.00") for line in extraction.invoice.lines)

    def test_a_cell_the_page_does_not_show_goes_to_review(self, draw: Draw, profiles: Profiles) -> None:
        html = _TABLE.format(amount="500.00").replace("Washers", "Turbine blades")
        extraction = self._lines(draw(_BROKEN_TABLE, reader=Reader.HUNYUAN), profiles, html)
        assert any(reason.startswith("MODEL_INVENTED: lines 2") for reason in extraction.review_reasons)
        name = _field(extraction, "lines[1].name").chosen
        assert name is not None
        assert name.box is None

    def test_a_table_of_a_page_that_was_not_read_is_left_aside(self, draw: Draw, profiles: Profiles) -> None:
        answer = page_answer(2, Task.TABLE, _TABLE.format(amount="500.00"))
        extraction = reconcile([draw(_BROKEN_TABLE, reader=Reader.HUNYUAN)], profiles=profiles, answers=[answer])
        assert not any(line.name == "Washers" for line in extraction.invoice.lines)

    def test_printed_rows_that_add_up_need_no_model(self, draw: Draw, profiles: Profiles) -> None:
        html = _TABLE.format(amount="500.00")
        extraction = self._lines(draw(_GOOD_TABLE, reader=Reader.HUNYUAN), profiles, html)
        assert [line.name for line in extraction.invoice.lines] == ["Lift service"]
