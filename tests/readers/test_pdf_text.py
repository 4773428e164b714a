"""The text layer: what belongs together stays together, where it stands is where it is seen, and doubt is said."""

from __future__ import annotations

import io

import numpy as np
import pikepdf
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader

from hunyuan_ocr.exceptions import CorruptDocumentError, EmptyDocumentError, EncryptedDocumentError, LimitExceededError
from hunyuan_ocr.model.geometry import Reader
from hunyuan_ocr.readers.pages import PixelBudget, iter_page_images
from hunyuan_ocr.readers.pdf_text import PageContent, text_layer, verdict
from tests.readers.paper import SONG, invoice_picture, pdf_of, texts


def spans(raw: bytes, page: int = 0) -> list[str]:
    reading = text_layer(raw)[page].reading
    assert reading is not None
    return [span.text for span in reading.spans]


class TestWhatBelongsTogether:
    def test_words_of_a_line_join_and_columns_stay_apart(self):
        raw = pdf_of(texts((50, 700, "Office paper A4, 500 sheets"), (300, 700, "12"), (450, 700, "1.234,50 EUR")))
        assert spans(raw) == ["Office paper A4, 500 sheets", "12", "1.234,50 EUR"]

    def test_words_placed_one_by_one_without_space_characters_join(self):
        def draw(canvas):
            canvas.setFont("Helvetica", 10)
            x = 50.0
            for word in ("Total", "amount", "due"):
                canvas.drawString(x, 700, word)
                x += canvas.stringWidth(word, "Helvetica", 10) + 2.8

        assert spans(pdf_of(draw)) == ["Total amount due"]

    def test_a_run_of_spaces_used_as_a_tabulator_parts(self):
        raw = pdf_of(texts((50, 700, "Subtotal          99.00"), font="Courier"))
        assert spans(raw) == ["Subtotal", "99.00"]

    def test_a_drawn_line_parts_cells_however_close(self):
        def draw(canvas):
            canvas.setFont("Helvetica", 10)
            canvas.drawString(50, 700, "Qty")
            end = 50 + canvas.stringWidth("Qty", "Helvetica", 10)
            canvas.line(end + 2, 690, end + 2, 715)
            canvas.drawString(end + 4, 700, "Price")

        assert spans(pdf_of(draw)) == ["Qty", "Price"]

    def test_fake_bold_is_read_once(self):
        raw = pdf_of(texts((50, 700, "RECHNUNG"), (50.3, 700, "RECHNUNG"), (50, 700.3, "RECHNUNG"), size=14))
        assert spans(raw) == ["RECHNUNG"]

    def test_repeated_letters_are_not_mistaken_for_fake_bold(self):
        assert spans(pdf_of(texts((50, 700, "Illinois 11.111,11 ll"), size=6))) == ["Illinois 11.111,11 ll"]

    def test_small_print_over_a_heading_does_not_mix_with_it(self):
        def draw(canvas):
            canvas.setFont("Helvetica", 24)
            canvas.drawString(100, 700, "TAX INVOICE")
            canvas.setFont("Helvetica", 7)
            canvas.drawString(130, 701, "state tax office")

        assert sorted(spans(pdf_of(draw))) == ["TAX INVOICE", "state tax office"]

    def test_lines_come_top_to_bottom_whatever_the_drawing_order(self):
        raw = pdf_of(texts((50, 600, "third"), (300, 700, "second"), (50, 700, "first")))
        assert spans(raw) == ["first", "second", "third"]

    def test_text_running_upwards_is_one_span(self):
        def draw(canvas):
            canvas.setFont("Helvetica", 10)
            canvas.rotate(90)
            canvas.drawString(300, -40, "Registered in England No. 1234567")

        layer = text_layer(pdf_of(draw))[0]
        (span,) = layer.reading.spans
        assert span.text == "Registered in England No. 1234567"
        assert span.box.height > 5 * span.box.width


