"""What extraction knows about its values, as the facts the rules need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from hunyuan_ocr.model.evidence import FieldValue, Source
from hunyuan_ocr.model.parsing.currencies import find_currency
from hunyuan_ocr.model.parsing.dates import parse_date
from hunyuan_ocr.model.parsing.money import parse_money
from hunyuan_ocr.validation.rules.base import InvoiceFacts, RulePolicy
from hunyuan_ocr.validation.rules.dates import DATE_FIELDS
from hunyuan_ocr.validation.rules.mandatory import TERMS

_EXACT = frozenset({Source.XML, Source.OFD, Source.CII})
_AMOUNTS = frozenset({"total_with_tax", "total_without_tax", "total_tax", "amount_due"})


def facts_of(
    invoice_id: str,
    received_on: date,
    field_values: Iterable[FieldValue],
    *,
    review_reasons: tuple[str, ...] = (),
    policy: RulePolicy | None = None,
) -> InvoiceFacts:
    """The facts of one invoice from its field values.

    A field without a chosen candidate is ambiguous when a candidate's printed text has several readings. The source
    is structured when every mandatory value that was chosen is exact data.
    """
    by_path = {value.field_path: value for value in field_values}
    return InvoiceFacts(
        invoice_id=invoice_id,
        received_on=received_on,
        field_states={path: value.state for path, value in by_path.items()},
        confidences={path: value.confidence for path, value in by_path.items() if value.chosen is not None},
        review_reasons=review_reasons,
        ambiguous_fields=frozenset(path for path, value in by_path.items() if _is_ambiguous(value)),
        source_is_structured=_is_structured(by_path),
        policy=policy or RulePolicy(),
    )


def _is_structured(by_path: Mapping[str, FieldValue]) -> bool:
    chosen = [value.chosen for term in TERMS if (value := by_path.get(term.field)) is not None]
    sources = [candidate.source for candidate in chosen if candidate is not None]
    return bool(sources) and all(source in _EXACT for source in sources)


def _is_ambiguous(value: FieldValue) -> bool:
    if value.chosen is not None:
        return False
    # A model's answer that stands nowhere on the page leaves nothing undecided about the page.
    printed = [candidate for candidate in value.others if candidate.source is not Source.VLM]
    return any(_has_several_readings(value.field_path, candidate.value_raw) for candidate in printed)


def _has_several_readings(field_path: str, text: str) -> bool:
    if field_path in DATE_FIELDS:
        day = parse_date(text)
        return day is not None and day.is_ambiguous
    if field_path == "currency":
        hint = find_currency(text)
        return hint is not None and hint.code is None
    if field_path in _AMOUNTS:
        amount = parse_money(text)
        return amount is not None and amount.is_ambiguous
    return False
