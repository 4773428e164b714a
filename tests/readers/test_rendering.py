"""Pages are drawn as they stand, and a file that hangs, crashes or swells costs nobody but itself."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from hunyuan_ocr.exceptions import (
    ConfigurationError,
    CorruptDocumentError,
    DocumentError,
    EncryptedDocumentError,
    LimitExceededError,
)
from hunyuan_ocr.readers.pages import PDF_MEDIA_TYPE
from hunyuan_ocr.readers.rendering import DocumentFile, PagePicture, RenderPool
from tests.readers.hostile import bomb_png, endless_pdf
from tests.readers.paper import pdf_of, picture, saved, texts

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory limits and /proc are Linux's")


@pytest.fixture
def filed(tmp_path):
    def filed(raw: bytes, name: str, media_type: str = PDF_MEDIA_TYPE) -> DocumentFile:
        path = tmp_path / name
        path.write_bytes(raw)
        return DocumentFile(path, media_type, hashlib.sha256(raw).hexdigest(), name)

    return filed


def drawn(document: DocumentFile, page_no: int = 1, **options: int) -> PagePicture:
    async def draw() -> PagePicture:
        async with RenderPool(1) as pool:
            return await pool.picture(document, page_no, **options)

    return asyncio.run(draw())


def image_of(page: PagePicture) -> Image.Image:
    return Image.open(io.BytesIO(page.data))


def dark_corner(page: PagePicture) -> str:
    image = image_of(page).convert("L")
    width, height = image.size
    corners = {"upper left": (5, 5), "upper right": (width - 6, 5), "lower right": (width - 6, height - 6)}
    corners["lower left"] = (5, height - 6)
    return min(corners, key=lambda name: image.getpixel(corners[name]))


def with_black_corner(canvas) -> None:
    """A page whose upper left corner is black."""
    canvas.rect(0, 792, 50, 50, fill=1)


def test_a_pdf_page_is_a_jpeg_within_the_pixel_budget(filed):
    page = drawn(filed(pdf_of(texts((50, 700, "Invoice"))), "invoice.pdf"), max_pixels=1_000_000)
    assert page.media_type == "image/jpeg"
    assert image_of(page).format == "JPEG"
    assert image_of(page).size == (page.width, page.height)
    assert 0.98 < page.width * page.height / 1_000_000 < 1.02
    assert page.sha256 == hashlib.sha256(page.data).hexdigest()


def test_small_paper_is_drawn_no_finer_than_asked(filed):
    receipt = filed(pdf_of(texts((10, 100, "Receipt")), size=(144, 288)), "receipt.pdf")
    assert drawn(receipt, max_pixels=4_000_000, max_dpi=200).width == 400
    assert drawn(receipt, max_pixels=4_000_000, max_dpi=300).width == 600


@pytest.mark.parametrize(
    ("turn", "corner"), [(0, "upper left"), (90, "upper right"), (180, "lower right"), (270, "lower left")]
)
def test_a_page_is_turned_clockwise(filed, turn, corner):
    page = drawn(filed(pdf_of(with_black_corner), "page.pdf"), rotation=turn)
    assert dark_corner(page) == corner
    assert (page.width < page.height) == (turn in (0, 180))
    assert page.stored_rotation == 0


def test_the_pages_own_turn_is_told_and_done_first(filed):
    def turned(canvas) -> None:
        canvas.setPageRotation(90)
        with_black_corner(canvas)

    # reportlab exchanges the sides of a page it turns.
    document = filed(pdf_of(turned, size=(842, 595)), "turned.pdf")
    assert (dark_corner(drawn(document)), drawn(document).stored_rotation) == ("upper right", 90)
    back = drawn(document, rotation=270)
    assert (dark_corner(back), back.stored_rotation) == ("upper left", 90)


def test_black_and_white_scans_stay_black_and_white(filed):
    scan = saved(picture((50, 50, "Invoice")).convert("1"), "TIFF", compression="group4")
    page = drawn(filed(scan, "scan.tiff", "image/tiff"))
    assert page.media_type == "image/png"
    assert image_of(page).mode == "1"
    grey = saved(picture((50, 50, "Invoice")).convert("L"), "TIFF")
    assert drawn(filed(grey, "grey.tiff", "image/tiff")).media_type == "image/jpeg"


def test_pages_come_out_the_same_in_any_order_and_company(filed):
    first = filed(pdf_of(*[texts((50, 700, f"page {number}")) for number in range(12)]), "first.pdf")
    other = filed(pdf_of(*[texts((50, 300, f"other {number}")) for number in range(12)]), "other.pdf")

    async def both_ways() -> None:
        async with RenderPool(2) as pool:
            alone = {
                (document.sha256, number): (await pool.picture(document, number)).sha256
                for document in (first, other)
                for number in range(1, 13)
            }
            mixed = [(document, number) for number in (1, 2, 5, 12, 4, 4, 6) for document in (first, other)]
            pages = await asyncio.gather(*(pool.picture(document, number) for document, number in mixed))
            assert [page.sha256 for page in pages] == [alone[document.sha256, number] for document, number in mixed]
            assert len(set(alone.values())) == 24
            assert len(pool.pids) <= 2

    asyncio.run(both_ways())


def test_the_frames_of_a_tiff_are_its_pages(filed):
    frames = [Image.new("L", (60 + 10 * number, 100), 255 - 60 * number) for number in range(4)]
    fax = filed(saved(frames[0], "TIFF", save_all=True, append_images=frames[1:]), "fax.tiff", "image/tiff")

    async def widths(*page_numbers: int) -> list[int]:
        async with RenderPool(1) as pool:
            return [(await pool.picture(fax, number)).width for number in page_numbers]

    assert asyncio.run(widths(1, 2, 4, 3, 3)) == [60, 70, 90, 80, 80]


def test_what_is_wrong_with_a_document_comes_back_as_it_is(filed):
    whole = pdf_of(texts((50, 700, "Invoice")))
    cases: list[tuple[DocumentFile, int, type[DocumentError]]] = [
        (filed(pdf_of(texts((50, 700, "x")), encrypt="secret"), "locked.pdf"), 1, EncryptedDocumentError),
        (filed(whole[: len(whole) // 3], "cut.pdf"), 1, CorruptDocumentError),
        (filed(whole, "short.pdf"), 9, CorruptDocumentError),
        (filed(bomb_png(), "bomb.png", "image/png"), 1, LimitExceededError),
    ]

    async def draw_all() -> None:
        async with RenderPool(1) as pool:
            for document, page_no, kind in cases:
                with pytest.raises(kind, match=document.file_name) as caught:
                    await pool.picture(document, page_no)
                assert type(caught.value) is kind
                assert (caught.value.document, caught.value.page_no) == (document.file_name, page_no)
            assert (await pool.picture(filed(whole, "whole.pdf"), 1)).width
            assert len(pool.pids) == 1

    asyncio.run(draw_all())


def test_a_page_without_end_is_stopped_and_the_others_are_drawn(filed):
    endless, good = filed(endless_pdf(), "endless.pdf"), filed(pdf_of(texts((50, 700, "Invoice"))), "good.pdf")

    async def draw_all() -> None:
        async with RenderPool(1, timeout=1.5) as pool:
            await pool.picture(good, 1)
            (first,) = pool.pids
            began = time.monotonic()
            with pytest.raises(LimitExceededError, match=r"endless\.pdf, page 1: drawing it took longer than 1\.5 sec"):
                await pool.picture(endless, 1)
            assert time.monotonic() - began < 5
            assert (await pool.picture(good, 1)).width
            assert first not in pool.pids
            assert not Path(f"/proc/{first}").exists()

    asyncio.run(draw_all())


async def _end(pool: RenderPool, how: signal.Signals, times: int) -> None:
    """End the process that draws as soon as it does, so many times."""
    ended: set[int] = set()
    while len(ended) < times:
        await asyncio.sleep(0.02)
        for pid in set(pool.pids) - ended:
            os.kill(pid, how)
            ended.add(pid)


def test_a_page_whose_process_somebody_ends_is_drawn_again(filed):
    slow = filed(endless_pdf(levels=1), "slow.pdf")

    async def draw() -> None:
        async with RenderPool(1) as pool:
            ender = asyncio.create_task(_end(pool, signal.SIGKILL, 1))
            assert (await pool.picture(slow, 1)).width
            assert ender.done()

    asyncio.run(draw())


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        (signal.SIGSEGV, CorruptDocumentError, "crashes the renderer"),
        (signal.SIGKILL, LimitExceededError, "killed 2 times"),
    ],
)
def test_a_page_that_ends_its_process_twice_is_given_up(filed, how, kind, words):
    endless, good = filed(endless_pdf(), "endless.pdf"), filed(pdf_of(texts((50, 700, "Invoice"))), "good.pdf")

    async def draw() -> None:
        async with RenderPool(1) as pool:
            ender = asyncio.create_task(_end(pool, how, 2))
            with pytest.raises(kind, match=words):
                await pool.picture(endless, 1)
            await ender
            assert (await pool.picture(good, 1)).width

    asyncio.run(draw())


@linux_only
def test_a_picture_that_needs_too_much_memory_is_refused(filed):
    large = filed(saved(Image.new("RGB", (9_500, 9_500)), "PNG", compress_level=1), "large.png", "image/png")

    async def draw() -> None:
        async with RenderPool(1, memory_limit=600 << 20) as pool:
            with pytest.raises(LimitExceededError, match="more memory than allowed"):
                await pool.picture(large, 1)
            assert (await pool.picture(filed(pdf_of(texts((50, 700, "x"))), "good.pdf"), 1)).width

    asyncio.run(draw())


@linux_only
def test_the_processes_know_none_of_the_tasks_secrets(filed, monkeypatch):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://user:secret@db/airflow")

    async def draw() -> None:
        async with RenderPool(1) as pool:
            await pool.picture(filed(pdf_of(texts((50, 700, "x"))), "good.pdf"), 1)
            (pid,) = pool.pids
            assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()

    asyncio.run(draw())


def test_an_installation_that_cannot_draw_blames_no_document(filed, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigurationError, match="does not start"):
        drawn(filed(pdf_of(texts((50, 700, "x"))), "good.pdf"))


@pytest.mark.parametrize("settings", [{"processes": 0}, {"timeout": 0}, {"memory_limit": 100 << 20}])
def test_settings_no_page_can_be_drawn_with_are_refused(settings):
    with pytest.raises(ConfigurationError):
        RenderPool(**settings)


def test_pages_are_drawn_from_a_loop_in_any_thread(filed):
    document = filed(pdf_of(texts((50, 700, "x"))), "good.pdf")
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(drawn, document).result().width


def test_a_cancelled_page_leaves_no_process_behind(filed):
    endless = filed(endless_pdf(), "endless.pdf")

    async def draw() -> None:
        async with RenderPool(2) as pool:
            pages = [asyncio.create_task(pool.picture(endless, 1)) for _ in range(2)]
            while len(pool.pids) < 2:
                await asyncio.sleep(0.05)
            pids = pool.pids
            for page in pages:
                page.cancel()
            await asyncio.wait(pages)
            assert pool.pids == ()
            assert not any(Path(f"/proc/{pid}").exists() for pid in pids)

    asyncio.run(draw())


PARENT = """
import asyncio, sys
from pathlib import Path
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

async def main():
    pool = RenderPool(2)
    document = DocumentFile(Path(sys.argv[1]), "application/pdf", "endless", "endless.pdf")
    pages = [asyncio.create_task(pool.picture(document, 1)) for _ in range(2)]
    while len(pool.pids) < 2:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    print(*pool.pids, flush=True)
    await asyncio.wait(pages)

asyncio.run(main())
"""


@linux_only
def test_processes_end_with_a_killed_parent_even_in_the_middle_of_a_page(filed):
    endless = filed(endless_pdf(), "endless.pdf")
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(endless.path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = parent.stdout.readline().split()
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while (left := [pid for pid in pids if _lives(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _lives(pid: str) -> bool:
    try:
        # A process nobody waits for any more stays in the table as a zombie until the init of the container reaps it.
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
