"""Currencies are named by code, symbol or word; what a symbol leaves open stays open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.parsing.currencies import find_currency, is_active_currency, minor_unit


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Total (EUR)", "EUR"), ("12,00 €", "EUR"), ("£5", "GBP"), ("Rs. 5", "INR"), ("₹5", "INR"), ("RM5", "MYR"),
        ("US$5", "USD"), ("C$5", "CAD"), ("A$5", "AUD"), ("S$5", "SGD"), ("HK$5", "HKD"), ("R$5", "BRL"),
        ("5 zł", "PLN"), ("CHF", "CHF"), ("单位：元", "CNY"), ("人民币", "CNY"), ("壹佰元整", "CNY"),
        ("12.00元", "CNY"),
        ("$ 12.00 USD", "USD"), ("¥ 12.00 CNY", "CNY"), ("100円", "JPY"), ("TRY 12,50", "TRY"), ("eur", "EUR"),
    ],
)  # fmt: skip
def test_named_beyond_doubt(text: str, code: str) -> None:
    hint = find_currency(text)
    assert hint is not None
    assert (hint.code, hint.codes) == (code, (code,))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("¥12", {"CNY", "JPY"}),
        ("￥12", {"CNY", "JPY"}),
        ("$5", {"USD", "CAD", "AUD"}),
        ("5 kr", {"SEK", "NOK", "DKK"}),
        ("USD EUR", {"USD", "EUR"}),
    ],
)
def test_ambiguous_marks_stay_open(text: str, codes: set[str]) -> None:
    hint = find_currency(text)
    assert hint is not None
    assert hint.code is None
    assert codes <= set(hint.codes)


@pytest.mark.parametrize(
    "text", ["EUROPE", "USB", "AUSTRALIA", "单元 元件", "圆珠笔", "TOP 10", "Fr. 12", "alle", "CADE", ""]
)
def test_words_are_no_currencies(text: str) -> None:
    assert find_currency(text) is None


def test_minor_units() -> None:
    assert (minor_unit("EUR"), minor_unit("JPY"), minor_unit("KWD"), minor_unit("CNY")) == (2, 0, 3, 2)


@pytest.mark.parametrize("code", ["DEM", "XAU", "XXX", "eur", "RMB", ""])
def test_only_active_currencies_have_a_minor_unit(code: str) -> None:
    assert not is_active_currency(code)
    with pytest.raises(ValueError, match="not an active ISO 4217"):
        minor_unit(code)


@given(st.text() | st.text(alphabet="EURUSD$¥元整 123.,圆kr", max_size=20))
def test_arbitrary_text_never_raises_and_codes_are_active(text: str) -> None:
    hint = find_currency(text)
    if hint is not None:
        assert hint.codes
        assert all(is_active_currency(code) for code in hint.codes)
        assert hint.code is None or hint.codes == (hint.code,)
