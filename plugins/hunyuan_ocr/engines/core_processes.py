"""The processes an in-process engine starts below this one: found, watched, ended, and waited for until they are gone.

A GPU's memory is free only when they are. Looks at /proc, so it works on Linux only, as vLLM does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its id and start time, so that an id given to another one later is never mistaken for it."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        found = _stat(self.pid)
        return found is not None and found[1] == self.started and found[2] not in ("Z", "X")


def is_resource_tracker(process: Process) -> bool:
    """Whether it is Python's own helper of the ``spawn`` method, which stays until this process ends."""
    try:
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        return False


def children() -> set[Process]:
    """The living processes this one started itself."""
    return set(_by_parent().get(os.getpid(), []))


def descendants(pid: int | None = None) -> set[Process]:
    """All living processes below ``pid`` (default: this one)."""
    by_parent = _by_parent()
    below: set[Process] = set()
    queue = [os.getpid() if pid is None else pid]
    while queue:
        for process in by_parent.get(queue.pop(), []):
            if process not in below:
                below.add(process)
                queue.append(process.pid)
    return below


def end(processes: Iterable[Process], *, grace_seconds: float) -> set[Process]:
    """Asks them to end (SIGTERM), ends them after ``grace_seconds`` (SIGKILL); returns those that live even then.

    Blocks; safe in a signal handler and in any thread.
    """
    remaining = {process for process in processes if process.is_alive}
    # What they started in turn goes with them: after a kill it would have another parent and be found no more.
    remaining |= {below for process in remaining for below in descendants(process.pid)}
    _signal(remaining, signal.SIGTERM)
    remaining = wait_until_gone(remaining, grace_seconds)
    _signal(remaining, signal.SIGKILL)
    return wait_until_gone(remaining, 5.0)


def wait_until_gone(processes: Iterable[Process], seconds: float) -> set[Process]:
    """Waits up to ``seconds``; returns those still alive."""
    deadline = time.monotonic() + seconds
    remaining = {process for process in processes if process.is_alive}
    while remaining and time.monotonic() < deadline:
        time.sleep(0.05)
        remaining = {process for process in remaining if process.is_alive}
    return remaining


def _by_parent() -> dict[int, list[Process]]:
    by_parent: dict[int, list[Process]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (found := _stat(int(entry.name))) and found[2] not in ("Z", "X"):
            by_parent.setdefault(found[0], []).append(Process(int(entry.name), found[1]))
    return by_parent


def _signal(processes: Iterable[Process], number: int) -> None:
    for process in processes:
        if process.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _stat(pid: int) -> tuple[int, int, str] | None:
    """Parent id, start time in ticks and state letter (proc(5)), or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command in parentheses may itself hold spaces and parentheses.
    state, parent, *rest = text.rpartition(")")[2].split()
    return int(parent), int(rest[17]), state
