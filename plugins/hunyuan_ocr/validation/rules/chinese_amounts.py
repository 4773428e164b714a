"""Amounts of Chinese VAT invoices: CN-AMT-1 to -3, CN-TAX-1 to -4, CN-WORD-1.

The limits 0.06 a line and 1.27 an invoice come from issuing software and its interface documents, not from a published
regulation.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice, Line
from hunyuan_ocr.model.parsing.cn_amount import parse_capital_amount
from hunyuan_ocr.validation.rules.amounts import (
    HUNDRED,
    MASK,
    ZERO,
    Compared,
    compare,
    half_last_digit,
    is_exempt,
    item_lines,
    nearest,
    total,
    worst_of,
)
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed
from hunyuan_ocr.validation.rules.chinese import (
    deduction,
    exempt_word,
    has_reduced_levy,
    is_chinese_vat,
    is_taxed_on_difference,
    lines_are_elsewhere,
)

ERROR, WARN = Severity.ERROR, Severity.WARN
FEN = Decimal("0.01")
LINE_TAX_LIMIT = Decimal("0.06")
INVOICE_TAX_LIMIT = Decimal("1.27")

_NOT_CHINESE = "Not a Chinese VAT invoice."
_COMMON_RATES = {Decimal(rate) for rate in ("6", "5", "3", "1.5", "1", "0")}
# Permitted rates from a day on, newest first.
_RATES_SINCE = (
    (date(2019, 4, 1), {Decimal(13), Decimal(9)}),
    (date(2018, 5, 1), {Decimal(16), Decimal(10)}),
    (date(2017, 7, 1), {Decimal(17), Decimal(11)}),
    (date.min, {Decimal(17), Decimal(13), Decimal(11)}),
)


def totals_agree(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    if invoice.total_with_tax is None or invoice.total_without_tax is None:
        return not_applicable("A total is not on the document.")
    if invoice.total_tax is None and not (invoice.lines and all(is_exempt(line) for _, line in item_lines(invoice))):
        return not_applicable("The total tax (合计税额) is not on the document.", fields=("total_tax",))
    return compare(
        invoice.total_with_tax,
        invoice.total_without_tax + (invoice.total_tax or ZERO),
        "total_with_tax",
        "total_without_tax",
        "total_tax",
        tolerance=ZERO,
        warn_up_to=FEN,
        message="合计金额 plus 合计税额 is not 价税合计: one of the three is misread.",
    )


def lines_agree(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-AMT-2: the lines' amounts and taxes add up to the totals; discount lines count negative as printed."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    if lines_are_elsewhere(invoice):
        return not_applicable("The lines are on a list (清单) that was not read.", fields=("lines",))
    lines = [line for _, line in item_lines(invoice)]
    net = [line.net_amount for line in lines]
    tax = [ZERO if line.tax_amount is None and is_exempt(line) else line.tax_amount for line in lines]
    rulings = []
    if invoice.total_without_tax is not None and lines and None not in net:
        rulings.append(
            compare(
                invoice.total_without_tax,
                total(amount for amount in net if amount is not None),
                "total_without_tax",
                "lines",
                tolerance=FEN,
                message="The lines' 金额 do not add up to 合计金额: a line is missing or misread.",
            )
        )
    if invoice.total_tax is not None and lines and None not in tax:
        rulings.append(
            compare(
                invoice.total_tax,
                total(amount for amount in tax if amount is not None),
                "total_tax",
                "lines",
                tolerance=FEN,
                message="The lines' 税额 do not add up to 合计税额: a line is missing or misread.",
            )
        )
    if not rulings:
        return not_applicable("A line has no 金额 or no 税额, so the lines cannot be added.", fields=("lines",))
    return next((ruling for ruling in rulings if ruling.message), rulings[0])


def line_price(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    rows = [
        Compared(
            path,
            (f"{path}.net_amount", f"{path}.quantity", f"{path}.unit_price"),
            line.net_amount,
            line.quantity * line.unit_price,
            max(FEN, abs(line.quantity) * half_last_digit(line.unit_price, 2)),
        )
        for path, line in item_lines(invoice)
        if line.quantity is not None and line.unit_price is not None and line.net_amount is not None
    ]
    return worst_of(
        rows,
        message="数量 times 单价 is not 金额: one of the three is misread.",
        without="No line has 数量, 单价 and 金额.",
    )


def _line_taxes(invoice: Invoice) -> list[Compared]:
    """The taxed lines with the tax that rate times amount gives, by the formula that fits best."""
    rows = []
    for path, line in item_lines(invoice):
        if is_exempt(line) or line.net_amount is None or line.tax_rate is None or line.tax_amount is None:
            continue
        expected = nearest(
            line.tax_amount, _possible_taxes(invoice, line, line.net_amount, line.tax_amount, line.tax_rate)
        )
        names = (f"{path}.tax_amount", f"{path}.net_amount", f"{path}.tax_rate")
        rows.append(Compared(path, names, line.tax_amount, expected, LINE_TAX_LIMIT))
    return rows


def _possible_taxes(invoice: Invoice, line: Line, net: Decimal, tax: Decimal, rate: Decimal) -> list[Decimal]:
    """Rate times net; with 减按 also the reduced levy on the price with tax (5 % to 1.5 %, 3 % to 2 % or 1 %)."""
    taxes = [net * rate / HUNDRED]
    if has_reduced_levy(invoice, line):
        gross = net + tax
        reductions = ((Decimal(5), Decimal("1.5")), (Decimal(3), Decimal(2)), (Decimal(3), Decimal(1)))
        taxes += [
            gross / (1 + full / HUNDRED) * reduced / HUNDRED for full, reduced in reductions if rate in {full, reduced}
        ]
    return taxes


def tax_of_lines(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    if is_taxed_on_difference(invoice):
        return not_applicable("差额征税: the tax is not rate times amount.", fields=("lines",))
    rows = _line_taxes(invoice)
    ruling = worst_of(
        rows,
        message="税额 is not 金额 times 税率: one of the three is misread. At most 0.06 a line is allowed.",
        without="No taxed line has 金额, 税率 and 税额.",
    )
    if ruling.message:
        return ruling
    added = total(abs(row.difference) for row in rows)
    if added <= INVOICE_TAX_LIMIT:
        return ruling
    return failed(
        "lines",
        expected=INVOICE_TAX_LIMIT,
        actual=added,
        difference=added - INVOICE_TAX_LIMIT,
        message=f"The lines' tax differences add up to {added:f}; at most 1.27 is allowed (单据税额误差累计值).",
    )


def exceptions(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-TAX-2: 免税, 不征税 and *** bear no rate and no tax; 差额征税 taxes the price less the deduction."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    if is_taxed_on_difference(invoice):
        return _tax_on_difference(invoice)
    exempt = [(path, line) for path, line in item_lines(invoice) if exempt_word(line)]
    if not exempt:
        return not_applicable("No exempt line and no 差额征税.", fields=("lines",))
    taxed = [path for path, line in exempt if line.tax_amount]
    if taxed:
        return failed(
            *(f"{path}.tax_amount" for path in taxed), expected=ZERO,
            message="A line marked 免税, 不征税 or 零税率 bears tax: the mark or the tax is misread.",
        )  # fmt: skip
    return passed(*(f"{path}.tax_amount" for path, _ in exempt))


def _tax_on_difference(invoice: Invoice) -> Ruling:
    less = deduction(invoice)
    lines = [line for _, line in item_lines(invoice)]
    rates = {line.tax_rate for line in lines if line.tax_rate is not None}
    if less is None or invoice.total_tax is None or invoice.total_with_tax is None or len(rates) != 1:
        return not_applicable(
            "差额征税 without deduction, one rate and totals: it cannot be recalculated.", fields=("note",)
        )
    rate = next(iter(rates)) / HUNDRED
    base = invoice.total_with_tax - less
    expected = nearest(invoice.total_tax, (base / (1 + rate) * rate, base * rate))
    return compare(
        invoice.total_tax,
        expected.quantize(FEN),
        "total_tax",
        "total_with_tax",
        "note",
        tolerance=LINE_TAX_LIMIT,
        warn_up_to=abs(invoice.total_tax - expected) + FEN,  # both formulas are in use: never more than a warning
        message="差额征税: the tax is not that of the price less the deduction. Recalculate it by hand.",
    )


def rates_permitted(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    rows: list[tuple[str, Decimal]] = [
        (f"{path}.tax_rate", line.tax_rate) for path, line in item_lines(invoice) if line.tax_rate is not None
    ]
    rows += [(f"tax_breakdown[{n}].rate", r.rate) for n, r in enumerate(invoice.tax_breakdown) if r.rate is not None]
    if not rows or invoice.issue_date is None:
        return not_applicable("No tax rate.", fields=("lines",))
    permitted = _COMMON_RATES | next(rates for since, rates in _RATES_SINCE if invoice.issue_date >= since)
    wrong = [(name, rate) for name, rate in rows if rate not in permitted]
    if not wrong:
        return passed(*(name for name, _ in rows))
    return failed(
        *(name for name, _ in wrong),
        expected=", ".join(f"{rate:f}" for rate in sorted(permitted, reverse=True)),
        actual=wrong[0][1],
        message="This tax rate was not in force on the day of issue: the rate or the date is misread.",
    )


def rate_words_kept(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-TAX-4: 免税 and 不征税 are not a rate of 0 %, and a printed percentage is the rate."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    rows = [(f"{path}.tax_rate", line.cn_rate_text, line.tax_rate) for path, line in item_lines(invoice)]
    rows += [(f"tax_breakdown[{n}].rate", r.cn_rate_text, r.rate) for n, r in enumerate(invoice.tax_breakdown)]
    worded = [(name, text.strip(), rate) for name, text, rate in rows if text is not None]
    if not worded:
        return not_applicable("No text of a rate was kept.", fields=("lines",))
    wrong = [(name, text, rate) for name, text, rate in worded if not _rate_fits(text, rate)]
    if not wrong:
        return passed(*(name for name, _, _ in worded))
    name, text, rate = wrong[0]
    return failed(
        *(row[0] for row in wrong),
        expected=text,
        actual=rate,
        message=f"{name}: printed is “{text}”, which is not this rate. 免税 and 不征税 are words, not 0 %.",
    )


def _rate_fits(text: str, rate: Decimal | None) -> bool:
    if text == MASK or "免税" in text or "不征税" in text:
        return rate is None
    if "零税率" in text:
        return rate is None or rate == 0
    digits = text.rstrip("%％")
    if rate is None or not digits.replace(".", "", 1).isdecimal():
        return True
    return Decimal(digits) == rate


def amount_in_words(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    words = invoice.cn_amount_in_words or ""
    amount = parse_capital_amount(words)
    if amount is None:
        return failed(
            "cn_amount_in_words", actual=words,
            message="The amount in words (大写) cannot be read as an amount: a character is misread or missing.",
        )  # fmt: skip
    if invoice.total_with_tax is None:
        return not_applicable("The total with tax is not on the document.")
    return compare(
        invoice.total_with_tax,
        amount,
        "total_with_tax",
        "cn_amount_in_words",
        tolerance=ZERO,
        message="The total in figures (小写) is not the total in words (大写): one of them is misread.",
    )


_ORIGIN = "Chinese VAT invoice practice"

RULES = (
    Rule("CN-AMT-1", 1, (ERROR, WARN), ("total_with_tax", "total_without_tax"),
         "Net total plus tax equals the total with tax.", "合计金额加合计税额等于价税合计。", totals_agree, _ORIGIN),
    Rule("CN-AMT-2", 1, (ERROR,), ("lines",), "The lines' amounts and taxes add up to the totals.",
         "各行金额、税额之和等于合计金额、合计税额。", lines_agree, _ORIGIN),
    Rule("CN-AMT-3", 1, (WARN,), ("lines",), "Quantity times unit price is the line's amount.",
         "数量乘以单价等于金额。", line_price, _ORIGIN),
    Rule("CN-TAX-1", 1, (ERROR,), ("lines",),
         "Each line's tax is amount times rate within 0.06, the whole invoice within 1.27.",
         "每行税额误差不超过0.06，整张发票累计误差不超过1.27。", tax_of_lines, _ORIGIN),
    Rule("CN-TAX-2", 1, (ERROR, WARN), (), "Exempt lines bear no tax; tax on a difference is on price less deduction.",
         "免税、不征税行无税额；差额征税按差额计税。", exceptions, _ORIGIN),
    Rule("CN-TAX-3", 1, (WARN,), ("issue_date",), "The tax rate was in force on the day of issue.",
         "税率在开票日期有效。", rates_permitted, _ORIGIN),
    Rule("CN-TAX-4", 1, (ERROR,), (), "Words in place of a rate are kept: exempt is not 0 %.",
         "免税、不征税不得视为0%。", rate_words_kept, _ORIGIN),
    Rule("CN-WORD-1", 1, (ERROR,), ("cn_amount_in_words", "total_with_tax"),
         "The amount in words equals the amount in figures.", "大写金额与小写金额一致。", amount_in_words, _ORIGIN),
)  # fmt: skip
