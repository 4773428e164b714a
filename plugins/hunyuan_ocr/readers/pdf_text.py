"""The text layer of a PDF: what its pages say without being looked at, and whether that can be trusted.

A text layer is exact where it is the document's own; it is worthless where fonts carry no character map, and only
another program's opinion where it was put invisibly behind a scan. Every page therefore comes with a verdict: read it,
or look at the page. Form fields and typed-in notes count as text. It never looks at pixels.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.exceptions import EmptyDocumentError
from hunyuan_ocr.model.geometry import Box, Reader, Reading
from hunyuan_ocr.readers.pages import PDFIUM_LOCK, open_pdf, pdf_page_count
from hunyuan_ocr.readers.text_lines import Glyph, Rule, pieces_of, spans_of, unique_glyphs

if TYPE_CHECKING:
    from pdfplumber.page import Page
    from pypdfium2 import PdfDocument

# Fewer glyphs than this beside a picture are a stamp, a fax header or a page number on a scan, not an invoice.
_FEW_GLYPHS = 100
_PICTURE_PAGE = 0.4
_GARBAGE_SHARE = 0.05
_MANY_SHAPES = 100
_INVISIBLE_RENDER_MODE = 3  # ISO 32000-1 §9.3.6: neither fill nor stroke

_UNMAPPED = re.compile(r"\(cid:\d+\)|[\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]|[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_TYPED_IN = {"Widget", "FreeText", "Stamp"}


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page holds, counted: the facts the verdict rests on. ``picture_share`` is of the page's area, 0 to 1."""

    glyphs: int
    unmapped_glyphs: int
    picture_share: float
    shapes: int
    is_text_hidden: bool = False


@dataclass(frozen=True, slots=True)
class TextLayerPage:
    """One page's text layer. ``needs_eyes`` tells that the reading cannot be relied on alone, ``reason`` why.

    ``reading`` is ``None`` when the layer could not be read at all. ``is_hidden`` marks text behind a scan (an OCR
    program's opinion, not the document's own words).
    """

    page_no: int
    reading: Reading | None
    needs_eyes: bool
    reason: str
    is_hidden: bool = False


def verdict(content: PageContent) -> tuple[bool, str]:
    """Whether a page must be looked at, and why."""
    if content.glyphs == 0:
        if content.picture_share < 0.001 and content.shapes == 0:
            return False, "the page is blank"
        return True, "the page has no text layer"
    if content.unmapped_glyphs > _GARBAGE_SHARE * content.glyphs:
        return True, f"{content.unmapped_glyphs} of {content.glyphs} glyphs have no character map"
    if content.is_text_hidden and content.picture_share >= _PICTURE_PAGE:
        return True, "the text was put behind a scan by another program"
    if content.glyphs < _FEW_GLYPHS and content.picture_share >= _PICTURE_PAGE:
        return True, f"only {content.glyphs} glyphs on a page that is mostly a picture"
    if content.glyphs < _FEW_GLYPHS and content.shapes >= _MANY_SHAPES:
        return True, f"only {content.glyphs} glyphs beside {content.shapes} drawn shapes: text may be drawn as shapes"
    return False, ""


def text_layer(raw: bytes, *, file_name: str = "", max_pages: int = 200) -> list[TextLayerPage]:
    """The text layer of every page of a PDF, in page order.

    Raises EmptyDocumentError, EncryptedDocumentError, CorruptDocumentError (it does not open as a PDF) or
    LimitExceededError (more pages than ``max_pages``). A page whose layer is damaged is not an error: it needs eyes.
    """
    if not raw:
        raise EmptyDocumentError(f"{file_name or 'the document'} has no bytes", document=file_name)
    with open_pdf(raw, file_name) as pdf:
        count = pdf_page_count(pdf, max_pages, file_name)
        pages = _read_pages(raw, count)
        hidden = {
            page.page_no
            for page in pages
            if page.content is not None
            and page.content.glyphs
            and page.content.picture_share >= _PICTURE_PAGE
            and _is_all_text_invisible(pdf, page.page_no)
        }
    return [_judged(page, page.page_no in hidden) for page in pages]


