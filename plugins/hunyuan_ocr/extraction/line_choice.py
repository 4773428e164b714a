"""Which reading of the line items is taken: the printed table, another way to read it, or a vision model's table.

The first that adds up to a printed sum wins; if none does, the printed table stands, and a person is asked. A line is
never repaired to make a sum come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from hunyuan_ocr.extraction.amounts import Totals
from hunyuan_ocr.extraction.context import Context
from hunyuan_ocr.extraction.labels import HitMap
from hunyuan_ocr.extraction.leads import Lead
from hunyuan_ocr.extraction.ledger import Ledger
from hunyuan_ocr.extraction.line_items import PrintedLine, PrintedValue, build_lines, sum_of
from hunyuan_ocr.extraction.receipt_lines import receipt_items
from hunyuan_ocr.extraction.table_answers import table_items, unseen_lines
from hunyuan_ocr.extraction.tables import Item, Table, TableReader
from hunyuan_ocr.model.answers import PageAnswer
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.invoice import DocumentKind


def read_lines(
    reader: TableReader,
    table: Table | None,
    hits: HitMap,
    context: Context,
    leads: dict[str, list[Lead]],
    kind: DocumentKind,
    answers: Sequence[PageAnswer] = (),
) -> tuple[list[PrintedLine], bool]:
    """The lines of the table; where they do not add up, another way to read them that does.

    Also whether other lines were seen and left out because they add up to nothing printed.
    """
    lines = build_lines(table.items, context) if table else []
    printed = _printed_sums(leads)
    if _adds_up(lines, printed):
        return lines, False
    is_any_left_out = False
    retries: list[Callable[[], Sequence[Item]]] = []
    if table is not None:
        retries.append(lambda: _items_of(reader.read(hits.layout, context, loose=True)))
    if kind is DocumentKind.RECEIPT:
        retries.append(lambda: receipt_items(hits, context))
    retries.append(lambda: table_items(answers, reader, hits.layout))
    for items in retries:
        other = build_lines(items(), context)
        if _adds_up(other, printed):
            return other, False
        is_any_left_out |= bool(other)
    return lines, is_any_left_out


def _items_of(table: Table | None) -> Sequence[Item]:
    return table.items if table is not None else ()


def _printed_sums(leads: dict[str, list[Lead]]) -> set[Decimal]:
    paths = ("sum_of_lines", "total_without_tax", "total_with_tax")
    return {abs(Decimal(reading)) for path in paths for lead in leads.get(path, ()) for reading in lead.readings}


def _adds_up(lines: list[PrintedLine], printed: set[Decimal]) -> bool:
    total = sum_of(lines)
    near = Decimal("0.01") * max(1, len(lines))
    return total is not None and total != 0 and any(abs(abs(total) - amount) <= near for amount in printed)


def give_lines(
    ledger: Ledger, lines: list[PrintedLine], totals: Totals, kind: DocumentKind, *, is_any_left_out: bool = False
) -> None:
    """Put the lines and the evidence of each of their values into the ledger."""
    if not lines:
        if is_any_left_out:
            ledger.withhold("lines", "items are printed, but as read they do not add up to a printed sum")
        return
    sum_of_lines = abs(sum_of(lines) or Decimal(0))
    near = Decimal("0.01") * max(2, len(lines))
    sums = [totals.amount(path) for path in ("sum_of_lines", "total_without_tax", "total_with_tax")]
    agrees = any(amount is not None and abs(abs(amount) - sum_of_lines) <= near for amount in sums)
    if not agrees and kind is DocumentKind.RECEIPT:
        ledger.ask("LINES_UNREADABLE", "the line items could not be read reliably and are left out")
        return
    if not agrees:
        ledger.ask("LINES_DO_NOT_ADD_UP", "the line amounts as read do not add up to a printed total")
    if unseen := unseen_lines(lines):
        numbers = ", ".join(map(str, unseen))
        ledger.ask("MODEL_INVENTED", f"lines {numbers}: the page does not show what the model's table says")
    ledger.lines = lines
    trust = 0.97 if agrees else 0.6
    for order, printed in enumerate(lines):
        for value in printed.values:
            path = f"lines[{order}].{value.field}"
            is_masked = printed.has_masked_rate and value.field == "cn_rate_text"
            state = FieldState.MASKED if is_masked else FieldState.PRESENT
            reason = "from the model's table; the lines add up" if value.cell.said_by else ""
            ledger.values[path] = FieldValue(path, state, _line_candidate(ledger, path, value, trust), (), reason)


def _line_candidate(ledger: Ledger, path: str, value: PrintedValue, trust: float) -> Candidate:
    cell = value.cell
    page = ledger.layout.page(cell.page_no)
    printed_source = Source.OCR if page.is_ocr else Source.TEXT
    return Candidate(
        path,
        value.raw,
        value.norm,
        Source.VLM if cell.said_by else printed_source,
        round(trust * cell.confidence, 4),
        cell.page_no,
        cell.box if cell.has_place else None,
        reader_version=cell.said_by or page.reader_version,
    )
