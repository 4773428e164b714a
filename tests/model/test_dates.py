"""Dates are read in every usual form; what has two readings keeps them, and no date is ever made up or shifted."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.parsing.dates import DateOrder, date_order_of, find_dates, parse_date

DATES = st.dates(min_value=date(1970, 1, 1), max_value=date(2069, 12, 31))
MONTHS = {
    "en": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"],
    "de": ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
           "Dezember"],
    "fr": ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
           "décembre"],
    "es": ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
           "noviembre", "diciembre"],
    "nl": ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
           "november", "december"],
    "it": ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre",
           "novembre", "dicembre"],
    "pt": ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
           "novembro", "dezembro"],
}  # fmt: skip


def value_of(text: str, order: DateOrder | None = None) -> date | None:
    parsed = parse_date(text, order)
    return parsed.value if parsed else None


@pytest.mark.parametrize(
    "text",
    [
        "2024年01月05日", "2024 年 1 月 5 日", "2024年1月5", "２０２４年１月５日", "二〇二四年一月五日", "2024-01-05",
        "2024/1/5", "2024.01.05", "2024 01 05", "20240105", "05.01.2024", "05 . 01 . 2024", "5 Jan 2024",
        "Jan. 5, 2024",
        "January 5th 2024", "January 5,2024", "5. Januar 2024", "5 janvier 2024", "5 de enero de 2024", "05-Jan-2024",
        "05JAN24", "5-jan-24", "5 gennaio 2024", "5 januari 2024", "5 de janeiro de 2024", "Fri, 5 Jan 2024",
        "Freitag, 5. Januar 2024", "2024-01-05T10:00", "2024-01-05T23:59:59+08:00", "2024-01-05 00:00:00Z",
        "5 Jan 2024 8:13:39 PM", "8:13 5 Jan 2024", "Jan 5, 2024 at 5:00 PM", "2024-Jan-05", "Jan 5 '24",
        "2024年01月05日 10:30", "05.01.2024 um 10.30 Uhr", "2024년 1월 5일",
    ],
)  # fmt: skip
def test_the_fifth_of_january_2024_in_every_form(text: str) -> None:
    assert value_of(text) == date(2024, 1, 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13/02/2024", date(2024, 2, 13)), ("12/13/2016", date(2016, 12, 13)),
        ("25/12/2018 8:13:39 PM", date(2018, 12, 25)),
        ("25/12/20188:13:39PM", date(2018, 12, 25)), ("05/05/2024", date(2024, 5, 5)),
        ("20-Mar-2018", date(2018, 3, 20)),
        ("20MAR18", date(2018, 3, 20)), ("1-jan-2017", date(2017, 1, 1)), ("1er août 2023", date(2023, 8, 1)),
        ("Ma\u0308rz 5, 2024", date(2024, 3, 5)), ("31.12.69", date(2069, 12, 31)), ("31.12.70", date(1970, 12, 31)),
    ],
)  # fmt: skip
def test_other_forms(text: str, value: date) -> None:
    assert value_of(text) == value


class TestAmbiguity:
    @pytest.mark.parametrize("text", ["01/02/2024", "01-02-2024", "1/2/24", "01/02/2024 10:30"])
    def test_day_and_month_below_thirteen_keep_both_readings(self, text: str) -> None:
        parsed = parse_date(text)
        assert parsed is not None
        assert parsed.value is None
        assert parsed.readings == (date(2024, 2, 1), date(2024, 1, 2))

    def test_the_order_decides(self) -> None:
        assert value_of("01/02/2024", DateOrder.DMY) == date(2024, 2, 1)
        assert value_of("01/02/2024", DateOrder.MDY) == date(2024, 1, 2)
        assert value_of("18/01/05", DateOrder.YMD) == date(2018, 1, 5)

    def test_the_order_never_overrules_the_figures(self) -> None:
        assert value_of("13/02/2024", DateOrder.MDY) == date(2024, 2, 13)

    def test_what_a_document_proves(self) -> None:
        assert date_order_of(["01/02/2024", "25/02/2024"]) is DateOrder.DMY
        assert date_order_of(["01/02/2024", "02/25/2024", "2024-01-01"]) is DateOrder.MDY
        assert date_order_of(["due 2024-01-01"]) is DateOrder.YMD
        assert date_order_of(["01/02/2024", "5 May 2024", "05/05/2024"]) is None
        assert date_order_of(["25/02/2024", "02/25/2024"]) is None


@pytest.mark.parametrize(
    "text",
    ["31/02/2024", "2023-02-29", "2024年13月01日", "00/00/2000", "20241305", "99999999", "05012024", "Jan 2024",
    "11/2019",
     "12345678901", "INV-2024-01-05", "2024-01-05-001", "1.2.3.4", "", "tomorrow", "in 5 days", "1 set 12", "2024",
     "Due 5 Jan 2024", "1949-12-31", "2101-01-01", "5 xyz 2024", "二〇二四年十十月五日"],
)  # fmt: skip
def test_impossible_and_other_things_are_none(text: str) -> None:
    assert parse_date(text) is None


def test_further_languages_need_to_be_named() -> None:
    assert parse_date("5 stycznia 2024") is None
    parsed = parse_date("5 stycznia 2024", languages=["pl", "no-such-language"])
    assert parsed is not None
    assert parsed.value == date(2024, 1, 5)


@given(DATES, st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y 年 %m 月 %d 日", "%Y%m%d",
                               "%d.%m.%Y", "%d.%m.%y", "%Y-%m-%dT%H:%M:%S+08:00"]))  # fmt: skip
def test_round_trip_of_unambiguous_forms(value: date, form: str) -> None:
    assert value_of(value.strftime(form)) == value


@given(DATES, st.sampled_from(["%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y"]))
def test_the_true_date_is_always_among_the_readings(value: date, form: str) -> None:
    parsed = parse_date(value.strftime(form))
    assert parsed is not None
    assert value in parsed.readings
    assert value_of(value.strftime(form), DateOrder.DMY) == value


@given(DATES, st.sampled_from(sorted(MONTHS)), st.sampled_from(["{d} {m} {y}", "{d}. {m} {y}", "{d}-{m}-{y}",
                                                               "{d} de {m} de {y}", "{m} {d}, {y}"]))  # fmt: skip
def test_round_trip_with_month_names(value: date, language: str, form: str) -> None:
    name = MONTHS[language][value.month - 1]
    for month in (name, name.upper(), name.title()):
        assert value_of(form.format(d=value.day, m=month, y=value.year)) == value


@given(st.lists(DATES, max_size=4), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y年%m月%d日", "%d %b %Y"]))
def test_finding_gives_right_positions(values: list[date], form: str) -> None:
    printed = [value.strftime(form) for value in values]
    text = "Datum: " + " und ".join(printed)
    found = find_dates(text)
    assert [match.parsed.value for match in found] == values
    assert [text[match.start : match.end] for match in found] == printed


@given(st.text() | st.text(alphabet="0123456789-/.: 年月日TJanfebr一二十'ıİſ", max_size=40))
def test_arbitrary_text_never_raises_and_matches_never_overlap(text: str) -> None:
    parse_date(text)
    end = 0
    for match in find_dates(text):
        assert end <= match.start < match.end <= len(text)
        end = match.end
        assert all(1950 <= reading.year <= 2100 for reading in match.parsed.readings)