@dataclass(frozen=True, slots=True)
class _RawPage:
    page_no: int
    reading: Reading | None
    content: PageContent | None


def _judged(page: _RawPage, is_hidden: bool) -> TextLayerPage:
    if page.content is None:
        return TextLayerPage(page.page_no, None, True, "the text layer cannot be read")
    content = page.content
    needs_eyes, reason = verdict(
        PageContent(content.glyphs, content.unmapped_glyphs, content.picture_share, content.shapes, is_hidden)
    )
    return TextLayerPage(page.page_no, page.reading, needs_eyes, reason, is_hidden)


def _read_pages(raw: bytes, count: int) -> list[_RawPage]:
    unreadable = [_RawPage(page_no, None, None) for page_no in range(1, count + 1)]
    # At its lower levels pdfminer logs the strings it meets: field values, which belong in no log.
    logging.getLogger("pdfminer").setLevel(logging.ERROR)
    try:
        import pdfplumber

        with pdfplumber.open(io.BytesIO(raw)) as pdf:
            if (
                len(pdf.pages) != count
            ):  # a damaged page tree: better no text than one page's text under another's number
                return unreadable
            if not any(_has_typed_in_text(page) for page in pdf.pages):
                return [_read_page(page, page_no) for page_no, page in enumerate(pdf.pages, start=1)]
        flat = _with_annotations_drawn(raw)
        with pdfplumber.open(io.BytesIO(flat)) as pdf:
            if len(pdf.pages) != count:
                return unreadable
            return [_read_page(page, page_no) for page_no, page in enumerate(pdf.pages, start=1)]
    except Exception:  # pdfminer raises anything on a damaged file that pdfium could still open; pdfium will draw it
        return unreadable


def _has_typed_in_text(page: Page) -> bool:
    from pdfminer.pdftypes import resolve1

    for annotation in resolve1(page.page_obj.attrs.get("Annots")) or ():
        entry = resolve1(annotation)
        subtype = resolve1(entry.get("Subtype")) if isinstance(entry, dict) else None
        if getattr(subtype, "name", None) in _TYPED_IN:
            return True
    return False


def _with_annotations_drawn(raw: bytes) -> bytes:
    """The same PDF with form fields and typed-in notes turned into page content, which is where text is looked for."""
    import pikepdf

    with warnings.catch_warnings(), pikepdf.open(io.BytesIO(raw)) as pdf:
        warnings.simplefilter("ignore")  # about what Acrobat would do with the form
        if pdf.Root.get("/AcroForm") is not None:
            pdf.generate_appearance_streams()
        pdf.flatten_annotations("screen")
        flat = io.BytesIO()
        pdf.save(flat)
    return flat.getvalue()


