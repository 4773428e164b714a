"""Page images: what a document looks like, one upright RGB picture a page, never more pixels than the budget.

Renders PDF pages with pdfium (form fields drawn, scripts never run) and decodes pictures with Pillow. Turns every
picture upright by its own declaration (PDF ``/Rotate``, EXIF orientation); it does not look at the picture to find out
that a scan lies on its side: that is the work of the reader that can read it. Refuses password-protected, damaged,
oversized and unknown files with a ``DocumentError``; a decoder's own exception never gets out of here.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageSequence, UnidentifiedImageError

from hunyuan_ocr.exceptions import (
    CorruptDocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    UnsupportedDocumentError,
)

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

PDF_MEDIA_TYPE = "application/pdf"

# pdfium keeps global state and is not thread-safe: every call into it, by whatever module, holds this lock.
PDFIUM_LOCK = threading.RLock()

# Formats whose decoders read pictures only. EPS and the like would start an interpreter on a stranger's file.
_PICTURE_FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "PPM")

_EXIF_ORIENTATION = 0x0112
# EXIF 2.32 §4.6.4 A: how to turn or mirror the stored picture, and the clockwise turn it amounts to.
_UPRIGHT: dict[int, tuple[Image.Transpose, int]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, 0),
    3: (Image.Transpose.ROTATE_180, 180),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, 0),
    5: (Image.Transpose.TRANSPOSE, 90),
    6: (Image.Transpose.ROTATE_270, 90),
    7: (Image.Transpose.TRANSVERSE, 270),
    8: (Image.Transpose.ROTATE_90, 270),
}

# Beyond this a "page" is a rule or an attack: one side vanishes at any scale. HunyuanOCR refuses it as well.
_MAX_ASPECT_RATIO = 200

_FPDF_ERR_PASSWORD = 4
_FPDF_ERR_SECURITY = 5


@dataclass(frozen=True, slots=True)
class PixelBudget:
    """What a page may cost.

    ``max_pixels`` bounds the picture handed to a reader; larger ones are scaled down. A PDF page is rendered with as
    many pixels as the budget allows, but at no more than ``max_dpi`` dots an inch. ``max_source_pixels`` bounds what a
    picture file may claim to hold before it is decoded at all, ``max_pages`` the pages of one document.
    """

    max_pixels: int = 4_000_000
    max_dpi: int = 200
    max_source_pixels: int = 150_000_000
    max_pages: int = 200

    @property
    def key(self) -> str:
        """What of the budget changes a page image; part of a reader's cache key."""
        return f"{self.max_pixels}px-{self.max_dpi}dpi"


@dataclass(frozen=True, slots=True)
class PageImage:
    """An upright page. ``page_no`` counts from 1; ``rotation`` is how many degrees clockwise the stored page was
    turned to stand upright."""

    page_no: int
    image: Image.Image
    rotation: int = 0


def iter_page_images(
    raw: bytes,
    media_type: str,
    budget: PixelBudget | None = None,
    pages: Collection[int] | None = None,
    *,
    file_name: str = "",
) -> Iterator[PageImage]:
    """Yield the page images of a PDF or a picture file, in page order, one in memory at a time.

    ``pages`` are the wanted page numbers (from 1), ``None`` for all. A TIFF has as many pages as frames; of a moving
    picture (GIF, WebP, several exposures in one JPEG) only the first frame counts.

    Raises EmptyDocumentError, EncryptedDocumentError, CorruptDocumentError, LimitExceededError or
    UnsupportedDocumentError.
    """
    budget = budget or PixelBudget()
    if not raw:
        raise EmptyDocumentError(f"{_named(file_name)} has no bytes", document=file_name)
    if media_type == PDF_MEDIA_TYPE:
        yield from _pdf_pages(raw, budget, pages, file_name)
    elif media_type.startswith("image/"):
        yield from _picture_pages(raw, media_type, budget, pages, file_name)
    else:
        raise UnsupportedDocumentError(
            f"{_named(file_name)} of type {media_type} has no page images", document=file_name
        )


def picture_page_count(raw: bytes, media_type: str, budget: PixelBudget | None = None, *, file_name: str = "") -> int:
    """The number of pages of a picture file: its frames for a TIFF, else one. Raises what ``iter_page_images`` does."""
    budget = budget or PixelBudget()
    with _opened_picture(raw, media_type, budget, file_name) as picture:
        count = _frame_count(picture, file_name)
    _check_page_count(count, budget.max_pages, file_name)
    return count


