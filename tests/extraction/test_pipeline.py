"""Pages of many documents go through side by side; what fails costs its document, what dies costs no finished page."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import json
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.spec import Family
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
from hunyuan_ocr.extraction.examiner import PageExaminer
from hunyuan_ocr.extraction.pipeline import PageJob, PipelineCounts, run_pipeline
from hunyuan_ocr.extraction.spool import PREFIX, SpoolError
from hunyuan_ocr.readers.examination import Remedy
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.pages import PDF_MEDIA_TYPE
from hunyuan_ocr.readers.rendering import RenderPool
from tests.engines.pictures import SPEC, options
from tests.model_stub import ModelStub
from tests.readers.hostile import bomb_png, endless_pdf
from tests.readers.paper import INVOICE_LINES, invoice_picture, pdf_of, saved, texts
from tests.readers.scripted import FIELDS, ScriptedEngine, ScriptedExaminer, poor
from tests.stub_settings import Faults, Latency, StubSettings

SMALL = 100_000


class Shelf:
    """Documents by content hash, and what became of them."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[bytes, str, str, int]] = {}
        self.loaded: list[str] = []
        self.committed: list[tuple[str, int]] = []
        self.results: list[PageResult] = []
        self.set_aside: dict[str, Exception] = {}
        self.writers: set[int] = set()

    def put(self, name: str, raw: bytes, pages: int = 1, media_type: str = PDF_MEDIA_TYPE) -> str:
        sha256 = hashlib.sha256(raw).hexdigest()
        self.documents[sha256] = (raw, media_type, name, pages)
        return sha256

    def put_pdf(self, name: str, pages: int = 1) -> str:
        drawings = [texts((50, 100, f"{name}, page {number}")) for number in range(1, pages + 1)]
        return self.put(f"{name}.pdf", pdf_of(*drawings, size=(200, 200)), pages)

    def jobs(self) -> list[PageJob]:
        return [
            PageJob(sha256, page_no, media_type, name)
            for sha256, (_, media_type, name, pages) in self.documents.items()
            for page_no in range(1, pages + 1)
        ]

    def load(self, sha256: str) -> bytes:
        self.loaded.append(sha256)
        return self.documents[sha256][0]

    def commit(self, job: PageJob, result: PageResult) -> None:
        self.writers.add(threading.get_ident())
        assert result.reading.page_no == job.page_no
        self.committed.append((job.content_sha256, job.page_no))
        self.results.append(result)

    def reject(self, job: PageJob, error: Exception) -> None:
        self.writers.add(threading.get_ident())
        assert job.content_sha256 not in self.set_aside
        self.set_aside[job.content_sha256] = error

    @property
    def reasons(self) -> dict[str, type[Exception]]:
        return {self.documents[sha256][2]: type(error) for sha256, error in self.set_aside.items()}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(autouse=True)
