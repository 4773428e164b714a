"""The journal: a page that was read is never asked again, and comes back as it was read."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.staging.column_types import storable_text
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.rows import PageFacts
from hunyuan_ocr.staging.tables import page_answer, page_reading
from tests.staging.builders import a_document, open_run, receive, sha

OCR = "rapidocr 3.10"
TEXT = "text_layer pdfplumber 0.11"


def a_reading(page_no: int, reader: Reader = Reader.RAPIDOCR, text: str = "发票号码: 001") -> Reading:
    spans = (Span(text, Box(1.25, 2.5, 300.125, 20.0625), 0.987654321), Span("\x00 odd", Box(0, 0, 1, 1)))
    return Reading(page_no, reader, "3.10", spans, 2480.0, 3508.5, 90)


def test_a_reading_comes_back_as_it_was_read(store: Store) -> None:
    assert store.record_reading(sha("a"), OCR, a_reading(1))
    assert not store.record_reading(sha("a"), OCR, a_reading(1, text="another"))
    assert store.readings_of(sha("a"), [OCR]) == (a_reading(1),)
    assert store.readings_of(sha("b"), [OCR]) == ()


def test_a_page_gives_the_reading_of_the_preferred_engine(store: Store) -> None:
    for page_no in (2, 1):
        store.record_reading(sha("a"), TEXT, a_reading(page_no, Reader.TEXT_LAYER))
    store.record_reading(sha("a"), OCR, a_reading(2))

    def read(*engine_keys: str, best_only: bool = True) -> list[tuple[int, Reader]]:
        return [(r.page_no, r.reader) for r in store.readings_of(sha("a"), engine_keys, best_only=best_only)]

    assert read(OCR, TEXT) == [(1, Reader.TEXT_LAYER), (2, Reader.RAPIDOCR)]
    assert read(TEXT, OCR) == [(1, Reader.TEXT_LAYER), (2, Reader.TEXT_LAYER)]
    assert read(OCR) == [(2, Reader.RAPIDOCR)]
    assert read(OCR, TEXT, best_only=False) == [(1, Reader.TEXT_LAYER), (2, Reader.RAPIDOCR), (2, Reader.TEXT_LAYER)]


def test_only_pages_that_need_eyes_and_have_not_been_read_are_pending(store: Store) -> None:
    batch = open_run(store)
    item_id = receive(store, batch, "mail", a_document("a"), a_document("b", part="2"))
    receive(store, batch, "again", a_document("a"), hour=10)
    facts = (
        PageFacts(1, False, "trusted text layer", 595.0, 842.0),
        PageFacts(2, True, "no text", 20480.5, 842.0, 90),
        PageFacts(3, True, "no text", 595.0, 842.0),
    )
    for _ in range(2):
        store.record_pages(sha("a"), facts)
    assert store.pages_of(sha("a")) == facts
    assert store.documents_of_item(item_id)[0].n_pages == 3

    def pending(engine_key: str) -> list[tuple[str, int, str]]:
        shards = store.shards_of(batch)
        pages = [page for shard in shards for page in store.pages_needing_eyes(batch, shard.shard_no, engine_key)]
        return [(page.content_sha256, page.page_no, page.blob_uri) for page in pages]

    assert pending(OCR) == [(sha("a"), 2, "archive/a"), (sha("a"), 3, "archive/a")]
    store.record_reading(sha("a"), OCR, a_reading(2))
    assert pending(OCR) == [(sha("a"), 3, "archive/a")]
    assert len(pending("another engine")) == 2


def test_pages_of_documents_that_cannot_be_used_are_not_pending(store: Store) -> None:
    batch = open_run(store)
    receive(store, batch, "mail", a_document("a", problem_code="ENCRYPTED", problem="needs a password"))
    store.record_pages(sha("a"), [PageFacts(1, True, "no text", 1.0, 1.0)])
    assert store.pages_needing_eyes(batch, 0, OCR) == ()


HUNYUAN = "HunyuanOCR@449e7d471a8a vllm 0.33.0"


def an_answer(page_no: int = 1, attempt: int = 1, task: Task = Task.FIELDS, text: str = "…", **changes: object):
    said = PageAnswer(page_no, attempt, task, text, "vllm 0.33.0", sha("prompt"), sha(f"{page_no} {text}"), 1280, 1808)
    return replace(said, **changes)


SPOTTED = an_answer(task=Task.SPOTTING, text="发票号码(12,40),(88,52)\n" * 4000, seconds=2.125, completion_tokens=4096)
ASKED = an_answer(
    text='{"Total": "9"}', profile="cn_vat", keys=("价税合计", "Total"), rotation=90, prompt_tokens=3000, is_cached=True
)
FAILED = an_answer(text="", finish_reason="length", problem="truncated", is_kept=False, completion_tokens=8192)
AGAIN = replace(ASKED, attempt=2, picture_width=2560, keys=("合计",), text="{}")


def answers_kept(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(page_answer)).scalar_one()


def test_answers_come_back_as_they_were_given_in_the_order_they_were_asked(store: Store) -> None:
    tried = (replace(SPOTTED, is_kept=False), FAILED, AGAIN, replace(SPOTTED, attempt=2), replace(AGAIN, text="[]"))
    assert store.record_page(sha("a"), HUNYUAN, a_reading(1, Reader.HUNYUAN), tried)
    assert store.readings_of(sha("a"), [HUNYUAN]) == (a_reading(1, Reader.HUNYUAN),)
    assert store.answers_of(sha("a"), [HUNYUAN], kept_only=False) == tried
    assert store.answers_of(sha("a"), [HUNYUAN]) == tried[2:]
    assert store.answers_of(sha("b"), [HUNYUAN]) == store.answers_of(sha("a"), [OCR]) == ()


def test_the_first_record_of_a_page_stays_whole(store: Store) -> None:
    assert store.record_page(sha("a"), HUNYUAN, a_reading(1), [SPOTTED, ASKED])
    assert not store.record_page(sha("a"), HUNYUAN, a_reading(1, text="another"), [an_answer(text="another")])
    assert not store.record_reading(sha("a"), HUNYUAN, a_reading(1, text="a third"))
    assert store.readings_of(sha("a"), [HUNYUAN]) == (a_reading(1),)
    assert store.answers_of(sha("a"), [HUNYUAN]) == (SPOTTED, ASKED)


def test_a_page_gives_the_answers_behind_the_reading_it_gives(store: Store) -> None:
    older = "HunyuanOCR@f6af82ee007f"
    for page_no in (1, 2):
        store.record_page(sha("a"), older, a_reading(page_no), [an_answer(page_no, text="older")])
    store.record_page(sha("a"), HUNYUAN, a_reading(2), [an_answer(2, text="newer")])
    store.record_reading(sha("a"), TEXT, a_reading(1, Reader.TEXT_LAYER))

    def said(*keys: str) -> list[tuple[int, str]]:
        return [(answer.page_no, answer.text) for answer in store.answers_of(sha("a"), keys)]

    assert said(HUNYUAN, older, TEXT) == [(1, "older"), (2, "newer")]
    assert said(older, HUNYUAN) == [(1, "older"), (2, "older")]
    assert said(TEXT, older) == [(2, "older")], "the text layer of page 1 was asked nothing"


def test_an_answer_is_found_by_its_content_key_whatever_page_it_was_about(store: Store) -> None:
    said = replace(SPOTTED, prompt_tokens=3000, finish_reason="repetition")
    store.record_page(sha("a"), HUNYUAN, a_reading(1), [said, FAILED])
    found = Answer(said.text, FinishReason.REPETITION, 3000, 4096, 2.125, is_cached=True)
    assert store.answer_by_key(said.answer_key) == found
    assert store.answer_by_key(FAILED.answer_key) == Answer("", FinishReason.LENGTH, 0, 8192, 0.0, is_cached=True)
    assert store.answer_by_key(sha("never asked")) is None


def test_a_page_is_recorded_with_all_its_answers_or_not_at_all(store: Store) -> None:
    without_key = an_answer(text="x", answer_key=None)
    with pytest.raises(Exception, match=r"(?i)null"):
        store.record_page(sha("a"), HUNYUAN, a_reading(1), [SPOTTED, without_key])
    assert store.readings_of(sha("a"), [HUNYUAN]) == ()
    assert answers_kept(store) == 0
    with pytest.raises(ValueError, match="another page"):
        store.record_page(sha("a"), HUNYUAN, a_reading(1), [an_answer(2)])


def test_two_tasks_may_record_the_same_pages_at_once(store: Store) -> None:
    barrier, errors, firsts = threading.Barrier(3), [], []

    def record(who: str) -> None:
        try:
            for page_no in range(1, 9):
                barrier.wait(timeout=30)
                said = [an_answer(page_no, text=f"{who} {n}") for n in range(5)]
                if store.record_page(sha("a"), HUNYUAN, a_reading(page_no, text=who), said):
                    firsts.append((page_no, who))
        except Exception as error:
            errors.append(error)
            barrier.abort()

    tasks = [threading.Thread(target=record, args=(who,)) for who in ("one", "two", "three")]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()

    assert errors == []
    assert sorted(page_no for page_no, _ in firsts) == list(range(1, 9)), "each page has one first"
    assert {(r.page_no, r.spans[0].text) for r in store.readings_of(sha("a"), [HUNYUAN])} == set(firsts)
    said = [(answer.page_no, answer.text) for answer in store.answers_of(sha("a"), [HUNYUAN])]
    assert said == [(page_no, f"{who} {n}") for page_no, who in sorted(firsts) for n in range(5)]


def test_deleting_a_reading_deletes_its_answers(store: Store) -> None:
    store.record_page(sha("a"), HUNYUAN, a_reading(1), [SPOTTED, FAILED, AGAIN])
    store.record_page(sha("b"), HUNYUAN, a_reading(1), [ASKED])
    with store.engine.begin() as connection:
        connection.execute(delete(page_reading).where(page_reading.c.content_sha256 == sha("a")))
    assert store.answers_of(sha("a"), [HUNYUAN], kept_only=False) == ()
    assert store.answer_by_key(SPOTTED.answer_key) is None
    assert answers_kept(store) == 1


def test_what_a_run_cost_is_counted_once_whoever_sent_the_document(store: Store) -> None:
    batch, other = open_run(store), open_run(store, "scheduled__2")
    receive(store, batch, "mail", a_document("a"), a_document("b", part="2"))
    receive(store, batch, "the same again", a_document("a"), hour=10)
    for content, said in {"a": [SPOTTED, FAILED, AGAIN], "b": [FAILED, ASKED], "not of this run": [SPOTTED]}.items():
        store.record_page(sha(content), HUNYUAN, a_reading(1), said)
    assert store.answer_statistics(batch) == {
        "pages": 2,
        "attempts": 3,
        "answers": 5,
        "cached": 2,
        "prompt_tokens": 0,
        "completion_tokens": 4096 + 2 * 8192,
        "problem_truncated": 2,
    }
    assert store.answer_statistics(other)["answers"] == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200), keys=st.lists(st.text(max_size=20), max_size=4))
def test_whatever_the_model_says_is_kept_word_for_word(store: Store, text: str, keys: list[str]) -> None:
    said = an_answer(text=text, keys=tuple(keys), answer_key=sha(text))
    content = sha(f"{text!r} {keys!r}")
    store.record_page(content, HUNYUAN, a_reading(1), [said])
    assert store.answers_of(content, [HUNYUAN]) == (replace(said, text=storable_text(text)),)
    found = store.answer_by_key(sha(text))
    assert found is not None
    assert found.text == storable_text(text)
