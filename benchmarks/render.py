"""B4: pages drawn and encoded a second, in processes of their own, against the same calls in a bare loop.

The price of the processes (pipes, hashing, a limit on each page) must be small, and two must gain over one nearly what
two bare loops gain (twice, on two free cores). PNG stands beside JPEG to show why pages are not sent as PNG.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.bare_loop import MAX_DPI, draw_all
from benchmarks.documents import joined, printed_pages, scanned_pages, stored
from benchmarks.measuring import Report, Setting, at_least, kept, ratios, take_turns
from hunyuan_ocr.readers.rendering import DocumentFile, RenderPool

TITLE = "B4 drawing pages: processes of our own against a bare pypdfium2 and Pillow loop"
_SIZES = (1_200_000, 2_200_000, 3_900_000)
_DEFAULT_SIZE = 2_200_000


def run(setting: Setting) -> Report:
    report = Report("render", TITLE)
    copies = setting.pick(6, 2)
    kinds = {
        "printed": _files(setting, printed_pages() * copies),
        "scanned": _files(setting, scanned_pages() * copies),
    }
    pages = len(kinds["printed"]) * len(printed_pages()) * copies
    for kind, files in kinds.items():
        for size in _SIZES if kind == "printed" else (_DEFAULT_SIZE,):
            _compare(report, setting, f"{kind}, {size / 1e6:.1f} MP", files, size, pages)
    for kind, files in kinds.items():
        _compare_formats(report, setting, kind, files, pages)
    report.notes.append(
        f"{pages} pages a turn, in {len(kinds['printed'])} documents; the processes are started before the clock. "
        "Pages a core second are by processor seconds of parent and children, so busy neighbours do not change them; "
        "one process against two is by the clock, so what two bare loops gain at once is measured in the same round "
        "(2 on two free cores)."
    )
    return report


def _files(setting: Setting, pages: list[bytes]) -> list[DocumentFile]:
    folder = setting.folder / "render"
    folder.mkdir(exist_ok=True)
    return [stored(folder, joined(pages) + b"\n%% copy %d\n" % copy) for copy in range(2)]


def _compare(report: Report, setting: Setting, what: str, files: Sequence[DocumentFile], size: int, pages: int) -> None:
    with asyncio.Runner() as runner:
        pools = {count: RenderPool(processes=count) for count in (1, 2)}
        loops = _BareProcesses(files, size)
        try:
            taken = take_turns(
                {
                    "bare": partial(_bare, files, size, "JPEG"),
                    "one": lambda: runner.run(_through(pools[1], files, size)),
                    "two": lambda: runner.run(_through(pools[2], files, size)),
                    "one loop apart": lambda: loops.draw(1),
                    "two loops apart": lambda: loops.draw(2),
                },
                setting.repeats,
            )
        finally:
            loops.close()
            for pool in pools.values():
                runner.run(pool.close())
    by_cpu = {name: [sample.cpu for sample in samples] for name, samples in taken.items()}
    by_wall = {name: [sample.wall for sample in samples] for name, samples in taken.items()}
    report.tell(f"{what}: bare loop", [pages / seconds for seconds in by_wall["bare"]], "pages/s")
    report.tell(f"{what}: two processes", [pages / seconds for seconds in by_wall["two"]], "pages/s")
    report.tell(
        f"{what}: pages a core second, processes / bare", ratios(by_cpu["bare"], by_cpu["one"]), "", at_least(0.9)
    )
    ours = ratios(by_wall["one"], by_wall["two"])
    # One loop draws half of what two draw.
    machine = [2 * ratio for ratio in ratios(by_wall["one loop apart"], by_wall["two loops apart"])]
    report.tell(f"{what}: two processes / one", ours)
    report.tell(f"{what}: two bare loops at once / one: what this machine has to give", machine)
    report.tell(f"{what}: gain of two processes / of two bare loops", ratios(ours, machine), "", at_least(0.9))
    report.samples |= {f"{what}: {name}": samples for name, samples in kept(taken).items()}


def _compare_formats(report: Report, setting: Setting, kind: str, files: Sequence[DocumentFile], pages: int) -> None:
    taken = take_turns(
        {name: partial(_bare, files[:1], _DEFAULT_SIZE, name) for name in ("JPEG", "PNG")}, max(2, setting.repeats // 2)
    )
    for name, samples in taken.items():
        what = f"{kind}, {_DEFAULT_SIZE / 1e6:.1f} MP: drawn and encoded as {name}, bare loop"
        report.tell(what, [1000 * sample.cpu / (pages / len(files)) for sample in samples], "ms/page")
    report.samples |= {f"{kind} as {name}": samples for name, samples in kept(taken).items()}


def _bare(files: Sequence[DocumentFile], max_pixels: int, picture_format: str) -> Mapping[str, float]:
    return {"bytes": draw_all([file.path for file in files], max_pixels, picture_format)}


class _BareProcesses:
    """Bare loops in two processes, each over half of the files, or one of them over its half alone."""

    def __init__(self, files: Sequence[DocumentFile], max_pixels: int) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.render_run", str(max_pixels), str(file.path)],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for file in files
        ]
        for process in self._processes:
            self._wait_for(process)

    def draw(self, count: int) -> None:
        for process in self._processes[:count]:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in self._processes[:count]:
            self._wait_for(process)

    def close(self) -> None:
        for process in self._processes:
            process.communicate()

    def _wait_for(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("a process of the bare loop ended; what it said is above")


async def _through(pool: RenderPool, files: Sequence[DocumentFile], max_pixels: int) -> Mapping[str, float]:
    """Page after page, as the pipeline asks for them: always more are wanted than are being drawn."""
    import pypdfium2

    pages = iter([(file, page_no) for file in files for page_no in range(1, len(pypdfium2.PdfDocument(file.path)) + 1)])
    written = 0

    async def asker() -> None:
        nonlocal written
        for file, page_no in pages:
            picture = await pool.picture(file, page_no, max_pixels=max_pixels, max_dpi=MAX_DPI)
            written += len(picture.data)

    async with asyncio.TaskGroup() as group:
        for _ in range(2 * pool.processes):
            group.create_task(asker())
    return {"bytes": written}