def temp(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def reader_of(engine: ScriptedEngine, examiner: ScriptedExaminer | PageExaminer | None = None, **settings):
    return HunyuanPageReader(
        engine, examiner or ScriptedExaminer(), pixels=(SMALL, 2 * SMALL), dpi=(200, 300), **settings
    )


def run(
    shelf: Shelf,
    engine: ScriptedEngine,
    jobs: Iterable[PageJob] | None = None,
    *,
    reader: HunyuanPageReader | None = None,
    timeout: float = 30.0,
    processes: int = 1,
    **settings,
) -> PipelineCounts:
    settings = {"load": shelf.load, "commit": shelf.commit, "set_aside": shelf.reject} | settings

    async def through() -> PipelineCounts:
        async with RenderPool(processes, timeout) as pool:
            try:
                return await run_pipeline(
                    shelf.jobs() if jobs is None else jobs,
                    read=reader or reader_of(engine),
                    pool=pool,
                    capacity=engine.capacity,
                    **settings,
                )
            finally:
                assert len(asyncio.all_tasks()) == 1

    counts = asyncio.run(through())
    assert not leftovers()
    return counts


def leftovers() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def text_of(picture, prompt) -> str:
    return "text of a page"


def test_all_pages_of_all_documents_are_committed_once_by_one_writer(shelf):
    for number in range(8):
        shelf.put_pdf(f"document {number}", pages=1 + number % 3)
    engine = ScriptedEngine(text_of)
    counts = run(shelf, engine, processes=2)
    assert sorted(shelf.committed) == sorted((job.content_sha256, job.page_no) for job in shelf.jobs())
    assert len(shelf.writers) == 1
    assert (counts.pages, counts.asked, counts.set_aside, counts.skipped, counts.retried) == (15, 15, 0, 0, 0)
    assert (counts.prompt_tokens, counts.completion_tokens) == (15_000, 150)
    assert len({picture for picture, _ in engine.asked}) == 15


def test_a_straggler_holds_nobody_up_and_the_engine_is_never_asked_more_than_it_takes(shelf):
    shelf.put_pdf("long", pages=30)
    release = asyncio.Event()

    async def script(picture, prompt):
        if len(engine.asked) == 1:
            await release.wait()
        elif len(engine.asked) == 30:
            release.set()
        await asyncio.sleep(0.1)
        return "text"

    engine = ScriptedEngine(script, capacity=4)
    counts = run(shelf, engine)
    assert counts.pages == 30
    assert engine.most_in_flight == 4
    assert len(shelf.committed) == 30


def test_pages_are_taken_as_there_is_room_and_no_more(shelf):
    shelf.put_pdf("long", pages=40)
    taken = 0
    most_ahead = 0

    def jobs() -> Iterator[PageJob]:
        nonlocal taken, most_ahead
        for job in shelf.jobs():
            taken += 1
            most_ahead = max(most_ahead, taken - len(shelf.committed))
            yield job

    counts = run(shelf, ScriptedEngine(text_of, capacity=4), jobs())
    assert counts.pages == 40
    assert most_ahead <= 6 + 2  # the places, the one that is looked at ahead, and one just finished


def test_a_document_is_fetched_once_and_lies_on_disk_only_while_it_is_in_work(shelf, temp):
    long = shelf.put_pdf("long", pages=12)
    for number in range(20):
        shelf.put_pdf(f"document {number}")
    on_disk = []

    def commit(job, result):
        on_disk.append({path.name for path in temp.glob(f"{PREFIX}*/[0-9]*")})
        shelf.commit(job, result)

    run(shelf, ScriptedEngine(text_of, capacity=1), commit=commit)
    assert shelf.loaded.count(long) == 1
    assert len(shelf.loaded) == 21
    assert max(map(len, on_disk)) <= 3
    assert all(on_disk)


def test_a_document_that_is_a_file_already_is_read_where_it_lies(shelf, tmp_path):
    sha256 = shelf.put_pdf("document", pages=3)
    path = tmp_path / "archive.pdf"
    path.write_bytes(shelf.documents[sha256][0])
    assert run(shelf, ScriptedEngine(text_of), load=lambda _: path).pages == 3
    assert path.exists()


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


def test_answers_given_before_are_not_asked_for_again(shelf):
    shelf.put_pdf("document", pages=6)
    answers: dict[str, Answer] = {}

    class Memory:
        async def get(self, key):
            return answers.get(key)

        async def put(self, key, answer):
            answers[key] = answer

    engine = ScriptedEngine(text_of)
    first = run(shelf, engine, reader=reader_of(engine, cache=Memory()))
    again = run(shelf, engine, reader=reader_of(engine, cache=Memory()))
    assert (first.asked, first.cached, again.asked, again.cached) == (6, 0, 0, 6)
    assert again.pages == 6


def test_the_log_tells_how_it_goes_and_nothing_of_what_stands_on_a_page(shelf, caplog):
    shelf.put_pdf("document", pages=8)

    async def script(picture, prompt):
        await asyncio.sleep(0.1)
        return Answer("secret 4711", FinishReason.LENGTH, 900, 50)

    engine = ScriptedEngine(script, capacity=2)
    examiner = ScriptedExaminer(lambda text, attempt: poor(1.0, Remedy.ROTATE_180))
    with caplog.at_level(logging.INFO):
        counts = run(shelf, engine, reader=reader_of(engine, examiner), progress_seconds=0.1)
    assert (counts.retried, counts.unfinished) == (8, 16)
    lines = [record.getMessage() for record in caplog.records if "pages" in record.getMessage()]
    assert len(lines) > 3
    assert lines[-1].startswith("8 of 8 pages, ")
    assert "tokens 14400 in, 800 out; 8 pictures tried again" in lines[-1]
    assert "secret" not in caplog.text


def quadrants(picture) -> int:
    """How many quarter turns clockwise from upright the picture stands, by its black corner."""
    image = Image.open(io.BytesIO(picture.data)).convert("L")
    width, height = image.size
    corners = [(4, 4), (width - 5, 4), (width - 5, height - 5), (4, height - 5)]
    return min(range(4), key=lambda corner: image.getpixel(corners[corner]))


def spotted(picture, prompt) -> str:
    """What a model says that reads letters in any direction: the printed lines, boxed where they stand."""
    if "检测" not in prompt.text:
        return '```json\n{"Invoice No.": "2026-00417"}\n```'
    said = []
    for x, y, text in INVOICE_LINES:
        box = [(x / 1.24, y / 1.754), (min(1000, x / 1.24 + 14 * len(text)), y / 1.754 + 20)]
        for _ in range(quadrants(picture)):
            box = [(1000 - y, x) for x, y in box]
        xs, ys = sorted(x for x, _ in box), sorted(y for _, y in box)
        said.append(f"<ref>{text}</ref><quad>({xs[0]:.0f},{ys[0]:.0f}),({xs[1]:.0f},{ys[1]:.0f})</quad>")
    return "".join(said)


@pytest.mark.parametrize(("turned", "upright"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_a_page_that_lies_or_stands_on_its_head_is_read_upright(shelf, profiles, turned, upright):
    scan = invoice_picture()
    scan.paste("black", (0, 0, 20, 20))
    shelf.put("scan.png", saved(scan.rotate(-turned, expand=True), "PNG"), media_type="image/png")
    engine = ScriptedEngine(spotted)
    reader = HunyuanPageReader(engine, PageExaminer(profiles, Family.V1_5))
    counts = run(shelf, engine, reader=reader)
    (result,) = shelf.results
    assert result.judgement.is_good
    assert result.reading.rotation == upright
    assert result.reading.width < result.reading.height
    number = next(span for span in result.reading.spans if "2026-00417" in span.text)
    assert (round(number.box.x0), round(number.box.y0)) == (565, 114)
    assert counts.retried == max(answer.attempt for answer in result.answers) - 1 <= 2
    assert {answer.rotation for answer in result.answers if answer.is_kept} == {upright}
    assert (counts.retried > 0) == (turned != 0)


def test_through_a_server_that_fails_now_and_then_each_page_gets_its_own_answer(shelf):
    shelf.put_pdf("document", pages=40)

    def answer(picture: bytes, words: str) -> str:
        return hashlib.sha256(picture).hexdigest()

    async def through() -> PipelineCounts:
        settings = StubSettings(latency=Latency(0.02), faults=Faults(error_500=0.1, reset=0.05))
        async with (
            ModelStub(settings, answer) as stub,
            OpenAIServerEngine(SPEC, options(stub, max_in_flight=8)) as engine,
            RenderPool(2) as pool,
        ):
            reader = HunyuanPageReader(engine, ScriptedExaminer(rounds=[[FIELDS]]), pixels=(SMALL, 2 * SMALL))
            counts = await run_pipeline(
                shelf.jobs(),
                load=shelf.load,
                read=reader,
                commit=shelf.commit,
                set_aside=shelf.reject,
                pool=pool,
                capacity=engine.capacity,
            )
            assert stub.questions > counts.asked == 80
            return counts

    assert asyncio.run(through()).pages == 40
    said = {(result.reading.page_no, answer.text) for result in shelf.results for answer in result.answers}
    assert len(said) == 40  # both questions about a page were asked of the same picture, no two pages of one
    assert len({text for _, text in said}) == 40


def test_counts_of_runs_add_up():
    total = PipelineCounts(pages=2, asked=5, seconds=1.5) + PipelineCounts(pages=3, set_aside=1, seconds=0.5)
    assert total == PipelineCounts(pages=5, asked=5, set_aside=1, seconds=2.0)


def test_memory_does_not_grow_with_the_number_of_pages(shelf):
    sha256 = shelf.put_pdf("document")
    raw = shelf.documents[sha256][0]
    sizes: dict[int, int] = {}
    committed = 0

    def commit(job, result):
        nonlocal committed
        committed += 1
        if committed in (200, 2000):
            gc.collect()
            sizes[committed] = tracemalloc.get_traced_memory()[0]

    engine = ScriptedEngine(text_of, capacity=8)
    engine.asked = Forgetful()
    jobs = (PageJob(f"{number:064x}", 1, PDF_MEDIA_TYPE, f"{number}.pdf") for number in range(2000))
    tracemalloc.start()
    try:
        counts = run(shelf, engine, jobs, load=lambda _: raw, commit=commit, processes=2)
    finally:
        tracemalloc.stop()
    assert counts.pages == 2000
    assert sizes[2000] - sizes[200] < 200_000


class Forgetful(list):
    def append(self, item: object) -> None: ...


KILLED = """
import asyncio, json, sqlite3, sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
tempfile.tempdir = sys.argv[2]
from hunyuan_ocr.extraction.pipeline import PageJob, run_pipeline
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader
from hunyuan_ocr.readers.rendering import RenderPool
from tests.readers.scripted import ScriptedEngine, ScriptedExaminer

store = sqlite3.connect(sys.argv[3], check_same_thread=False)
store.execute("create table if not exists page (number integer primary key)")
done = {number for number, in store.execute("select number from page")}
asked = Path(sys.argv[3] + ".asked").open("a")

async def script(picture, prompt):
    await asyncio.sleep(0.15)
    print("asked", file=asked, flush=True)
    return "text"

def commit(job, result):
    with store:
        store.execute("insert into page values (?)", (job.page_no,))

def set_aside(job, error):
    raise error

async def main():
    async with RenderPool(2) as pool:
        async def tell():
            while len(pool.pids) < 2:
                await asyncio.sleep(0.01)
            print(json.dumps(pool.pids), flush=True)
        telling = asyncio.create_task(tell())
        jobs = [PageJob("0" * 64, number, "application/pdf") for number in range(1, 61) if number not in done]
        reader = HunyuanPageReader(ScriptedEngine(script), ScriptedExaminer(), pixels=(100000, 200000))
        await run_pipeline(jobs, load=lambda _: Path(sys.argv[4]).read_bytes(), read=reader, commit=commit,
                           set_aside=set_aside, pool=pool, capacity=4)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_run_killed_by_force_is_taken_up_where_it_was(shelf, temp):
    document = temp / "document.pdf"
    document.write_bytes(shelf.documents[shelf.put_pdf("document", pages=60)][0])
    database, root = temp / "pages.db", str(Path(__file__).resolve().parents[2])

    def start() -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", KILLED, root, str(temp), str(database), str(document)]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)

    def pages_kept() -> int:
        with sqlite3.connect(database) as store:
            return store.execute("select count(*) from page").fetchone()[0]

    first = start()
    assert first.stdout is not None
    pids = json.loads(first.stdout.readline())
    while pages_kept() < 10:
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = pages_kept()
    assert 10 <= kept < 60
    deadline = time.monotonic() + 5
    while (left := [pid for pid in pids if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert len(leftovers()) == 1

    again = start()
    assert again.wait(timeout=60) == 0
    assert pages_kept() == 60
    assert not leftovers()
    asked = (temp / "pages.db.asked").read_text().count("asked")
    assert asked <= 60 + 6  # those in flight when it was killed are asked again, no others


def is_alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
