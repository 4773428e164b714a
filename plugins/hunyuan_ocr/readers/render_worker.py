"""The process that draws pages: reads requests from its standard input, writes pictures to its standard output.

Whatever a stranger's file does to the decoders, it does in here: the process has no secrets in its environment, little
memory, and a parent that ends it. It leaves by itself when its input closes, even in the middle of a page, so a parent
killed by force leaves nobody behind. Started by ``readers.rendering``; not to be used by anybody else.

A message is four bytes with the length (big-endian) of a JSON object and that object; an answer with a picture is
followed by as many bytes as its ``size`` says.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from PIL import Image

from hunyuan_ocr.exceptions import CorruptDocumentError, DocumentError, LimitExceededError
from hunyuan_ocr.readers.pages import PageImage, PixelBudget, iter_page_images

LENGTH = struct.Struct(">I")
JPEG_QUALITY = 90
_PIPE_BYTES = 1 << 20
_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}
# A JPEG has grey edges and so has every page that was drawn; only these can be black and white and nothing else.
_MAYBE_BILEVEL = ("image/tiff", "image/png", "image/bmp", "image/gif")
_BILEVEL = ({(0, 0, 0)}, {(255, 255, 255)}, {(0, 0, 0), (255, 255, 255)})


class PageWalk:
    """The page images of one document, which stays open while its pages are asked for in ascending order."""

    def __init__(self) -> None:
        self._document: tuple[str, PixelBudget] | None = None
        self._wanted: set[int] = set()
        self._pages: Iterator[PageImage] = iter(())

    def page(self, path: str, sha256: str, media_type: str, file_name: str, page_no: int, b: PixelBudget) -> PageImage:
        """The page's image. Raises what ``iter_page_images`` does; CorruptDocumentError when there is no such page."""
        if self._document != (sha256, b) or page_no <= max(self._wanted, default=0):
            self._pages = iter(())
            raw = Path(path).read_bytes()
            # The set is looked into page by page, so a later page of the open document is asked for by changing it.
            self._wanted = set()
            self._pages = iter_page_images(raw, media_type, b, self._wanted, file_name=file_name)
        self._document = None
        self._wanted.clear()
        self._wanted.add(page_no)
        page_image = next(self._pages, None)
        if page_image is None:
            raise CorruptDocumentError(
                f"{file_name or 'the document'} has no page {page_no}", document=file_name, page_no=page_no
            )
        self._document = (sha256, b)
        return page_image


def encoded(image: Image.Image, media_type: str) -> tuple[bytes, str]:
    """The picture as JPEG, or as PNG when it is black and white and nothing else; with its media type."""
    target = io.BytesIO()
    if media_type in _MAYBE_BILEVEL:
        colours = image.getcolors(2)
        if colours is not None and {colour for _, colour in colours} in _BILEVEL:
            image.convert("1", dither=Image.Dither.NONE).save(target, "PNG")
            return target.getvalue(), "image/png"
    image.save(target, "JPEG", quality=JPEG_QUALITY)
    return target.getvalue(), "image/jpeg"


def answer_to(request: dict[str, Any], walk: PageWalk) -> tuple[dict[str, Any], bytes]:
    """The answer to one request: a picture, or what is wrong with the document. Never raises an Exception."""
    file_name, page_no = request["file_name"], request["page_no"]
    try:
        budget = PixelBudget(**request["budget"])
        page = walk.page(request["path"], request["sha256"], request["media_type"], file_name, page_no, budget)
        image = page.image
        if turn := _CLOCKWISE.get(request["rotation"] % 360):
            image = image.transpose(turn)
        picture, media_type = encoded(image, request["media_type"])
    except (DocumentError, MemoryError) as error:
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            error = LimitExceededError(
                f"{file_name or 'the document'}, page {page_no}: drawing it takes more memory than allowed",
                document=file_name,
                page_no=page_no,
            )
        told = {"error": type(error).__name__, "message": str(error)}
        return told | {"document": error.document, "page_no": error.page_no or page_no}, b""
    except Exception as error:
        return {"error": "", "message": f"{type(error).__name__}: {error}", "document": file_name}, b""
    return {
        "media_type": media_type,
        "width": image.width,
        "height": image.height,
        "rotation": page.rotation,
        "sha256": hashlib.sha256(picture).hexdigest(),
        "size": len(picture),
    }, picture


def _requests(source: IO[bytes], waiting: queue.SimpleQueue[dict[str, Any]]) -> None:
    while head := source.read(LENGTH.size):
        waiting.put(json.loads(source.read(LENGTH.unpack(head)[0])))
    # Not sys.exit: the page being drawn may never end, and this is a thread of its own for that reason.
    os._exit(0)


def _limit_process(memory_limit: int) -> None:
    if sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_limit:
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit, memory_limit))


def _limit_page(seconds: float) -> None:
    """Even a page that keeps Python itself from running ends after ``seconds`` of processor time."""
    if sys.platform != "linux":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 2, hard))


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Pipes of our own: what a decoder prints must not get between the messages."""
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # an unprivileged user may have used up what pipes may hold
            fcntl.fcntl(target, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return source, target


def _write(target: IO[bytes], answer: dict[str, Any], picture: bytes = b"") -> None:
    told = json.dumps(answer).encode()
    target.write(LENGTH.pack(len(told)) + told)
    target.write(picture)
    target.flush()


def main(memory_limit: int, seconds_per_page: float) -> None:
    """Serve until the input closes. Units are bytes of address space (0 for no limit) and seconds of processor time."""
    import pypdfium2  # noqa: F401  # loaded before the first page is on the clock

    # A keyboard's interrupt reaches the parent too, and what becomes of us is its decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = _own_pipes()
    _limit_process(memory_limit)
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_requests, args=(source, waiting), daemon=True).start()
    walk = PageWalk()
    _write(target, {"ready": True})
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    while True:
        request = waiting.get()
        _limit_page(seconds_per_page)
        _write(target, *answer_to(request, walk))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
