"""Line items from the HTML table a vision model was asked for, when the printed rows could not be read as a table.

The model's table has no boxes and may shift or drop cells, so it is only one more way to read the lines: it is taken
when its amounts add up to a printed sum and nothing else does. Every cell is looked up on the page; a cell the page
does not show is given without a place, and its line is named for a person to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hunyuan_ocr.extraction.agreement import identifier_key
from hunyuan_ocr.extraction.answers import HtmlTable, TableCell, parse_table
from hunyuan_ocr.extraction.columns import AMOUNT_COLUMNS
from hunyuan_ocr.extraction.layout import Layout, label_key
from hunyuan_ocr.extraction.line_items import PrintedLine
from hunyuan_ocr.extraction.printed import PrintedText
from hunyuan_ocr.extraction.prompts import ValueType
from hunyuan_ocr.extraction.tables import Cell, Item, TableReader
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Box

_NUMBERS = frozenset({*AMOUNT_COLUMNS, "tax_amount", "quantity", "unit_price", "tax_rate"})
_FEWEST_HEADINGS = 2
_CONFIDENCE, _UNSEEN_CONFIDENCE = 0.85, 0.4
_NOWHERE = Box(0.0, 0.0, 0.0, 0.0)
_MOST_OF_TEXT = 0.85


def table_items(answers: Iterable[PageAnswer], reader: TableReader, layout: Layout) -> list[Item]:
    """The items of all tables the model gave, page by page; tables without an amount heading are left out."""
    items: list[Item] = []
    columns: dict[int, str] = {}
    pages = {page.page_no for page in layout.pages}
    for answer in sorted(answers, key=lambda answer: answer.page_no):
        if answer.task is not Task.TABLE or not answer.is_kept or answer.page_no not in pages:
            continue
        printed = PrintedText(layout, answer.page_no)
        for table in parse_table(answer.text):
            # Only the first page of a long table need have its headings.
            header, found = _columns(table, reader)
            columns = found or columns
            if columns:
                items.extend(_items(table, header + 1, columns, reader, _Places(printed, answer)))
    return items


def unseen_lines(lines: Sequence[PrintedLine]) -> list[int]:
    """Numbers of the lines that hold a value from the model's table which the page does not show."""
    return [
        printed.line.line_no
        for printed in lines
        if any(value.cell.said_by and value.cell.confidence < _CONFIDENCE for value in printed.values)
    ]


def _columns(table: HtmlTable, reader: TableReader) -> tuple[int, dict[int, str]]:
    """The row of headings (-1: none) and the line field of each grid column."""
    for row_no, row in enumerate(table.rows):
        named = [(cell.column, target) for cell in row if (target := reader.column_of(cell.text)) is not None]
        if len(named) < _FEWEST_HEADINGS or not any(target in AMOUNT_COLUMNS for _, target in named):
            continue
        amounts = [column for column, target in named if target == "net_amount"]
        # Of several amount columns the last is the line total.
        return row_no, {
            column: "unit_price" if target == "net_amount" and column != amounts[-1] else target
            for column, target in named
        }
    return -1, {}


class _Places:
    """Looks cells up on the page they were asked about."""

    def __init__(self, printed: PrintedText, answer: PageAnswer) -> None:
        self._printed = printed
        self._answer = answer

    def cell(self, target: str, text: str) -> Cell:
        if target in _NUMBERS:
            is_seen = bool(self._printed.count(text, ValueType.MONEY) or self._printed.count(text, ValueType.NUMBER))
        else:
            is_seen = self._printed.share_of(text) >= _MOST_OF_TEXT
        place = self._printed.phrase_of(text)
        return Cell(
            text,
            place.box if place is not None else _NOWHERE,
            self._answer.page_no,
            _CONFIDENCE if is_seen else _UNSEEN_CONFIDENCE,
            said_by=self._answer.engine_key,
            has_place=place is not None,
        )


def _items(
    table: HtmlTable, start: int, columns: dict[int, str], reader: TableReader, places: _Places
) -> Iterable[Item]:
    current: Item | None = None
    for row in table.rows[start:]:
        filled = [cell for cell in row if label_key(cell.text)[0]]
        if not filled:
            continue
        named = [(columns[cell.column], cell) for cell in filled if cell.column in columns]
        targets = {target for target, _ in named}
        is_item_like = bool(targets & {"quantity", "unit_price"}) and bool(targets & set(AMOUNT_COLUMNS))
        if not is_item_like and (reader.ends_at(filled[0].text) or reader.skips(filled[0].text)):
            if current is not None and reader.ends_at(filled[0].text):
                break
            continue
        if not targets & set(AMOUNT_COLUMNS):
            _continue(current, named, places)
            continue
        if current is not None:
            yield current
        current = Item()
        for target, cell in named:
            current.add(target, places.cell(target, " ".join(cell.text.split("\n"))))
    if current is not None:
        yield current


def _continue(item: Item | None, named: Sequence[tuple[str, TableCell]], places: _Places) -> None:
    """A row without an amount goes on with the text of the item above it."""
    if item is None:
        return
    for target, cell in named:
        if target not in _NUMBERS and identifier_key(cell.text):
            item.add("description" if target == "name" else target, places.cell(target, cell.text))
