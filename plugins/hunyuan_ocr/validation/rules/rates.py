"""Tax rates and lines: BR-CO-17, BR-S-08, BR-E-09 of EN 16931 and R120 of Peppol.

Structured invoices are held to the standard's own tolerances, read ones to those for scanned documents.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import AllowanceCharge, Invoice, Line, TaxBreakdown
from hunyuan_ocr.validation.rules.amounts import (
    EXEMPT_CATEGORIES,
    HALF,
    HUNDRED,
    MASK,
    ZERO,
    Compared,
    half_last_digit,
    is_exempt,
    item_lines,
    minor,
    minor_digits,
    nearest,
    roundings,
    sum_tolerance,
    total,
    two_units,
    worst_of,
)
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed
from hunyuan_ocr.validation.rules.chinese import is_chinese_vat, is_taxed_on_difference

ERROR, WARN = Severity.ERROR, Severity.WARN
ONE = Decimal(1)


def tax_per_rate(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-CO-17 and BR-S-09. A Chinese VAT invoice may add up line roundings to 1.27 (see CN-TAX-1)."""
    if is_taxed_on_difference(invoice):
        return not_applicable("Taxed on a difference: the tax is not rate times net.", fields=("tax_breakdown",))
    unit = minor(invoice)
    below_one = ONE - unit  # "strictly less than 1.00", in whole minor units
    limit = Decimal("1.27") if is_chinese_vat(invoice) else below_one
    tolerance = limit if facts.source_is_structured else 2 * unit + HALF * unit * len(invoice.lines)
    rows = []
    for at, row in enumerate(invoice.tax_breakdown):
        if row.rate is None or row.taxable_amount is None or row.tax_amount is None:
            continue
        expected = nearest(row.tax_amount, roundings(row.taxable_amount * row.rate / HUNDRED, unit))
        path = f"tax_breakdown[{at}]"
        names = (f"{path}.tax_amount", f"{path}.taxable_amount", f"{path}.rate")
        rows.append(Compared(path, names, row.tax_amount, expected, tolerance, warn_up_to=limit))
    return worst_of(
        rows,
        message="Tax is not taxable amount times rate: one of the three is misread, or the supplier miscalculated.",
        without="No row of the tax breakdown has rate, taxable amount and tax.",
    )


_Group = tuple[str | None, Decimal | str]
_Taxed = Line | TaxBreakdown | AllowanceCharge


def _category(row: _Taxed) -> str | None:
    return row.category if isinstance(row, TaxBreakdown) else row.tax_category


def _rate(row: _Taxed) -> Decimal | str | None:
    """The rate, or what is printed in its place: words (免税), or a category that has no rate (O)."""
    rate = row.rate if isinstance(row, TaxBreakdown) else row.tax_rate
    if rate is not None:
        return rate.normalize()
    words = None if isinstance(row, AllowanceCharge) else row.cn_rate_text
    category = _category(row)
    return words or (category if category in EXEMPT_CATEGORIES else None)


@dataclass(frozen=True, slots=True)
class _ByRate:
    """What lines, charges and allowances add up to, and what the breakdown says, for each rate.

    Where every row names its category, rows of one rate in two categories are kept apart.
    """

    sums: dict[_Group, Decimal]
    lines: dict[_Group, int]
    taxable: dict[_Group, Decimal]
    paths: dict[_Group, str]


def _by_rate(invoice: Invoice) -> _ByRate | str:
    """The groups, or why they cannot be made."""
    taxed: list[tuple[str, _Taxed, Decimal | None]] = []
    taxed += [(path, line, line.net_amount) for path, line in item_lines(invoice)]
    taxed += [("", row, _signed(row)) for row in invoice.allowances_charges]
    taxed += [(f"tax_breakdown[{at}]", row, row.taxable_amount) for at, row in enumerate(invoice.tax_breakdown)]
    with_category = all(_category(row) is not None for _, row, _ in taxed)
    groups = _ByRate(defaultdict(Decimal), defaultdict(int), defaultdict(Decimal), {})
    for path, row, amount in taxed:
        rate = _rate(row)
        if rate is None or amount is None:
            return "A line, allowance or row of the tax breakdown has no rate or no amount."
        group = (_category(row) if with_category else None, rate)
        if isinstance(row, TaxBreakdown):
            groups.taxable[group] += amount
            groups.paths.setdefault(group, path)
        else:
            groups.sums[group] += amount
            groups.lines[group] += 1
    return groups


def _signed(row: AllowanceCharge) -> Decimal | None:
    return row.amount if row.amount is None or row.is_charge else -row.amount


