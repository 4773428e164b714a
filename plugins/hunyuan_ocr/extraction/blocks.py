"""Blocks of lines on the page: the lines under a party heading, and address blocks that have no heading at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hunyuan_ocr.extraction.labels import Hit, HitMap, Region, Role
from hunyuan_ocr.extraction.layout import Chunk
from hunyuan_ocr.extraction.prompts import Where

_BLOCK_LINES = 7
_UPPER_PART = 480.0
POSTCODE_AND_TOWN = re.compile(
    r"^(?:[A-Z]{1,2}[- ])?(?:\d{4,6}|\d{3} \d{2})\s?[^\W\d_]{2,}|[^\W\d_]{2,},?\s(?:[A-Z]{2},?\s)?\d{5}(?:-\d{4})?$|"
    r"^\d{4} ?[A-Z]{2}\s[^\W\d_]{2,}|\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b|"
    r"[^\W\d_]{2,},?\s(?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT)\s\d{4}$"
)

# "Dorfstraße 1, 6020 Innsbruck": the whole address in one line.
_STREET_AND_TOWN = re.compile(r",\s(?:[A-Z]{1,2}[- ])?\d{4,5}\s[^\W\d_]{2,}")
_CODE = re.compile(r"(?=\S*\d)[A-Z0-9][\w./-]*")
_NEAR = 0.8


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together; ``party`` is seller, buyer or other, empty for a block without a heading."""

    party: str
    regions: tuple[Region, ...]
    rows: frozenset[tuple[int, int]]


def _block(party: str, regions: Sequence[Region]) -> Block:
    return Block(party, tuple(regions), frozenset((region.row, region.column) for region in regions))


def headed_blocks(hits: HitMap) -> list[Block]:
    """The blocks under (or beside) party headings and other section headings."""
    return [block for hit in hits.hits if (block := _headed_block(hits, hit)) is not None]


def _headed_block(hits: HitMap, hit: Hit) -> Block | None:
    if hit.meaning.role is not Role.SECTION or hit.weight < 0.8:
        return None
    regions = list(hits.regions(hit, Where.SAME_SPAN))
    if regions and not hit.has_colon and regions[0].text.strip()[:1].islower():
        return None
    below = list(_lines_below(hits, hit))
    if not regions and (not below or (hit.has_colon and _is_labelled(hits, below[0]))):
        # "Client: | Muster" in a column of labels: the next label stands below it, the name beside it.
        regions = list(hits.regions(hit, Where.RIGHT))[:1]
    if not regions and not hit.has_colon and _has_code_beside(hits, hit):
        return None
    every = [*regions, *below]
    return _block(hit.target, every) if every else None


def _is_labelled(hits: HitMap, region: Region) -> bool:
    return any(hit.start == 0 and hit.has_colon for hit in hits.at(region.row, region.column))


def _has_code_beside(hits: HitMap, hit: Hit) -> bool:
    """ "Client   CL00219" in a column of labels: the word labels a number and heads nothing."""
    beside = next(iter(hits.regions(hit, Where.RIGHT)), None)
    return beside is not None and beside.nearness > _NEAR and _CODE.fullmatch(beside.text.strip()) is not None


def _lines_below(hits: HitMap, hit: Hit) -> Iterator[Region]:
    layout = hits.layout
    page = layout.page(hit.chunk.page_no)
    box = hit.chunk.box_of(hit.start, hit.end)
    bottom, taken = box.y1, 0
    for row_no in range(hit.row + 1, len(layout.rows)):
        row = layout.rows[row_no]
        if row.page_no != hit.chunk.page_no or taken >= _BLOCK_LINES:
            return
        best: tuple[float, int, Chunk] | None = None
        for column, chunk in enumerate(row.chunks):
            offset = abs(chunk.box.x0 - box.x0)
            is_under = offset < 2.2 * page.em or chunk.box.overlap_x(box) > 0.6 * box.width
            if is_under and chunk.box.y0 >= box.y0 + 0.5 * page.line and (best is None or offset < best[0]):
                best = (offset, column, chunk)
        if best is None:
            continue
        _, column, chunk = best
        if chunk.box.y0 - bottom > (2.6 if taken == 0 else 1.9) * page.line:
            return
        labels = hits.at(row_no, column)
        if any(label.start == 0 and label.meaning.role is Role.SECTION for label in labels):
            return
        bottom = chunk.box.y1
        taken += 1
        yield Region(Where.BELOW, row_no, column, chunk, 0, len(chunk.text), 1.0)


def address_blocks(
    hits: HitMap, taken: set[tuple[int, int]], table_top: int | None, *, one_line: bool = False
) -> list[Block]:
    """Blocks without a heading in the upper part of the first page that hold a postcode with its town.

    ``one_line``: also those whose street and town share a line, as letterheads print them and windows do not.
    """
    layout = hits.layout
    if not layout.pages:
        return []
    page = layout.pages[0]
    open_blocks: list[list[Region]] = []
    closed: list[list[Region]] = []
    for row_no, row in enumerate(layout.rows):
        if row.page_no != page.page_no or row.box.y0 > _UPPER_PART or (table_top is not None and row_no >= table_top):
            break
        for column, chunk in enumerate(row.chunks):
            if (row_no, column) in taken:
                continue
            region = Region(Where.BELOW, row_no, column, chunk, 0, len(chunk.text), 1.0)
            for lines in open_blocks:
                last = lines[-1].chunk
                is_next = -0.6 * page.line < chunk.box.y0 - last.box.y1 < 1.3 * page.line
                if is_next and abs(chunk.box.x0 - last.box.x0) < 1.2 * page.em:
                    lines.append(region)
                    break
            else:
                lines = [region]
                open_blocks.append(lines)
                closed.append(lines)
    return [_block("", lines) for lines in closed if _is_address(hits, lines, one_line)]


def _is_address(hits: HitMap, lines: Sequence[Region], one_line: bool) -> bool:
    if not 3 <= len(lines) <= 9:
        return False
    labels = [hit for region in lines[:2] for hit in hits.at(region.row, region.column)]
    if any(hit.start == 0 and hit.meaning.role is not Role.PARTY_NAME for hit in labels):
        return False
    return any(
        POSTCODE_AND_TOWN.search(region.text.strip()) or (one_line and _STREET_AND_TOWN.search(region.text))
        for region in lines[1:6]
    )
