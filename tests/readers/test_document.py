"""A document's pages: the text layer where it can be trusted, eyes elsewhere."""

from __future__ import annotations

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader

from hunyuan_ocr.exceptions import EmptyDocumentError, EncryptedDocumentError, UnsupportedDocumentError
from hunyuan_ocr.model.geometry import Reader
from hunyuan_ocr.readers.document import inspect, read_document
from hunyuan_ocr.readers.rapid import RapidReader
from tests.readers.paper import invoice_picture, pdf_of, saved, texts


def scanned(canvas) -> None:
    canvas.drawImage(ImageReader(invoice_picture()), 0, 0, 595, 842)


@pytest.fixture(scope="module")
def mixed() -> bytes:
    return pdf_of(texts((50, 700, "Invoice No. 2026-00417")), scanned, texts((50, 700, "Terms and conditions")))


def test_only_the_scanned_page_of_a_mixed_pdf_needs_eyes(mixed):
    document = inspect(mixed, "application/pdf")
    assert [(page.page_no, page.needs_eyes) for page in document.pages] == [(1, False), (2, True), (3, False)]
    assert document.page_numbers_for_eyes == (2,)
    assert document.pages[1].reason


def test_a_reader_is_asked_for_just_those_pages(mixed):
    readings = read_document(mixed, "application/pdf", RapidReader(threads=2))
    assert [reading.reader for reading in readings] == [Reader.TEXT_LAYER, Reader.RAPIDOCR, Reader.TEXT_LAYER]
    assert [reading.page_no for reading in readings] == [1, 2, 3]
    assert "2026-00417" in readings[0].text and "1,324.40" in readings[1].text


def test_without_a_reader_the_text_layers_remain(mixed):
    readings = read_document(mixed, "application/pdf", None)
    assert [(reading.page_no, len(reading.spans)) for reading in readings] == [(1, 1), (2, 0), (3, 1)]


def test_every_frame_of_a_picture_needs_eyes():
    frame = Image.new("L", (30, 30), 255)
    raw = saved(frame, "TIFF", save_all=True, append_images=[frame])
    assert inspect(raw, "image/tiff").page_numbers_for_eyes == (1, 2)


def test_refusals_name_the_file_and_the_way_out():
    with pytest.raises(UnsupportedDocumentError, match=r"bill\.xml.*not read yet by this version") as caught:
        inspect(b"<Invoice/>", "application/xml", file_name="bill.xml")
    assert caught.value.document == "bill.xml"
    with pytest.raises(EmptyDocumentError):
        inspect(b"", "application/pdf")
    with pytest.raises(EncryptedDocumentError):
        inspect(pdf_of(texts((9, 9, "x")), encrypt=StandardEncryption("secret", "owner")), "application/pdf")
