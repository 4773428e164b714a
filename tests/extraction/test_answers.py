"""Whatever shape the model answers in, the same data comes out, and what is wrong with the answer is said.

The published outputs of the model's authors are kept word for word; the shapes seen by others carry invented values.
"""

from __future__ import annotations

import json

import pytest

from hunyuan_ocr.extraction.answers import (
    SPOTTING_CONFIDENCE,
    clean_text,
    parse_fields,
    parse_spotting,
    parse_table,
    problem_of,
)
from hunyuan_ocr.model.geometry import Box, Span

TAXI_KEYS = ["单价", "上车时间", "发票号码", "省前缀", "总金额", "发票代码", "下车时间", "里程数"]
TAXI = """```json
{
    "单价": "3.00",
    "上车时间": "09:01",
    "发票号码": "42609332",
    "省前缀": "陕",
    "总金额": "￥77.10元",
    "发票代码": "161002018100",
    "下车时间": "09:51",
    "里程数": "26.1km"
}
```"""


def raw(text: str, *keys: str) -> list[str | None]:
    return [parse_fields(text, keys).values[key].raw for key in keys]


def problems(text: str, *keys: str) -> list[str]:
    return [parse_fields(text, keys).values[key].problem for key in keys]


class TestPublishedFieldAnswers:
    def test_a_fenced_object_gives_each_value_as_printed(self) -> None:
        answer = parse_fields(TAXI, TAXI_KEYS)
        assert answer.problem == ""
        assert [answer.values[key].raw for key in TAXI_KEYS] == [
            "3.00", "09:01", "42609332", "陕", "￥77.10元", "161002018100", "09:51", "26.1km",
        ]  # fmt: skip

    def test_a_trailing_comma_costs_nothing(self) -> None:
        text = '```json\n{\n    "出发站": "兰州西站",\n    "终点站": "西安北站",\n}\n```'
        assert raw(text, "出发站", "终点站") == ["兰州西站", "西安北站"]

    def test_the_answer_to_a_single_field_is_its_value(self) -> None:
        assert raw("2022.03.20", "检验日期") == ["2022.03.20"]

    def test_unquoted_values_are_read_to_their_end(self) -> None:
        text = '{"姓名": 张三, "地址": 海淀区清华东路xxxxx001号, "电话": 13199999999, "邮编": 100001}'
        assert raw(text, "姓名", "地址", "电话", "邮编") == [
            "张三",
            "海淀区清华东路xxxxx001号",
            "13199999999",
            "100001",
        ]


