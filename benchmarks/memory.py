"""B5: the most memory a run needs at 1,000, 10,000 and 100,000 documents, against a task a page and one gather.

Pages are small and the engine answers at once, so that 100,000 documents take minutes; what could grow with their
number (tasks, results, caches, files) grows all the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Report, Setting, at_most

TITLE = "B5 memory of a run by its number of documents"
_MEGA = 1024 * 1024


def run(setting: Setting) -> Report:
    report = Report("memory", TITLE)
    sizes = setting.pick((1_000, 10_000, 100_000), (1_000, 5_000))
    repeats = 1 if setting.is_quick else 2
    most: dict[tuple[str, int], list[float]] = {}
    for turn in range(repeats):
        for kind, documents in [*(("pipeline", size) for size in sizes), *(("gather", size) for size in sizes[:2])]:
            setting.say(f"{kind}, {documents} documents")
            most.setdefault((kind, documents), []).append(_peak(setting, kind, documents, turn))
    for (kind, documents), peaks in most.items():
        report.tell(f"{kind}, {documents:,} documents", [peak / _MEGA for peak in peaks], "MB")
    smallest = most["pipeline", sizes[0]]
    for size in sizes[1:]:
        growth = [peak / least for peak, least in zip(most["pipeline", size], smallest, strict=True)]
        report.tell(f"pipeline, {size:,} documents / {sizes[0]:,}", growth, "", at_most(1.2))
    growth = [peak / least for peak, least in zip(most["gather", sizes[1]], most["gather", sizes[0]], strict=True)]
    report.tell(f"gather, {sizes[1]:,} documents / {sizes[0]:,}", growth)
    report.samples = {
        f"{kind} {documents}": [{"bytes": peak} for peak in peaks] for (kind, documents), peaks in most.items()
    }
    report.notes.append("Resident memory at its highest: of the process, and of the two that draw, added.")
    return report


def _peak(setting: Setting, kind: str, documents: int, turn: int) -> float:
    folder = setting.folder / f"{kind}-{documents}-{turn}"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory_run", kind, str(documents), str(folder)],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return float(told["own"] + told["descendants"])
