"""Tables in an answer, HTML or Markdown, as cells with their place in the grid.

HunyuanOCR writes a table on one line, without ``thead`` or ``th``, with ``colspan`` and ``rowspan`` that do not always
add up, and stops in the middle when it runs out of tokens. The tags are found by one expression instead of
``html.parser``, whose time on broken markup grows with the square of its length in older Pythons. What columns mean is
decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hunyuan_ocr.extraction.answer_text import unescaped, with_plain_markers

#: Far beyond any printed page; what lies behind is cut off.
MAX_TABLES = 64
MAX_ROWS = 2_000
MAX_COLUMNS = 100
MAX_CELLS = 20_000


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell with the grid position of its upper left corner, counted from 0. ``text`` may have several lines."""

    text: str
    colspan: int
    rowspan: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class HtmlTable:
    """A table row by row. A row holds the cells that start in it, left to right; it may be empty.

    ``is_truncated``: the text ended inside the table; a cell that was not finished is left out.
    """

    rows: tuple[tuple[TableCell, ...], ...]
    caption: str = ""
    is_truncated: bool = False

    @property
    def width(self) -> int:
        """How many grid columns the widest row reaches."""
        return max((cell.column + cell.colspan for row in self.rows for cell in row), default=0)


def parse_table(text: str) -> tuple[HtmlTable, ...]:
    """All tables of a text in their order; none is an empty tuple. Tables without a filled cell are left out."""
    tables: list[HtmlTable] = []
    for table in _tables(with_plain_markers(text)):
        if any(cell.text for row in table.rows for cell in row):
            tables.append(table)
        if len(tables) == MAX_TABLES:
            break
    return tuple(tables)


_TAG = re.compile(
    r"<(?P<slash>/?)(?P<name>table|caption|thead|tbody|tfoot|tr|td|th|pFig|quad)\b(?P<attributes>[^<>]*)>",
    re.IGNORECASE,
)
_SPAN = re.compile(r"\b(col|row)span\s{0,3}=\s{0,3}[\"'“”]?\s{0,3}(\d{1,9})", re.IGNORECASE)
_STRAY_TAG = re.compile(r"</?(?!br\b)[A-Za-z][A-Za-z0-9:-]{0,15}(?:\s[^<>]{0,200})?/?>", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\f\v\u00a0\u3000]+")


def _cell_text(text: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in unescaped(_STRAY_TAG.sub("", text)).split("\n"))
    return "\n".join(line for line in lines if line)


@dataclass(slots=True)
class _Cell:
    parts: list[str]
    colspan: int
    rowspan: int

    @classmethod
    def opened(cls, attributes: str) -> _Cell:
        spans = {name.lower(): int(count) for name, count in _SPAN.findall(attributes)}
        return cls([], min(max(spans.get("col", 1), 1), MAX_COLUMNS), min(max(spans.get("row", 1), 1), MAX_ROWS))


@dataclass(slots=True)
class _OpenTable:
    """A table while its tags go by."""

    rows: list[list[_Cell]] = field(default_factory=list)
    caption: list[str] = field(default_factory=list)
    cell: _Cell | None = None
    is_in_caption: bool = False
    cell_count: int = 0

    def open_row(self) -> None:
        self.cell = None
        self.is_in_caption = False
        if len(self.rows) < MAX_ROWS:
            self.rows.append([])

    def open_cell(self, attributes: str) -> None:
        if not self.rows:
            self.open_row()
        self.is_in_caption = False
        self.cell = _Cell.opened(attributes)
        self.cell_count += 1
        if self.cell_count <= MAX_CELLS and len(self.rows[-1]) < MAX_COLUMNS:
            self.rows[-1].append(self.cell)

    def say(self, text: str) -> None:
        if self.cell is not None:
            self.cell.parts.append(text)
        elif self.is_in_caption:
            self.caption.append(text)

    def finished(self, *, is_truncated: bool) -> HtmlTable:
        if is_truncated and self.cell is not None and self.rows and self.rows[-1] and self.rows[-1][-1] is self.cell:
            self.rows[-1].pop()
        return HtmlTable(_placed(self.rows), _cell_text("".join(self.caption)), is_truncated)


