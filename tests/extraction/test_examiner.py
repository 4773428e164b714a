"""What a page is asked next, when its answers will do, and which other picture is worth its price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.extraction.examiner import PageExaminer, document_text
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.readers.examination import Judgement, Remedy

Draw = Callable[..., Reading]
Profiles = tuple[PromptProfile, ...]

_INVOICE = """
Pennine Lifts Ltd                                   INVOICE
Unit 4, Mill Lane, Leeds LS1 4AP
VAT No: GB 980 7806 84                              Invoice No.    2093
                                                    Invoice Date   13 April 2024
Invoice to:
Harrow Estates plc
19 Bond Street
London W1S 1AA

Description                  Qty    Price      Amount
Lift service                 1      800.00     800.00

                             Net Total         £800.00
                             VAT 20%           £160.00
                             Total             £960.00
"""
_WRONG_TAX = _INVOICE.replace("£160.00", "£106.00").replace("800.00     800.00", "700.00     700.00")
_WRONG_LINE = _INVOICE.replace("800.00     800.00", "700.00     700.00")
_NEXT_PAGE = """
Page 2

Description                  Qty    Price      Amount
Lift service, north side     1      300.00     300.00
Lift service, south side     2      250.00     500.00
"""
_DELIVERY_NOTE = """
                    DELIVERY NOTE

Delivery note no: 7741                              Date: 2 May 2024
Harrow Estates plc, 19 Bond Street, London

Item                         Qty
Steel rope 12 mm             40
Grease                       3
"""
_TERMS = """
                    Terms and Conditions

