"""Payment accounts: PAY-IBAN and PAY-BIC. That the account belongs to the supplier is not decided here."""

from __future__ import annotations

import re

from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban
from stdnum.exceptions import ValidationError

from hunyuan_ocr.model.findings import Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, Ruling, failed, not_applicable, passed

ERROR, WARN = Severity.ERROR, Severity.WARN

_IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9OI]{2}[A-Z0-9]{6,30}")
_ACCOUNT_DIGITS = re.compile(r"[0-9]{8,30}", re.ASCII)


def _compact(text: str) -> str:
    return re.sub(r"[\s.\-]", "", text).upper()


def iban(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    """PAY-IBAN: mod 97, length and structure of the country; an account that is no IBAN has 8 to 30 digits."""
    accounts = [
        (f"payments[{at}].iban_or_account", _compact(payment.iban_or_account))
        for at, payment in enumerate(invoice.payments)
        if payment.iban_or_account is not None
    ]
    if not accounts:
        return not_applicable("No account was read.", fields=("payments",))
    wrong: list[tuple[str, str, Severity]] = []
    for path, account in accounts:
        if _IBAN_LIKE.fullmatch(account):
            try:
                stdnum_iban.validate(account)
            except ValidationError:
                wrong.append((path, account, ERROR))
        elif not _ACCOUNT_DIGITS.fullmatch(account):
            wrong.append((path, account, WARN))
    if not wrong:
        return passed(*(path for path, _ in accounts))
    severity = ERROR if any(row[2] is ERROR for row in wrong) else WARN
    path, account, _ = next(row for row in wrong if row[2] is severity)
    return failed(
        *dict.fromkeys([path, *(row[0] for row in wrong)]),
        actual=account,
        message=(
            "The IBAN fails its check digits or has the wrong length: compare it with the document before paying."
            if severity is ERROR
            else "The account is neither an IBAN nor a number of 8 to 30 digits: compare it with the document."
        ),
        severity=severity,
    )


def bic(invoice: Invoice, facts: InvoiceFacts) -> Ruling:
    codes = [(f"payments[{at}].bic", p.bic) for at, p in enumerate(invoice.payments) if p.bic is not None]
    if not codes:
        return not_applicable("No BIC was read.", fields=("payments",))
    wrong = [(path, code) for path, code in codes if not stdnum_bic.is_valid(code)]
    if not wrong:
        return passed(*(path for path, _ in codes))
    return failed(
        *(path for path, _ in wrong),
        expected="8 or 11 characters: bank, country, place, branch",
        actual=wrong[0][1],
        message="The BIC has not the form of one: compare it with the document.",
    )


RULES = (
    Rule("PAY-IBAN", 1, (ERROR, WARN), ("payments",), "The account is a valid IBAN, or a number of 8 to 30 digits.",
         "收款账号为有效的IBAN或8至30位数字。", iban, "ISO 13616"),
    Rule("PAY-BIC", 1, (WARN,), ("payments",), "The bank's BIC has the right form.", "银行BIC代码格式正确。", bic,
         "ISO 9362"),
)  # fmt: skip
