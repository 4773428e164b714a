"""The columns of a line item table, from the boxes of its headings, and which column a piece of text belongs to.

Pure geometry on one table; finds neither the table nor its items.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hunyuan_ocr.extraction.layout import Chunk
from hunyuan_ocr.model.geometry import Box

AMOUNT_COLUMNS = ("net_amount", "gross_amount")
_MIN_KINDS = 3
# Two columns so close that a reader takes them for one phrase.
_AMOUNT_AND_RATE = re.compile(r"^(\D{0,3}[\d.,]*\d[.,]\d{2}\D{0,2})\s+(\d{1,2}(?:[.,]\d+)?\s?%)$")


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its line field; ``x0`` to ``x1`` is the extent of its heading."""

    target: str
    x0: float
    x1: float


def is_header(columns: Sequence[Column]) -> bool:
    kinds = {column.target for column in columns}
    has_amount = bool(kinds & set(AMOUNT_COLUMNS))
    return has_amount and (len(kinds) >= _MIN_KINDS or (len(kinds) == 2 and "name" in kinds))


def merged_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """One column per place: stacked headings ("Unit" over "Price") are one; of twins the wider text wins."""
    merged: list[Column] = []
    for column in sorted(columns, key=lambda item: item.x0):
        overlapping = [
            other
            for other in merged
            if min(column.x1, other.x1) - max(column.x0, other.x0)
            > 0.5 * min(column.x1 - column.x0, other.x1 - other.x0)
        ]
        if not overlapping:
            merged.append(column)
    amounts = [column for column in merged if column.target == "net_amount"]
    if len(amounts) > 1:
        # Of several amount columns the last is the line total.
        last = max(amounts, key=lambda item: item.x1)
        merged = [
            column if column.target != "net_amount" or column is last else Column("unit_price", column.x0, column.x1)
            for column in merged
        ]
    return tuple(merged)


def same_columns(first: tuple[Column, ...], second: tuple[Column, ...]) -> bool:
    shared = {column.target for column in first} & {column.target for column in second}
    return len(shared) >= max(2, len(first) - 1)


def placed(chunk: Chunk, columns: tuple[Column, ...]) -> list[tuple[str, int, int]]:
    """Pieces of a chunk by column. A chunk that reaches over several columns is cut at the words nearest to them."""
    amount_and_rate = _AMOUNT_AND_RATE.match(chunk.text)
    if amount_and_rate and any(column.target == "tax_rate" for column in columns):
        end, start = amount_and_rate.end(1), amount_and_rate.start(2)
        others = tuple(column for column in columns if column.target != "tax_rate")
        return [(nearest(chunk.box_of(0, end), others).target, 0, end), ("tax_rate", start, len(chunk.text))]
    whole = [(nearest(chunk.box, columns).target, 0, len(chunk.text))]
    covered = [column for column in columns if min(chunk.box.x1, column.x1) - max(chunk.box.x0, column.x0) > 0]
    if len(covered) < 2 or " " not in chunk.text:
        return whole
    pieces: list[tuple[str, int, int]] = []
    for match in re.finditer(r"\S+", chunk.text):
        box = chunk.box_of(match.start(), match.end())
        target = nearest(box, columns).target
        if pieces and pieces[-1][0] == target:
            pieces[-1] = (target, pieces[-1][1], match.end())
        elif pieces and not any(character.isdigit() for character in match.group()):
            pieces[-1] = (pieces[-1][0], pieces[-1][1], match.end())
        else:
            pieces.append((target, match.start(), match.end()))
    return pieces


def nearest(box: Box, columns: tuple[Column, ...]) -> Column:
    def distance(column: Column) -> float:
        overlap = min(box.x1, column.x1) - max(box.x0, column.x0)
        if overlap > 0:
            return -overlap / max(min(box.width, column.x1 - column.x0), 1e-6)
        return min(abs(box.x0 - column.x0), abs(box.x1 - column.x1), -overlap)

    return min(columns, key=distance)
