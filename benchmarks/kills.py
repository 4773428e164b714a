"""B6: what ``kill -9`` costs: pages asked for again, lost or doubled, at random moments of a run, over and over.

A run is killed, started again, killed again …, until it has had its share of kills, and may then finish. Beside the
pipeline the two patterns others use: a flag for a group of pages, and one result file at the end.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from benchmarks.kill_run import GROUP, IN_FLIGHT, PATTERNS, committed, committed_pages
from benchmarks.measuring import Report, Setting, at_most
from hunyuan_ocr.extraction.pipeline import ADMITTED_PER_SLOT

TITLE = "B6 kill -9 at random moments: pages asked for again"
_LONGEST_LIFE = 4.0
_START_SECONDS = 90.0
PAGES_IN_WORK = math.ceil(ADMITTED_PER_SLOT * IN_FLIGHT)


def run(setting: Setting) -> Report:
    report = Report("kills", TITLE)
    dice = Random(7)
    for pattern in PATTERNS:
        kills = setting.pick(20, 4) if pattern == "pipeline" else setting.pick(8, 2)
        pages = setting.pick(2000, 500) if pattern == "pipeline" else 1000
        setting.say(f"{pattern}, {kills} kills")
        folder = setting.folder / pattern.replace(" ", "-")
        folder.mkdir()
        lost_work = [_one_kill(pattern, folder, pages, dice) for _ in range(kills)]
        goal = at_most(PAGES_IN_WORK) if pattern == "pipeline" else None
        report.tell(f"{pattern}: pages asked for in vain by a kill, the most", float(max(lost_work)), "", goal)
        report.tell(f"{pattern}: pages asked for in vain by a kill", [float(lost) for lost in lost_work])
        report.samples[pattern] = [{"lost": float(lost)} for lost in lost_work]
        if pattern == "pipeline":
            _finish(report, folder, pages, kills)
    report.notes.append(
        f"{IN_FLIGHT} questions in flight, at most {PAGES_IN_WORK} pages in work, groups of {GROUP} pages; in vain is "
        "what was asked for and had not been committed when the process died: the questions in flight, and the pages "
        "answered whose commit was under way (here many: 60 answers a second, a GPU gives 3)."
    )
    return report


def _start(pattern: str, folder: Path, pages: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kill_run", pattern, str(folder), str(pages)], cwd=Path(__file__).parents[1]
    )


def _one_kill(pattern: str, folder: Path, pages: int, dice: Random) -> int:
    """Start, kill some time after the first question; how many distinct pages were asked for in vain."""
    asked, before, kept_before = folder / "asked", _lines(folder), committed(pattern, folder)
    process = _start(pattern, folder, pages)
    try:
        give_up = time.monotonic() + _START_SECONDS
        while len(_lines(folder)) == len(before):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{pattern}: the run ended or asked nothing before it could be killed ({asked})")
            time.sleep(0.02)
        time.sleep(dice.uniform(0.0, _LONGEST_LIFE))
    finally:
        process.kill()
        process.wait()
    time.sleep(0.3)  # the drawing processes notice and end
    return len(set(_lines(folder)[len(before) :])) - (committed(pattern, folder) - kept_before)


def _finish(report: Report, folder: Path, pages: int, kills: int) -> None:
    process = _start("pipeline", folder, pages)
    process.wait(timeout=600)
    rows, asked = committed_pages(folder), _lines(folder)
    report.tell(f"pipeline: pages lost after {kills} kills", float(pages - len(set(rows))), "", at_most(0))
    report.tell("pipeline: pages committed twice", float(len(rows) - len(set(rows))), "", at_most(0))
    again = len(asked) - len(set(asked))
    report.tell(
        f"pipeline: questions asked again, of {pages}, over {kills} kills",
        float(again),
        "",
        at_most(kills * PAGES_IN_WORK),
    )


def _lines(folder: Path) -> list[str]:
    path = folder / "asked"
    # The last line may be half written.
    return path.read_text().split("\n")[:-1] if path.is_file() else []