class TestChineseForms:
    def test_a_line_without_spaces_is_one_span(self):
        assert spans(pdf_of(texts((50, 700, "发票号码：26112582728478197050"), font=SONG))) == [
            "发票号码：26112582728478197050"
        ]

    def test_labels_printed_wide_become_one(self):
        raw = pdf_of(
            texts((50, 700, "名"), (90, 700, "称："), (150, 700, "北港示例仪器有限公司"), font=SONG),
            texts((50, 700, "合"), (110, 700, "计"), (300, 700, "¥100.00"), font=SONG),
        )
        assert spans(raw, 0) == ["名称：", "北港示例仪器有限公司"]
        assert spans(raw, 1)[0] == "合计"

    def test_header_cells_of_two_spaced_characters_stay_cells(self):
        cells = [(50, "单"), (70, "位"), (120, "数"), (140, "量"), (190, "金"), (210, "额")]
        raw = pdf_of(texts(*((x, 700, text) for x, text in cells), font=SONG))
        assert spans(raw) == ["单位", "数量", "金额"]

    def test_labels_printed_from_top_to_bottom_become_one(self):
        raw = pdf_of(texts((50, 700, "购"), (50, 684, "买"), (50, 668, "方"), (90, 684, "纳税人识别号："), font=SONG))
        assert set(spans(raw)) == {"购买方", "纳税人识别号："}

    def test_a_column_of_units_stays_a_column(self):
        raw = pdf_of(texts((50, 700, "台"), (50, 684, "个"), (50, 668, "套"), (50, 652, "个"), font=SONG))
        assert spans(raw) == ["台", "个", "套", "个"]


class TestWhereItStands:
    @pytest.mark.parametrize("turn", [0, 90, 180, 270])
    @pytest.mark.parametrize("origin", [(0, 0), (-37, 51)])
    @pytest.mark.parametrize("is_cropped", [False, True])
    def test_boxes_lie_where_the_page_shows_ink(self, turn, origin, is_cropped):
        with pikepdf.open(io.BytesIO(pdf_of(texts((200, 500, "HHHHHHHH"), size=20)))) as pdf:
            page, (left, bottom) = pdf.pages[0], origin
            page.MediaBox = [left, bottom, left + 650, bottom + 800]
            if is_cropped:
                page.CropBox = [left + 90, bottom + 30, left + 600, bottom + 730]
            page.Rotate = turn
            target = io.BytesIO()
            pdf.save(target)
        raw = target.getvalue()

        reading = text_layer(raw)[0].reading
        (page_image,) = iter_page_images(raw, "application/pdf", PixelBudget(max_pixels=1_000_000))
        dark = np.argwhere(np.asarray(page_image.image.convert("L")) < 128)
        height, width = page_image.image.height, page_image.image.width
        (top, first), (low, last) = dark.min(axis=0), dark.max(axis=0) + 1
        box = reading.spans[0].box

        assert reading.spans[0].text == "HHHHHHHH"
        assert reading.rotation == page_image.rotation == turn
        assert reading.width / reading.height == pytest.approx(width / height, rel=0.01)
        # The ink lies within the box, and the box is no larger than the font's own ascent and descent.
        assert box.x0 - 5 <= first / width * 1000 and last / width * 1000 <= box.x1 + 5
        assert box.y0 - 5 <= top / height * 1000 and low / height * 1000 <= box.y1 + 5
        ink = (last - first) / width * (low - top) / height * 1e6
        assert box.width * box.height < 2.2 * ink

    def test_text_outside_the_visible_page_is_not_read(self):
        raw = pdf_of(texts((50, 700, "seen"), (50, -40, "below the page"), (900, 700, "beside it")))
        assert spans(raw) == ["seen"]


class TestTypedIn:
    def test_form_fields_are_text(self):
        def draw(canvas):
            canvas.drawString(50, 700, "Invoice number")
            canvas.acroForm.textfield(name="number", x=200, y=690, width=150, height=20, value="RE-2026-77")

        assert spans(pdf_of(draw)) == ["Invoice number", "RE-2026-77"]


