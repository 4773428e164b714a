"""Page images: upright, on white, within the budget; and a clear refusal for what is no picture of a page."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption

from hunyuan_ocr.exceptions import (
    CorruptDocumentError,
    DocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    UnsupportedDocumentError,
)
from hunyuan_ocr.readers.pages import PixelBudget, iter_page_images, picture_page_count
from tests.readers.paper import pdf_of, picture, saved, texts


def pages(raw: bytes, media_type: str = "image/png", **options):
    return list(iter_page_images(raw, media_type, **options))


def marked(size=(300, 200)) -> Image.Image:
    """White with a black upper left quarter: one can see which way it lies."""
    image = Image.new("RGB", size, "white")
    image.paste("black", (0, 0, size[0] // 2, size[1] // 2))
    return image


def is_dark_at(image: Image.Image, x: float, y: float) -> bool:
    return image.convert("L").getpixel((int(x * image.width), int(y * image.height))) < 128


class TestUpright:
    @pytest.mark.parametrize(
        ("orientation", "stored", "rotation"),
        [
            (3, Image.Transpose.ROTATE_180, 180),
            (6, Image.Transpose.ROTATE_90, 90),
            (8, Image.Transpose.ROTATE_270, 270),
            (2, Image.Transpose.FLIP_LEFT_RIGHT, 0),
        ],
    )
    def test_a_photo_is_turned_as_its_camera_says(self, orientation, stored, rotation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        raw = saved(marked().transpose(stored), "JPEG", exif=exif)
        (page,) = pages(raw, "image/jpeg")
        assert page.image.size == (300, 200) and page.rotation == rotation
        assert is_dark_at(page.image, 0.25, 0.25) and not is_dark_at(page.image, 0.75, 0.75)

    def test_damaged_exif_does_not_stop_a_photo(self):
        raw = saved(marked(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff")
        (page,) = pages(raw, "image/jpeg")
        assert page.image.size == (300, 200)


class TestColours:
    def test_what_is_transparent_is_white_paper(self):
        image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
        image.paste((0, 0, 0, 255), (0, 0, 20, 20))
        (page,) = pages(saved(image, "PNG"))
        assert page.image.getpixel((30, 30)) == (255, 255, 255) and page.image.getpixel((5, 5)) == (0, 0, 0)

    def test_sixteen_bits_keep_their_contrast(self):
        samples = np.full((30, 30), 65535, dtype=np.uint16)
        samples[:15] = 1000
        (page,) = pages(saved(Image.fromarray(samples), "PNG"))
        assert page.image.mode == "RGB"
        assert page.image.getpixel((5, 25)) == (255, 255, 255) and max(page.image.getpixel((5, 5))) < 10

    @pytest.mark.parametrize(
        ("mode", "format"), [("CMYK", "TIFF"), ("CMYK", "JPEG"), ("P", "PNG"), ("1", "TIFF"), ("L", "BMP")]
    )
    def test_every_mode_becomes_rgb_as_seen(self, mode, format):
        (page,) = pages(saved(marked().convert(mode), format), f"image/{format.lower()}")
        assert page.image.mode == "RGB"
        assert is_dark_at(page.image, 0.25, 0.25) and not is_dark_at(page.image, 0.75, 0.75)


class TestFrames:
    def test_every_frame_of_a_tiff_is_a_page(self):
        frames = [Image.new("L", (50 + number, 60), 255) for number in range(4)]
        raw = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
        assert picture_page_count(raw, "image/tiff") == 4
        assert [(page.page_no, page.image.width) for page in pages(raw, "image/tiff")] == [
            (1, 50),
            (2, 51),
            (3, 52),
            (4, 53),
        ]
        assert [page.page_no for page in pages(raw, "image/tiff", pages=[3])] == [3]

    def test_of_a_moving_picture_only_the_first_frame_counts(self):
        frames = [Image.new("RGB", (40, 40), colour) for colour in ("white", "red", "blue")]
        raw = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
        (page,) = pages(raw, "image/gif")
        assert page.image.getpixel((5, 5)) == (255, 255, 255)


class TestBudget:
    @pytest.mark.parametrize("size", [(4000, 3000), (9000, 200)])
    def test_a_large_photo_is_scaled_down_in_proportion(self, size):
        (page,) = pages(
            saved(Image.new("RGB", size, "white"), "JPEG"), "image/jpeg", budget=PixelBudget(max_pixels=500_000)
        )
        assert 400_000 < page.image.width * page.image.height <= 500_000
        assert page.image.width / page.image.height == pytest.approx(size[0] / size[1], rel=0.02)

    def test_a_small_picture_is_left_as_it_is(self):
        (page,) = pages(saved(marked((90, 70)), "PNG"))
        assert page.image.size == (90, 70)

    def test_a_pdf_page_is_rendered_within_pixels_and_dots_an_inch(self):
        raw = pdf_of(texts((50, 700, "x")))
        (by_dpi,) = pages(raw, "application/pdf", budget=PixelBudget(max_dpi=100))
        (by_pixels,) = pages(raw, "application/pdf", budget=PixelBudget(max_pixels=300_000))
        assert by_dpi.image.width == pytest.approx(595 / 72 * 100, abs=2)
        assert by_pixels.image.width * by_pixels.image.height == pytest.approx(300_000, rel=0.02)

    def test_only_the_wanted_pages_are_drawn(self):
        raw = pdf_of(*[texts((50, 700, "x"))] * 3)
        assert [page.page_no for page in pages(raw, "application/pdf", pages={1, 3})] == [1, 3]

    def test_what_is_typed_into_a_form_is_drawn(self):
        def draw(canvas, value):
            canvas.acroForm.textfield(
                name="n", x=100, y=400, width=300, height=60, value=value, fontSize=40, borderWidth=0
            )

        images = [pages(pdf_of(lambda c, v=value: draw(c, v)), "application/pdf")[0].image for value in ("", "HHHHH")]
        empty, filled = (int((np.asarray(image.convert("L")) < 100).sum()) for image in images)
        assert filled > empty + 500


class TestRefusals:
    def test_a_picture_claiming_too_many_pixels_is_refused_before_decoding(self):
        raw = saved(Image.new("1", (4000, 4000)), "PNG")
        with pytest.raises(LimitExceededError, match="scan"):
            pages(raw, budget=PixelBudget(max_source_pixels=1_000_000), file_name="scan")

    def test_too_many_pages_are_refused(self):
        frame = Image.new("L", (10, 10))
        raw = saved(frame, "TIFF", save_all=True, append_images=[frame] * 5)
        with pytest.raises(LimitExceededError, match="6 pages"):
            pages(raw, "image/tiff", budget=PixelBudget(max_pages=5))
        with pytest.raises(LimitExceededError, match="3 pages"):
            pages(pdf_of(*[texts((9, 9, "x"))] * 3), "application/pdf", budget=PixelBudget(max_pages=2))

    def test_a_thread_of_a_picture_is_refused(self):
        with pytest.raises(LimitExceededError):
            pages(saved(Image.new("L", (3000, 2)), "PNG"))

    def test_an_empty_file_is_said_to_be_empty(self):
        for media_type in ("image/png", "application/pdf"):
            with pytest.raises(EmptyDocumentError, match="nothing"):
                pages(b"", media_type, file_name="nothing")

    def test_half_a_picture_is_damaged(self):
        raw = saved(picture((10, 10, "text"), size=(300, 300)), "JPEG")
        for cut in (20, len(raw) // 2):
            with pytest.raises(CorruptDocumentError, match="half"):
                pages(raw[:cut], "image/jpeg", file_name="half")

    def test_a_locked_pdf_is_said_to_be_locked(self):
        raw = pdf_of(texts((50, 700, "x")), encrypt=StandardEncryption("secret", "owner"))
        with pytest.raises(EncryptedDocumentError):
            pages(raw, "application/pdf")

    def test_kinds_nobody_reads_are_named(self):
        with pytest.raises(UnsupportedDocumentError, match="heic"):
            pages(b"\x00\x00\x00\x18ftypheic" + bytes(100), "image/heic")
        with pytest.raises(UnsupportedDocumentError, match="application/zip"):
            pages(b"PK\x03\x04", "application/zip")

    def test_a_program_dressed_as_a_picture_is_not_run(self):
        postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
        with pytest.raises(DocumentError):
            pages(postscript, "image/png")


def test_pages_of_several_documents_can_be_drawn_at_once():
    raw = pdf_of(*[texts((100, 400, "HHHH"), size=40)] * 4)
    expected = [page.image.tobytes() for page in pages(raw, "application/pdf", budget=PixelBudget(max_dpi=40))]
    results: list[list[bytes]] = []

    def draw() -> None:
        drawn = iter_page_images(raw, "application/pdf", PixelBudget(max_dpi=40))
        results.append([page.image.tobytes() for page in drawn])

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6
