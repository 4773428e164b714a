"""Signed money is read in every notation people print; nothing is guessed and nothing else is taken for money."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.parsing.money import Notation, find_money, notation_of, parse_money

AMOUNTS = st.decimals(min_value=Decimal("-999999999.99"), max_value=Decimal("999999999.99"), places=2)


def amount_of(text: str, notation: Notation | None = None) -> Decimal | None:
    parsed = parse_money(text, notation)
    return None if parsed is None or parsed.is_ambiguous else parsed.amount


def grouped(amount: Decimal, separator: str, point: str) -> str:
    return f"{abs(amount):,.2f}".replace(",", "\0").replace(".", point).replace("\0", separator)


def grouped_in_india(amount: Decimal) -> str:
    whole, cents = f"{abs(amount):.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*pairs, tail]) + "." + cents


class TestSignIsKept:
    @pytest.mark.parametrize(
        "text",
        [
            "-500.00", "(500.00)", "500.00-", "\u2212500.00", "\uff0d500.00", "- 500.00", "¥-500.00", "-¥500.00",
            "¥ -500.00", "¥ (500.00)", "(¥500.00)", "（500.00）", "500.00 CR", "500.00CR", "EUR -500,00",
            "500,00- EUR",
            "500.00-EUR", "-500,00 €", "(500,00) €", "(500,00 €)", "($500.00)", "-$500.00", "$-500.00", "500,00€-",
        ],
    )  # fmt: skip
    def test_negative(self, text: str) -> None:
        assert amount_of(text) == Decimal("-500.00")

    @pytest.mark.parametrize("text", ["500.00", "+500.00", "500.00 DR", "500,00", "*500.00*", "=500.00", "500.00."])
    def test_positive(self, text: str) -> None:
        assert amount_of(text) == Decimal("500.00")

    def test_zero_has_no_sign(self) -> None:
        parsed = parse_money("-0.00")
        assert parsed is not None
        assert str(parsed.amount) == "0.00"

    def test_a_loose_dash_after_a_label_stays_ambiguous(self) -> None:
        (match,) = find_money("Total - 12.00")
        assert match.parsed.readings == (Decimal("12.00"), Decimal("-12.00"))


class TestNotations:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("CNY 12，345.67", "12345.67"), ("￥１，２３４．５６", "1234.56"), ("1,234.56", "1234.56"),
            ("1.234,56", "1234.56"), ("1 234,56", "1234.56"), ("1\u00a0234,56", "1234.56"),
            ("1\u202f234,56", "1234.56"), ("1'234.56", "1234.56"), ("1’234.56", "1234.56"),
            ("1,23,456.78", "123456.78"), ("₹ 1,23,456", "123456"), ("1.939,-", "1939"), ("12,-", "12"),
            ("12.—", "12"), ("1'200.-", "1200"), ("Rs. 500/-", "500"), ("100元", "100"),
            ("人民币100.00元整", "100.00"),
            ("1, 234. 56", "1234.56"), ("1 ,234.56", "1234.56"), ("12 . 50", "12.50"), (".50", "0.50"), ("0,5", "0.5"),
            ("1.234.567", "1234567"), ("1,234,567", "1234567"), ("1 234 567", "1234567"), ("12", "12"),
            ("4.42477876106195", "4.42477876106195"), ("1234.567", "1234.567"), ("0.123", "0.123"),
        ],
    )  # fmt: skip
    def test_reads(self, text: str, amount: str) -> None:
        assert amount_of(text) == Decimal(amount)

    @pytest.mark.parametrize("text", ["1.234", "1,234", "999.000", "EUR 1.234"])
    def test_one_group_of_three_stays_ambiguous(self, text: str) -> None:
        parsed = parse_money(text)
        assert parsed is not None
        assert parsed.is_ambiguous
        assert parsed.readings[0] == parsed.readings[1] * 1000

    def test_the_notation_decides(self) -> None:
        assert amount_of("1.234", Notation.POINT) == Decimal("1.234")
        assert amount_of("1.234", Notation.COMMA) == Decimal("1234")
        assert amount_of("1,234", Notation.POINT) == Decimal("1234")
        assert amount_of("1,234", Notation.COMMA) == Decimal("1.234")

    def test_the_notation_never_overrules_the_separators(self) -> None:
        assert amount_of("1.234,56", Notation.POINT) == Decimal("1234.56")
        assert amount_of("1,234.56", Notation.COMMA) == Decimal("1234.56")

    @given(AMOUNTS, st.sampled_from([(",", "."), (".", ","), (" ", ","), ("\u00a0", ","), ("\u202f", ","), ("'", "."),
                                     ("’", "."), ("", "."), ("", ","), ("，", "．")]))  # fmt: skip
    def test_round_trip(self, amount: Decimal, separators: tuple[str, str]) -> None:
        printed = grouped(amount, *separators)
        sign = "-" if amount < 0 else ""
        for text in (
            f"{sign}{printed}", f"{sign}{printed} €", f"{sign}€ {printed}", f"EUR {sign}{printed}", f"{printed}{sign}",
            f"({printed})" if sign else printed, f"{printed} CR" if sign else printed,
        ):  # fmt: skip
            assert amount_of(text) == amount, text

    @given(AMOUNTS)
    def test_indian_grouping_round_trip(self, amount: Decimal) -> None:
        assert amount_of(("-" if amount < 0 else "") + grouped_in_india(amount)) == amount

    @given(AMOUNTS)
    def test_full_width_round_trip(self, amount: Decimal) -> None:
        wide = str.maketrans("0123456789.,-", "０１２３４５６７８９．，－")
        assert amount_of(f"￥{amount:,.2f}".translate(wide)) == amount


class TestNotMoney:
    @pytest.mark.parametrize(
        "text",
        [
            "***", "", " ", "INV100", "100INV", "19 %", "19%", "19.00%", "2019-11-15", "15.11.2019", "15/11/2019",
            "2024年1月5日", "20191115", "12:30", "1234567890123456", "00015045", "1,2345.67", "1.2.3", "500万元",
            "USD 5 million", "2x12.00", "Total", "Total 12.00", "12.00 13.00", "1,234.56,78", "١٢٣", "12²", "5kg",
        ],
    )  # fmt: skip
    def test_refused(self, text: str) -> None:
        assert parse_money(text) is None

    @pytest.mark.parametrize(
        "text",
        ["DE89 0044", "No.12345", "#100", "A-100", "100-200", "12.00-13.00", "10:30:59", "1.2.3.4", "25/12/2018",
         "January 28,2019", "共3页第1页", "VAT 19 %", "00015045", "x1,2345.67"],
    )  # fmt: skip
    def test_never_half_a_number(self, text: str) -> None:
        assert find_money(text) == []


class TestCurrency:
    @pytest.mark.parametrize(
        ("text", "code", "symbol"),
        [
            ("€ 12,50", "EUR", "€"), ("12,50 €", "EUR", "€"), ("US$ 12.00", "USD", "US$"), ("$12.00", None, "$"),
            ("RM12.50", "MYR", "RM"), ("Rs. 5", "INR", "Rs."), ("￥5.00", None, "¥"), ("¥5.00元", "CNY", "¥"),
            ("$12.00 USD", "USD", "$"), ("TOP 10.00", "TOP", "TOP"), ("12,00 zł", "PLN", "zł"), ("5.00", None, None),
            ("kr 5,00", None, "kr"), ("HK$5.00", "HKD", "HK$"), ("CHF 1'200.-", "CHF", "CHF"),
            ("eur 5,00", "EUR", "eur"),
        ],
    )  # fmt: skip
    def test_code_only_when_the_mark_leaves_no_choice(self, text: str, code: str | None, symbol: str | None) -> None:
        parsed = parse_money(text)
        assert parsed is not None
        assert (parsed.currency, parsed.currency_symbol) == (code, symbol)

    def test_a_mark_belongs_to_one_amount(self) -> None:
        text = "5 $12.00 $60.00 EUR 5.00 USD 6.00"
        assert [text[m.start : m.end] for m in find_money(text)] == ["5", "$12.00", "$60.00", "EUR 5.00", "USD 6.00"]
        text = "100.00 EUR 19.00 EUR"
        assert [text[m.start : m.end] for m in find_money(text)] == ["100.00 EUR", "19.00 EUR"]


class TestFinding:
    def test_among_labels(self) -> None:
        text = "合计金额￥１００．００税额13.00, TOTAL......1,234.56 Rabatt -5,00 (2.50)"
        assert [text[m.start : m.end] for m in find_money(text)] == [
            "￥１００．００", "13.00", "1,234.56", "-5,00", "(2.50)",
        ]  # fmt: skip

    def test_spaces_separate_columns_where_a_text_groups_otherwise(self) -> None:
        text = "2 100,00 1.200,00"
        assert [text[m.start : m.end] for m in find_money(text)] == ["2", "100,00", "1.200,00"]

    def test_brackets_around_a_bare_number_are_a_remark(self) -> None:
        assert [m.parsed.amount for m in find_money("Item (3) 12.00")] == [Decimal(3), Decimal("12.00")]

    @given(st.lists(st.tuples(st.sampled_from(["Total ", "合计:", "x: ", "Summe EUR ", "| "]), AMOUNTS), max_size=5))
    def test_positions_are_right(self, pieces: list[tuple[str, Decimal]]) -> None:
        text = " ".join(f"{label}{amount:,.2f}" for label, amount in pieces)
        found = find_money(text)
        assert [match.parsed.amount for match in found] == [amount for _, amount in pieces]
        for match, (_, amount) in zip(found, pieces, strict=True):
            assert text[match.start : match.end].endswith(f"{abs(amount):,.2f}")

    @given(st.text() | st.text(alphabet="0123456789.,'-() €$¥元%EURCRx/:\u00a0", max_size=40))
    def test_arbitrary_text_never_raises_and_matches_never_overlap(self, text: str) -> None:
        parse_money(text)
        end = 0
        for match in find_money(text):
            assert end <= match.start < match.end <= len(text)
            end = match.end
            assert all(isinstance(reading, Decimal) for reading in match.parsed.readings)
            assert match.parsed.amount == match.parsed.readings[0]


class TestNotationOfADocument:
    def test_proven(self) -> None:
        assert notation_of(["Summe 1.234", "Netto 12,50", "1.000,00"]) is Notation.COMMA
        assert notation_of(["Total 1,234", "12.50"]) is Notation.POINT

    def test_ambiguous_amounts_prove_nothing(self) -> None:
        assert notation_of(["1.234", "5,678", "100", "no numbers"]) is None

    def test_disagreement_proves_nothing_but_a_stray_is_outvoted(self) -> None:
        assert notation_of(["12,50", "12.50"]) is None
        assert notation_of(["12,50", "1.000,00", "7,25", "8,30", "um 14.30 Uhr"]) is Notation.COMMA
