"""Whatever a consistent invoice looks like it passes; whichever total is then changed, a rule rejects it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_ocr.model.invoice import Invoice, Line, TaxBreakdown
from tests.validation.invoices import change, failures, german_invoice, negative, rejections

MINOR = {"EUR": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}
TOTALS = ("sum_of_lines", "total_without_tax", "total_tax", "total_with_tax", "amount_due")

ARITHMETIC = {
    "BR-CO-10", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16", "BR-CO-17", "BR-S-08", "BR-DEC", "R120", "SIGN",
}  # fmt: skip


@st.composite
def consistent_invoices(draw: st.DrawFn) -> Invoice:
    """Up to eight lines at up to three rates, in a currency of 0, 2 or 3 decimals; sometimes the credit note of it."""
    currency = draw(st.sampled_from(sorted(MINOR)))
    unit = MINOR[currency]

    def rounded(amount: Decimal) -> Decimal:
        return (amount / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit

    lines = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        quantity = draw(st.decimals("0.5", "500", places=1))
        price = unit * draw(st.integers(1, 500_000))
        rate = draw(st.sampled_from([Decimal(19), Decimal(7), Decimal("5.5")]))
        lines.append(
            Line(line_no=number, quantity=quantity, unit_price=price, net_amount=rounded(quantity * price),
                 tax_rate=rate, tax_category="S")
        )  # fmt: skip
    taxes = []
    for rate in sorted({line.tax_rate for line in lines if line.tax_rate is not None}):
        taxable = sum((li.net_amount for li in lines if li.tax_rate == rate and li.net_amount is not None), Decimal(0))
        tax = rounded(taxable * rate / 100)
        taxes.append(TaxBreakdown(category="S", rate=rate, taxable_amount=taxable, tax_amount=tax))
    net = sum((line.net_amount for line in lines if line.net_amount is not None), Decimal(0))
    tax_total = sum((row.tax_amount for row in taxes if row.tax_amount is not None), Decimal(0))
    invoice = change(
        german_invoice(), currency=currency, lines=tuple(lines), tax_breakdown=tuple(taxes), sum_of_lines=net,
        total_without_tax=net, total_tax=tax_total, total_with_tax=net + tax_total, amount_due=net + tax_total,
    )  # fmt: skip
    return negative(invoice) if draw(st.booleans()) else invoice


@settings(max_examples=150, deadline=None)
@given(consistent_invoices())
def test_a_consistent_invoice_passes_every_arithmetic_rule(invoice: Invoice) -> None:
    assert failures(invoice) & ARITHMETIC == set()
    assert rejections(invoice) == set()


@settings(max_examples=150, deadline=None)
@given(consistent_invoices(), st.sampled_from(TOTALS), st.integers(5, 10**7), st.sampled_from([1, -1]))
def test_no_total_can_be_changed_beyond_the_tolerance_without_a_rejection(
    invoice: Invoice, total: str, units: int, sign: int
) -> None:
    assert invoice.currency is not None
    spoilt = getattr(invoice, total) + sign * units * MINOR[invoice.currency]
    assert rejections(change(invoice, **{total: spoilt})) != set()
