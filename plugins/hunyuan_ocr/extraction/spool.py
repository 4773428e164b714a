"""Documents on the local disk, only for as long as pages of them are in work.

The processes that draw pages open files. A document is fetched once, kept while any of its pages is in flight or the
next page to come is one of its own, and removed then: the disk holds what is in flight, however many documents a run
has. What a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PREFIX = "hunyuan_ocr_pages_"
_LOCK = "in_use"
_LOADING_THREADS = 4


@dataclass(slots=True)
class _Kept:
    place: Path
    path: asyncio.Future[Path]
    pages: int = 0


class Spool:
    """The folder of the documents in flight. ``load`` gives a document's bytes, or a file to read it from in place;
    it may block and runs in a thread. Close it, whatever happened."""

    def __init__(self, load: Callable[[str], bytes | Path]) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self._load = load
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = _locked(self._folder / _LOCK)
        self._threads = ThreadPoolExecutor(_LOADING_THREADS, thread_name_prefix="hunyuan-ocr-load")
        self._kept: dict[str, _Kept] = {}
        self._free: list[Path] = []
        self.loading = 0

    @property
    def folder(self) -> Path:
        return self._folder

    async def open(self, sha256: str) -> Path:
        """The document's file; count the page in. Raises what ``load`` raises, and OSError for a full disk; the page
        counts all the same, so ``release`` it."""
        kept = self._kept.get(sha256)
        if kept is None:
            loop = asyncio.get_running_loop()
            # Names are used again: every new one would stay in the interpreter's table of path parts for a while.
            place = self._free.pop() if self._free else self._folder / str(len(self._kept))
            fetched = loop.run_in_executor(self._threads, self._fetched, sha256, place)
            kept = self._kept[sha256] = _Kept(place, fetched)
            # Looked at, or asyncio complains about a failure that every waiting page has been told of.
            kept.path.add_done_callback(lambda path: path.cancelled() or path.exception())
        kept.pages += 1
        self.loading += 1
        try:
            # Shielded: other pages may wait for the same document.
            return await asyncio.shield(kept.path)
        finally:
            self.loading -= 1

    def release(self, sha256: str, next_sha256: str | None) -> None:
        """One page fewer is in flight; ``next_sha256`` is the document of the page that comes next."""
        self._kept[sha256].pages -= 1
        for known, kept in list(self._kept.items()):
            if kept.pages == 0 and known != next_sha256 and kept.path.done():
                del self._kept[known]
                kept.place.unlink(missing_ok=True)
                self._free.append(kept.place)

    def _fetched(self, sha256: str, place: Path) -> Path:
        content = self._load(sha256)
        if isinstance(content, Path):
            return content
        try:
            place.write_bytes(content)
        except OSError as error:
            raise SpoolError(
                error.errno,
                f"{error.strerror}: a document of {len(content)} bytes does not fit beside the others being read. "
                "Free space or set TMPDIR to a larger disk",
                str(place),
            ) from error
        return place

    def close(self) -> None:
        """Remove the folder. A document still being fetched is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


class SpoolError(OSError):
    """The local disk cannot take a document (full, read-only). The data engineer acts; a retry helps once there is
    room. No document is to blame."""


def _locked(path: Path) -> IO[bytes] | None:
    """The file, locked for as long as this process lives; ``None`` where the system has no such locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    # Locked before it has the name others look for.
    unnamed = path.with_suffix(".new")
    file = unnamed.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(path)
    return file


def _sweep(folder: Path) -> None:
    """Remove the folders of runs that ended without removing them: nobody holds their lock."""
    if sys.platform == "win32":
        return
    import fcntl

    for left in folder.glob(f"{PREFIX}*/{_LOCK}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
