"""The journal: a page that was read is never asked again, and comes back as it was read."""

from __future__ import annotations

from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.rows import PageFacts
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
