"""How amounts are compared: minor units, rounding, tolerances, and the comparison every arithmetic rule uses.

Differences are taken in ``Decimal`` and judged by their absolute value, so a credit note (signed negative) is held to
the same limits as an invoice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice, Line, LineKind, TaxBreakdown
from hunyuan_ocr.model.parsing.currencies import is_active_currency, minor_unit
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Ruling, failed, not_applicable, passed

ZERO = Decimal(0)
HALF = Decimal("0.5")
HUNDRED = Decimal(100)

EXEMPT_CATEGORIES = frozenset({"Z", "E", "AE", "K", "G", "O"})
EXEMPT_WORDS = ("免税", "不征税", "出口零税率", "普通零税率")
MASK = "***"

_ROW_NAMES = {"lines": "line", "tax_breakdown": "tax row", "allowances_charges": "allowance or charge"}


def minor_digits(currency: str | None) -> int:
    """Decimals of the currency (JPY 0, KWD 3); 2 when the currency is unknown, which most have."""
    return minor_unit(currency) if currency and is_active_currency(currency) else 2


def minor(invoice: Invoice) -> Decimal:
    """One minor unit of the invoice's currency: 0.01 for EUR, 1 for JPY, 0.001 for KWD."""
    return Decimal(1).scaleb(-minor_digits(invoice.currency))


def roundings(amount: Decimal, unit: Decimal) -> tuple[Decimal, Decimal]:
    """Both roundings in use: half up on the absolute value, and XPath's half toward +infinity (-2.5 gives -2)."""
    half_up = (amount / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit
    xpath = ((amount / unit) + HALF).quantize(Decimal(1), ROUND_FLOOR) * unit
    return half_up, xpath


def nearest(actual: Decimal, expectations: Iterable[Decimal]) -> Decimal:
    """The expectation closest to the printed amount."""
    return min(expectations, key=lambda expected: abs(actual - expected))


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def item_lines(invoice: Invoice) -> tuple[tuple[str, Line], ...]:
    """The lines that carry an amount, each with its field path; notes carry none."""
    return tuple((f"lines[{at}]", line) for at, line in enumerate(invoice.lines) if line.kind is not LineKind.NOTE)


def is_exempt(row: Line | TaxBreakdown) -> bool:
    """True for a line or breakdown row that bears no tax by its category, its printed words or a mask."""
    category = row.tax_category if isinstance(row, Line) else row.category
    words = row.cn_rate_text or ""
    return category in EXEMPT_CATEGORIES or words.strip() == MASK or any(word in words for word in EXEMPT_WORDS)


def compare(
    actual: Decimal,
    expected: Decimal,
    *fields: str,
    tolerance: Decimal,
    message: str,
    warn_up_to: Decimal | None = None,
) -> Ruling:
    """Passed within the tolerance, a warning up to ``warn_up_to``, else failed with the rule's own severity."""
    difference = actual - expected
    if abs(difference) <= tolerance:
        return passed(*fields, expected=expected, actual=actual)
    return failed(
        *fields,
        expected=expected,
        actual=actual,
        difference=difference,
        message=f"{message} Expected {expected:f}, printed {actual:f}, difference {difference:f}.",
        severity=Severity.WARN if warn_up_to is not None and abs(difference) <= warn_up_to else None,
    )


def half_last_digit(price: Decimal, digits: int) -> Decimal:
    """Half a unit of the price's last printed digit; a price printed without decimals stands for whole minor units."""
    exponent = price.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) else 0
    return HALF.scaleb(-max(decimals, digits))


def two_units(invoice: Invoice, facts: InvoiceFacts) -> Decimal:
    """Two minor units for a scanned document; nothing for a structured one."""
    return ZERO if facts.source_is_structured else 2 * minor(invoice)


def sum_tolerance(invoice: Invoice, facts: InvoiceFacts, rows: int) -> Decimal:
    """max(2 minor units, half a minor unit a row), for printed rows are each rounded; nothing when structured."""
    return ZERO if facts.source_is_structured else max(two_units(invoice, facts), HALF * minor(invoice) * rows)


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of a group (a line, a breakdown row) as compared by a rule. All amounts in the invoice's currency."""

    path: str
    fields: tuple[str, ...]
    actual: Decimal
    expected: Decimal
    tolerance: Decimal
    warn_up_to: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        return self.actual - self.expected

    @property
    def is_off(self) -> bool:
        return abs(self.difference) > self.tolerance

    @property
    def is_only_a_warning(self) -> bool:
        return self.warn_up_to is not None and abs(self.difference) <= self.warn_up_to


def worst_of(rows: Iterable[Compared], *, message: str, without: str) -> Ruling:
    """One ruling for a rule that looks at many rows: it names the worst and lists the fields of all that fail."""
    compared = tuple(rows)
    if not compared:
        return not_applicable(without)
    off = [row for row in compared if row.is_off]
    if not off:
        return passed(*dict.fromkeys(name for row in compared for name in row.fields))
    worst = max(off, key=lambda row: abs(row.difference))
    more = f" {len(off) - 1} more rows fail." if len(off) > 1 else ""
    return failed(
        *dict.fromkeys(name for row in [worst, *off] for name in row.fields),
        expected=worst.expected,
        actual=worst.actual,
        difference=worst.difference,
        message=(
            f"{message} Worst: {_place(worst.path)}, expected {worst.expected:f}, printed {worst.actual:f}, "
            f"difference {worst.difference:f}.{more}"
        ),
        severity=Severity.WARN if all(row.is_only_a_warning for row in off) else None,
    )


def _place(path: str) -> str:
    group, _, index = path.rstrip("]").partition("[")
    return f"{_ROW_NAMES[group]} {int(index) + 1}"