@contextmanager
def open_pdf(raw: bytes, file_name: str = "") -> Iterator[PdfDocument]:
    """A pdfium document, closed at the end. Hold ``PDFIUM_LOCK`` around every use of it.

    A PDF whose user password is empty opens like any other. Raises EncryptedDocumentError or CorruptDocumentError.
    """
    import pypdfium2

    with PDFIUM_LOCK:
        try:
            pdf = pypdfium2.PdfDocument(raw)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) in {_FPDF_ERR_PASSWORD, _FPDF_ERR_SECURITY}:
                raise EncryptedDocumentError(
                    f"{_named(file_name)} is protected by a password", document=file_name
                ) from error
            raise CorruptDocumentError(
                f"{_named(file_name)} does not open as a PDF ({error})", document=file_name
            ) from error
    try:
        yield pdf
    finally:
        with PDFIUM_LOCK:
            pdf.close()


def pdf_page_count(pdf: PdfDocument, max_pages: int, file_name: str = "") -> int:
    """The number of pages of an open PDF. Raises CorruptDocumentError for none, LimitExceededError for too many."""
    with PDFIUM_LOCK:
        count = len(pdf)
    if count == 0:
        raise CorruptDocumentError(f"{_named(file_name)} has no pages", document=file_name)
    _check_page_count(count, max_pages, file_name)
    return count


def _pdf_pages(raw: bytes, budget: PixelBudget, pages: Collection[int] | None, file_name: str) -> Iterator[PageImage]:
    with open_pdf(raw, file_name) as pdf:
        count = pdf_page_count(pdf, budget.max_pages, file_name)
        with PDFIUM_LOCK:
            pdf.init_forms()
        for page_no in range(1, count + 1):
            if pages is None or page_no in pages:
                with PDFIUM_LOCK:
                    page_image = _rendered(pdf, page_no, budget, file_name)
                yield page_image


def _rendered(pdf: PdfDocument, page_no: int, budget: PixelBudget, file_name: str) -> PageImage:
    import pypdfium2

    try:
        page = pdf[page_no - 1]
        try:
            width, height = page.get_size()
            if width <= 0 or height <= 0:
                raise CorruptDocumentError(
                    f"{_named(file_name)}, page {page_no}: the page has no area", document=file_name, page_no=page_no
                )
            _check_shape(width, height, page_no, file_name)
            scale = min(budget.max_dpi / 72, math.sqrt(budget.max_pixels / (width * height)))
            bitmap = page.render(scale=scale, may_draw_forms=True, rev_byteorder=True)
            picture = bitmap.to_pil()
            # A copy either way: the bitmap's memory goes with it.
            image = picture.copy() if picture.mode == "RGB" else picture.convert("RGB")
            bitmap.close()
            return PageImage(page_no, image, page.get_rotation() % 360)
        finally:
            page.close()
    except (pypdfium2.PdfiumError, MemoryError, ValueError) as error:
        raise CorruptDocumentError(
            f"{_named(file_name)}, page {page_no}: the page cannot be drawn ({error})",
            document=file_name,
            page_no=page_no,
        ) from error


def _picture_pages(
    raw: bytes, media_type: str, budget: PixelBudget, pages: Collection[int] | None, file_name: str
) -> Iterator[PageImage]:
    with _opened_picture(raw, media_type, budget, file_name) as picture:
        frame_count = _frame_count(picture, file_name)
        _check_page_count(frame_count, budget.max_pages, file_name)
        for page_no, frame in enumerate(ImageSequence.Iterator(picture), start=1):
            if page_no > frame_count:
                return
            if pages is None or page_no in pages:
                yield _decoded(frame, page_no, budget, file_name)


