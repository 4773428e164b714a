"""Pictures of pages, drawn by a few processes of our own so that a file that hangs or crashes costs that file only.

Asynchronous: the caller's event loop never draws. What goes wrong with a document comes back as the ``DocumentError``
that ``readers.pages`` raises; a page over its time or memory is a LimitExceededError, one that crashes the process
twice a CorruptDocumentError. Keeps nothing: a picture is gone when its caller drops it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

from hunyuan_ocr import exceptions
from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.exceptions import ConfigurationError, CorruptDocumentError, DocumentError, LimitExceededError
from hunyuan_ocr.readers.pages import PixelBudget
from hunyuan_ocr.readers.render_worker import LENGTH

_MODULE = "hunyuan_ocr.readers.render_worker"
_PACKAGE_FOLDER = Path(exceptions.__file__).parents[1]
# What a process needs to run at all. The task's environment holds passwords; a decoder of strangers' files gets none.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "SYSTEMROOT", "TMPDIR", "TZ")
# A page image is one large block; glibc would return each to the system and fault its memory in anew, page after
# page, which costs as much as the drawing.
_REUSE_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
#: Of address space, in bytes: the decoders alone take half of it.
LEAST_MEMORY = 512 << 20
_START_SECONDS = 120.0
_STREAM_BYTES = 1 << 20
_TRIES = 2


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document as it lies on disk while its pages are drawn. ``file_name`` is the one people know it by."""

    path: Path
    media_type: str
    sha256: str
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class PagePicture(Picture):
    """A page as it is sent. ``stored_rotation`` is how many degrees clockwise the stored page was turned by its own
    declaration; ``digest`` is the hash of ``data``, taken by the process that drew it."""

    stored_rotation: int = 0
    digest: str = ""

    @property
    def sha256(self) -> str:
        return self.digest or hashlib.sha256(self.data).hexdigest()


class _WorkerLostError(Exception):
    """The process ended without an answer."""


