"""What extraction hands over becomes facts: states, confidences, what is ambiguous, what is exact."""

from __future__ import annotations

import pytest

from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.validation.facts import facts_of
from tests.validation.invoices import RECEIVED, change, german_invoice, rejections


def candidate(path: str, raw: str, source: Source = Source.OCR, confidence: float = 0.9) -> Candidate:
    return Candidate(path, raw, raw, source, confidence)


def chosen(path: str, source: Source = Source.OCR, confidence: float = 0.9) -> FieldValue:
    return FieldValue(path, FieldState.PRESENT, candidate(path, "x", source, confidence))


def left_open(path: str, raw: str) -> FieldValue:
    return FieldValue(path, FieldState.ILLEGIBLE, None, (candidate(path, raw),))


@pytest.mark.parametrize(
    ("path", "raw", "is_ambiguous"),
    [
        ("issue_date", "01/02/2026", True),
        ("issue_date", "23/02/2026", False),
        ("currency", "¥", True),
        ("currency", "€", False),
        ("total_with_tax", "1.234", True),
        ("total_with_tax", "1,234.50", False),
        ("invoice_number", "01/02/2026", False),
    ],
)
def test_a_field_left_open_is_ambiguous_when_its_text_has_several_readings(
    path: str, raw: str, is_ambiguous: bool
) -> None:
    assert (path in facts_of("a", RECEIVED, [left_open(path, raw)]).ambiguous_fields) is is_ambiguous


def test_a_field_that_was_settled_is_not_ambiguous() -> None:
    settled = FieldValue("issue_date", FieldState.PRESENT, candidate("issue_date", "01/02/2026"))
    assert facts_of("a", RECEIVED, [settled]).ambiguous_fields == frozenset()


def test_states_confidences_and_reasons_are_kept() -> None:
    known = facts_of(
        "a", RECEIVED, [chosen("invoice_number", confidence=0.3), left_open("due_date", "?")], review_reasons=("why",)
    )
    assert known.confidences == {"invoice_number": 0.3}
    assert known.field_states["due_date"] is FieldState.ILLEGIBLE
    assert rejections(german_invoice(), known) == {"EV-2", "EV-3"}


@pytest.mark.parametrize(
    ("sources", "is_structured"),
    [((Source.XML, Source.OFD), True), ((Source.XML, Source.OCR), False), ((), False)],
)
def test_a_source_is_structured_when_all_mandatory_values_are_exact(
    sources: tuple[Source, ...], is_structured: bool
) -> None:
    values = [chosen(p, s) for p, s in zip(("invoice_number", "total_with_tax"), sources, strict=False)]
    assert facts_of("a", RECEIVED, values).source_is_structured is is_structured


def test_an_amount_with_two_readings_goes_to_review_once() -> None:
    known = facts_of("a", RECEIVED, [left_open("total_with_tax", "1.234")])
    invoice = change(german_invoice(), total_with_tax=None, amount_due=None)
    assert rejections(invoice, known) == {"EV-1"}


def test_a_date_with_two_readings_is_told_once_whatever_its_state() -> None:
    known = facts_of("a", RECEIVED, [left_open("issue_date", "01/02/2026")])
    assert rejections(change(german_invoice(), issue_date=None), known) == {"DATE-4"}
