"""Line items: the table under a row of column headings, and the tax summary.

Columns come from the boxes of the headings, items from rows that carry an amount. What is printed on several lines
belongs to the item above it (or, on till receipts, to the amount below it). The table ends at its totals and goes on
over the page. A row without an amount is never an item of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hunyuan_ocr.extraction.columns import AMOUNT_COLUMNS, Column, is_header, merged_columns, placed, same_columns
from hunyuan_ocr.extraction.context import Context, mask_dates
from hunyuan_ocr.extraction.labels import may_end, may_start
from hunyuan_ocr.extraction.layout import Chunk, Layout, Row, key_of, label_key
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.model.geometry import Box
from hunyuan_ocr.model.parsing.money import find_money

_TOTALS = ("sum_of_lines", "total_without_tax", "total_tax", "total_with_tax", "amount_due")
_HEADER_ROWS = 2
_TEXT_GAP_LINES = 2.4


@dataclass(frozen=True, slots=True)
class Cell:
    """``said_by`` names the engine whose table the cell comes from; without ``has_place`` its box means nothing."""

    text: str
    box: Box
    page_no: int
    confidence: float
    said_by: str = ""
    has_place: bool = True

    def joined(self, other: Cell) -> Cell:
        """This cell with the place of another added: a text over several lines."""
        if not (self.has_place and other.has_place):
            return replace(self, confidence=min(self.confidence, other.confidence), has_place=False)
        return replace(self, box=self.box.union(other.box))


@dataclass(slots=True)
class Item:
    """One line item as printed: its cells by line field, the rows it covers."""

    cells: dict[str, list[Cell]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)

    def text(self, target: str) -> str:
        return " ".join(cell.text for cell in self.cells.get(target, ()))

    def add(self, target: str, cell: Cell) -> None:
        self.cells.setdefault(target, []).append(cell)


@dataclass(frozen=True, slots=True)
class Table:
    """The line item table: its header rows and items. ``rows`` are all layout rows it covers, headings included."""

    columns: tuple[Column, ...]
    items: tuple[Item, ...]
    header_rows: frozenset[int]
    rows: frozenset[int]


class TableReader:
    """Finds the table of one document by the headings of a profile and of those it borrows from."""

    def __init__(self, profile: PromptProfile, profiles: Sequence[PromptProfile] = ()) -> None:
        self._headings: dict[str, str] = {}
        self._stops: set[str] = set()
        self._skips: set[str] = set()
        for source in (profile, *(other for other in profiles if other.code in profile.also_labels_of)):
            for target, texts in source.table.columns.items():
                for text in texts:
                    key = key_of(text)
                    if key:
                        self._headings.setdefault(key, target)
            self._stops.update(key_of(text) for text in source.table.stop)
            for path in _TOTALS:
                spec = source.fields.get(path)
                self._stops.update(key_of(label.text) for label in (spec.labels if spec else ()))
            self._skips.update(key_of(text) for text in source.table.skip)
        self._keys = sorted(self._headings, key=len, reverse=True)

    def read(self, layout: Layout, context: Context, *, loose: bool = False) -> Table | None:
        """The line items, or ``None`` when no row of headings with an amount column is found.

        ``loose`` also takes rows without a position number as items where the others have one (a discount printed
        under its item).
        """
        headers = self._headers(layout)
        if not headers:
            return None
        items: list[Item] = []
        header_rows: set[int] = set()
        rows: set[int] = set()
        first_columns = headers[0][2]
        for order, (start, end, columns) in enumerate(headers):
            if order and not same_columns(first_columns, columns):
                continue
            header_rows.update(range(start, end + 1))
            limit = next((later for later, *_ in headers[order + 1 :]), len(layout.rows))
            body = self._body(layout, end + 1, limit, _Body(columns, context, loose))
            items.extend(body.items)
            rows.update(body.rows)
        return Table(first_columns, tuple(items), frozenset(header_rows), frozenset(rows | header_rows))

    def column_of(self, text: str) -> str | None:
        """The line field a heading stands for, also when a unit or a currency follows it ("Amount (EUR)")."""
        key = key_of(text)
        longest = next((known for known in self._keys if key.startswith(known)), None)
        return self._headings[longest] if longest is not None and len(longest) >= 0.5 * len(key) else None

    def ends_at(self, text: str) -> bool:
        """True for the first words of a row of totals, which ends the items."""
        return any(key_of(text).startswith(stop) for stop in self._stops if stop)

    def skips(self, text: str) -> bool:
        """True for the first words of a row that is no item (a sum carried over)."""
        return any(key_of(text).startswith(skip) for skip in self._skips if skip)

    def _headings_in(self, chunk: Chunk) -> list[tuple[str, int, int]]:
        """Headings of a chunk as (line field, start, end): one chunk may hold several ("Disc.% Taxes")."""
        found = []
        position = 0
        while position < len(chunk.folded):
            if may_start(chunk, position):
                key = next(
                    (
                        key
                        for key in self._keys
                        if chunk.folded.startswith(key, position) and may_end(chunk, position + len(key))
                    ),
                    None,
                )
                if key is not None:
                    start, end = chunk.places[position], chunk.places[position + len(key) - 1] + 1
                    found.append((self._headings[key], start, end))
                    position += len(key)
                    continue
            position += 1
        covered = sum(len(label_key(chunk.text[start:end])[0]) for _, start, end in found)
        return found if covered >= 0.6 * len(chunk.folded) else []

    def _row_columns(self, row: Row) -> list[Column]:
        columns = []
        for chunk in row.chunks:
            if len(chunk.text) > 60:
                continue
            for target, start, end in self._headings_in(chunk):
                box = chunk.box_of(start, end)
                columns.append(Column(target, box.x0, box.x1))
        return columns

    def _headers(self, layout: Layout) -> list[tuple[int, int, tuple[Column, ...]]]:
        """(first row, last row, columns) of each heading row; a heading may be broken over two or three rows."""
        found: list[tuple[int, int, tuple[Column, ...]]] = []
        row_no = 0
        while row_no < len(layout.rows):
            best: tuple[int, int, tuple[Column, ...]] | None = None
            columns: list[Column] = []
            for last in range(row_no, min(row_no + _HEADER_ROWS + 1, len(layout.rows))):
                row = layout.rows[last]
                page = layout.page(row.page_no)
                previous = layout.rows[last - 1] if last > row_no else row
                if row.page_no != layout.rows[row_no].page_no or row.box.y0 - previous.box.y1 > 1.2 * page.line:
                    break
                more = self._row_columns(row)
                if not more or any(find_money(mask_dates(chunk.text)) for chunk in row.chunks if _has_cents(chunk)):
                    break
                columns.extend(more)
                merged = merged_columns(columns)
                if is_header(merged) and (best is None or len(merged) > len(best[2])):
                    best = (row_no, last, merged)
            if best is not None:
                found.append(best)
                row_no = best[1] + 1
            else:
                row_no += 1
        return found

    def _is_stop(self, row: Row) -> bool:
        for chunk in row.chunks:
            for key in self._stops:
                if chunk.folded.startswith(key) and may_end(chunk, len(key)):
                    return True
        return False

    def _is_skip(self, row: Row) -> bool:
        return any(
            chunk.folded.startswith(key) and may_end(chunk, len(key)) for chunk in row.chunks for key in self._skips
        )

    def _body(self, layout: Layout, start: int, limit: int, body: _Body) -> _Body:
        page_no = layout.rows[start - 1].page_no
        last_bottom: float | None = None
        for row_no in range(start, limit):
            row = layout.rows[row_no]
            page = layout.page(row.page_no)
            if row.page_no != page_no:
                page_no, last_bottom = row.page_no, None
                body.turn_page()
            if last_bottom is not None and body.items and row.box.y0 - last_bottom > 12 * page.line:
                break
            is_item_like = body.has_item_shape(row)
            is_skipped = self._is_skip(row)
            # A sum carried over to the next page begins like a total and ends nothing.
            if self._is_stop(row) and not is_item_like and not is_skipped:
                following = layout.rows[row_no + 1 : min(row_no + 4, limit)]
                if (body.items or body.pending) and not any(body.has_item_shape(other) for other in following):
                    break
                if not body.loose:
                    continue
            last_bottom = row.box.y1
            if is_skipped and not is_item_like:
                continue
            body.take(row_no, row, page.line)
        body.finish()
        return body


class _Body:
    """Collects items row by row."""

    def __init__(self, columns: tuple[Column, ...], context: Context, loose: bool) -> None:
        self.columns = columns
        self.loose = loose
        self.context = context
        self.items: list[Item] = []
        self.rows: list[int] = []
        self.pending: list[tuple[int, dict[str, list[Cell]]]] = []
        self._last_y = 0.0
        self._text_stands_above = False
        self._has_positions = False

    def cells_of(self, row: Row) -> dict[str, list[Cell]]:
        cells: dict[str, list[Cell]] = {}
        for chunk in row.chunks:
            for target, start, end in placed(chunk, self.columns):
                text = chunk.text[start:end].strip()
                if text:
                    cell = Cell(text, chunk.box_of(start, end), chunk.page_no, chunk.confidence)
                    cells.setdefault(target, []).append(cell)
        return cells

    def amount_in(self, cells: dict[str, list[Cell]]) -> bool:
        return any(
            find_money(mask_dates(cell.text), self.context.notation)
            for target in AMOUNT_COLUMNS
            for cell in cells.get(target, ())
        )

    def has_item_shape(self, row: Row) -> bool:
        """An amount together with a quantity or a price: an item even if its text starts with "Total"."""
        cells = self.cells_of(row)
        numbers = [
            target
            for target in ("quantity", "unit_price")
            if any(any(c.isdigit() for c in cell.text) for cell in cells.get(target, ()))
        ]
        return self.amount_in(cells) and bool(numbers) and "name" in cells

    def take(self, row_no: int, row: Row, line: float) -> None:
        cells = self.cells_of(row)
        self.rows.append(row_no)
        if not self.amount_in(cells):
            is_near = row.box.y0 - self._last_y < _TEXT_GAP_LINES * line
            if is_near or not self.items:
                self.pending.append((row_no, cells))
                self._last_y = row.box.y1
            return
        if (
            self.items
            and not self.loose
            and self._has_positions
            and not self._position_of(cells)
            and not cells.get("quantity")
        ):
            self.pending.append((row_no, cells))
            return
        has_text = any(sum(map(str.isalpha, cell.text)) > 2 for cell in cells.get("name", ()))
        if not self.items:
            self._text_stands_above = not has_text and bool(self.pending)
            self._has_positions = self._position_of(cells)
        item = Item(rows=[row_no])
        if self._text_stands_above and not has_text:
            for number, more in self.pending:
                item.rows.append(number)
                for target, found in more.items():
                    for cell in found:
                        item.add("name" if target in AMOUNT_COLUMNS else target, cell)
            self.pending = []
        self.finish()
        for target, found in cells.items():
            for cell in found:
                item.add(target, cell)
        self.items.append(item)
        self._last_y = row.box.y1

    @staticmethod
    def _position_of(cells: dict[str, list[Cell]]) -> bool:
        return any(re.match(r"\d{1,3}\b", cell.text) for cell in cells.get("order_line_ref", ()))

    def turn_page(self) -> None:
        """The table goes on over the page; the letterhead that stands between is no part of an item."""
        self.finish()
        self._last_y = -1e9

    def finish(self) -> None:
        """What is still pending continues the item above it."""
        if self.items and not self._text_stands_above:
            item = self.items[-1]
            for row_no, cells in self.pending:
                item.rows.append(row_no)
                for target in ("name", "seller_item_id", "specification"):
                    for cell in cells.get(target, ()):
                        item.add("description" if target == "name" and item.text("name") else target, cell)
        self.pending = []


def _has_cents(chunk: Chunk) -> bool:
    return re.search(r"\d[.,]\d{2}\b", chunk.text) is not None