def _tables(text: str) -> Iterator[HtmlTable]:
    table: _OpenTable | None = None
    dropping = ""
    position = 0
    for tag in _TAG.finditer(text):
        between, position = text[position : tag.start()], tag.end()
        name, is_closing = tag["name"].lower(), bool(tag["slash"])
        if table is None:
            yield from _markdown_tables(between)
        elif not dropping:
            table.say(between)
        if name in {"pfig", "quad"}:
            # A figure's invented name and its box are no text of the cell.
            dropping = "" if is_closing else name
            continue
        dropping = ""
        if name == "table":
            # A second opening tag means that the first table was not closed; models do not nest tables.
            if table is not None:
                yield table.finished(is_truncated=False)
            table = None if is_closing else _OpenTable()
            continue
        if table is None:
            if is_closing:
                continue
            table = _OpenTable()
        _apply(table, name, tag["attributes"], is_closing=is_closing)
    if table is None:
        yield from _markdown_tables(text[position:])
    else:
        yield table.finished(is_truncated=True)


def _apply(table: _OpenTable, name: str, attributes: str, *, is_closing: bool) -> None:
    if name == "caption":
        table.is_in_caption = not is_closing
    elif name in {"td", "th"}:
        if is_closing:
            table.cell = None
        else:
            table.open_cell(attributes)
    elif name == "tr" and not is_closing:
        table.open_row()
    else:
        table.cell = None


def _placed(rows: list[list[_Cell]]) -> tuple[tuple[TableCell, ...], ...]:
    """The cells on a grid, as browsers place them: a cell goes to the next column no rowspan from above covers.

    A row that would then be wider than the table, but fits without those rowspans, repeats cells that an earlier
    rowspan claimed: the model miscounted, and the rowspans end above it.
    """
    width = min(max((sum(cell.colspan for cell in row) for row in rows), default=0), MAX_COLUMNS)
    placed: list[list[TableCell]] = []
    covered: dict[int, int] = {}  # column -> rows below that are still covered
    owners: dict[int, tuple[int, int]] = {}  # column -> where the covering cell is in ``placed``
    for row_no, row in enumerate(rows):
        own_width = sum(cell.colspan for cell in row)
        if covered and own_width + len(covered) > width >= own_width and row:
            for column in covered:
                at_row, index = owners[column]
                owner = placed[at_row][index]
                placed[at_row][index] = replace(owner, rowspan=row_no - owner.row)
            covered = {}
        below = {column: left - 1 for column, left in covered.items() if left > 1}
        cells: list[TableCell] = []
        column = 0
        for cell in row:
            while column in covered:
                column += 1
            rowspan = min(cell.rowspan, len(rows) - row_no)
            cells.append(TableCell(_cell_text("".join(cell.parts)), cell.colspan, rowspan, row_no, column))
            if rowspan > 1:
                for spanned in range(column, min(column + cell.colspan, MAX_COLUMNS)):
                    below[spanned] = rowspan - 1
                    owners[spanned] = (row_no, len(cells) - 1)
            column += cell.colspan
        placed.append(cells)
        covered = below
    return tuple(tuple(row) for row in placed)


_DELIMITER_CELL = re.compile(r"\s*:?-{1,200}:?\s*")
_PIPE = re.compile(r"(?<!\\)\|")


def _markdown_tables(text: str) -> Iterator[HtmlTable]:
    """Pipe tables: a line of cells, a line of dashes, and lines of cells until one has no pipe."""
    if "|" not in text:
        return
    header: list[str] | None = None
    rows: list[list[str]] = []
    for line in text.split("\n"):
        cells = _pipe_cells(line)
        is_delimiter = cells is not None and all(_DELIMITER_CELL.fullmatch(cell) for cell in cells)
        if rows and cells is not None:
            if not is_delimiter and len(rows) < MAX_ROWS:
                rows.append(cells)
        elif is_delimiter and header is not None:
            rows = [header]
        else:
            if rows:
                yield _markdown_table(rows)
                rows = []
            header = None if is_delimiter else cells
    if rows:
        yield _markdown_table(rows)


def _pipe_cells(line: str) -> list[str] | None:
    line = line.strip()
    if "|" not in line:
        return None
    return _PIPE.split(line.removeprefix("|").removesuffix("|"))[:MAX_COLUMNS]


def _markdown_table(rows: list[list[str]]) -> HtmlTable:
    return HtmlTable(
        tuple(
            tuple(
                TableCell(_cell_text(text.replace("\\|", "|")), 1, 1, row_no, column) for column, text in enumerate(row)
            )
            for row_no, row in enumerate(rows)
        )
    )