class TestFieldAnswersSeenInTheField:
    def test_the_word_none_is_no_value(self) -> None:
        text = '```json\n{"sender": "EXAMPLE MUTUAL", "amount": "$12.30", "action_required": "None"}\n```'
        assert raw(text, "sender", "amount", "action_required") == ["EXAMPLE MUTUAL", "$12.30", None]
        assert problems(text, "action_required") == ["null"]

    @pytest.mark.parametrize(
        "word", ["null", '"null"', '"N/A"', '"n/a"', '""', '" "', '"未知"', '"无"', "None", "[]", '"-"']
    )
    def test_every_way_to_say_nothing_is_nothing(self, word: str) -> None:
        assert parse_fields(f'{{"a": {word}, "b": "1"}}', ["a", "b"]).values["a"].problem == "null"

    @pytest.mark.parametrize(
        "value", ["Member Name:", "会员姓名：", "recipient_name", "Recipient_Name", "recipient_name :"]
    )
    def test_a_label_is_not_a_value(self, value: str) -> None:
        answer = parse_fields(json.dumps({"recipient_name": value}), ["recipient_name"]).values["recipient_name"]
        assert (answer.raw, answer.problem, answer.said) == (None, "label_echo", (value,))

    def test_several_values_are_left_to_a_person(self) -> None:
        answer = parse_fields("['120.00', '$0.00', '$120.00']", ["total_amount"]).values["total_amount"]
        assert (answer.raw, answer.problem) == (None, "list")
        assert answer.said == ("120.00", "$0.00", "$120.00")

    def test_a_list_of_one_is_its_only_value(self) -> None:
        assert raw('{"a": ["7"], "b": [["8"]], "c": ["9", "None", "9"]}', "a", "b", "c") == ["7", "8", "9"]
        assert raw('[{"a": "1", "b": "2"}]', "a", "b") == ["1", "2"]
        assert raw("['7']", "a") == ["7"]

    def test_escaped_and_unescaped_quotes_stay_in_the_value(self) -> None:
        assert raw(r'{"a": "R. \"ROB\" ROE"}', "a") == ['R. "ROB" ROE']
        assert raw('{"a": "R. "ROB" ROE", "b": "x"}', "a", "b") == ['R. "ROB" ROE', "x"]
        assert raw("{'a': 'O'Brien', 'b': 'x'}", "a", "b") == ["O'Brien", "x"]

    def test_escaped_dollars_are_dollars(self) -> None:
        assert raw('{"a": "\\\\$1,234.50"}', "a") == ["$1,234.50"]
        assert raw('{"a": "\\$1,234.50"}', "a") == ["$1,234.50"]

    def test_numbers_keep_their_written_form(self) -> None:
        assert raw('{"a": 77.10, "b": 00123, "c": 1234567890123456789012, "d": true}', "a", "b", "c", "d") == [
            "77.10", "00123", "1234567890123456789012", "true",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            '{"发票号码": "123", "金额": "4.50"}',
            'json\n{"发票号码": "123", "金额": "4.50"}',
            '```\n{"发票号码": "123", "金额": "4.50"}\n```',
            '```json\n{"发票号码": "123", "金额": "4.50"}',
            '识别结果如下：\n{"发票号码": "123", "金额": "4.50"}\n希望对您有帮助。',
            "{'发票号码': '123', '金额': '4.50'}",
            "｛“发票号码”：“123”，“金额”：“4.50”｝",
            '{“发票号码": "123”, "金额"： "4.50",}',
            "{发票号码: 123, 金额: 4.50}",
            '{"发票号码": "123"\n "金额": "4.50"\n}',
            '{"发票号码 ：": "123", "金 额": "4.50"}',
            '{"fields": [{"name": "发票号码", "value": "123"}, {"name": "金额", "value": "4.50"}]}',
            '{"result": {"发票号码": "123", "金额": "4.50"}}',
            '{"发票号码": {"value": "123"}, "金额": ["4.50"]}',
            '{"发票号码": "123"}\n{"金额": "4.50"}',
            '"发票号码": "123", "金额": "4.50"}',
            '{"发票号码": "123", "金额": "4.50"',
            '{"发票号码": "123", "金额": "4.50", "备注": "见附',
            '{"发票号码": "123", "金额": "4.50", "发票号码": "123"}',
            '<｜hy_begin▁of▁sentence｜>{"发票号码": "123", "金额": "4.50"}<｜hy_place▁holder▁no▁2｜>',
        ],
    )
    def test_the_wrapping_does_not_matter(self, text: str) -> None:
        answer = parse_fields(text, ["发票号码", "金额"])
        assert [value.raw for value in answer.values.values()] == ["123", "4.50"]
        assert answer.problem == ""

    def test_keys_are_found_whatever_their_width_case_and_spaces(self) -> None:
        assert raw('{"ＩＮＶＯＩＣＥ  no": "9"}', "Invoice No") == ["9"]

    def test_pairs_nobody_asked_for_are_kept_aside(self) -> None:
        answer = parse_fields('{"a": "1", "confidence": 0.9}', ["a"])
        assert (answer.values["a"].raw, answer.extra) == ("1", (("confidence", "0.9"),))

    def test_a_key_said_twice_with_two_values_is_ambiguous(self) -> None:
        answer = parse_fields('{"a": "1", "a": "2"}', ["a"]).values["a"]
        assert (answer.raw, answer.problem, answer.said) == (None, "duplicate", ("1", "2"))

    def test_a_cut_answer_keeps_the_pairs_that_were_finished(self) -> None:
        answer = parse_fields('```json\n{"a": "1", "b": "2", "c": "12', ["a", "b", "c"])
        assert answer.problem == "truncated"
        assert [(value.raw, value.problem) for value in answer.values.values()] == [
            ("1", ""), ("2", ""), (None, "missing"),
        ]  # fmt: skip
        assert raw('{"a": "1", "b": 12', "a", "b") == ["1", None]

    def test_commas_inside_values_do_not_end_them(self) -> None:
        assert raw('{"a": 2,149.55, "b": "1,5", "c": 海淀区，甲1号}', "a", "b", "c") == [
            "2,149.55",
            "1,5",
            "海淀区，甲1号",
        ]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "empty"),
            ("```json\n```", "empty"),
            ("图片中没有文字。", "refusal"),
            ("not answerable", "refusal"),
            ("This page shows an invoice of a company.", "off_format"),
            ('{"other": "1"}', "off_format"),
        ],
    )
    def test_an_answer_without_fields_says_why(self, text: str, problem: str) -> None:
        answer = parse_fields(text, ["a", "b"])
        assert answer.problem == problem
        assert {value.problem for value in answer.values.values()} == {"missing"}


