"""Numbers, codes and marks of Chinese VAT invoices: CN-NUM-1 to -4, CN-CHK-1, CN-RED-1."""

from __future__ import annotations

import re

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import DocumentKind, Invoice
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed
from hunyuan_ocr.validation.rules.chinese import (
    CLASSIC_TYPES,
    DIGITAL_TYPES,
    PAPER_COPY_TYPES,
    is_chinese_vat,
    refers_to_original,
)

ERROR, WARN = Severity.ERROR, Severity.WARN

_TWENTY = re.compile(r"[0-9]{20}", re.ASCII)
_EIGHT = re.compile(r"[0-9]{8}", re.ASCII)
_CODE_DIGITS = {"01": (10,), "04": (10, 12)}

# The last two digits of a 12-digit code that starts with 0 name the type; so does the 8th digit of a 10-digit code.
_TYPE_BY_ENDING = {
    "04": "04", "05": "04", "06": "11", "07": "11", "11": "10", "12": "14", "13": "08", "17": "15",
}  # fmt: skip
_TYPE_BY_EIGHTH = {"1": "01", "5": "01", "3": "04", "6": "04"}
_LEGACY_E_CODES = frozenset({"144031539110", "131001570151", "133011501118", "111001571071"})

# GB/T 2260 provinces; cities planned separately (Dalian, Ningbo, Xiamen, Qingdao, Shenzhen) have numbers of their own.
_REGIONS = frozenset(
    str(number)
    for numbers in (
        range(11, 16),
        range(21, 24),
        range(31, 38),
        range(41, 47),
        range(50, 55),
        range(61, 66),
        range(91, 96),
    )
    for number in numbers
)

_NOT_CHINESE = "Not a Chinese VAT invoice."


def _is_digital(invoice: Invoice) -> bool:
    kind = invoice.cn_invoice_type
    return kind in DIGITAL_TYPES or (kind is None and invoice.cn_invoice_code is None)


