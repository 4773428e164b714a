"""A table that goes on over the page, with sums carried over, is one table."""

from __future__ import annotations

from pathlib import Path

from hunyuan_ocr.extraction.prompts import load_profiles
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS = (60, 100, 600, 750, 860)
HEADING = "#|Concepto|Cant.|Precio|Importe"


def page(number: int, *rows: str) -> Reading:
    spans = []
    for row, text in enumerate(rows):
        parts = text.split("|")
        # The sum carried over stands at the foot of the amounts, as layouts with a frame print it.
        lefts = COLUMNS if len(parts) == len(COLUMNS) else (690, 860) if number == 1 and row > 6 else (100, 860)
        for left, part in zip(lefts, parts, strict=False):
            if part:
                top = 60 + 22 * row
                spans.append(Span(part, Box(left, top, left + 9 * len(part), top + 14), 0.98))
    return Reading(number, Reader.RAPIDOCR, "test", tuple(spans), 595, 842)


def test_a_carried_over_sum_is_no_total_and_the_rows_after_it_are_read() -> None:
    pages = [
        page(
            1, "Factura", "Talleres Inventados S.L.", "CIF ESB32014557", "Número de factura|F-1001",
            "Fecha de emisión|24/02/2026", HEADING, "1|Tóner láser|2|50,00|100,00", "2|Panel aislante|10|9,65|96,50",
            "Suma y sigue|196,50", "Página 1",
        ),
        page(
            2, "Número de factura F-1001", HEADING, "Suma y sigue|196,50", "3|Silla de oficina|1|103,50|103,50",
            "Subtotal|300,00", "IVA 21 %|63,00", "Total|363,00",
        ),
    ]  # fmt: skip
    invoice = reconcile(pages, profiles=load_profiles(REPOSITORY / "prompts")).invoice
    assert [str(line.net_amount) for line in invoice.lines] == ["100.00", "96.50", "103.50"]
    assert str(invoice.total_with_tax) == "363.00"