These conditions apply to every contract between the supplier and the buyer.
Goods remain the property of the supplier until they have been paid for in full.
Disputes are settled by the courts at the place of the supplier's registered office.
"""


def _page(draw: Draw, text: str) -> Reading:
    return draw(text, reader=Reader.HUNYUAN, confidence=0.9)


def _answer(task: Task = Task.SPOTTING, **known: object) -> PageAnswer:
    answer = PageAnswer(1, 1, task, "", "engine", "prompt", "key", 1654, 2339)
    return replace(answer, **known)  # type: ignore[arg-type]


def _seen_turned(reading: Reading, degrees: int) -> Reading:
    """The page as the model sees it when its picture is turned clockwise: the words are the same, the boxes are not."""

    def turned(box: Box) -> Box:
        if degrees == 90:
            return Box(1000 - box.y1, box.x0, 1000 - box.y0, box.x1)
        if degrees == 180:
            return Box(1000 - box.x1, 1000 - box.y1, 1000 - box.x0, 1000 - box.y0)
        return Box(box.y0, 1000 - box.x1, box.y1, 1000 - box.x0)

    spans = tuple(replace(span, box=turned(span.box)) for span in reading.spans)
    upright = (reading.width, reading.height)
    width, height = upright if degrees == 180 else upright[::-1]
    return replace(reading, spans=spans, width=width, height=height)


def _attempts(examiner: PageExaminer, reading: Reading, problem: str = "") -> int:
    """How many pictures a page costs that looks the same whatever is tried."""
    tried: set[Remedy] = {Remedy.ROTATE_0}
    for attempt in range(1, 20):
        judgement = examiner.judge(reading, [_answer(attempt=attempt, problem=problem)])
        untried = [remedy for remedy in judgement.wants if remedy is Remedy.MORE_PIXELS or remedy not in tried]
        if judgement.is_good or not untried:
            return attempt
        tried.add(untried[0])
    raise AssertionError("the examiner is never satisfied")


@pytest.fixture(scope="module")
def examiner(profiles: Profiles) -> PageExaminer:
    return PageExaminer(profiles, Family.V1_5)


class TestQuestions:
    def test_every_page_is_asked_for_its_text_with_boxes_first(self, profiles: Profiles) -> None:
        for name in (None, "invoice_de", "translate_en"):
            question = PageExaminer(profiles, Family.V1_5, profile_name=name).first()
            assert question.task is Task.SPOTTING
            assert question.prompt.text == "检测并识别图片中的文字，将文本坐标格式化输出。"
            assert not question.prompt.sampling.skip_special_tokens

    def test_an_invoice_is_asked_for_the_fields_of_its_kind_and_then_nothing(
        self, examiner: PageExaminer, draw: Draw
    ) -> None:
        page = _page(draw, _INVOICE)
        (question,) = examiner.follow_ups(page, [_answer()])
        assert (question.task, question.profile) == (Task.FIELDS, "invoice_en")
        assert "Invoice Number" in question.keys
        assert str(list(question.keys)) in question.prompt.text
        assert not examiner.follow_ups(page, [_answer(), _answer(Task.FIELDS)])

    def test_the_table_is_asked_for_when_the_lines_do_not_add_up(self, examiner: PageExaminer, draw: Draw) -> None:
        page = _page(draw, _WRONG_LINE)
        answers = [_answer(), _answer(Task.FIELDS)]
        (question,) = examiner.follow_ups(page, answers)
        assert (question.task, question.prompt.text) == (Task.TABLE, "把图中的表格解析为HTML。")
        assert not examiner.follow_ups(page, [*answers, _answer(Task.TABLE)])

    @pytest.mark.parametrize("text", [_DELIVERY_NOTE, _TERMS, _NEXT_PAGE, "Have a nice day", ""])
    def test_a_page_that_is_no_invoice_is_asked_nothing_more(
        self, examiner: PageExaminer, draw: Draw, text: str
    ) -> None:
        assert not examiner.follow_ups(_page(draw, text), [_answer()])

    def test_a_page_that_continues_another_is_asked_when_the_profile_is_fixed(
        self, profiles: Profiles, draw: Draw
    ) -> None:
        fixed = PageExaminer(profiles, Family.V1_5, profile_name="invoice_de")
        (question,) = fixed.follow_ups(_page(draw, _NEXT_PAGE), [_answer()])
        assert (question.task, question.profile) == (Task.FIELDS, "invoice_de")
        assert not fixed.follow_ups(_page(draw, _DELIVERY_NOTE), [_answer()])

    def test_a_page_on_its_side_is_asked_nothing_until_it_is_turned(self, examiner: PageExaminer, draw: Draw) -> None:
        assert not examiner.follow_ups(_seen_turned(_page(draw, _INVOICE), 90), [_answer()])

    def test_a_profile_that_keeps_text_asks_for_it_once(self, profiles: Profiles, draw: Draw) -> None:
        into_chinese = PageExaminer(profiles, Family.V1_5, profile_name="translate_zh")
        page = _page(draw, _TERMS)
        (question,) = into_chinese.follow_ups(page, [_answer()])
        assert (question.task, question.profile) == (Task.TRANSLATION, "translate_zh")
        assert question.prompt.text.endswith("翻译为中文。")
        assert not into_chinese.follow_ups(page, [_answer(), _answer(Task.TRANSLATION)])
        assert not into_chinese.follow_ups(_page(draw, ""), [_answer()])

    def test_a_person_may_add_keys_and_words(self, profiles: Profiles, draw: Draw) -> None:
        asking = PageExaminer(profiles, Family.V1_5, extra_keys=["Cost centre"], instruction="Read as JSON: {keys}")
        (question,) = asking.follow_ups(_page(draw, _INVOICE), [_answer()])
        assert question.keys[-1] == "Cost centre"
        assert question.prompt.text.startswith("Read as JSON: ['Invoice Number'")

    def test_what_makes_another_reading_has_another_name(self, profiles: Profiles) -> None:
        asked: list[dict[str, object]] = [
            {},
            {"extra_keys": ["Cost centre"]},
            {"instruction": "Cost centre"},
            {"profile_name": "translate_en"},
            {"profile_name": "translate_zh"},
            {"value_penalty": 1.08},
        ]
        keys = [PageExaminer(profiles, Family.V1_5, **one).question_key for one in asked]  # type: ignore[arg-type]
        assert keys[0] == "" == PageExaminer(profiles, Family.V1_5, profile_name="receipt").question_key
        assert len(set(keys)) == len(keys)

    def test_what_cannot_be_asked_is_refused_before_the_first_page(self, profiles: Profiles) -> None:
        with pytest.raises(ConfigurationError, match="invoice_xx"):
            PageExaminer(profiles, Family.V1_5, profile_name="invoice_xx")
        with pytest.raises(ConfigurationError, match="instruction"):
            PageExaminer(profiles, Family.V1_5, instruction="x" * 1001)


class TestReadSpotting:
    def _read(self, examiner: PageExaminer, text: str, finish_reason: str = "stop") -> tuple[Reading, str]:
        return examiner.read_spotting(
            text, finish_reason, page_no=3, width=1654, height=2339, rotation=90, reader_version="hunyuan/1.5"
        )

    def test_gives_the_spans_in_page_units(self, examiner: PageExaminer) -> None:
        said = (
            "<｜hy_place▁holder▁no▁112｜>Total (EUR)<｜hy_place▁holder▁no▁113｜><｜hy_place▁holder▁no▁110｜>"
            "(657,951),(705,964)<｜hy_place▁holder▁no▁111｜>"
        )
        reading, problem = self._read(examiner, said)
        assert problem == ""
        assert [(span.text, span.box) for span in reading.spans] == [("Total (EUR)", Box(657, 951, 705, 964))]
        assert (reading.page_no, reading.reader, reading.rotation) == (3, Reader.HUNYUAN, 90)
        assert (reading.width, reading.height, reading.reader_version) == (1654, 2339, "hunyuan/1.5")

    @pytest.mark.parametrize(
        ("text", "finish_reason", "problem"),
        [
            ("", "stop", "empty"),
            ("图片中没有文字。", "stop", "refusal"),
            ("Invoice 2093, total 960.00, dated 13 April 2024", "stop", "off_format"),
            ("Total(657,951),(705,964)960.00(836,9", "length", "truncated"),
        ],
    )
    def test_says_what_is_wrong(self, examiner: PageExaminer, text: str, finish_reason: str, problem: str) -> None:
        assert self._read(examiner, text, finish_reason)[1] == problem

    def test_leaves_out_boxes_in_an_unknown_unit(self, examiner: PageExaminer) -> None:
        reading, problem = self._read(examiner, "Total(1657,1951),(1705,1964)960.00(1836,1951),(1948,1966)")
        assert (reading.spans, problem) == ((), "off_format")

    def test_leaves_out_the_tail_of_a_loop(self, examiner: PageExaminer) -> None:
        said = "Total(10,10),(90,20)960.00(110,10),(190,20)" + "".join(
            f"0.00(110,{y}),(190,{y + 8})" for y in range(30, 900, 10)
        )
        reading, problem = self._read(examiner, said, "repetition")
        assert problem == "repetition"
        assert [span.text for span in reading.spans] == ["Total", "960.00"]


class TestJudging:
    def test_an_invoice_whose_amounts_agree_is_good(self, examiner: PageExaminer, draw: Draw) -> None:
        judgement = examiner.judge(_page(draw, _INVOICE), [_answer()])
        assert (judgement.is_good, judgement.reason, judgement.wants) == (True, "", ())
        assert judgement.score > 0

    def test_amounts_that_do_not_add_up_are_looked_at_once_more_and_larger(
        self, examiner: PageExaminer, draw: Draw
    ) -> None:
        page = _page(draw, _WRONG_TAX)
        first = examiner.judge(page, [_answer()])
        assert (first.is_good, first.wants) == (False, (Remedy.MORE_PIXELS,))
        assert first.reason == "the amounts do not add up"
        assert examiner.judge(page, [_answer(attempt=2)]).wants == ()

    @pytest.mark.parametrize(
        "misread",
        [
            ("£160.00", "£106.00"),  # the lines still prove the net amount
            ("£960.00", "£966.00"),
            ("Net Total         £800.00", "Net Total         £808.00"),
        ],
    )
    def test_one_misread_digit_is_reason_enough(
        self, examiner: PageExaminer, draw: Draw, misread: tuple[str, str]
    ) -> None:
        judgement = examiner.judge(_page(draw, _INVOICE.replace(*misread)), [_answer()])
        assert judgement.wants == (Remedy.MORE_PIXELS,)

    @pytest.mark.parametrize(("shown", "mend"), [(90, "270"), (270, "90")])
    def test_a_page_on_its_side_is_turned_the_way_its_lines_follow_each_other(
        self, examiner: PageExaminer, draw: Draw, shown: int, mend: str
    ) -> None:
        judgement = examiner.judge(_seen_turned(_page(draw, _INVOICE), shown), [_answer()])
        assert not judgement.is_good
        assert [remedy.value for remedy in judgement.wants] == [mend, str(shown)]

    def test_a_page_on_its_head_is_turned_from_where_it_stands(self, examiner: PageExaminer, draw: Draw) -> None:
        seen = replace(_seen_turned(_page(draw, _INVOICE), 180), rotation=90)
        judgement = examiner.judge(seen, [_answer()])
        assert (judgement.reason, judgement.wants) == ("the page stands on its head", (Remedy.ROTATE_270,))

    @pytest.mark.parametrize("shown", [90, 180, 270])
    def test_the_upright_picture_scores_highest(self, examiner: PageExaminer, draw: Draw, shown: int) -> None:
        page = _page(draw, _INVOICE)
        assert examiner.judge(page, [_answer()]).score > examiner.judge(_seen_turned(page, shown), [_answer()]).score

    def test_small_print_on_an_unproven_form_wants_more_pixels(self, examiner: PageExaminer, draw: Draw) -> None:
        unproven = _page(draw, _INVOICE[: _INVOICE.index("Description")] + "Total             £960.00")
        assert examiner.judge(unproven, [_answer(picture_height=2339)]).is_good
        thumbnail = examiner.judge(unproven, [_answer(picture_height=600)])
        assert (thumbnail.reason, thumbnail.wants) == ("the print is too small", (Remedy.MORE_PIXELS,))

    def test_gibberish_is_turned(self, examiner: PageExaminer) -> None:
        marks = tuple(Span(mark, Box(10 * n, 10 * n, 10 * n + 8, 10 * n + 8)) for n, mark in enumerate("a7.kq,x-3j", 1))
        judgement = examiner.judge(Reading(1, Reader.HUNYUAN, "v", marks, 1654, 2339), [_answer()])
        assert judgement.wants == (Remedy.ROTATE_180, Remedy.ROTATE_90, Remedy.ROTATE_270)

    @pytest.mark.parametrize("problem", ["repetition", "truncated", "off_format"])
    def test_a_broken_answer_with_text_is_tried_once_with_another_picture(
        self, examiner: PageExaminer, draw: Draw, problem: str
    ) -> None:
        judgement = examiner.judge(_page(draw, _TERMS), [_answer(problem=problem)])
        assert (judgement.is_good, judgement.wants) == (False, (Remedy.MORE_PIXELS,))
        assert judgement.score < examiner.judge(_page(draw, _TERMS), [_answer()]).score

    def test_reasons_hold_no_text_of_the_page(self, examiner: PageExaminer, draw: Draw) -> None:
        said = {
            examiner.judge(page, [_answer(problem=problem)]).reason
            for text in (_WRONG_TAX, _TERMS, "", "x")
            for problem in ("", "truncated")
            for page in (_page(draw, text), _seen_turned(_page(draw, text), 90))
        }
        assert not any(character.isdigit() for reason in said for character in reason)


class TestThePriceOfAPage:
    @pytest.mark.parametrize(
        ("text", "problem", "most"),
        [
            ("", "", 2),
            ("", "refusal", 2),
            ("", "empty", 2),
            ("EXIT", "", 2),
            (_TERMS, "", 1),
            (_TERMS, "truncated", 2),
            (_DELIVERY_NOTE, "", 1),
            (_NEXT_PAGE, "", 1),
            (_WRONG_TAX, "", 2),
            ("", "repetition", 4),
        ],
    )
    def test_is_bounded_by_what_another_picture_can_mend(
        self, examiner: PageExaminer, draw: Draw, text: str, problem: str, most: int
    ) -> None:
        assert _attempts(examiner, _page(draw, text), problem) <= most

    def test_an_empty_page_never_replaces_one_with_text(self, examiner: PageExaminer, draw: Draw) -> None:
        read = examiner.judge(_page(draw, _TERMS), [_answer(problem="repetition")])
        lost = examiner.judge(_page(draw, ""), [_answer(attempt=2, problem="empty")])
        assert _rank(lost) < _rank(read)


def _rank(judgement: Judgement) -> tuple[bool, float]:
    return judgement.is_good, judgement.score


def test_the_text_of_a_document_is_its_kept_answers_page_by_page() -> None:
    answers: Sequence[PageAnswer] = [
        _answer(Task.PARSING, page_no=2, text="Second"),
        _answer(Task.PARSING, page_no=1, text="```markdown\n# First\n```"),
        _answer(Task.PARSING, page_no=1, text="blurred", is_kept=False),
        _answer(page_no=1, text="First(1,2),(3,4)"),
    ]
    assert document_text(answers) == "# First\n\nSecond"
    assert document_text([_answer()]) == ""
