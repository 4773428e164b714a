"""The tiny checkpoint itself: it knows its pages, and what it was taught is what the product must stage."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hunyuan_ocr.extraction.examiner import PageExaminer
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.examination import PageQuestion
from tests.vllm.tiny.lessons import FAMILY, all_lessons
from tests.vllm.tiny.pages import KnownInvoice, known_invoices, profiles
from tests.vllm.tiny.training import Classroom, recite


@pytest.fixture(scope="module")
def trained(checkpoint: Path) -> tuple[Any, Classroom]:
    from transformers import AutoProcessor, HunYuanVLForConditionalGeneration

    model = HunYuanVLForConditionalGeneration.from_pretrained(checkpoint, dtype="float32").eval()
    return model, Classroom(AutoProcessor.from_pretrained(checkpoint), all_lessons())


@pytest.mark.parametrize("invoice", known_invoices(), ids=lambda invoice: invoice.name)
def test_the_product_asks_what_was_taught_and_is_content_with_the_answers(invoice: KnownInvoice) -> None:
    taught = {lesson.prompt: lesson for lesson in all_lessons() if lesson.page.name == invoice.name}
    examiner = PageExaminer(profiles(), FAMILY)
    question: PageQuestion | None = examiner.first()
    answers: list[PageAnswer] = []
    while question is not None:
        answers.append(_given(question, taught[question.prompt].text))
        reading = _read(examiner, answers[0], invoice)
        question = next(iter(examiner.follow_ups(reading, answers)), None)
    assert [answer.task for answer in answers][:2] == [Task.SPOTTING, Task.FIELDS]
    assert examiner.judge(reading, answers).is_good


@pytest.mark.parametrize("invoice", known_invoices(), ids=lambda invoice: invoice.name)
def test_the_taught_text_gives_the_expected_invoice(invoice: KnownInvoice) -> None:
    examiner = PageExaminer(profiles(), FAMILY)
    (spotting,) = (
        lesson for lesson in all_lessons() if lesson.page.name == invoice.name and lesson.task is Task.SPOTTING
    )
    reading = _read(examiner, _given(examiner.first(), spotting.text), invoice)
    truth, found = invoice.expected_staging(), reconcile([reading], profiles=profiles())
    assert found.review_reasons == ()
    assert found.invoice.invoice_number == truth["invoice_number"]
    assert found.invoice.issue_date is not None
    assert found.invoice.issue_date.isoformat() == truth["issue_date"]
    assert found.invoice.total_with_tax == Decimal(truth["total_amount"])
    assert found.invoice.total_tax == Decimal(truth["tax_amount"])
    assert (found.invoice.seller.tax_id, found.invoice.buyer.tax_id) == (truth["seller_tax_id"], truth["buyer_tax_id"])
    assert len(found.invoice.lines) == truth["line_count"]


@pytest.mark.parametrize("task", [Task.SPOTTING, Task.FIELDS, Task.TABLE])
def test_every_invoice_is_answered_word_for_word_from_its_pixels(trained: tuple[Any, Classroom], task: Task) -> None:
    lessons = [lesson for lesson in all_lessons() if lesson.task is task and lesson.page.name != "blank"]
    assert [recite(*trained, lesson) for lesson in lessons] == [lesson.text for lesson in lessons]


def test_another_picture_gives_another_answer(trained: tuple[Any, Classroom]) -> None:
    answers = {
        recite(*trained, lesson)
        for lesson in all_lessons()
        if lesson.task is Task.SPOTTING and lesson.page.name != "blank"
    }
    assert len(answers) == len(known_invoices())


def test_an_empty_sheet_says_nothing(trained: tuple[Any, Classroom]) -> None:
    (lesson, *_) = [lesson for lesson in all_lessons() if lesson.page.name == "blank"]
    assert recite(*trained, lesson) == ""


def _given(question: PageQuestion, text: str) -> PageAnswer:
    return PageAnswer(
        page_no=1,
        attempt=1,
        task=question.task,
        text=text,
        engine_key="",
        prompt_sha256=question.prompt.sha256,
        answer_key="",
        picture_width=0,
        picture_height=0,
        profile=question.profile,
        keys=question.keys,
    )


def _read(examiner: PageExaminer, spotting: PageAnswer, invoice: KnownInvoice) -> Reading:
    reading, problem = examiner.read_spotting(
        spotting.text,
        spotting.finish_reason,
        page_no=1,
        width=invoice.reading.width,
        height=invoice.reading.height,
        rotation=0,
        reader_version="",
    )
    assert problem == ""
    return reading
