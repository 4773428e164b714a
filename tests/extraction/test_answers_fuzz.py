"""No text, however broken or large, makes a parser of answers raise or dawdle, and what it gives keeps its promises.

``HUNYUAN_OCR_FUZZ_EXAMPLES`` raises the number of generated texts per test (default 150) for a longer run by hand.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_ocr.extraction.answers import (
    HtmlTable,
    SpottingAnswer,
    clean_text,
    parse_fields,
    parse_spotting,
    parse_table,
    problem_of,
)

EXAMPLES = int(os.environ.get("HUNYUAN_OCR_FUZZ_EXAMPLES", "150"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

KEYS = ["发票号码", "Total", "Seller name"]
PIECES = [
    *'{}[]"\'“”‘’:：,，;、\\/|<>()（）｛｝［］&$#\n\t 0123456789-.aZ発票·%',
    "```", "```json\n", "json\n", '\\"', "\\u00e9", "\\ud83d", "\\$", "null", "None", "true", "N/A", "未知", "NaN",
    "1e999",
    "<ref>", "</ref>", "<quad>", "</quad>", "<pFig>", "</pFig>", "<｜hy_place▁holder▁no▁110｜>", "<|hy_User|>",
    "<｜hy_place▁holder▁no▁113｜>", "(12,34),(56,78)", "(1e9,", "(9999999,1)", '"box": [1,2,3,4]', '"text": "x"',
    "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<td rowspan=", '<td colspan="2" rowspan="3">',
    "<caption>",
    "<br>", "&amp;", "&#1114112;", "&#x110000;", "&#0;", "|---|---|\n", "| a | b |\n", "<dir>0</dir>",
    "<hy-meta>", "<poly>",
    "识别结果如下：", "无法识别", "发票号码", "Total", "name", "value", "\ud800", "\x00", "\u2028", "\u0130", "ﬁ",
]  # fmt: skip
VALID = [
    '```json\n{\n    "发票号码": "42609332",\n    "Total": "￥77.10元",\n    "Seller name": "A \\"B\\" Ltd",\n}\n```',
    '{"fields": [{"name": "Total", "value": "9"}, {"name": "发票号码", "value": ["1", "2"]}]}',
    "<ref>Total</ref><quad>(22,160),(888,788)</quad>\n<ref>9.00</ref><quad>(900,160),(950,170)</quad>",
    "Tax Rate (5%)(585,898),(705,913)695(913,898),(950,911)Total(657,951),(705,964)$14,595.00(836,951),(948,966)",
    '```json\n[{"box": [10, 20, 30, 40], "text": "Total"}, {"box": [50, 20, 70, 40], "text": "9.00"}]\n```',
    '<table><caption></caption><tr><td rowspan="2">A<br>B</td><td colspan="2">\\$1</td></tr>'
    "<tr><td>2</td></tr></table>",
    "| Item | Price |\n|:---|---:|\n| A \\| B | 5 |\n",
]

fragments = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=60).map("".join)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A valid answer with a few cuts, copies and insertions."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        middle = draw(st.sampled_from([*PIECES, "", text[start:end] * 3]))
        text = text[:start] + middle + text[end:]
    return text


texts = st.one_of(st.text(), fragments, mutations())


def parse_everything(text: str, reason: str = "stop") -> None:
    check_spotting(parse_spotting(text))
    for keys in (KEYS, KEYS[:1], []):
        answer = parse_fields(text, keys)
        assert list(answer.values) == keys
        assert all((value.raw is None) == bool(value.problem) for value in answer.values.values())
    for table in parse_table(text):
        check_table(table)
    assert isinstance(clean_text(text), str)
    assert problem_of(text, reason) in {"", "truncated", "repetition", "empty", "refusal"}


def check_spotting(answer: SpottingAnswer) -> None:
    for span in answer.spans:
        assert span.text.strip() == span.text != ""
        assert 0 <= span.box.x0 <= span.box.x1 <= 1000
        assert 0 <= span.box.y0 <= span.box.y1 <= 1000
    assert answer.spans or answer.problem


def check_table(table: HtmlTable) -> None:
    assert any(cell.text for row in table.rows for cell in row)
    for row_no, row in enumerate(table.rows):
        end = 0
        for cell in row:
            assert cell.row == row_no
            assert cell.column >= end
            assert cell.colspan >= 1
            assert 1 <= cell.rowspan <= len(table.rows) - row_no
            end = cell.column + cell.colspan


@given(texts, st.sampled_from(["stop", "length", "repetition", ""]))
@fuzz
def test_no_text_makes_a_parser_raise(text: str, reason: str) -> None:
    parse_everything(text, reason)


@given(
    st.dictionaries(st.sampled_from(KEYS), st.text(min_size=1), min_size=3),
    st.sampled_from(["", "```json\n", "好的\n"]),
)
@fuzz
def test_valid_json_is_read_as_json_reads_it(said: dict[str, str], opening: str) -> None:
    answer = parse_fields(opening + json.dumps(said, ensure_ascii=False, indent=4), KEYS)
    for key in KEYS:
        value = answer.values[key]
        assert value.problem in {"", "null", "label_echo"}
        if "&" not in said[key] and "<" not in said[key] and "\\" not in said[key] and "\ufeff" not in said[key]:
            assert value.said == (said[key].strip(),)


@given(
    st.lists(
        st.tuples(
            st.text(alphabet=st.characters(exclude_characters="<>&\\`", exclude_categories=["Cs"]), min_size=1).filter(
                lambda text: text.split()
            ),
            st.tuples(*[st.integers(0, 999)] * 4),
        ),
        min_size=1,
        max_size=20,
        unique=True,
    )
)
@fuzz
def test_marked_spotting_comes_back_whole(entries: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    written = "".join(f"<ref>{text}</ref><quad>({a},{b}),({c},{d})</quad>" for text, (a, b, c, d) in entries)
    answer = parse_spotting(written)
    assert answer.problem == ""
    wanted = dict.fromkeys(
        (" ".join(text.split()), min(a, c), min(b, d), max(a, c), max(b, d)) for text, (a, b, c, d) in entries
    )
    got = [(span.text, span.box.x0, span.box.y0, span.box.x1, span.box.y1) for span in answer.spans]
    assert got == list(wanted)


@given(st.integers(1, 30), st.text(alphabet="ab1,.'{}[] ", max_size=8))
@fuzz
def test_a_cut_answer_never_shortens_a_value(cut: int, value: str) -> None:
    whole = json.dumps({"发票号码": value, "Total": "123456"}, ensure_ascii=False)
    full = parse_fields(whole, KEYS[:2]).values
    answer = parse_fields(whole[: max(len(whole) - cut, 1)], KEYS[:2])
    for key, field in answer.values.items():
        assert field.raw in {None, full[key].raw}


LARGE = 1_000_000
HOSTILE = {
    "nested lists": "[" * 100_000,
    "nested objects": '{"a":' * 100_000,
    "nested and closed": "[" * 50_000 + "]" * 50_000,
    "nested bare": "{a:[" * 50_000,
    "quotes": '{"a":' + '"' * LARGE,
    "single quotes": "{'a':" + "'," * (LARGE // 2),
    "backslashes": '{"a":"' + "\\" * LARGE,
    "commas": '{"a":1' + ", x" * (LARGE // 3),
    "spaces": '{"a"' + " " * LARGE,
    "spaces in values": '{"a": x' + " ," * (LARGE // 2),
    "colons": "{" + "a:" * (LARGE // 2),
    "braces": "{" * LARGE,
    "pairs of braces": "{}" * (LARGE // 2),
    "open parentheses": "(" * LARGE,
    "half boxes": "(1,2),(3" * (LARGE // 8),
    "points and spaces": ("(1,2)" + " " * 200) * (LARGE // 205),
    "boxes": "1(1,2),(3,4)" * (LARGE // 12),
    "refs": "<ref>" * (LARGE // 5),
    "quads": "<quad>(" * (LARGE // 7),
    "figures": "<pFig>" * (LARGE // 6),
    "special tokens": "<｜hy_" * (LARGE // 5),
    "open tags": "<td " * (LARGE // 4),
    "cells": "<td>1" * (LARGE // 5),
    "tables": "<table><tr><td>1" * (LARGE // 16),
    "wide cells": "<tr>" + "<td rowspan=1000000000 colspan=1000000000>1" * (LARGE // 43),
    "rows of wide cells": "<tr><td rowspan=1000000000 colspan=1000000000>1" * (LARGE // 47),
    "carets": "<" * LARGE,
    "ampersands": "&" * LARGE,
    "references": "&#" * (LARGE // 2),
    "pipes": "|" * LARGE,
    "pipe rows": "|-|\n" * (LARGE // 4),
    "fences": "```" * (LARGE // 3),
    "dashes": "|" + "-" * LARGE + "|",
    "one letter": "a" * LARGE,
    "a loop with a break": ("ab" * 60 + "c") * (LARGE // 121),
    "white space": " \n" * (LARGE // 2),
    "digits": "1" * LARGE,
    "json spotting": "[" + '{"box": [1,2,3,4], "text": "a"},' * (LARGE // 32),
    "broken json spotting": "[" + "{'box': [1,2,3,4], 'text': 'a'}," * (LARGE // 32),
    "extra pairs": "{" + '"a":1,' * (LARGE // 6) + "}",
    "preamble": "识别" * (LARGE // 2),
    "sorry": "抱歉" + "无法" * (LARGE // 2),
    "lone surrogates": "\ud800" * LARGE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_large_answer_is_read_in_about_a_second(name: str) -> None:
    text = HOSTILE[name]
    for parse in (
        parse_spotting,
        lambda said: parse_fields(said, KEYS),
        parse_table,
        clean_text,
        lambda said: problem_of(said, "stop"),
    ):
        started = time.process_time()
        parse(text)
        # Linear work on 1 MB takes well under a second of this thread; quadratic work would take hours.
        assert time.process_time() - started < 2.0
    parse_everything(text[:20_000])