@contextmanager
def _opened_picture(raw: bytes, media_type: str, budget: PixelBudget, file_name: str) -> Iterator[Image.Image]:
    # Restricting the formats skips Pillow's own loading of the plugins that read them.
    Image.init()
    with warnings.catch_warnings():
        # Pillow warns of damaged metadata, which is not what is read, and from 90 megapixels on; our own limit
        # decides about those, before decoding.
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(io.BytesIO(raw), formats=_PICTURE_FORMATS)
        except Image.DecompressionBombError as error:
            raise _too_many_pixels(file_name, 1, budget) from error
        except UnidentifiedImageError as error:
            if media_type.removeprefix("image/") in {"jpeg", "jpg", "png", "tiff", "gif", "bmp", "webp", "jp2"}:
                raise CorruptDocumentError(
                    f"{_named(file_name)} does not open as a picture", document=file_name
                ) from error
            raise UnsupportedDocumentError(
                f"{_named(file_name)}: pictures of type {media_type} are not read by this version; "
                "a JPEG, PNG, TIFF or PDF copy would be",
                document=file_name,
            ) from error
        except Exception as error:
            raise _corrupt_picture(file_name, 1, error) from error
    with picture:
        yield picture


def _frame_count(picture: Image.Image, file_name: str) -> int:
    if picture.format != "TIFF":
        return 1
    try:
        return int(getattr(picture, "n_frames", 1))
    except Exception as error:
        raise _corrupt_picture(file_name, 1, error) from error


def _decoded(frame: Image.Image, page_no: int, budget: PixelBudget, file_name: str) -> PageImage:
    if frame.width * frame.height > budget.max_source_pixels:
        raise _too_many_pixels(file_name, page_no, budget)
    _check_shape(frame.width, frame.height, page_no, file_name)
    try:
        turn = _UPRIGHT.get(_exif_orientation(frame))
        factor = math.sqrt(budget.max_pixels / (frame.width * frame.height))
        if frame.format in {"JPEG", "MPO"} and factor < 0.5:
            # The JPEG decoder halves for free what would be scaled down anyway; never below twice the budget's sides.
            frame.draft("RGB", (round(frame.width * factor), round(frame.height * factor)))
        image = _flattened(frame)
        if turn:
            image = image.transpose(turn[0])
        factor = math.sqrt(budget.max_pixels / (image.width * image.height))
        if factor < 1:
            size = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
            image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    except Exception as error:
        raise _corrupt_picture(file_name, page_no, error) from error
    return PageImage(page_no, image, turn[1] if turn else 0)


def _exif_orientation(frame: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(frame.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing about the picture itself, which is read as it lies
        return 1


def _flattened(frame: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB; what is transparent shows white paper."""
    if frame.mode in {"I", "F"} or frame.mode.startswith("I;16"):
        return _eight_bit(frame).convert("RGB")
    if frame.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in frame.info:
        with_alpha = frame.convert("RGBA")
        paper = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, with_alpha).convert("RGB")
    return frame.convert("RGB")


def _eight_bit(frame: Image.Image) -> Image.Image:
    import numpy as np

    samples: Any = np.asarray(frame, dtype=np.float64)
    top = float(samples.max(initial=0.0))
    # Sixteen-bit files use the whole range or as little of it as an eight-bit one; nothing in the mode tells which.
    full_scale = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    return Image.fromarray(np.clip(samples / full_scale * 255.0, 0, 255).astype(np.uint8))


def _check_page_count(count: int, max_pages: int, file_name: str) -> None:
    if count > max_pages:
        raise LimitExceededError(
            f"{_named(file_name)} has {count} pages, more than the limit of {max_pages}", document=file_name
        )


def _check_shape(width: float, height: float, page_no: int, file_name: str) -> None:
    if max(width, height) > _MAX_ASPECT_RATIO * min(width, height):
        raise LimitExceededError(
            f"{_named(file_name)}, page {page_no}: one side is more than {_MAX_ASPECT_RATIO} times the other",
            document=file_name,
            page_no=page_no,
        )


def _too_many_pixels(file_name: str, page_no: int, budget: PixelBudget) -> LimitExceededError:
    return LimitExceededError(
        f"{_named(file_name)}, page {page_no}: the picture claims more than {budget.max_source_pixels} pixels",
        document=file_name,
        page_no=page_no,
    )


def _corrupt_picture(file_name: str, page_no: int, error: Exception) -> CorruptDocumentError:
    return CorruptDocumentError(
        f"{_named(file_name)}, page {page_no}: the picture is damaged ({error})", document=file_name, page_no=page_no
    )


def _named(file_name: str) -> str:
    return file_name or "the document"
