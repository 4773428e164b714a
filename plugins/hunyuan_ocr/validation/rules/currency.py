"""The currency: CUR-1 (an active ISO 4217 code) and CUR-2 (a symbol such as ``¥`` or ``$`` was resolved)."""

from __future__ import annotations

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.model.parsing.currencies import is_active_currency
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed

ERROR = Severity.ERROR


def is_active(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """CUR-1: withdrawn, invented and non-money codes (gold, test) fail."""
    given = [(name, code) for name in ("currency", "tax_currency") if (code := getattr(invoice, name)) is not None]
    wrong = [(name, code) for name, code in given if not is_active_currency(code)]
    if not wrong:
        return passed(*(name for name, _ in given))
    return failed(
        *(name for name, _ in wrong),
        expected="an active ISO 4217 code",
        actual=wrong[0][1],
        message="The currency is not an active ISO 4217 currency: the code is misread or withdrawn.",
    )


def is_resolved(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.currency is not None:
        return passed("currency")
    if "currency" in facts.ambiguous_fields:
        return failed(
            "currency",
            message="The printed symbol stands for several currencies (¥: CNY or JPY; $: any dollar): choose one.",
        )
    return not_applicable("No currency is printed.", fields=("currency",))


RULES = (
    Rule("CUR-1", 1, (ERROR,), ("currency",), "The currency is an active ISO 4217 code.", "币种为有效的ISO 4217代码。",
         is_active, "ISO 4217"),
    Rule("CUR-2", 1, (ERROR,), (), "The currency symbol stands for one currency only.", "币种符号无歧义。", is_resolved,
         "this project"),
)  # fmt: skip