def taxable_per_rate(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-S-08 and its siblings: what is taxable at a rate is the lines of that rate, plus charges, less allowances."""
    groups = _by_rate(invoice)
    if isinstance(groups, str):
        return not_applicable(groups)
    rows = [
        Compared(
            groups.paths[group],
            (f"{groups.paths[group]}.taxable_amount", "lines"),
            amount,
            groups.sums.get(group, ZERO),
            ONE if facts.source_is_structured else sum_tolerance(invoice, facts, groups.lines.get(group, 0)),
        )
        for group, amount in groups.taxable.items()
    ]
    return worst_of(
        rows,
        message="The lines of a tax rate do not add up to its taxable amount: a line or its rate is misread.",
        without="No tax breakdown.",
    )


def rates_are_broken_down(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """RATE-1: a rate on the lines that the breakdown lacks. The standard has it as BR-S-01, BR-E-01 and siblings."""
    groups = _by_rate(invoice)
    if isinstance(groups, str):
        return not_applicable(groups)
    lacking = [group for group in groups.sums if group not in groups.taxable]
    if not lacking:
        return passed("lines", "tax_breakdown")
    return failed(
        "lines",
        "tax_breakdown",
        expected=lacking[0][1],
        message="The lines have a tax rate that the tax breakdown does not have: one of them is misread.",
    )


def exempt_tax_is_zero(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    rows = [
        Compared(
            f"tax_breakdown[{at}]",
            (f"tax_breakdown[{at}].tax_amount",),
            row.tax_amount,
            ZERO,
            two_units(invoice, facts),
        )
        for at, row in enumerate(invoice.tax_breakdown)
        if is_exempt(row) and (row.cn_rate_text or "").strip() != MASK and row.tax_amount is not None
    ]
    return worst_of(
        rows,
        message="An exempt or zero-rated row bears tax: its category or its tax is misread.",
        without="No exempt or zero-rated row with a tax amount.",
    )


def line_price(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """Peppol R120. A printed price is rounded: half of its last digit times the quantity is allowed for."""
    if is_chinese_vat(invoice):
        return not_applicable("A Chinese VAT invoice: CN-AMT-3 judges its lines.", fields=("lines",))
    unit = Decimal("0.02") if facts.source_is_structured else 2 * minor(invoice)
    digits = minor_digits(invoice.currency)
    rows = []
    for path, line in item_lines(invoice):
        if line.quantity is None or line.unit_price is None or line.net_amount is None:
            continue
        base = line.price_base_qty if line.price_base_qty is not None else ONE
        if base <= 0:
            return failed(
                f"{path}.price_base_qty",
                actual=base,
                message="A price's base quantity must be above zero: it is misread.",
            )
        if any(extra.amount is None for extra in line.allowances_charges):
            continue
        extras = total(
            (e.amount if e.is_charge else -e.amount) for e in line.allowances_charges if e.amount is not None
        )
        expected = line.quantity * line.unit_price / base + extras
        slack = half_last_digit(line.unit_price, digits) * abs(line.quantity) / base
        names = (f"{path}.net_amount", f"{path}.quantity", f"{path}.unit_price")
        rows.append(Compared(path, names, line.net_amount, expected, max(unit, slack)))
    return worst_of(
        rows,
        message="Quantity times price is not the line amount: one of them is misread, or a line discount is missing.",
        without="No line has quantity, price and net amount.",
    )


RULES = (
    Rule("BR-CO-17", 1, (ERROR, WARN), ("tax_breakdown",), "Tax is taxable amount times rate, for each rate.",
         "各税率的税额等于计税金额乘以税率。", tax_per_rate,
         receipt_severity=WARN),
    Rule("BR-S-08", 1, (ERROR, WARN), ("tax_breakdown", "lines"),
         "The taxable amount of each rate is the sum of the lines of that rate.",
         "各税率的计税金额等于该税率各行金额之和。", taxable_per_rate,
         receipt_severity=WARN),
    Rule("RATE-1", 1, (ERROR, WARN), ("tax_breakdown", "lines"), "Every tax rate of the lines is in the tax breakdown.",
         "各行税率均列于税额汇总。", rates_are_broken_down, "this project", receipt_severity=WARN),
    Rule("BR-E-09", 1, (ERROR,), ("tax_breakdown",), "Exempt and zero-rated rows bear no tax.",
         "免税或零税率的税额为零。", exempt_tax_is_zero),
    Rule("R120", 1, (ERROR, WARN), ("lines",), "Line amount is quantity times price.", "行金额等于数量乘以单价。",
         line_price, "Peppol BIS 3",
         receipt_severity=WARN),
)  # fmt: skip
