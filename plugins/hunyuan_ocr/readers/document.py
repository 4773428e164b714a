"""A document's pages: which of them their text layer tells, and which somebody has to look at.

Decides who reads a page and puts the readings together. Takes PDFs and pictures; every other kind of file is refused
with an ``UnsupportedDocumentError`` that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hunyuan_ocr.exceptions import EmptyDocumentError, UnsupportedDocumentError
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.pages import PDF_MEDIA_TYPE, PageImage, PixelBudget, iter_page_images, picture_page_count
from hunyuan_ocr.readers.pdf_text import text_layer


class PageReader(Protocol):
    """Reads a page image. ``engine_key`` names everything that changes an answer."""

    @property
    def engine_key(self) -> str: ...

    def read(self, page_image: PageImage) -> Reading: ...


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is known of a page before anyone looks at it. ``reading`` is its text layer, trusted or not."""

    page_no: int
    reading: Reading | None
    needs_eyes: bool
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentPages:
    """All pages of a document, in order."""

    pages: tuple[PageFacts, ...]

    @property
    def page_numbers_for_eyes(self) -> tuple[int, ...]:
        return tuple(page.page_no for page in self.pages if page.needs_eyes)


def inspect(raw: bytes, media_type: str, *, file_name: str = "", budget: PixelBudget | None = None) -> DocumentPages:
    """What each page of a document says by itself, and whether it needs eyes. No model is asked.

    Raises a DocumentError: EmptyDocumentError, EncryptedDocumentError, CorruptDocumentError, LimitExceededError, or
    UnsupportedDocumentError for anything but a PDF or a picture.
    """
    budget = budget or PixelBudget()
    named = file_name or "the document"
    if not raw:
        raise EmptyDocumentError(f"{named} has no bytes", document=file_name)
    if media_type == PDF_MEDIA_TYPE:
        layer = text_layer(raw, file_name=file_name, max_pages=budget.max_pages)
        return DocumentPages(
            tuple(PageFacts(page.page_no, page.reading, page.needs_eyes, page.reason) for page in layer)
        )
    if media_type.startswith("image/"):
        count = picture_page_count(raw, media_type, budget, file_name=file_name)
        return DocumentPages(
            tuple(PageFacts(number, None, True, "the page is a picture") for number in range(1, count + 1))
        )
    raise UnsupportedDocumentError(
        f"{named}: files of type {media_type} are not read yet by this version, only PDFs and pictures are; "
        "ask the sender for a PDF copy",
        document=file_name,
    )


def read_document(
    raw: bytes,
    media_type: str,
    reader: PageReader | None,
    budget: PixelBudget | None = None,
    *,
    file_name: str = "",
) -> list[Reading]:
    """One reading a page, in page order: the text layer where it can be trusted, ``reader``'s answer elsewhere.

    Without a reader, a page that needs eyes keeps its doubtful text layer if it has one and is left out otherwise.
    Raises what ``inspect`` and the reader raise.
    """
    document = inspect(raw, media_type, file_name=file_name, budget=budget)
    readings = {page.page_no: page.reading for page in document.pages if page.reading is not None}
    unseen = document.page_numbers_for_eyes
    if reader is not None and unseen:
        for page_image in iter_page_images(raw, media_type, budget, unseen, file_name=file_name):
            readings[page_image.page_no] = reader.read(page_image)
    return [readings[page_no] for page_no in sorted(readings)]
