"""Rows and chunks of a document: what stands beside and below what.

Readers give spans of any granularity: words, phrases or whole lines, upright or slightly skewed. Here they become
*rows* (what a person reads from left to right) of *chunks* (phrases set apart by a column gap). Lengths that mix both
axes are measured in *em*, the height of a line of text expressed in horizontal page units, because page units are not
square. Nothing here knows what a word means.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from statistics import median

from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span

_GAP_EM = 0.95
_CJK_GAP_EM = 6.0
_SLOPE_STEP = 0.002
_SLOPE_STEPS = 20
# How far, in steps from row to row, a row may be shifted from one end of the text to the other.
_MOST_SHIFT = 0.9
_ROW_OVERLAP = 0.5
_NARROW = frozenset("iljtfrI.,:;'|!()[]1 ")


def is_cjk(character: str) -> bool:
    """True for Chinese characters (also the full-width marks that stand among them)."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or "\uff00" <= character <= "\uffef"


def _advance(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 2.0
    return 0.6 if character in _NARROW else 1.0


def label_key(text: str) -> tuple[str, tuple[int, ...]]:
    """A text as labels are compared, and for each kept character its place in ``text``.

    NFKC, lower case, without accents, spaces and punctuation; ``#`` and ``%`` stay, ``n°`` becomes ``no``: readers
    drop accents and spaces, and printers put them anywhere.

    >>> label_key("Facture N° :")[0]
    'factureno'
    """
    kept: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character in "°º":
            kept.append("o")
            places.append(place)
            continue
        for piece in unicodedata.normalize("NFKD", character).casefold():
            if piece.isalnum() or piece in "#%":
                kept.append(piece)
                places.append(place)
    return "".join(kept), tuple(places)


@lru_cache(maxsize=16384)
def key_of(label: str) -> str:
    """The folded text of a label. Kept, because the same labels are compared for every document; page text is not."""
    return label_key(label)[0]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A phrase on one row. ``edges`` are the left edges of its characters and the right edge of the last."""

    page_no: int
    text: str
    box: Box
    confidence: float
    edges: tuple[float, ...]
    folded: str
    places: tuple[int, ...]

    def box_of(self, start: int, end: int) -> Box:
        """The box of ``text[start:end]``; character widths are estimated within a span."""
        last = len(self.edges) - 1
        return Box(self.edges[min(start, last)], self.box.y0, self.edges[min(max(end, start), last)], self.box.y1)


@dataclass(frozen=True, slots=True)
class Row:
    """Chunks from left to right that share a line."""

    page_no: int
    chunks: tuple[Chunk, ...]
    box: Box

    @property
    def text(self) -> str:
        return "  ".join(chunk.text for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``em`` is the height of a line in horizontal units, ``line`` the same in vertical units."""

    page_no: int
    rows: tuple[Row, ...]
    em: float
    line: float
    is_ocr: bool
    reader_version: str = ""
    reader: Reader = Reader.TEXT_LAYER


@dataclass(frozen=True, slots=True)
class Layout:
    """All pages of a document, rows from top to bottom."""

    pages: tuple[Page, ...]
    rows: tuple[Row, ...] = field(default=())

    @property
    def is_ocr(self) -> bool:
        return any(page.is_ocr for page in self.pages)

    def page(self, page_no: int) -> Page:
        return next(page for page in self.pages if page.page_no == page_no)


def build_layout(readings: Iterable[Reading]) -> Layout:
    """The layout of a document. One reading per page: the first given wins, pages are put in order."""
    by_page: dict[int, Reading] = {}
    for reading in readings:
        by_page.setdefault(reading.page_no, reading)
    pages = tuple(_build_page(by_page[page_no]) for page_no in sorted(by_page))
    return Layout(pages, tuple(row for page in pages for row in page.rows))


def _build_page(reading: Reading) -> Page:
    spans = _without_overprints(span for span in reading.spans if span.text.strip())
    aspect = reading.height / reading.width if reading.width > 0 and reading.height > 0 else 1.414
    # A tall narrow span is vertical writing, not a tall line.
    flat = [span for span in spans if span.box.height * aspect <= 1.5 * max(span.box.width, 1e-6) or len(span.text) < 3]
    line = median(span.box.height for span in flat) if flat else 10.0
    line = max(line, 0.5)
    em = line * aspect
    is_ocr = reading.reader is not Reader.TEXT_LAYER
    slope = _slope(flat, line) if is_ocr else 0.0
    groups = _grouped(spans, slope)
    groups.sort(key=lambda group: (min(_level(span.box, slope) for span in group), group[0].box.x0))
    rows = [_build_row(reading.page_no, group, aspect) for group in groups]
    return Page(reading.page_no, tuple(rows), em, line, is_ocr, reading.reader_version, reading.reader)


def _without_overprints(spans: Iterable[Span]) -> list[Span]:
    """Bold text is often printed twice, a hair apart."""
    seen: dict[str, list[Box]] = {}
    kept = []
    for span in spans:
        boxes = seen.setdefault(span.text, [])
        half = 0.5 * min(span.box.width, 1000.0), 0.5 * span.box.height
        if any(abs(box.x0 - span.box.x0) < half[0] and abs(box.y0 - span.box.y0) < half[1] for box in boxes):
            continue
        boxes.append(span.box)
        kept.append(span)
    return kept


def _level(box: Box, slope: float) -> float:
    return box.center_y - slope * box.center_x


def _slope(spans: Sequence[Span], line: float) -> float:
    """By how much rows fall per unit to the right: the slope at which most neighbours share a level.

    Only slopes that shift a row by less than the next one's distance: at a steeper one every row of a dense table meets
    its neighbour, which looks just as well aligned.
    """
    if len(spans) < 6:
        return 0.0
    near = 0.22 * line
    width = max(span.box.x1 for span in spans) - min(span.box.x0 for span in spans)
    steepest = _MOST_SHIFT * _pitch(spans, line) / max(width, 1.0)

    def aligned(slope: float) -> int:
        levels = sorted((_level(span.box, slope), span.box.x0) for span in spans)
        return sum(
            1
            for (level, x), (next_level, next_x) in pairwise(levels)
            if next_level - level < near and abs(next_x - x) > 60
        )

    flat = aligned(0.0)
    steps = [step * _SLOPE_STEP for step in range(-_SLOPE_STEPS, _SLOPE_STEPS + 1)]
    steps = [slope for slope in steps if abs(slope) <= steepest]
    best = max(steps, key=lambda slope: (aligned(slope), -abs(slope)))
    return best if aligned(best) > flat + max(1, 0.1 * flat) else 0.0


def _pitch(spans: Sequence[Span], line: float) -> float:
    """From one row to the next where rows are dense: the lower quartile of the steps between stacked spans."""
    below: list[float] = []
    for span in spans:
        steps = [
            other.box.center_y - span.box.center_y
            for other in spans
            if other.box.center_y - span.box.center_y > 0.6 * line
            and span.box.overlap_x(other.box) > 0.5 * min(span.box.width, other.box.width)
        ]
        if steps:
            below.append(min(steps))
    return sorted(below)[len(below) // 4] if below else line


def _grouped(spans: Sequence[Span], slope: float) -> list[list[Span]]:
    """Spans by row. Each span joins the row whose rightmost span it best lines up with, so curled rows stay whole."""
    groups: list[list[Span]] = []
    for span in sorted(spans, key=lambda item: (item.box.x0, item.box.y0)):
        best, best_share = None, _ROW_OVERLAP
        for group in groups:
            last = group[-1].box
            smaller = min(last.height, span.box.height)
            distance = abs(_level(last, slope) - _level(span.box, slope))
            shared = min(smaller, (last.height + span.box.height) / 2 - distance)
            share = shared / smaller if smaller > 0 else 0.0
            if max(last.height, span.box.height) > 2.6 * max(smaller, 1e-6):
                share *= 0.5
            overlap = last.overlap_x(span.box)
            if overlap > 0.5 * min(last.width, span.box.width):
                continue
            if share > best_share:
                best, best_share = group, share
        if best is None:
            groups.append([span])
        else:
            best.append(span)
    return groups


def _build_row(page_no: int, spans: Sequence[Span], aspect: float) -> Row:
    chunks: list[Chunk] = []
    pending: list[Span] = []
    for span in spans:
        if pending and _is_apart(pending[-1], span, aspect):
            chunks.append(_build_chunk(page_no, pending))
            pending = []
        pending.append(span)
    if pending:
        chunks.append(_build_chunk(page_no, pending))
    box = chunks[0].box
    for chunk in chunks[1:]:
        box = box.union(chunk.box)
    return Row(page_no, tuple(chunks), box)


def _is_apart(left: Span, right: Span, aspect: float) -> bool:
    em = max(min(left.box.height, right.box.height) * aspect, 1e-6)
    gap = right.box.x0 - left.box.x1
    # 发 票 号 码 is one label, spread over its field.
    before, after = left.text.strip(), right.text.strip()
    if len(before) == 1 and is_cjk(before) and is_cjk(after[0]) and (len(after) == 1 or after[1] in ":： "):
        return gap > _CJK_GAP_EM * em
    return gap > _GAP_EM * em


def _build_chunk(page_no: int, spans: Sequence[Span]) -> Chunk:
    text: list[str] = []
    edges: list[float] = []
    confidence = 1.0
    box = spans[0].box
    for order, span in enumerate(spans):
        shown = span.text.strip()
        if order:
            text.append(" ")
            edges.append(spans[order - 1].box.x1)
        advances = [_advance(character) for character in shown]
        scale = span.box.width / (sum(advances) or 1.0)
        x = span.box.x0
        for advance in advances:
            edges.append(x)
            x += advance * scale
        text.append(shown)
        confidence = min(confidence, span.confidence)
        box = box.union(span.box)
    edges.append(spans[-1].box.x1)
    whole = "".join(text)
    folded, places = label_key(whole)
    return Chunk(page_no, whole, box, confidence, tuple(edges), folded, places)
