"""What fails costs its document, what dies costs no finished page, and nothing hangs."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import (
    ConfigurationError,
    CorruptDocumentError,
    EncryptedDocumentError,
    EngineDiedError,
    EngineUnavailableError,
    LimitExceededError,
    PageRefusedError,
    SourceUnavailableError,
)
from hunyuan_ocr.extraction.pipeline import run_pipeline
from hunyuan_ocr.extraction.spool import SpoolError
from hunyuan_ocr.readers.rendering import RenderPool
from tests.extraction.shelf import leftovers, reader_of, run, text_of
from tests.readers.hostile import bomb_png, endless_pdf
from tests.readers.paper import pdf_of, texts
from tests.readers.scripted import ScriptedEngine, ScriptedExaminer

pytestmark = pytest.mark.usefixtures("temp")


def test_hostile_files_cost_themselves_and_nobody_else(shelf):
    whole = pdf_of(texts((50, 700, "x")))
    shelf.put_pdf("good", pages=4)
    shelf.put("endless.pdf", endless_pdf())
    shelf.put("cut.pdf", whole[: len(whole) // 3], pages=5)
    shelf.put("locked.pdf", pdf_of(texts((50, 700, "x")), encrypt="secret"))
    shelf.put("bomb.png", bomb_png(), media_type="image/png")
    shelf.put_pdf("also good", pages=4)
    counts = run(shelf, ScriptedEngine(text_of, capacity=2), timeout=1.5, processes=2)
    assert shelf.reasons == {
        "endless.pdf": LimitExceededError,
        "cut.pdf": CorruptDocumentError,
        "locked.pdf": EncryptedDocumentError,
        "bomb.png": LimitExceededError,
    }
    assert (counts.pages, counts.set_aside, counts.skipped) == (8, 4, 8)


def test_what_nobody_foresaw_sets_one_document_aside(shelf):
    bad = shelf.put_pdf("bad", pages=3)
    shelf.put_pdf("good", pages=3)

    class Surprised(ScriptedExaminer):
        def read_spotting(self, *answer, **facts):
            if facts["page_no"] == 2 and not shelf.set_aside:
                raise ZeroDivisionError("surprise")
            return super().read_spotting(*answer, **facts)

    engine = ScriptedEngine(text_of, capacity=1)
    counts = run(shelf, engine, reader=reader_of(engine, Surprised()))
    assert list(shelf.set_aside) == [bad]
    assert isinstance(shelf.set_aside[bad], ZeroDivisionError)
    assert counts.set_aside == 1
    assert counts.pages + counts.skipped == 6


def test_a_page_the_engine_refuses_costs_its_document_and_is_named(shelf):
    refused = shelf.put_pdf("refused", pages=2)
    shelf.put_pdf("good", pages=3)
    first: list[str] = []

    def script(picture, prompt):
        first.append(picture.sha256)
        if picture.sha256 == first[0]:
            raise PageRefusedError("the picture has an impossible shape")
        return "text"

    assert run(shelf, ScriptedEngine(script, capacity=1)).pages >= 3
    error = shelf.set_aside[refused]
    assert isinstance(error, PageRefusedError)
    assert (error.document, error.page_no) == ("refused.pdf", 1)


def test_an_engine_that_dies_keeps_what_was_read_and_a_second_run_asks_for_the_rest_only(shelf):
    shelf.put_pdf("document", pages=30)

    def script(picture, prompt):
        if len(engine.asked) > 12:
            raise EngineDiedError("the engine core is gone")
        return "text"

    engine = ScriptedEngine(script)
    with pytest.raises(EngineDiedError, match="core is gone"):
        run(shelf, engine)
    assert len(engine.asked) <= 12 + engine.capacity
    assert not shelf.set_aside
    assert not leftovers()
    kept = list(shelf.committed)
    assert len(kept) == 12

    again = ScriptedEngine(text_of)
    rest = [job for job in shelf.jobs() if (job.content_sha256, job.page_no) not in kept]
    assert run(shelf, again, rest).pages == 18
    assert len(again.asked) == 18
    assert len(set(shelf.committed)) == len(shelf.committed) == 30


def test_pages_in_flight_are_finished_when_the_run_must_end(shelf):
    shelf.put_pdf("document", pages=30)

    async def script(picture, prompt):
        number = len(engine.asked)
        if number == 6:
            raise EngineUnavailableError("no server answers")
        await asyncio.sleep(0.2)
        return "text"

    engine = ScriptedEngine(script, capacity=8)
    with pytest.raises(EngineUnavailableError):
        run(shelf, engine)
    assert len(shelf.committed) == len(engine.asked) - 1
    assert len(engine.asked) <= 12


def test_an_engine_that_hangs_counts_as_dead(shelf):
    shelf.put_pdf("document", pages=10)

    async def script(picture, prompt):
        if len(engine.asked) > 4:
            await asyncio.Event().wait()
        return "text"

    engine = ScriptedEngine(script)
    began = time.monotonic()
    with pytest.raises(EngineDiedError, match=r"none of 4 questions for 0\.5 seconds"):
        run(shelf, engine, stall_seconds=0.5)
    assert time.monotonic() - began < 15
    assert len(shelf.committed) == 4
    assert not leftovers()


def test_an_engine_that_is_slow_but_alive_is_left_to_work(shelf):
    shelf.put_pdf("document", pages=4)

    async def script(picture, prompt):
        await asyncio.sleep(0.4)
        return "text"

    assert run(shelf, ScriptedEngine(script, capacity=1), stall_seconds=1.2).pages == 4


def test_an_archive_that_hangs_is_told_apart_from_the_engine(shelf):
    shelf.put_pdf("document")
    release = threading.Event()

    def load(sha256):
        release.wait(20)
        return shelf.load(sha256)

    try:
        with pytest.raises(SourceUnavailableError, match="archive"):
            run(shelf, ScriptedEngine(text_of), load=load, stall_seconds=0.4, drain_seconds=0.1)
    finally:
        release.set()
    assert not shelf.set_aside


@pytest.mark.parametrize("error", [SourceUnavailableError("archive"), ConfigurationError("root"), PermissionError()])
def test_an_archive_that_fails_ends_the_run_and_blames_no_document(shelf, error):
    shelf.put_pdf("document", pages=3)

    def load(sha256):
        raise error

    with pytest.raises(type(error)):
        run(shelf, ScriptedEngine(text_of), load=load)
    assert not shelf.set_aside


def test_a_document_the_archive_has_spoilt_is_set_aside(shelf):
    spoilt = shelf.put_pdf("spoilt", pages=3)
    shelf.put_pdf("good", pages=3)

    def load(sha256):
        if sha256 == spoilt:
            raise CorruptDocumentError("the bytes have changed")
        return shelf.load(sha256)

    assert run(shelf, ScriptedEngine(text_of), load=load).pages == 3
    assert list(shelf.set_aside) == [spoilt]


def test_a_full_disk_ends_the_run_with_what_to_do_about_it(shelf):
    shelf.put("large.pdf", pdf_of(texts((50, 700, "x"))) + b"%" * 500_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SpoolError, match="Free space or set TMPDIR"):
            run(shelf, ScriptedEngine(text_of))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not shelf.set_aside


def test_a_store_that_fails_ends_the_run_but_a_value_it_cannot_take_costs_its_document(shelf):
    bad = shelf.put_pdf("bad")
    shelf.put_pdf("good", pages=3)

    def choosy(job, result):
        if job.content_sha256 == bad:
            raise ValueError("cannot be stored")
        shelf.commit(job, result)

    assert run(shelf, ScriptedEngine(text_of), commit=choosy).pages == 3
    assert list(shelf.set_aside) == [bad]

    def gone(job, result):
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(sqlite3.OperationalError):
        run(shelf, ScriptedEngine(text_of), commit=gone)


def test_a_cancelled_run_leaves_nothing_but_its_committed_pages(shelf):
    shelf.put_pdf("document", pages=20)

    async def script(picture, prompt):
        if len(engine.asked) > 5:
            await asyncio.Event().wait()
        return "text"

    engine = ScriptedEngine(script)

    def slow_commit(job, result):
        time.sleep(0.05)
        shelf.commit(job, result)

    async def through() -> tuple[int, ...]:
        async with RenderPool(2) as pool:
            task = asyncio.create_task(
                run_pipeline(
                    shelf.jobs(),
                    load=shelf.load,
                    read=reader_of(engine),
                    commit=slow_commit,
                    set_aside=shelf.reject,
                    pool=pool,
                    capacity=4,
                )
            )
            while len(engine.asked) < 9:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            pids = pool.pids
        assert len(asyncio.all_tasks()) == 1
        return pids

    pids = asyncio.run(through())
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert len(shelf.committed) == 5
    assert not leftovers()
