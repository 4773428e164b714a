"""Planted faults: one wrong thing each, and the rule that must find it.

A fault changes the facts before they are drawn, so the page shows it and the truth says what the page shows.
Rule ids are those of the validation room; other rules may notice the same fault too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from demo.samples import ids
from demo.samples.capital import capital_amount
from demo.samples.facts import InvoiceFacts, cents


@dataclass(frozen=True)
class Fault:
    """What is wrong and what must come of it: ``state`` of the document and the rules that may say why."""

    name: str
    plant: Callable[[InvoiceFacts], InvoiceFacts]
    rule_ids: tuple[str, ...]
    state: str = "review"


def _wrong_total(facts: InvoiceFacts) -> InvoiceFacts:
    total = facts.total + Decimal("100.00")
    words = capital_amount(total) if facts.amount_in_words else None
    return replace(facts, total=total, amount_in_words=words)


def _wrong_line(facts: InvoiceFacts) -> InvoiceFacts:
    """One more of the first article than the totals know of; the line itself stays consistent."""
    first = facts.lines[0]
    if first.quantity is None or first.unit_price is None:
        raise ValueError("the first line has no quantity to change")
    net = cents((first.quantity + 1) * first.unit_price)
    tax = cents(net * first.rate / 100) if first.tax is not None and first.rate is not None else None
    changed = replace(first, quantity=first.quantity + 1, net=net, tax=tax)
    return replace(facts, lines=(changed, *facts.lines[1:]))


def _wrong_line_tax(facts: InvoiceFacts) -> InvoiceFacts:
    first = facts.lines[0]
    wrong = replace(first, tax=(first.tax or Decimal(0)) + Decimal("5.00"))
    changed = replace(facts, lines=(wrong, *facts.lines[1:])).with_totals()
    return replace(changed, amount_in_words=capital_amount(changed.total))


def _bad_seller_id(facts: InvoiceFacts) -> InvoiceFacts:
    if facts.seller.tax_id is None:
        raise ValueError("this seller has no tax id to spoil")
    return replace(facts, seller=replace(facts.seller, tax_id=ids.broken(facts.seller.tax_id)))


def _words_differ(facts: InvoiceFacts) -> InvoiceFacts:
    return replace(facts, amount_in_words=capital_amount(facts.total + Decimal("300.00")))


def _bad_iban(facts: InvoiceFacts) -> InvoiceFacts:
    return replace(facts, seller=replace(facts.seller, account=ids.broken(facts.seller.account)))


def _due_before_issue(facts: InvoiceFacts) -> InvoiceFacts:
    return replace(facts, due_date=facts.issue_date - timedelta(days=10))


WRONG_TOTAL = Fault("wrong_total", _wrong_total, ("BR-CO-15",))
# Where no sum of the lines is printed, the total without tax is compared with them.
WRONG_LINE = Fault("wrong_line", _wrong_line, ("BR-CO-10", "BR-CO-13"))
BAD_VAT_ID = Fault("bad_vat_id", _bad_seller_id, ("ID-VAT-EU",))
BAD_IBAN = Fault("bad_iban", _bad_iban, ("PAY-IBAN",))
DUE_BEFORE_ISSUE = Fault("due_before_issue", _due_before_issue, ("DATE-3",))
CN_WRONG_TOTAL = Fault("cn_wrong_total", _wrong_total, ("CN-AMT-1",))
CN_WRONG_LINE = Fault("cn_wrong_line", _wrong_line, ("CN-AMT-2",))
CN_WRONG_LINE_TAX = Fault("cn_wrong_line_tax", _wrong_line_tax, ("CN-TAX-1",))
CN_BAD_TAX_ID = Fault("cn_bad_tax_id", _bad_seller_id, ("CN-ID-2",))
CN_WORDS_DIFFER = Fault("cn_words_differ", _words_differ, ("CN-WORD-1",))

WESTERN_FAULTS = (WRONG_TOTAL, WRONG_LINE, BAD_VAT_ID, BAD_IBAN, DUE_BEFORE_ISSUE)
CHINESE_FAULTS = (CN_WRONG_TOTAL, CN_WRONG_LINE, CN_WRONG_LINE_TAX, CN_BAD_TAX_ID, CN_WORDS_DIFFER)