class TestTrust:
    def test_a_page_of_text_needs_no_eyes(self):
        (page,) = text_layer(pdf_of(texts((50, 700, "Invoice 4711"), (50, 650, "Total 12.00"))))
        assert (page.needs_eyes, page.reason, page.reading.reader) == (False, "", Reader.TEXT_LAYER)

    def test_a_scan_needs_eyes(self):
        raw = pdf_of(lambda canvas: canvas.drawImage(ImageReader(invoice_picture()), 0, 0, 595, 842))
        (page,) = text_layer(raw)
        assert page.needs_eyes and page.reason == "the page has no text layer"

    def test_a_stamp_on_a_scan_does_not_stand_for_the_scan(self):
        def draw(canvas):
            canvas.drawImage(ImageReader(invoice_picture()), 0, 0, 595, 842)
            canvas.drawString(400, 820, "Received 2026-11-20")

        (page,) = text_layer(pdf_of(draw))
        assert page.needs_eyes and "mostly a picture" in page.reason
        assert [span.text for span in page.reading.spans] == ["Received 2026-11-20"]

    def test_a_text_behind_a_scan_is_kept_and_marked(self):
        def draw(canvas):
            canvas.drawImage(ImageReader(invoice_picture()), 0, 0, 595, 842)
            hidden = canvas.beginText(50, 700)
            hidden.setTextRenderMode(3)
            hidden.setFont("Helvetica", 10)
            for _ in range(10):
                hidden.textLine("lnvoice No. 2O26-OO417 as some scanner read it")
            canvas.drawText(hidden)

        (page,) = text_layer(pdf_of(draw))
        assert page.is_hidden and page.needs_eyes and "behind a scan" in page.reason
        assert len(page.reading.spans) == 10

    def test_a_blank_page_needs_no_eyes(self):
        (page,) = text_layer(pdf_of(lambda canvas: None))
        assert not page.needs_eyes and page.reading.spans == ()

    def test_glyphs_without_a_character_map_need_eyes(self):
        raw = pdf_of(texts((50, 700, "发票号码发票代码"), font=SONG))
        with pikepdf.open(io.BytesIO(raw)) as pdf:
            for font in pdf.pages[0].Resources.Font.values():
                if font.Subtype == "/Type0":
                    font.Encoding = pikepdf.Name("/Identity-H")
                    font.DescendantFonts[0].CIDSystemInfo.Ordering = pikepdf.String("Identity")
            target = io.BytesIO()
            pdf.save(target)
        (page,) = text_layer(target.getvalue())
        assert page.needs_eyes and "no character map" in page.reason
        assert "(cid:" not in page.reading.text

    def test_text_drawn_as_shapes_needs_eyes(self):
        needs_eyes, reason = verdict(PageContent(glyphs=12, unmapped_glyphs=0, picture_share=0, shapes=2000))
        assert needs_eyes and "shapes" in reason

    def test_a_logo_beside_plenty_of_text_is_no_reason_to_look(self):
        assert verdict(PageContent(glyphs=900, unmapped_glyphs=2, picture_share=0.6, shapes=40)) == (False, "")


class TestRefusals:
    def test_a_password_is_asked_for_only_when_there_is_one(self):
        draw = texts((50, 700, "Invoice 4711"))
        assert spans(pdf_of(draw, encrypt=StandardEncryption("", "owner"))) == ["Invoice 4711"]
        with pytest.raises(EncryptedDocumentError, match=r"locked\.pdf") as caught:
            text_layer(pdf_of(draw, encrypt=StandardEncryption("secret", "owner")), file_name="locked.pdf")
        assert "password" in caught.value.remedy

    def test_empty_damaged_and_endless_files_are_refused_by_name(self):
        with pytest.raises(EmptyDocumentError, match="void"):
            text_layer(b"", file_name="void")
        with pytest.raises(CorruptDocumentError, match="odd"):
            text_layer(b"%PDF-1.7 and nothing more", file_name="odd")
        with pytest.raises(LimitExceededError, match="4 pages"):
            text_layer(pdf_of(*[texts((50, 700, "x"))] * 4), max_pages=3)