INVOICE_SPOTTING = (
    "Invoice#(112,509),(177,520)Invoice Date(332,509),(427,520)#(43,585),(56,596)"
    "Item & Description(108,585),(278,600)Amount(875,585),(951,597)1(46,645),(53,656)"
    "Harbour service(108,645),(283,657)900.00(878,645),(950,657)Sub Total(620,853),(705,866)"
    "13,900.00(852,853),(950,867)Tax Rate (5%)(585,898),(705,913)695(913,898),(950,911)"
    "Total(657,951),(705,964)$14,595.00(836,951),(948,966)"
)


def texts(text: str) -> list[str]:
    return [span.text for span in parse_spotting(text).spans]


class TestSpotting:
    def test_marked_text_and_box(self) -> None:
        answer = parse_spotting("<ref>亲爱的</ref><quad>(22,160),(888,788)</quad>")
        assert answer.spans == (Span("亲爱的", Box(22, 160, 888, 788), SPOTTING_CONFIDENCE),)
        assert answer.problem == ""

    def test_special_tokens_by_their_own_names_are_the_same_markers(self) -> None:
        token = "<｜hy_place▁holder▁no▁{}｜>".format
        text = (
            f"{token(112)}Total (net)(1,2){token(113)}{token(110)}(22,160),(88,178){token(111)}\n"
            f"{token(112)}7{token(113)}{token(110)}(90,160),(99,178){token(111)}{token(2)}"
        )
        assert parse_spotting(text).spans == (
            Span("Total (net)(1,2)", Box(22, 160, 88, 178), SPOTTING_CONFIDENCE),
            Span("7", Box(90, 160, 99, 178), SPOTTING_CONFIDENCE),
        )

    def test_text_and_box_run_together(self) -> None:
        answer = parse_spotting("顺利上岸(231,392),(764,632)LAMAR(446,850),(559,878)05483(934,835),(997,870)")
        assert [(span.text, span.box) for span in answer.spans] == [
            ("顺利上岸", Box(231, 392, 764, 632)),
            ("LAMAR", Box(446, 850, 559, 878)),
            ("05483", Box(934, 835, 997, 870)),
        ]
        assert answer.problem == ""

    def test_parentheses_in_the_text_lose_no_entry(self) -> None:
        assert texts(INVOICE_SPOTTING) == [
            "Invoice#", "Invoice Date", "#", "Item & Description", "Amount", "1", "Harbour service", "900.00",
            "Sub Total", "13,900.00", "Tax Rate (5%)", "695", "Total", "$14,595.00",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            '[{"box": [10, 20, 30, 40], "text": "Total"}, {"box": [50, 20, 70, 40], "text": "9.00"}]',
            '```json\n[{"box": [10, 20, 30, 40], "text": "Total"}, {"text": "9.00", "box": [50, 20, 70, 40]},]\n```',
            '{"box": [10, 20, 30, 40], "text": "Total"}\n{"box": [50, 20, 70, 40], "text": 9.00}',
            '[{"bbox_2d": ["10", "20", "30", "40"], "text": "Total"}, {"box": "(50,20),(70,40)", "text": "9.00"}]',
            "[{'box': [[30, 40], [10, 20]], 'text': 'Total'}, "
            "{'box': [50, 20, 70, 20, 70, 40, 50, 40], 'text': '9.00'}]",
        ],
    )
    def test_the_json_form_in_its_spellings(self, text: str) -> None:
        answer = parse_spotting(text)
        assert [(span.text, span.box) for span in answer.spans] == [
            ("Total", Box(10, 20, 30, 40)),
            ("9.00", Box(50, 20, 70, 40)),
        ]
        assert answer.problem == ""

    def test_a_json_answer_without_boxes_is_off_format(self) -> None:
        answer = parse_spotting('```json {"box": ["Zed Health", "12 Elm St"], "text": "INVOICE"} ```')
        assert (answer.spans, answer.problem) == ((), "off_format")

    def test_a_cut_answer_keeps_finished_entries_only(self) -> None:
        for text in (
            "Total(10,20),(30,40)9.00(50,2",
            "<ref>Total</ref><quad>(10,20),(30,40)</quad><ref>9.0",
            '[{"box": [10, 20, 30, 40], "text": "Total"}, {"box": [50, 20, 70, 40], "text": "9.0',
        ):
            answer = parse_spotting(text)
            assert ([span.text for span in answer.spans], answer.problem) == (["Total"], "truncated")

    def test_coordinates_are_ordered_and_on_the_page(self) -> None:
        text = "a(300,40),(100,20)b(1,2),(3,4)c(1,2),(3,5)d(1,2),(3,6)e(990,900),(1004,910)f(1200,5),(1300,9)"
        spans = parse_spotting(text + "g(1,2),(3,7)h(1,2),(3,8)i(1,2),(3,9)j(1,2),(3,10)").spans
        assert spans[0].box == Box(100, 20, 300, 40)
        assert spans[4].box == Box(990, 900, 1000, 910)
        assert "f" not in [span.text for span in spans]

    def test_pixels_are_not_taken_for_page_units(self) -> None:
        answer = parse_spotting("Total(100,1200),(300,1240)9.00(1500,1200),(1600,1240)")
        assert answer.problem == "off_format"

    def test_figures_are_not_text(self) -> None:
        text = "<pFig>图2</pFig><quad>(452,938),(664,966)</quad><ref>6UK</ref><quad>(670,938),(800,966)</quad>"
        assert texts(text) == ["6UK"]

    def test_html_references_and_dollars_are_printed_signs(self) -> None:
        assert texts(r"<ref>A &amp; B &lt;3&gt; AT&T \$5</ref><quad>(1,1),(9,9)</quad>") == ["A & B <3> AT&T $5"]

    def test_a_box_without_text_says_nothing(self) -> None:
        assert parse_spotting("(156,68),(783,758)").problem == "empty"

    def test_the_same_print_counts_once(self) -> None:
        assert texts("a(1,2),(3,4)a(1,2),(3,4)a(1,2),(3,5)") == ["a", "a"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "empty"),
            ("[]", "empty"),
            ("图片中没有文字。", "refusal"),
            ("# Account Summary\n\nPrevious Balance", "off_format"),
            ("<dir>0</dir>", "empty"),
            ("<hy-meta><layout>text</layout><poly>1,2,3,4</poly></hy-meta>INVOICE", "off_format"),
        ],
    )
    def test_an_answer_without_boxes_says_why(self, text: str, problem: str) -> None:
        answer = parse_spotting(text)
        assert (answer.spans, answer.problem) == ((), problem)

    def test_layout_markup_is_never_taken_for_text(self) -> None:
        text = "<dir>0</dir><hy-meta><layout>title</layout><poly>(1,2),(3,4)</poly></hy-meta>INVOICE(10,20),(30,40)"
        answer = parse_spotting(text)
        assert ([span.text for span in answer.spans], answer.problem) == (["INVOICE"], "off_format")


