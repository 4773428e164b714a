"""An amount in words reads back exactly, in every form that is written, and nothing else is taken for one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.parsing.cn_amount import format_capital_amount, parse_capital_amount

FEN = st.integers(min_value=-(10**14), max_value=10**14)
EVERYDAY = str.maketrans("零壹贰叁肆伍陆柒捌玖拾佰仟圆整", "〇一二三四五六七八九十百千元正")
TRADITIONAL = str.maketrans("贰叁陆万亿圆", "貳參陸萬億圓")


@given(FEN)
def test_what_is_written_reads_back(fen: int) -> None:
    amount = Decimal(fen) / 100
    words = format_capital_amount(amount)
    assert parse_capital_amount(words) == amount
    assert parse_capital_amount(f"ⓧ{words}") == amount
    assert parse_capital_amount(f"人民币（大写）：{words}") == amount
    assert parse_capital_amount(" ".join(words)) == amount
    assert parse_capital_amount(words.translate(EVERYDAY)) == amount
    assert parse_capital_amount(words.translate(TRADITIONAL)) == amount
    assert parse_capital_amount(words.removesuffix("整")) == amount


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1234.56", "壹仟贰佰叁拾肆圆伍角陆分"), ("100", "壹佰圆整"), ("0.05", "伍分"), ("0.75", "柒角伍分"),
        ("3.70", "叁圆柒角整"), ("100.05", "壹佰圆零伍分"), ("0", "零圆整"), ("10", "壹拾圆整"),
        ("10001", "壹万零壹圆整"), ("107000.53", "壹拾万柒仟圆伍角叁分"), ("100100", "壹拾万零壹佰圆整"),
        ("1000000000000", "壹万亿圆整"), ("-123", "（负数）壹佰贰拾叁圆整"),
        ("300004034.42", "叁亿零肆仟零叁拾肆圆肆角贰分"),
    ],
)  # fmt: skip
def test_bank_form(amount: str, words: str) -> None:
    assert format_capital_amount(Decimal(amount)) == words


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("柒角伍分", "0.75"), ("（负数）柒角伍分", "-0.75"), ("负壹佰元", "-100"), ("(负)壹佰元", "-100"),
        ("拾圆整", "10"),
        ("负数壹佰元整", "-100"), ("人民币（负数）壹佰元", "-100"), ("（负数）人民币壹佰元", "-100"),
        ("⊗壹仟元正", "1000"),
        ("×壹仟元正", "1000"), ("两佰元", "200"), ("人民币壹拾万零柒仟元零伍角叁分", "107000.53"),
        ("零万零仟伍佰零拾零元零角零分", "500"), ("ⓧ拾ⓧ万叁仟圆整", "3000"), ("一百〇五元", "105"), ("零圆整", "0"),
        ("价税合计（大写） ⓧ 叁佰元整", "300"), ("壹佰圆零角伍分", "100.05"), ("叁佰元整。", "300"),
    ],
)  # fmt: skip
def test_forms_that_are_written_by_hand_and_by_software(words: str, amount: str) -> None:
    assert parse_capital_amount(words) == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    ["", "圆", "整", "壹佰", "壹贰叁圆", "亿圆", "万圆", "壹佰元壹佰元", "100元", "***", "壹佰元某某公司",
    "壹圆伍角陆角",
     "负", "元角分", "伍分叁角", "零" * 5000 + "X"],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert parse_capital_amount(text) is None


@pytest.mark.parametrize("amount", ["0.001", "1E+16", "NaN", "Infinity"])
def test_what_cannot_be_written_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="round it first"):
        format_capital_amount(Decimal(amount))


@given(st.text() | st.text(alphabet="零壹贰拾佰仟万亿圆元角分整负数（）ⓧ〇一十", max_size=100))
def test_arbitrary_text_never_raises(text: str) -> None:
    amount = parse_capital_amount(text)
    assert amount is None or amount.as_tuple().exponent == -2