class _Worker:
    """One process, and whether it may be asked again."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.document = ""
        self.is_usable = True

    @classmethod
    async def start(cls, memory_limit: int, seconds_per_page: float) -> Self:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= _REUSE_MEMORY | {"PYTHONPATH": str(_PACKAGE_FOLDER), "OPENBLAS_NUM_THREADS": "1"}
        with tempfile.TemporaryFile() as complaints:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                _MODULE,
                str(memory_limit),
                str(seconds_per_page),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                env=environment,
                limit=_STREAM_BYTES,
            )
            worker = cls(process)
            try:
                await asyncio.wait_for(worker._answer(), _START_SECONDS)
            except (_WorkerLostError, TimeoutError) as error:
                await worker.stop()
                raise ConfigurationError(_not_started(complaints)) from error
            except BaseException:
                await worker.stop()
                raise
            return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    async def ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Raises _WorkerLostError; whatever it raises, the process is of no further use."""
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        told = json.dumps(request).encode()
        self.is_usable = False
        try:
            self._process.stdin.write(LENGTH.pack(len(told)) + told)
            answer, picture = await self._answer()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _WorkerLostError from error
        self.is_usable = True
        return answer, picture

    async def _answer(self) -> tuple[dict[str, Any], bytes]:
        assert self._process.stdout is not None  # noqa: S101  # it was started with a pipe
        try:
            (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            answer: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
            size = answer.get("size", 0)
            return answer, await self._process.stdout.readexactly(size) if size else b""
        except asyncio.IncompleteReadError as error:
            await self._process.wait()
            raise _WorkerLostError from error

    async def stop(self) -> None:
        self.is_usable = False
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


class RenderPool:
    """Up to ``processes`` processes that draw pages; each is started when it is first needed.

    ``timeout`` is the most seconds a page may take, ``memory_limit`` the address space of a process in bytes (Linux
    only; 0 for no limit). ``budget`` limits the files themselves (claimed pixels, pages); its ``max_pixels`` and
    ``max_dpi`` hold where ``picture`` is not told otherwise. Use as an asynchronous context manager, or call ``close``.
    """

    def __init__(
        self,
        processes: int = 2,
        timeout: float = 60.0,
        memory_limit: int = 3 << 30,
        budget: PixelBudget | None = None,
    ) -> None:
        if processes < 1 or timeout <= 0:
            raise ConfigurationError(
                f"Pages are drawn by {processes} processes with {timeout} seconds a page; both must be above 0."
            )
        if 0 < memory_limit < LEAST_MEMORY:
            raise ConfigurationError(
                f"A process that draws pages cannot do with {memory_limit} bytes of memory; give it {LEAST_MEMORY} or "
                "more, or 0 for no limit."
            )
        self.processes = processes
        self.timeout = timeout
        self.memory_limit = memory_limit
        self.budget = budget or PixelBudget()
        self._turns = asyncio.Semaphore(processes)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that live now."""
        return tuple(worker.pid for worker in (*self._idle, *self._busy) if worker.exit_code is None)

    async def close(self) -> None:
        """End all processes. A page being drawn is lost, and the pool is of no further use."""
        self._is_closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        await asyncio.gather(*(worker.stop() for worker in workers))

    async def picture(
        self,
        document: DocumentFile,
        page_no: int,
        *,
        max_pixels: int | None = None,
        max_dpi: int | None = None,
        rotation: int = 0,
    ) -> PagePicture:
        """The page's picture, upright by its own declaration and then turned ``rotation`` degrees clockwise.

        A JPEG, or a PNG when the page is black and white without a grey. Raises a DocumentError when the page is to
        blame, ConfigurationError when the processes do not start.
        """
        budget = self.budget
        if max_pixels is not None or max_dpi is not None:
            budget = replace(budget, max_pixels=max_pixels or budget.max_pixels, max_dpi=max_dpi or budget.max_dpi)
        request = {
            "path": str(document.path),
            "sha256": document.sha256,
            "media_type": document.media_type,
            "file_name": document.file_name,
            "page_no": page_no,
            "budget": asdict(budget),
            "rotation": rotation,
        }
        async with self._turns:
            answer, data = await self._answer(document, page_no, request)
        if "error" in answer:
            raise _error_of(answer, page_no)
        return PagePicture(
            data=data,
            media_type=answer["media_type"],
            width=answer["width"],
            height=answer["height"],
            stored_rotation=answer["rotation"],
            digest=answer["sha256"],
        )

    async def _answer(
        self, document: DocumentFile, page_no: int, request: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        exit_code: int | None = None
        # Twice, because a process may also be ended by somebody else, and no document is rejected for that.
        for _ in range(_TRIES):
            worker = await self._free_worker(document.sha256)
            self._busy.add(worker)
            try:
                async with asyncio.timeout(self.timeout):
                    return await worker.ask(request)
            except TimeoutError:
                raise _too_slow(document, page_no, self.timeout) from None
            except _WorkerLostError:
                exit_code = worker.exit_code
            finally:
                self._busy.discard(worker)
                if worker.is_usable:
                    self._idle.append(worker)
                else:
                    await worker.stop()
            if sys.platform != "win32" and exit_code == -signal.SIGXCPU:
                raise _too_slow(document, page_no, self.timeout)
        named = document.file_name or "the document"
        if sys.platform != "win32" and exit_code == -signal.SIGKILL:
            raise LimitExceededError(
                f"{named}, page {page_no}: the process that draws it was killed {_TRIES} times, as a machine out of "
                "memory does",
                document=document.file_name,
                page_no=page_no,
            )
        raise CorruptDocumentError(
            f"{named}, page {page_no}: drawing it crashes the renderer (exit code {exit_code})",
            document=document.file_name,
            page_no=page_no,
        )

    async def _free_worker(self, sha256: str) -> _Worker:
        """One that has the document open, else the longest idle, else a new one. Those that ended are forgotten."""
        if self._is_closed:
            raise RuntimeError("The pool that draws pages was closed.")
        self._idle = [worker for worker in self._idle if worker.exit_code is None]
        if self._idle:
            chosen = next((worker for worker in self._idle if worker.document == sha256), self._idle[0])
            self._idle.remove(chosen)
        else:
            chosen = await _Worker.start(self.memory_limit, self.timeout)
        chosen.document = sha256
        return chosen


def _error_of(answer: dict[str, Any], page_no: int) -> Exception:
    kind = getattr(exceptions, answer["error"] or "-", None)
    if isinstance(kind, type) and issubclass(kind, DocumentError):
        return kind(answer["message"], document=answer["document"], page_no=answer["page_no"])
    named = answer["document"] or "the document"
    return RuntimeError(f"{named}, page {page_no}: the renderer failed unexpectedly ({answer['message']})")


def _too_slow(document: DocumentFile, page_no: int, timeout: float) -> LimitExceededError:
    return LimitExceededError(
        f"{document.file_name or 'the document'}, page {page_no}: drawing it took longer than {timeout:g} seconds",
        document=document.file_name,
        page_no=page_no,
    )


def _not_started(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    reason = lines[-1] if lines else "no reason given"
    return (
        f"The process that draws pages does not start ({sys.executable} -m {_MODULE}): {reason}. Is the package whole?"
    )