def grid(text: str) -> list[list[str]]:
    (table,) = parse_table(text)
    return [[cell.text for cell in row] for row in table.rows]


class TestTables:
    def test_a_table_on_one_line_with_a_caption(self) -> None:
        text = (
            '<table><caption>高一2407班下学期课表(2025年2月17日执行)</caption><tr><td>时间</td><td colspan="7">星期'
            "</td></tr><tr><td>1<br>8:00</td><td>语文</td></tr></table>"
        )
        (table,) = parse_table(text)
        assert table.caption == "高一2407班下学期课表(2025年2月17日执行)"
        assert table.rows[0][1].colspan == 7
        assert table.rows[1][0].text == "1\n8:00"
        assert (table.width, table.is_truncated) == (8, False)

    def test_a_name_plate_with_spans_and_a_figure(self) -> None:
        text = (
            '<table><caption></caption><tr><td colspan="2">整机型号</td><td colspan="3">KFR-51LW/DY-JN(E3)</td></tr>'
            "<tr><td>机身编号: <pFig>图2</pFig><quad>(452,938),(664,966)</quad>6UK0000000000</td></tr></table>"
        )
        (table,) = parse_table(text)
        assert [(cell.text, cell.column, cell.colspan) for cell in table.rows[0]] == [
            ("整机型号", 0, 2),
            ("KFR-51LW/DY-JN(E3)", 2, 3),
        ]
        assert table.rows[1][0].text == "机身编号: 6UK0000000000"

    def test_escaped_dollars_and_references_in_cells(self) -> None:
        text = "# Summary\n\n<table><tr><td>Balance &amp; fees</td><td>\\$1,956.38</td></tr></table>"
        assert grid(text) == [["Balance & fees", "$1,956.38"]]

    def test_a_cell_beside_a_rowspan_stands_in_the_next_column(self) -> None:
        (table,) = parse_table(
            "<table><tr><td rowspan=2>A</td><td>1</td></tr><tr><td>2</td></tr><tr><td>B</td><td>3</td></tr></table>"
        )
        assert [(cell.text, cell.row, cell.column) for row in table.rows for cell in row] == [
            ("A", 0, 0), ("1", 0, 1), ("2", 1, 1), ("B", 2, 0), ("3", 2, 1),
        ]  # fmt: skip
        assert table.rows[0][0].rowspan == 2

    def test_a_rowspan_that_claims_a_full_row_ends_above_it(self) -> None:
        (table,) = parse_table(
            "<table><tr><td rowspan=3>A</td><td>1</td></tr><tr><td>2</td></tr><tr><td>B</td><td>3</td></tr></table>"
        )
        assert [(cell.text, cell.column) for cell in table.rows[2]] == [("B", 0), ("3", 1)]
        assert table.rows[0][0].rowspan == 2

    def test_rows_too_short_or_too_long_are_kept_as_they_are(self) -> None:
        text = (
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr><tr></tr>"
            "<tr><td>d</td><td>e</td><td>f</td></tr></table>"
        )
        assert grid(text) == [["a", "b"], ["c"], [], ["d", "e", "f"]]

    @pytest.mark.parametrize("span", ["1000000000", "0", "-3", "x", '"2', "99999999999999999999"])
    def test_senseless_spans_do_no_harm(self, span: str) -> None:
        (table,) = parse_table(f"<table><tr><td rowspan={span} colspan={span}>a</td><td>b</td></tr></table>")
        assert [cell.text for cell in table.rows[0]] == ["a", "b"]
        assert table.rows[0][0].rowspan == 1
        assert table.width <= 101

    def test_tags_left_open_are_closed_by_the_next(self) -> None:
        assert grid("<table><tr><td>a<td>b<tr><td>c</td><td>d</table>") == [["a", "b"], ["c", "d"]]
        assert grid("<tr><td>a</td><td>b</td></tr></table>") == [["a", "b"]]

    def test_a_cell_cut_by_the_end_of_the_answer_is_left_out(self) -> None:
        (table,) = parse_table("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>1,2")
        assert [[cell.text for cell in row] for row in table.rows] == [["a", "b"], ["c"]]
        assert table.is_truncated

    def test_markdown_tables_are_tables(self) -> None:
        text = "Text | with a bar\n\n| Item | Price |\n|:---|---:|\n| A \\| B | \\$5 |\n| C | 6 |\n\nend"
        assert grid(text) == [["Item", "Price"], ["A | B", "$5"], ["C", "6"]]

    def test_several_tables_stay_apart(self) -> None:
        text = (
            "```html\n<table><tr><td>a</td></tr></table>\n```\n\na|b\n-|-\n1|2\n\n"
            "<table><tr><td>z</td></tr><table><tr><td>y</td></tr></table>"
        )
        assert [table.rows[0][0].text for table in parse_table(text)] == ["a", "a", "z", "y"]

    def test_a_text_without_a_table_has_none(self) -> None:
        assert parse_table("静观茶舍\nJIN GUAN CHA SHE\n茶") == ()
        assert parse_table("<table><tr><td></td></tr></table>") == ()

    def test_comparison_signs_are_text(self) -> None:
        assert grid("<table><tr><td>a < b</td><td>c > d</td><td><b>e</b></td></tr></table>") == [
            ["a < b", "c > d", "e"]
        ]


