"""Arithmetic of EN 16931 (BR-CO-10 to -16, BR-DEC) and Peppol (R040) on the totals, and their sign.

Structured invoices are held to the standard's own tolerances, read ones to those for scanned documents. Chinese VAT
invoices have their own limits (``chinese_amounts``) where the two differ.
"""

from __future__ import annotations

from decimal import Decimal

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice
from hunyuan_ocr.validation.rules.amounts import (
    HUNDRED,
    ZERO,
    Compared,
    compare,
    is_exempt,
    item_lines,
    minor,
    minor_digits,
    nearest,
    sum_tolerance,
    total,
    two_units,
    worst_of,
)
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed

ERROR, WARN = Severity.ERROR, Severity.WARN


def _sum_of_lines(invoice: Invoice) -> Decimal | None:
    amounts = [line.net_amount for _, line in item_lines(invoice)]
    return total(a for a in amounts if a is not None) if amounts and None not in amounts else None


def _sum_of(invoice: Invoice, *, is_charge: bool) -> Decimal | None:
    amounts = [row.amount for row in invoice.allowances_charges if row.is_charge is is_charge]
    return total(a for a in amounts if a is not None) if amounts and None not in amounts else None


def sum_of_lines(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    added = _sum_of_lines(invoice)
    if added is None or invoice.sum_of_lines is None:
        return not_applicable("A line has no net amount, so the lines cannot be added.", fields=("lines",))
    return compare(
        invoice.sum_of_lines,
        added,
        "sum_of_lines",
        "lines",
        tolerance=sum_tolerance(invoice, facts, len(invoice.lines)),
        message="The lines do not add up to the printed sum of lines: look for a missing or misread line.",
    )


def allowances_total(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    return _allowances_or_charges(invoice, facts, is_charge=False)


def charges_total(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    return _allowances_or_charges(invoice, facts, is_charge=True)


def _allowances_or_charges(invoice: Invoice, facts: InvoiceFacts, *, is_charge: bool) -> Ruling:
    name, word = ("charges_total", "charges") if is_charge else ("allowances_total", "allowances")
    printed = invoice.charges_total if is_charge else invoice.allowances_total
    added = _sum_of(invoice, is_charge=is_charge)
    if printed is None or added is None:
        return not_applicable(f"No single {word} with amounts to add.", fields=(name,))
    return compare(
        printed,
        added,
        name,
        "allowances_charges",
        tolerance=two_units(invoice, facts),
        message=f"The {word} do not add up to their printed total: compare each with the document.",
    )


def total_without_tax(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-CO-13; where no sum of lines is printed, the lines' own sum stands in for it."""
    printed = invoice.total_without_tax
    lines = _sum_of_lines(invoice)
    base = invoice.sum_of_lines if invoice.sum_of_lines is not None else lines
    if printed is None or base is None:
        return not_applicable("Neither a sum of lines nor all net amounts of the lines.", fields=("sum_of_lines",))
    allowances = invoice.allowances_total if invoice.allowances_total is not None else _sum_of(invoice, is_charge=False)
    charges = invoice.charges_total if invoice.charges_total is not None else _sum_of(invoice, is_charge=True)
    expected = base - (allowances or ZERO) + (charges or ZERO)
    is_derived = invoice.sum_of_lines is None
    tolerance = sum_tolerance(invoice, facts, len(invoice.lines)) if is_derived else two_units(invoice, facts)
    with_tax = invoice.total_with_tax
    looks_gross = is_derived and with_tax not in {None, printed} and abs(base - (with_tax or ZERO)) <= tolerance
    return compare(
        printed,
        expected,
        "total_without_tax",
        "lines" if is_derived else "sum_of_lines",
        "allowances_total",
        "charges_total",
        tolerance=tolerance,
        message=(
            "The line amounts add up to the total with tax: they are printed with tax included, not net."
            if looks_gross
            else "The total without tax is not the sum of lines less allowances plus charges: look for a missing line, "
            "a discount or freight."
        ),
    )


def total_tax(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    taxes = [ZERO if row.tax_amount is None and is_exempt(row) else row.tax_amount for row in invoice.tax_breakdown]
    if None in taxes or invoice.total_tax is None:
        return not_applicable("A row of the tax breakdown has no tax amount.", fields=("tax_breakdown",))
    return compare(
        invoice.total_tax,
        total(tax for tax in taxes if tax is not None),
        "total_tax",
        "tax_breakdown",
        tolerance=two_units(invoice, facts),
        message="The tax rows do not add up to the total tax: compare each rate's tax with the document.",
    )


def total_with_tax(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-CO-15, exact; one minor unit off is a warning, more is an error.

    A till prints its total after rounding to coins: there the printed rounding (BT-114) may be part of it.
    """
    if invoice.total_with_tax is None or invoice.total_without_tax is None or invoice.total_tax is None:
        return not_applicable("A total is not on the document.")
    added = invoice.total_without_tax + invoice.total_tax
    if invoice.document_kind is DocumentKind.RECEIPT:
        added = nearest(invoice.total_with_tax, (added, added + (invoice.rounding_amount or ZERO)))
    return compare(
        invoice.total_with_tax,
        added,
        "total_with_tax",
        "total_without_tax",
        "total_tax",
        tolerance=ZERO,
        warn_up_to=minor(invoice),
        message="Total without tax plus tax is not the total with tax: one of the three is misread or misprinted.",
    )


def amount_due(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-CO-16, exact, with BT-113 and BT-114 counted as zero where they are not printed."""
    if invoice.amount_due is None or invoice.total_with_tax is None:
        return not_applicable("A total is not on the document.")
    return compare(
        invoice.amount_due,
        invoice.total_with_tax - (invoice.paid_amount or ZERO) + (invoice.rounding_amount or ZERO),
        "amount_due",
        "total_with_tax",
        "paid_amount",
        "rounding_amount",
        tolerance=ZERO,
        message="The amount due is not the total less what is paid plus rounding: look for a prepayment or a rounding.",
    )


def allowance_percent(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    tolerance = Decimal("0.02") if facts.source_is_structured else 2 * minor(invoice)
    rows = [
        Compared(
            f"allowances_charges[{at}]",
            (f"allowances_charges[{at}].amount", f"allowances_charges[{at}].percent"),
            row.amount,
            row.base_amount * row.percent / HUNDRED,
            tolerance,
        )
        for at, row in enumerate(invoice.allowances_charges)
        if row.amount is not None and row.base_amount is not None and row.percent is not None
    ]
    return worst_of(
        rows,
        message="An allowance or charge is not its base times its percentage: one of the three is misread.",
        without="No allowance or charge has base, percentage and amount.",
    )


_HEADER_AMOUNTS = (
    "sum_of_lines", "allowances_total", "charges_total", "total_without_tax", "total_tax", "total_with_tax",
    "paid_amount", "rounding_amount", "amount_due",
)  # fmt: skip


def decimals(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """BR-DEC: no amount has more decimals than its currency; trailing zeros do not count."""
    digits = minor_digits(invoice.currency)
    amounts: dict[str, Decimal | None] = {name: getattr(invoice, name) for name in _HEADER_AMOUNTS}
    amounts |= {f"{path}.net_amount": line.net_amount for path, line in item_lines(invoice)}
    for at, row in enumerate(invoice.tax_breakdown):
        amounts[f"tax_breakdown[{at}].taxable_amount"] = row.taxable_amount
        amounts[f"tax_breakdown[{at}].tax_amount"] = row.tax_amount
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    if not given:
        return not_applicable("No amounts.")
    too_long = {name: amount for name, amount in given.items() if amount != round(amount, digits)}
    if not too_long:
        return passed(*given)
    first, amount = next(iter(too_long.items()))
    return failed(
        *too_long,
        expected=f"at most {digits} decimals",
        actual=amount,
        message=f"{first} has more decimals than {invoice.currency} has: a separator is misread, or the currency is.",
    )


def sign_of_totals(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """A credit note is stored signed negative; an invoice's total is not negative."""
    names = ("total_with_tax", "total_without_tax", "total_tax", "amount_due")
    given = {name: value for name in names if (value := getattr(invoice, name)) is not None}
    is_credit = invoice.document_kind is DocumentKind.CREDIT_NOTE
    if is_credit:
        wrong = {name: amount for name, amount in given.items() if amount > 0}
        message = "A credit note's totals must be negative here: either it is not a credit note, or a minus was lost."
    else:
        wrong = {name: amount for name, amount in given.items() if name == "total_with_tax" and amount < 0}
        message = "The total is negative but this is not a credit note: check the kind of document and the sign."
    if not wrong:
        return passed(*given, actual=invoice.total_with_tax)
    lenient = invoice.document_kind is DocumentKind.RECEIPT or invoice.cn_is_red is True
    return failed(*wrong, actual=next(iter(wrong.values())), message=message, severity=WARN if lenient else None)


RULES = (
    Rule("BR-CO-10", 1, (ERROR, WARN), ("sum_of_lines", "lines"),
         "The sum of lines is the sum of the lines' net amounts.", "行金额之和等于行合计。", sum_of_lines,
         receipt_severity=WARN),
    Rule("BR-CO-11", 1, (ERROR, WARN), ("allowances_total", "allowances_charges"),
         "The allowances total is the sum of the allowances.", "折让合计等于各项折让之和。", allowances_total,
         receipt_severity=WARN),
    Rule("BR-CO-12", 1, (ERROR, WARN), ("charges_total", "allowances_charges"),
         "The charges total is the sum of the charges.", "附加费合计等于各项附加费之和。", charges_total,
         receipt_severity=WARN),
    Rule("BR-CO-13", 1, (ERROR, WARN), ("total_without_tax",),
         "The total without tax is the sum of lines less allowances plus charges.",
         "不含税合计等于行合计减折让加附加费。", total_without_tax,
         receipt_severity=WARN),
    Rule("BR-CO-14", 1, (ERROR, WARN), ("total_tax", "tax_breakdown"),
         "The total tax is the sum of the tax of all rates.", "税额合计等于各税率税额之和。", total_tax,
         receipt_severity=WARN),
    Rule("BR-CO-15", 1, (ERROR, WARN), ("total_with_tax", "total_without_tax", "total_tax"),
         "Total without tax plus tax is the total with tax.", "不含税合计加税额等于含税合计。", total_with_tax),
    Rule("BR-CO-16", 1, (ERROR, WARN), ("amount_due", "total_with_tax"),
         "The amount due is the total with tax less what is paid plus rounding.", "应付金额等于含税合计减已付加舍入。",
         amount_due,
         receipt_severity=WARN),
    Rule("BR-DEC", 1, (WARN,), ("currency",), "Amounts have no more decimals than their currency.",
         "金额的小数位数不超过币种的最小单位。", decimals),
    Rule("R040", 1, (ERROR, WARN), ("allowances_charges",), "An allowance is its base times its percentage.",
         "折让等于基数乘以百分比。", allowance_percent, "Peppol BIS 3",
         receipt_severity=WARN),
    Rule("SIGN", 1, (ERROR, WARN), ("total_with_tax",), "A credit note's totals are negative, an invoice's are not.",
         "红字（贷记）凭证的合计为负，发票的合计不为负。", sign_of_totals, "this project"),
)  # fmt: skip