def digital_number(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-NUM-1; without a printed type, an invoice without a code is judged as a digital one."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    number = invoice.invoice_number or ""
    if invoice.cn_invoice_type in PAPER_COPY_TYPES:
        names = ("cn_invoice_code", "invoice_number", "cn_einvoice_number")
        if any(getattr(invoice, name) is None for name in names):
            return failed(
                *names, message="A paper copy of a digital invoice prints a code and both numbers: one is missing."
            )
        if _EIGHT.fullmatch(number) and _TWENTY.fullmatch(invoice.cn_einvoice_number or ""):
            return passed(*names)
        return failed(*names, expected="8 and 20 digits", actual=number, message="A digit is missing or misread.")
    if not _is_digital(invoice):
        return not_applicable("Not a digital invoice.", fields=("invoice_number",))
    if invoice.cn_invoice_code is not None:
        return failed(
            "cn_invoice_code", actual=invoice.cn_invoice_code, message="A digital invoice has no invoice code."
        )
    if _TWENTY.fullmatch(number):
        return passed("invoice_number")
    return failed(
        "invoice_number",
        expected="20 digits",
        actual=number,
        message="A digital invoice's number has 20 digits; with 8 digits, an invoice code is missing.",
    )


def classic_number(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-NUM-2; without a printed type, a 10 or 12-digit code is required."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    kind, code = invoice.cn_invoice_type, invoice.cn_invoice_code
    if kind not in CLASSIC_TYPES and not (kind is None and code is not None):
        return not_applicable("Not an invoice with a code.", fields=("cn_invoice_code",))
    if code is None:
        return failed(
            "cn_invoice_code", message="This type of invoice prints an invoice code (发票代码): it was not read."
        )
    lengths = (10, 12) if kind is None else _CODE_DIGITS.get(kind, (12,))
    if not (code.isascii() and code.isdigit() and len(code) in lengths):
        wanted = " or ".join(map(str, lengths))
        return failed(
            "cn_invoice_code",
            expected=f"{wanted} digits",
            actual=code,
            message=f"The invoice code must have {wanted} digits.",
        )
    if not _EIGHT.fullmatch(invoice.invoice_number or ""):
        return failed(
            "invoice_number",
            expected="8 digits",
            actual=invoice.invoice_number,
            message="The invoice number must have 8 digits.",
        )
    return passed("cn_invoice_code", "invoice_number")


def type_of_code(code: str) -> str | None:
    """The invoice type an invoice code stands for, or ``None`` when the code does not say.

    >>> type_of_code("4200161350"), type_of_code("011001900104"), type_of_code("011002000611")
    ('04', '04', '10')
    """
    if code in _LEGACY_E_CODES:
        return "10"
    if len(code) == 10:
        return _TYPE_BY_EIGHTH.get(code[7])
    if len(code) == 12:
        return _TYPE_BY_ENDING.get(code[-2:]) if code.startswith("0") else "03"
    return None


def type_agrees(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.cn_invoice_type not in CLASSIC_TYPES:
        return not_applicable("The code of this type does not name it.")
    expected = type_of_code(invoice.cn_invoice_code or "")
    if expected is None:
        return not_applicable("This invoice code does not say its type.")
    if expected == invoice.cn_invoice_type:
        return passed()
    return failed(
        "cn_invoice_type",
        "cn_invoice_code",
        expected=expected,
        actual=invoice.cn_invoice_type,
        message="The invoice code belongs to another type of invoice: the code or the title is misread.",
    )


def number_is_plausible(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    number = invoice.cn_einvoice_number or invoice.invoice_number or ""
    name = "cn_einvoice_number" if invoice.cn_einvoice_number else "invoice_number"
    if not is_chinese_vat(invoice) or not _TWENTY.fullmatch(number) or invoice.issue_date is None:
        return not_applicable("Not a 20-digit number.", fields=(name,))
    year = f"{invoice.issue_date:%y}"
    if number[:2] != year:
        return failed(
            name, "issue_date", expected=year, actual=number[:2],
            message="The number's first two digits are not the year of issue: the number or the date is misread.",
        )  # fmt: skip
    if number[2:4] not in _REGIONS:
        return failed(
            name, actual=number[2:4], message="Digits 3 and 4 of the number are no region: a digit is misread."
        )
    return passed(name, "issue_date")


def check_code(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    code, kind = invoice.cn_check_code, invoice.cn_invoice_type
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    if kind in {"04", "10", "11", "14"}:
        if code is None:
            return not_applicable("No check code (校验码) was read.")
        if _TWENTY.fullmatch(code):
            return passed("cn_check_code")
        return failed("cn_check_code", expected="20 digits", actual=code, message="The check code must have 20 digits.")
    if kind == "01" or (kind in DIGITAL_TYPES):
        if code is None:
            return passed("cn_check_code")
        return failed(
            "cn_check_code", actual=code, message="This type of invoice has no check code: another number was read."
        )
    return not_applicable("The invoice type does not say whether there is a check code.", fields=("cn_check_code",))


def red_invoice(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CN-RED-1 without the history: signs agree, and the original is named. Over-crediting needs the staging tables."""
    if not is_chinese_vat(invoice):
        return not_applicable(_NOT_CHINESE)
    words = invoice.cn_amount_in_words
    signs = {
        "document_kind": invoice.document_kind is DocumentKind.CREDIT_NOTE,
        "cn_is_red": invoice.cn_is_red,
        "total_with_tax": None if not invoice.total_with_tax else invoice.total_with_tax < 0,
        "cn_amount_in_words": None if words is None else "负" in words,
    }
    if not any(signs.values()):
        return not_applicable("Not a red invoice.", fields=("cn_is_red",))
    if False in signs.values():
        agree = [name for name, is_red in signs.items() if is_red]
        return failed(
            *(name for name, is_red in signs.items() if is_red is not None),
            message=(
                f"Only {', '.join(agree)} say(s) that this is a red invoice (红字). Compare kind, sign and "
                "amount in words with the document."
            ),
        )
    positive = [n for n in ("total_without_tax", "total_tax") if (getattr(invoice, n) or 0) > 0]
    if positive:
        return failed(*positive, message="A red invoice's totals are all negative: a minus was lost.")
    if not refers_to_original(invoice):
        return failed(
            "preceding_invoice_number",
            "note",
            message="A red invoice names the invoice it reverses (备注): it was not read. Enter its number.",
        )
    return passed(*signs)


RULES = (
    Rule("CN-NUM-1", 1, (ERROR,), ("invoice_number",),
         "A digital invoice has a number of 20 digits and no code; its paper copy has code, 8 digits and 20 digits.",
         "数电票号码为20位且无发票代码；数电纸质发票有代码、8位号码和20位号码。", digital_number,
         "State Taxation Administration"),
    Rule("CN-NUM-2", 1, (ERROR,), ("invoice_number",),
         "A classic VAT invoice has a code of 10 or 12 digits and a number of 8 digits.",
         "税控发票代码为10位或12位，号码为8位。", classic_number, "State Taxation Administration"),
    Rule("CN-NUM-3", 1, (WARN,), ("cn_invoice_type", "cn_invoice_code"),
         "The invoice code belongs to the printed type of invoice.", "发票代码与发票种类一致。", type_agrees,
         "observed practice"),
    Rule("CN-NUM-4", 1, (WARN,), ("invoice_number", "issue_date"),
         "A 20-digit number starts with the year of issue and a region.", "20位号码的前两位为年份，第3-4位为地区代码。",
         number_is_plausible, "State Taxation Administration"),
    Rule("CN-CHK-1", 1, (WARN,), (), "A check code has 20 digits, and only types that print one have it.",
         "校验码为20位，仅部分发票种类印有校验码。", check_code, "State Taxation Administration"),
    Rule("CN-RED-1", 1, (ERROR,), (), "A red invoice is red in kind, sign and words, and names what it reverses.",
         "红字发票的种类、金额符号、大写一致，并注明对应蓝字发票。", red_invoice, "State Taxation Administration"),
)  # fmt: skip