class TestCleanText:
    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("静观茶舍\nJIN GUAN CHA SHE\n茶", "静观茶舍\nJIN GUAN CHA SHE\n茶"),
            ("$$x_{1} = \\frac{-2+2 \\sqrt{2}}{2}$$", "$$x_{1} = \\frac{-2+2 \\sqrt{2}}{2}$$"),
            (
                "对不起我是诺曼.斯佩尔曼\nSorry, I'm Norm. Spellman.",
                "对不起我是诺曼.斯佩尔曼\nSorry, I'm Norm. Spellman.",
            ),
            ("翻译成中文为\n## 发票", "## 发票"),
            ("```markdown\n# Bill\n```", "# Bill"),
            ("```chart\n|a|b|\n```", "|a|b|"),
            ("```markdown\n# Bill", "# Bill"),
            ("识别结果如下：\n发票", "发票"),
            ("以下是图片中的文字内容：\n\n```\n发票\n```", "发票"),
            ("Here is the extracted text:\nBill", "Bill"),
            ("<｜hy_begin▁of▁sentence｜>Bill<|hy_Assistant|>", "Bill"),
            ("<dir>0</dir>Bill<pFig>图1</pFig><quad>(1,2),(3,4)</quad> no. 5", "Bill no. 5"),
            ("<ref>Bill</ref><quad>(1,2),(3,4)</quad>", "Bill"),
            ("Total \\$5 R&D&copy &amp;", "Total $5 R&D&copy &"),
            ("翻译服务内容: 合同", "翻译服务内容: 合同"),
            ("", ""),
        ],
    )
    def test_only_the_wrapping_goes(self, text: str, clean: str) -> None:
        assert clean_text(text) == clean

    def test_a_flow_chart_keeps_its_arrows(self) -> None:
        chart = 'flowchart TD\nA["开始"] --> B\nC -->|是| H'
        assert clean_text(f"```mermaid\n{chart}\n```") == chart


