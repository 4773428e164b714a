"""The account to pay to."""

from __future__ import annotations

import pytest

from hunyuan_ocr.extraction.layout import build_layout
from hunyuan_ocr.extraction.payment import add_payment
from hunyuan_ocr.model.evidence import FieldValue
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span

GOOD, ALSO_GOOD, BAD = "DE89 3704 0044 0532 0130 00", "NL91 ABNA 0417 1643 00", "DE89 3704 0044 0532 0130 01"
PATH = "payment.iban_or_account"


def account_on(*rows: str) -> FieldValue | None:
    spans = tuple(
        Span(part, Box(100 + 400 * column, 100 + 30 * row, 100 + 400 * column + 9 * len(part), 115 + 30 * row))
        for row, text in enumerate(rows)
        for column, part in enumerate(text.split("|"))
    )
    values: dict[str, FieldValue] = {}
    add_payment(values, build_layout([Reading(1, Reader.TEXT_LAYER, "test", spans, 595, 842)]))
    return values.get(PATH)


def given(*rows: str) -> str | None:
    value = account_on(*rows)
    return value.chosen.value_norm if value and value.chosen else None


@pytest.mark.parametrize(
    "row", [f"IBAN: {GOOD}", f"IBAN|{GOOD}", f"Bank: Musterbank, IBAN {GOOD} BIC COBADEFFXXX", GOOD]
)
def test_an_iban_is_found_beside_its_label_or_by_its_check_digits(row: str) -> None:
    assert given(row) == GOOD.replace(" ", "")


def test_an_iban_that_fails_its_check_is_given_beside_its_label_for_the_rule_to_reject() -> None:
    assert given(f"IBAN: {BAD}") == BAD.replace(" ", "")
    assert account_on(f"Ref {BAD}") is None


def test_of_several_ibans_none_is_chosen() -> None:
    value = account_on(f"IBAN {GOOD}", f"IBAN {ALSO_GOOD}")
    assert value is not None
    assert value.chosen is None
    assert len(value.others) == 2


def test_the_same_iban_twice_is_one() -> None:
    assert given(f"IBAN {GOOD}", f"IBAN {GOOD.replace(' ', '')}") == GOOD.replace(" ", "")


def test_an_account_that_is_debited_is_the_buyers() -> None:
    assert account_on(f"Der Betrag wird per Lastschrift von IBAN {GOOD} eingezogen.") is None
    assert account_on("We will collect by direct debit from", f"IBAN {GOOD}") is None
