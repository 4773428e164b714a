"""RapidOCR: reads scans upright and straight, from the models on the disk, quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.geometry import Reader, Span
from hunyuan_ocr.readers import rapid
from hunyuan_ocr.readers.pages import PageImage, PixelBudget, iter_page_images
from hunyuan_ocr.readers.rapid import RapidReader, bundled_models
from tests.readers.paper import INVOICE_LINES, invoice_picture, picture, saved
from tests.shared_documents import shared_data_dir


@pytest.fixture(scope="module")
def reader() -> RapidReader:
    return RapidReader(threads=2)


@pytest.fixture(scope="module")
def upright(reader: RapidReader):
    return reader.read(PageImage(1, invoice_picture()))


def found(spans: tuple[Span, ...], text: str) -> Span:
    plain = text.replace(" ", "")
    matches = [span for span in spans if span.text.replace(" ", "") == plain]
    assert matches, f"{text!r} not among {[span.text for span in spans]}"
    return matches[0]


class TestReading:
    def test_every_line_is_read_where_it_stands(self, upright):
        for x, y, text in INVOICE_LINES:
            box = found(upright.spans, text).box
            assert box.x0 == pytest.approx(x / 1240 * 1000, abs=8)
            assert box.y0 < (y + 20) / 1754 * 1000 < box.y1

    def test_columns_stay_apart_and_rows_are_in_order(self, upright):
        assert [span.text for span in upright.spans if span.text in {"Description", "Amount", "Total", "1,324.40"}] == [
            "Description", "Amount", "Total", "1,324.40",
        ]  # fmt: skip

    def test_the_reading_tells_who_read_and_how(self, reader, upright):
        assert upright.reader is Reader.RAPIDOCR and upright.reader_version == reader.engine_key
        assert (upright.page_no, upright.rotation, upright.width, upright.height) == (1, 0, 1240, 1754)
        assert all(0.5 <= span.confidence <= 1 for span in upright.spans)

    def test_an_empty_page_has_no_spans(self, reader):
        for size in ((600, 800), (1, 1), (1, 150)):
            assert reader.read(PageImage(7, Image.new("RGB", size, "white"))).spans == ()

    def test_two_readings_of_a_page_are_equal(self, reader, upright):
        assert reader.read(PageImage(1, invoice_picture())) == upright


class TestTurnedAndTilted:
    @pytest.mark.parametrize("turn", [90, 180, 270])
    def test_a_page_on_its_side_or_head_is_turned_and_says_so(self, reader, upright, turn):
        lying = invoice_picture().rotate(turn, expand=True)  # counter-clockwise, so turning back is clockwise
        reading = reader.read(PageImage(1, lying))
        assert reading.rotation == turn
        assert [span.text for span in reading.spans] == [span.text for span in upright.spans]
        assert (reading.width, reading.height) == (upright.width, upright.height)

    def test_the_turn_adds_to_the_one_already_made(self, reader):
        lying = invoice_picture().rotate(90, expand=True)
        assert reader.read(PageImage(1, lying, rotation=270)).rotation == 0

    @pytest.mark.parametrize("tilt", [-4, -1.5, 2, 5])
    def test_on_a_tilted_scan_a_label_and_its_amount_share_a_line(self, reader, tilt):
        tilted = invoice_picture().rotate(tilt, expand=False, fillcolor="white", resample=Image.Resampling.BICUBIC)
        reading = reader.read(PageImage(1, tilted))
        label, amount = found(reading.spans, "Total").box, found(reading.spans, "1,324.40").box
        assert abs(label.center_y - amount.center_y) < 4  # without straightening 16 units at 1.5 degrees

    @pytest.mark.shared_documents
    def test_an_amount_is_not_turned_on_its_head(self, reader):
        # The per-line direction classifier that RapidOCR uses by default makes 006665元 of this one.
        raw = (shared_data_dir() / "cn" / "vat_special_sample.jpg").read_bytes()
        (page_image,) = iter_page_images(raw, "image/jpeg")
        assert found(reader.read(page_image).spans, "￥5999.00")


class TestEngine:
    def test_the_key_names_program_models_and_budget(self):
        key = RapidReader(budget=PixelBudget(max_pixels=1_234_567)).engine_key
        assert key.startswith("rapidocr/3.") and "PP-OCRv6" in key and "1234567" in key

    def test_the_engine_lives_once_in_a_process(self, reader, upright):
        before = rapid._engine(os.getpid(), 2)
        RapidReader(threads=2).read(PageImage(1, Image.new("RGB", (64, 64), "white")))
        assert rapid._engine(os.getpid(), 2) is before

    def test_the_models_are_in_the_wheel(self):
        assert all(path.is_file() and path.stat().st_size > 1_000_000 for path in bundled_models())

    def test_a_missing_model_is_an_error_and_not_a_download(self, monkeypatch, tmp_path):
        import rapidocr

        monkeypatch.setattr(rapidocr, "__file__", str(tmp_path / "__init__.py"))
        with pytest.raises(ConfigurationError, match="never downloaded"):
            bundled_models()

    def test_reads_without_network_and_without_a_word(self, tmp_path: Path):
        (tmp_path / "page.png").write_bytes(saved(picture((60, 60, "Invoice No. 4711"), size=(500, 200)), "PNG"))
        program = """
import socket, sys
def refuse(*args, **options):
    raise SystemExit("reached for the network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from pathlib import Path
from hunyuan_ocr.readers.document import read_document
from hunyuan_ocr.readers.rapid import RapidReader
(reading,) = read_document(Path(sys.argv[1]).read_bytes(), "image/png", RapidReader(threads=1))
sys.exit(0 if "4711" in reading.text else "not read: " + reading.text)
"""
        command = [sys.executable, "-c", program, str(tmp_path / "page.png")]
        environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
