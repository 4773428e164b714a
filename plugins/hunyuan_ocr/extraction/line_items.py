"""Line items and tax rows of the canonical invoice from the table as printed, each value with its place on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from hunyuan_ocr.extraction.context import Context, mask_dates
from hunyuan_ocr.extraction.labels import HitMap
from hunyuan_ocr.extraction.layout import Layout
from hunyuan_ocr.extraction.leads import Lead
from hunyuan_ocr.extraction.tables import Cell, Item
from hunyuan_ocr.extraction.values import decimal_text
from hunyuan_ocr.model.invoice import Line, LineKind, TaxBreakdown
from hunyuan_ocr.model.parsing.money import Notation, find_money
from hunyuan_ocr.model.parsing.text import plain, squeeze

_RATE = re.compile(r"(?<![\d.,])(\d{1,2}(?:[.,]\d{1,3})?)\s?[%％]")
_BARE_RATE = re.compile(r"^\D{0,3}(\d{1,2}(?:[.,]\d{1,3})?)\D{0,3}$")
_QUANTITY = re.compile(r"^[^\d-]{0,2}(-?\d[\d.,' ]*)\s*([^\W\d][^\d]{0,15})?$")
_RATE_WORDS = ("免税", "不征税", "出口零税率", "普通零税率")
_CN_CLASS = re.compile(r"^\*([^*]+)\*(.+)$")
_DISCOUNT_WORDS = re.compile(r"discount|rabatt|nachlass|remise|descuento|korting|sconto|折扣|折让", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PrintedValue:
    """One value of a line with its evidence: where it stands and how it is printed."""

    field: str
    raw: str
    norm: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class PrintedLine:
    line: Line
    values: tuple[PrintedValue, ...]
    has_masked_rate: bool = False


def build_lines(items: Sequence[Item], context: Context) -> list[PrintedLine]:
    """Lines of the invoice; an item without a readable amount is left out."""
    lines: list[PrintedLine] = []
    for item in items:
        printed = _build_line(item, len(lines) + 1, context)
        if printed is not None:
            lines.append(printed)
    return lines


def sum_of(lines: Sequence[PrintedLine]) -> Decimal | None:
    amounts = [
        printed.line.net_amount if printed.line.net_amount is not None else printed.line.gross_amount
        for printed in lines
    ]
    return sum((amount for amount in amounts if amount is not None), Decimal(0)) if lines else None


def without_line_amounts(leads: dict[str, list[Lead]], lines: Sequence[PrintedLine]) -> dict[str, list[Lead]]:
    """Freight or a discount that is a row of the table is a line, and no charge or allowance beside the lines."""
    cells = [value.cell for printed in lines for value in printed.values]

    def is_line(lead: Lead) -> bool:
        return any(
            cell.has_place and cell.page_no == lead.page_no and cell.box.overlap_y(lead.box) > lead.box.height / 2
            for cell in cells
        )

    charges = {"charges_total", "allowances_total"}
    return {
        path: [lead for lead in found if not is_line(lead)] if path in charges else found
        for path, found in leads.items()
    }


def _build_line(item: Item, line_no: int, context: Context) -> PrintedLine | None:
    values: list[PrintedValue] = []
    known: dict[str, Any] = {}

    def keep(field: str, norm: str, value: object, cell: Cell) -> None:
        known[field] = value
        values.append(PrintedValue(field, cell.text, norm, cell))

    for field in ("net_amount", "gross_amount", "tax_amount"):
        for cell in reversed(item.cells.get(field, [])):
            amounts = find_money(mask_dates(cell.text), context.notation)
            if amounts:
                amount = amounts[-1].parsed.amount
                keep(field, decimal_text(amount), amount, cell)
                break
    if "net_amount" not in known and "gross_amount" not in known:
        return None
    for field in ("quantity", "unit_price"):
        for cell in item.cells.get(field, []):
            number, unit = _number(cell.text, context.notation)
            if number is not None:
                keep(field, decimal_text(number), number, cell)
                if field == "quantity" and unit and "unit_text" not in item.cells:
                    keep("unit_text", unit, unit, cell)
                break
    has_masked_rate = _rate_of(item, keep)
    for field in ("name", "description", "specification", "seller_item_id", "buyer_item_id", "unit_text"):
        cells = item.cells.get(field, [])
        text = squeeze(" ".join(cell.text for cell in cells)).strip(" |:;,-*" if field != "name" else " |:;,-")
        if text and any(character.isalnum() for character in text) and field not in known:
            joined = cells[0]
            for cell in cells[1:]:
                if cell.page_no == joined.page_no:
                    joined = joined.joined(cell)
            keep(field, text, text, joined)
    name = known.get("name")
    if isinstance(name, str) and (match := _CN_CLASS.match(name)):
        known["cn_tax_class"], known["name"] = match.group(1).strip(), match.group(2).strip()
    total = known.get("net_amount", known.get("gross_amount"))
    if isinstance(total, Decimal) and total < 0 and isinstance(name, str) and _DISCOUNT_WORDS.search(name):
        known["kind"] = LineKind.DISCOUNT
    line = Line.model_validate({"line_no": line_no, **known})
    return PrintedLine(line, tuple(values), has_masked_rate)


def _rate_of(item: Item, keep: Callable[[str, str, object, Cell], None]) -> bool:
    """Stores the tax rate of a line; True when the printer masked it with asterisks."""
    for cell in item.cells.get("tax_rate", []):
        text = plain(cell.text)
        for words in _RATE_WORDS:
            if words in text:
                keep("cn_rate_text", words, words, cell)
                return False
        if "**" in text:
            keep("cn_rate_text", "***", "***", cell)
            return True
        match = _RATE.search(text) or _BARE_RATE.match(text.strip())
        if match:
            rate = Decimal(match.group(1).replace(",", "."))
            keep("tax_rate", decimal_text(rate), rate, cell)
            return False
    return False


def _number(text: str, notation: Notation | None) -> tuple[Decimal | None, str | None]:
    """A quantity or price with its unit: ``5Unit(s)``, ``1.00 kg``, ``41,1765 €``."""
    line = plain(mask_dates(text)).strip()
    amounts = find_money(line, notation)
    if len(amounts) == 1 and amounts[0].parsed.currency_symbol:
        return amounts[0].parsed.amount, None
    match = _QUANTITY.match(line)
    if match is None:
        return (amounts[0].parsed.amount, None) if len(amounts) == 1 else (None, None)
    digits = match.group(1).strip().replace(" ", "").replace("'", "")
    point = "," if notation is Notation.COMMA else "."
    if digits.count(",") + digits.count(".") == 1 and notation is None:
        point = "," if "," in digits else "."
    digits = digits.replace("." if point == "," else ",", "").replace(point, ".")
    unit = (match.group(2) or "").strip(" .:x*")
    try:
        return Decimal(digits.rstrip(".")), unit or None
    except InvalidOperation:
        return None, None


def build_tax_rows(
    hits: HitMap, layout: Layout, context: Context, total_tax: Decimal | None, is_credit: bool
) -> list[tuple[TaxBreakdown, Cell]]:
    """Tax per rate where printed: rows with a tax label, a rate and an amount, if together they are the total tax."""
    rows: dict[int, tuple[TaxBreakdown, Cell]] = {}
    for hit in hits.of("total_tax"):
        if hit.row in rows:
            continue
        row = layout.rows[hit.row]
        tail = [row.chunks[hit.column].text[hit.start :]]
        tail += [chunk.text for chunk in row.chunks[hit.column + 1 :]]
        text = plain("  ".join(tail))
        rate = _RATE.search(text)
        without_rate = _RATE.sub(lambda match: " " * len(match.group()), mask_dates(text))
        amounts = [match.parsed.amount for match in find_money(without_rate, context.notation)]
        if rate is None or not amounts:
            continue
        if is_credit:
            amounts = [abs(amount) for amount in amounts]
        percent = Decimal(rate.group(1).replace(",", "."))
        tax = amounts[-1]
        taxable = next(
            (amount for amount in amounts[:-1] if abs(amount * percent / 100 - tax) <= Decimal("0.05")), None
        )
        cell = Cell(text.strip(), row.box, row.page_no, row.chunks[hit.column].confidence)
        rows[hit.row] = (TaxBreakdown(rate=percent, taxable_amount=taxable, tax_amount=tax), cell)
    found = list(rows.values())
    if total_tax is None or not found:
        return []
    if sum((row.tax_amount or Decimal(0) for row, _ in found), Decimal(0)) == total_tax:
        return found
    single = [entry for entry in found if entry[0].tax_amount == total_tax]
    return single[:1]
