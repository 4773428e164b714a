"""Line items of a till receipt, which has no column headings: rows that end in an amount, above the totals; and its
tax summary.

Nothing but the arithmetic tells such a row from others, so the caller takes these items only when they add up to a
printed total.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from hunyuan_ocr.extraction.context import Context, mask_dates
from hunyuan_ocr.extraction.labels import HitMap, Role
from hunyuan_ocr.extraction.layout import Chunk, Layout, Row, key_of
from hunyuan_ocr.extraction.tables import Cell, Item
from hunyuan_ocr.model.parsing.money import MoneyMatch, find_money

_TOTALS = frozenset({"total_with_tax", "sum_of_lines", "total_without_tax", "total_tax", "amount_due", "cash_tendered"})
_RIGHT_HALF = 0.55
_TAX_MARK = re.compile(r"^\s*[A-Z#*%]{0,3}\W{0,2}$")
_COUNT_AND_PRICE = re.compile(
    r"(\d{1,4}(?:[.,]\d{1,3})?)\s*(?:pcs?|[A-Z]{2,6})?\s*[xX×@*]\s*(?:RM|[$€£¥])?\s*(\d[\d.,]*)"
)
_LEADING_COUNT = re.compile(r"^(\d{1,3})\s*[xX×]?\s+(?=\D)")


def receipt_items(hits: HitMap, context: Context) -> list[Item]:
    """Items above the first total; empty when there is no total to end them."""
    layout = hits.layout
    ends = [hit.row for hit in hits.hits if hit.meaning.role is Role.FIELD and hit.target in _TOTALS and hit.start <= 2]
    ends = [row for row in ends if _last_amount(layout.rows[row], context) is not None]
    if not ends:
        return []
    right = max((row.box.x1 for row in layout.rows), default=1000.0)
    left = min((row.box.x0 for row in layout.rows), default=0.0)
    edge = left + _RIGHT_HALF * (right - left)
    items: list[Item] = []
    above: list[tuple[int, Row]] = []
    for row_no in range(min(ends)):
        row = layout.rows[row_no]
        found = _last_amount(row, context)
        if found is None or found[0].box.x1 < edge:
            _take_detail(items, row)
            above.append((row_no, row))
            continue
        chunk, match = found
        text = _text_before(row, chunk, match)
        item = Item(rows=[row_no])
        source = row.chunks[0]
        if sum(character.isalpha() for character in _COUNT_AND_PRICE.sub("", text)) < 3 and above:
            source = above[-1][1].chunks[0]
            item.rows.insert(0, above[-1][0])
            name = above[-1][1].text
        else:
            name = text
        counted = _COUNT_AND_PRICE.search(text)
        leading = _LEADING_COUNT.match(name)
        if counted:
            item.add("quantity", _cell(counted.group(1), source))
            item.add("unit_price", _cell(counted.group(2), source))
            name = name.replace(counted.group(0), " ")
        elif leading:
            item.add("quantity", _cell(leading.group(1), source))
            name = name[leading.end() :]
        if name.strip():
            item.add("name", _cell(name.strip(), source))
        item.add(
            "net_amount",
            Cell(
                chunk.text[match.start : match.end],
                chunk.box_of(match.start, match.end),
                chunk.page_no,
                chunk.confidence,
            ),
        )
        items.append(item)
        above = []
    return items


def _cell(text: str, chunk: Chunk) -> Cell:
    return Cell(text, chunk.box, chunk.page_no, chunk.confidence)


def _last_amount(row: Row, context: Context) -> tuple[Chunk, MoneyMatch] | None:
    for chunk in reversed(row.chunks):
        matches = find_money(mask_dates(chunk.text), context.notation)
        if matches:
            last = matches[-1]
            has_cents = re.search(r"[.,]\d{2}\b", chunk.text[last.start : last.end]) is not None
            if (has_cents or last.parsed.currency_symbol) and _TAX_MARK.match(chunk.text[last.end :]):
                return chunk, last
            return None
        if len(chunk.text.strip()) > 3:
            return None
    return None


def _text_before(row: Row, chunk: Chunk, match: MoneyMatch) -> str:
    texts = []
    for other in row.chunks:
        if other is chunk:
            texts.append(chunk.text[: match.start])
            break
        texts.append(other.text)
    return " ".join(text for text in texts if text.strip())


def _take_detail(items: list[Item], row: Row) -> None:
    """ "2 @ $3.25" under an item is its quantity and price."""
    counted = _COUNT_AND_PRICE.fullmatch(row.text.strip())
    if counted and items and "quantity" not in items[-1].cells:
        items[-1].add("quantity", _cell(counted.group(1), row.chunks[0]))
        items[-1].add("unit_price", _cell(counted.group(2), row.chunks[0]))


def tax_pairs(layout: Layout, context: Context, headings: Sequence[str]) -> tuple[tuple[Decimal, Decimal], ...]:
    """(taxable, tax) of a tax summary under one of ``headings``, summed over its rows; empty when there is none."""
    keys = [key_of(text) for text in headings]
    for row_no, row in enumerate(layout.rows):
        if not any(key in chunk.folded for key in keys for chunk in row.chunks):
            continue
        taxable, tax, rows = Decimal(0), Decimal(0), 0
        for below in layout.rows[row_no : row_no + 6]:
            text = mask_dates("  ".join(chunk.text for chunk in below.chunks))
            amounts = [match.parsed.amount for match in find_money(re.sub(r"@?\s?\d+(?:\.\d+)?\s?%:?", " ", text))]
            if len(amounts) in (2, 3) and abs(amounts[-1]) <= abs(amounts[-2]):
                taxable, tax, rows = taxable + amounts[-2], tax + amounts[-1], rows + 1
            elif rows:
                break
        if rows:
            return ((taxable, tax),)
    return ()