class TestProblems:
    @pytest.mark.parametrize("text", [TAXI, INVOICE_SPOTTING, "2022.03.20", "0", "静观茶舍", '{"a": "None"}'])
    def test_an_answer_that_ended_well_has_none(self, text: str) -> None:
        assert problem_of(text, "stop") == ""

    def test_the_token_limit_truncates(self) -> None:
        assert problem_of("Total(10,20),(30,40)9.00(50,2", "length") == "truncated"

    @pytest.mark.parametrize(
        "text", ["head " + "$XXX\n" * 100, "head " + "<tr><td>0.00</td><td></td></tr>" * 40, "1" * 300, "_ " * 700]
    )
    @pytest.mark.parametrize("reason", ["stop", "length"])
    def test_a_tail_in_a_loop_is_repetition(self, text: str, reason: str) -> None:
        assert problem_of(text, reason) == "repetition"

    def test_the_engine_knows_a_loop_better(self) -> None:
        assert problem_of("a", "repetition") == "repetition"

    @pytest.mark.parametrize(
        "text",
        [
            "Signature " + "_" * 120,
            "Chapter 1 " + "." * 200 + " 12",
            "<table>" + "<tr><td>1</td><td>0.00</td></tr>" * 11 + "</table>",
            "<table>" + "".join(f"<tr><td>{n}</td><td>0.00</td></tr>" for n in range(60)) + "</table>",
            "| 0.00 " * 12 + "| 17.50 |",
        ],
    )
    def test_what_repeats_honestly_is_no_loop(self, text: str) -> None:
        assert problem_of(text, "stop") == ""

    @pytest.mark.parametrize(
        "text", ["", "  \n", "```\n```", "<image>", "(156,68),(783,758)", "<ref></ref><quad>(1,2),(3,4)</quad>"]
    )
    def test_nothing_is_said(self, text: str) -> None:
        assert problem_of(text, "stop") == "empty"

    @pytest.mark.parametrize(
        "text",
        [
            "图片中没有文字。",
            "无法识别",
            "无法识别图片中的内容。",
            "抱歉，我无法识别这张图片。",
            "未检测到文字",
            "not answerable",
            "Not answerable.",
            "No text found.",
            "no text found in the image",
            "I'm sorry, but I can't help with that.",
            "I’m sorry, I cannot read this.",
            "There is no readable text in this image.",
        ],
    )
    def test_a_refusal_is_not_text_of_the_page(self, text: str) -> None:
        assert problem_of(text, "stop") == "refusal"

    @pytest.mark.parametrize(
        "text",
        ["抱歉给您带来不便，请致电 400-000-0000。发票号码 12345678", "Sorry we missed you", "No text messages: 3"],
    )
    def test_a_page_may_speak_of_sorrow_or_text(self, text: str) -> None:
        assert problem_of(text, "stop") == ""
