"""Pages of many documents go through side by side, each committed at once, in flat memory."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.extraction.examiner import PageExaminer
from hunyuan_ocr.extraction.pipeline import PageJob, PipelineCounts, run_pipeline
from hunyuan_ocr.extraction.spool import PREFIX
from hunyuan_ocr.readers.examination import Remedy
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader
from hunyuan_ocr.readers.pages import PDF_MEDIA_TYPE
from hunyuan_ocr.readers.rendering import RenderPool
from tests.engines.pictures import SPEC, options
from tests.extraction.shelf import SMALL, leftovers, reader_of, run, text_of
from tests.model_stub import ModelStub
from tests.readers.paper import INVOICE_LINES, invoice_picture, saved
from tests.readers.scripted import FIELDS, ScriptedEngine, ScriptedExaminer, poor
from tests.stub_settings import Faults, Latency, StubSettings

pytestmark = pytest.mark.usefixtures("temp")


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