def _read_page(page: Page, page_no: int) -> _RawPage:
    try:
        frame = _Frame.of(page)
        glyphs = [glyph for char in page.chars if (glyph := _glyph(char, frame)) is not None]
        rules = _rules(page, frame)
        reading = Reading(
            page_no=page_no,
            reader=Reader.TEXT_LAYER,
            reader_version=engine_key(),
            spans=spans_of(pieces_of(unique_glyphs(glyphs), rules), frame.width, frame.height, rules),
            width=frame.width,
            height=frame.height,
            rotation=page.page_obj.rotate % 360,
        )
        ink = [glyph for glyph in glyphs if not glyph.text.isspace()]
        content = PageContent(
            glyphs=len(ink),
            unmapped_glyphs=sum(glyph.text == "\ufffd" for glyph in ink),
            picture_share=_picture_share(page, frame),
            shapes=len(page.curves) + len(page.lines) + len(page.rects),
        )
    except Exception:  # see _read_pages
        return _RawPage(page_no, None, None)
    finally:
        page.close()
    return _RawPage(page_no, reading, content)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The visible part of an upright page in pdfminer's coordinates (points, y upwards, origin at the media box)."""

    left: float
    top: float
    width: float
    height: float
    shift: float  # pdfplumber adds the media box's left edge to x, and only to x

    @classmethod
    def of(cls, page: Page) -> _Frame:
        from pdfminer.utils import apply_matrix_pt

        media, crop, turn = page.page_obj.mediabox, page.page_obj.cropbox, page.page_obj.rotate % 360
        x0, y0, x1, y1 = (min(media[0], media[2]), min(media[1], media[3]), max(media[0::2]), max(media[1::2]))
        seen = (
            max(x0, min(crop[0::2])), max(y0, min(crop[1::2])), min(x1, max(crop[0::2])), min(y1, max(crop[1::2])),
        )  # fmt: skip
        if seen[0] >= seen[2] or seen[1] >= seen[3]:
            seen = (x0, y0, x1, y1)
        matrix = {
            90: (0, -1, 1, 0, -y0, x1), 180: (-1, 0, 0, -1, x1, y1), 270: (0, 1, -1, 0, y1, -x0),
        }.get(turn, (1, 0, 0, 1, -x0, -y0))  # fmt: skip
        a, b = apply_matrix_pt(matrix, seen[:2]), apply_matrix_pt(matrix, seen[2:])
        left, top = min(a[0], b[0]), max(a[1], b[1])
        return cls(left, top, abs(a[0] - b[0]), abs(a[1] - b[1]), float(page.mediabox[0]))

    def box(self, entry: dict[str, Any]) -> Box:
        """The box of a pdfplumber object in points from the upper left corner of the visible page."""
        return Box(
            entry["x0"] - self.shift - self.left,
            self.top - entry["y1"],
            entry["x1"] - self.shift - self.left,
            self.top - entry["y0"],
        )


def _glyph(char: dict[str, Any], frame: _Frame) -> Glyph | None:
    box = frame.box(char)
    inside = 0 <= box.center_x <= frame.width and 0 <= box.center_y <= frame.height
    if not inside or not char["text"]:
        return None
    a, b, _, _, e, f = char["matrix"]
    turn = round(-math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    text = "\ufffd" if _UNMAPPED.search(char["text"]) and not char["text"].isspace() else char["text"]
    return Glyph(text, box, e - frame.left, frame.top - f, turn)


def _rules(page: Page, frame: _Frame) -> list[Rule]:
    rules = []
    for entry in (*page.lines, *page.rects):
        box = frame.box(entry)
        if box.height < 4:
            continue
        if box.width <= 2:
            rules.append(Rule(box.center_x, box.y0, box.y1))
        elif entry["object_type"] == "rect":
            rules += (Rule(box.x0, box.y0, box.y1), Rule(box.x1, box.y0, box.y1))
    return rules


def _picture_share(page: Page, frame: _Frame) -> float:
    whole = Box(0, 0, frame.width, frame.height)
    boxes = (frame.box(entry) for entry in page.images)
    area = sum(box.overlap_x(whole) * box.overlap_y(whole) for box in boxes)
    return min(1.0, area / (frame.width * frame.height))


def _is_all_text_invisible(pdf: PdfDocument, page_no: int) -> bool:
    import pypdfium2.raw as pdfium

    with PDFIUM_LOCK:
        page = pdf[page_no - 1]
        try:
            modes = {
                pdfium.FPDFTextObj_GetTextRenderMode(item.raw)
                for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT])
            }
        finally:
            page.close()
    return modes == {_INVISIBLE_RENDER_MODE}


def engine_key() -> str:
    """What a reading of the text layer depends on; the key its readings are kept under."""
    from importlib.metadata import version

    return f"pdfplumber/{version('pdfplumber')}"
