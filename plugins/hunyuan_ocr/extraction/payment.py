"""The account to pay to: an IBAN beside its label, or anywhere when its check digits prove it.

An account that is debited is the buyer's and is left alone. Whether the account belongs to the seller is not decided
here. Several IBANs are left open: which one to pay to is for a person to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdnum import iban

from hunyuan_ocr.extraction.labels import Region
from hunyuan_ocr.extraction.layout import Chunk, Layout, Row
from hunyuan_ocr.extraction.leads import Lead, candidate_of, lead_of
from hunyuan_ocr.extraction.prompts import Where
from hunyuan_ocr.extraction.values import Found
from hunyuan_ocr.model.evidence import FieldState, FieldValue

_PATH = "payment.iban_or_account"
# ISO 13616: country, two check digits, up to thirty letters and digits; printed in groups of four.
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])")
_LABEL = re.compile(r"\biban\b", re.IGNORECASE)
_DEBITED = re.compile(
    r"direct debit|lastschrift|abgebucht|abbuch|einzug|einzieh|eingezogen|prél[eè]v|domicilia|incasso|adeudo|addebit",
    re.IGNORECASE,
)
_BESIDE_LABEL, _BY_ITSELF, _FAILS_CHECK = 0.97, 0.85, 0.7


@dataclass(frozen=True, slots=True)
class _Account:
    lead: Lead
    is_valid: bool


def add_payment(values: dict[str, FieldValue], layout: Layout) -> None:
    """Add the account to a document's values, in place; one found by its label alone gives way to an IBAN."""
    found: dict[str, _Account] = {}
    for row_no, row in enumerate(layout.rows):
        if _DEBITED.search(row.text) or (row_no and _DEBITED.search(layout.rows[row_no - 1].text)):
            continue
        for column, chunk in enumerate(row.chunks):
            for account in _accounts(row, row_no, chunk, column):
                known = found.get(account.lead.norm)
                if known is None or account.lead.confidence > known.lead.confidence:
                    found[account.lead.norm] = account
    accounts = [each for each in found.values() if each.is_valid] or list(found.values())
    if not accounts:
        return
    candidates = tuple(candidate_of(each.lead, layout) for each in accounts)
    if len(accounts) == 1:
        values[_PATH] = FieldValue(_PATH, FieldState.PRESENT, candidates[0], (), "an IBAN")
    else:
        values[_PATH] = FieldValue(_PATH, FieldState.ILLEGIBLE, None, candidates[:4], "several IBANs are printed")


def _accounts(row: Row, row_no: int, chunk: Chunk, column: int) -> list[_Account]:
    accounts = []
    for match in _IBAN.finditer(chunk.text):
        norm = match.group().replace(" ", "")
        before = " ".join(each.text for each in row.chunks[:column]) + " " + chunk.text[: match.start()]
        is_labelled, is_valid = _LABEL.search(before) is not None, bool(iban.is_valid(norm))
        if not is_valid and not is_labelled:
            continue
        strength = (_BESIDE_LABEL if is_labelled else _BY_ITSELF) if is_valid else _FAILS_CHECK
        region = Region(Where.SAME_SPAN, row_no, column, chunk, 0, len(chunk.text), 1.0)
        value = Found(match.start(), match.end(), match.group(), norm, 1.0, (norm,))
        accounts.append(_Account(lead_of(_PATH, region, value, strength, "iban" if is_labelled else ""), is_valid))
    return accounts
