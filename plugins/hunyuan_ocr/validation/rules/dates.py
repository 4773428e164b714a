"""Dates: DATE-1 to DATE-4. All are calendar days; no time zone shifts them."""

from __future__ import annotations

from datetime import timedelta

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed

ERROR, WARN = Severity.ERROR, Severity.WARN

DATE_FIELDS = (
    "issue_date", "due_date", "tax_point_date", "delivery_date", "period_start", "period_end", "preceding_invoice_date",
)  # fmt: skip


def not_from_the_future(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.issue_date is None:
        return not_applicable("No issue date.")
    latest = facts.received_on + timedelta(days=1)
    if invoice.issue_date <= latest:
        return passed("issue_date", expected=latest, actual=invoice.issue_date)
    return failed(
        "issue_date",
        expected=latest,
        actual=invoice.issue_date,
        difference=f"{(invoice.issue_date - latest).days} d",
        message="The issue date is after the document arrived: day and month may be swapped, or the year misread.",
    )


def not_too_old(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.issue_date is None:
        return not_applicable("No issue date.")
    age = (facts.received_on - invoice.issue_date).days
    if age <= facts.policy.max_age_days:
        return passed("issue_date", expected=f"{facts.policy.max_age_days} d", actual=f"{age} d")
    return failed(
        "issue_date",
        expected=f"{facts.policy.max_age_days} d",
        actual=f"{age} d",
        difference=f"{age - facts.policy.max_age_days} d",
        message="The invoice was issued long before it arrived: the year may be misread, or it is late.",
    )


def due_after_issue(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    if invoice.due_date is None or invoice.issue_date is None:
        return not_applicable("No due date.")
    if invoice.due_date >= invoice.issue_date:
        return passed("due_date", "issue_date")
    return failed(
        "due_date",
        "issue_date",
        expected=invoice.issue_date,
        actual=invoice.due_date,
        difference=f"{(invoice.due_date - invoice.issue_date).days} d",
        message="The invoice is due before it was issued: one of the two dates is misread.",
    )


def unambiguous(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """DATE-4: a date that reads as day/month or month/day was left empty by the readers; a person must decide."""
    open_dates = tuple(name for name in DATE_FIELDS if name in facts.ambiguous_fields)
    if open_dates:
        return failed(
            *open_dates,
            message=f"Printed so that day and month can be swapped: {', '.join(open_dates)}. Enter the right date.",
        )
    given = tuple(name for name in DATE_FIELDS if getattr(invoice, name) is not None)
    return passed(*given) if given else not_applicable("No dates.", fields=("issue_date",))


RULES = (
    Rule("DATE-1", 1, (ERROR,), ("issue_date",), "The issue date is at most one day after the document arrived.",
         "开票日期不晚于收到日期后一天。", not_from_the_future, "this project"),
    Rule("DATE-2", 1, (WARN,), ("issue_date",), "The invoice is not older than the limit when it arrives (400 days).",
         "开票日期距收到日期不超过上限（400天）。", not_too_old, "this project"),
    Rule("DATE-3", 1, (ERROR,), ("due_date", "issue_date"), "The invoice is not due before it was issued.",
         "到期日不早于开票日期。", due_after_issue, "this project"),
    Rule("DATE-4", 1, (ERROR,), (), "Every printed date has one reading.", "日期无日月歧义。", unambiguous,
         "this project"),
)  # fmt: skip
