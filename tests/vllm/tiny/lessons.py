"""What the tiny checkpoint is taught: for every page it knows, the questions the product asks and the right answers.

Questions come from the product's own code, answers from what is printed on the page, in the shapes HunyuanOCR gives
them. Two invoices are told apart by their pixels only, so an answer that belongs to another page is a mixed-up page.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from hunyuan_ocr.engines.base import Picture, Prompt
from hunyuan_ocr.engines.probe import PROBE_PROMPT, probe_pages
from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.questions import field_question, page_prompt
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.answers import Task
from hunyuan_ocr.model.geometry import Reading, Span
from hunyuan_ocr.readers.pages import PixelBudget, iter_page_images
from hunyuan_ocr.readers.render_worker import encoded
from tests.vllm.tiny.pages import KnownInvoice, blank_page, known_invoices, profiles
from tests.vllm.tiny.vocabulary import QUAD, QUAD_END, REF, REF_END, SPECIAL_TOKENS

if TYPE_CHECKING:
    from PIL import Image

#: Pixels of a page as the product sends it at first and when it asks again.
SENT_PIXELS = (2_200_000, 3_900_000)
FAMILY = Family.V1_5
_WORN_COPIES = 8


@dataclass(frozen=True)
class Page:
    """A page to be taught. ``pictures`` are the page as it may be sent; the first is the one examined."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Lesson:
    """One question about one page; ``answer`` holds the model's special tokens, ``text`` does not."""

    page: Page
    task: Task
    prompt: Prompt
    answer: str

    @property
    def name(self) -> str:
        return f"{self.page.name}/{self.task}"

    @property
    def text(self) -> str:
        """The answer as an engine gives it that is asked with the prompt's sampling."""
        if not self.prompt.sampling.skip_special_tokens:
            return self.answer
        return re.sub("|".join(map(re.escape, SPECIAL_TOKENS)), "", self.answer)


@cache
def all_lessons() -> tuple[Lesson, ...]:
    """Everything there is to learn: invoices, probe pages and an empty sheet."""
    return (*_invoice_lessons(), *_probe_lessons(), *_blank_lessons())


def spotting_answer(spans: Iterable[Span]) -> str:
    """All text with its boxes in whole page units, one after the other, as HunyuanOCR answers."""
    return "".join(
        f"{REF}{span.text}{REF_END}{QUAD}({span.box.x0:.0f},{span.box.y0:.0f}),({span.box.x1:.0f},{span.box.y1:.0f}){QUAD_END}"
        for span in spans
    )


def field_answer(values: dict[str, str | None]) -> str:
    """The asked keys as a fenced JSON object, every value a string; what is not printed is the text None."""
    content = {key: "None" if value is None else value for key, value in values.items()}
    return f"```json\n{json.dumps(content, ensure_ascii=False, indent=4)}\n```"


def table_answer(reading: Reading, profile: PromptProfile, line_count: int) -> str:
    """The item table as HTML in one line, without head and body: its headings and a row for every line item."""
    rows: list[list[Span]] = []
    for span in sorted(reading.spans, key=lambda span: span.box.center_y):
        if rows and abs(rows[-1][0].box.center_y - span.box.center_y) < span.box.height / 2:
            rows[-1].append(span)
        else:
            rows.append([span])
    headings = {heading for texts in profile.table.columns.values() for heading in texts}
    head = max(range(len(rows)), key=lambda row: sum(span.text.casefold() in headings for span in rows[row]))
    in_order = (sorted(row, key=lambda span: span.box.x0) for row in rows[head : head + 1 + line_count])
    cells = ("".join(f"<td>{span.text}</td>" for span in row) for row in in_order)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def as_sent(raw: bytes, media_type: str, pixels: int = SENT_PIXELS[0]) -> Picture:
    """The only page of a file as the product sends it, ``pixels`` at most."""
    (page,) = iter_page_images(raw, media_type, PixelBudget(max_pixels=pixels))
    return _picture(page.image)


def _invoice_lessons() -> Iterator[Lesson]:
    for invoice in known_invoices():
        page = Page(invoice.name, tuple(_sent_pictures(invoice)))
        extraction = reconcile([invoice.reading], profiles=profiles())
        (profile,) = (profile for profile in profiles() if profile.code == extraction.profile)
        printed = {value.field_path: value.chosen.value_raw for value in extraction.field_values if value.chosen}
        question = field_question(profile, FAMILY)
        values = {
            key: next((printed[path] for path in question.paths[key] if path in printed), None) for key in question.keys
        }
        yield Lesson(page, Task.SPOTTING, _asked(Task.SPOTTING), spotting_answer(invoice.reading.spans))
        yield Lesson(page, Task.FIELDS, question.prompt, field_answer(values))
        table = table_answer(invoice.reading, profile, len(invoice.facts.lines))
        yield Lesson(page, Task.TABLE, _asked(Task.TABLE), table)


def _probe_lessons() -> Iterator[Lesson]:
    copies = [probe_pages(seed) for seed in (0, 9_999, 21_111, 32_767)]
    for versions in zip(*copies, strict=True):
        page = Page(f"probe_{versions[0].number}", tuple(version.picture for version in versions))
        yield Lesson(page, Task.PARSING, PROBE_PROMPT, versions[0].text)


def _blank_lessons() -> Iterator[Lesson]:
    sheet = blank_page()
    copies = [sheet, *(sheet.resize(size) for size in ((1653, 2339), (1241, 827), (320, 448)))]
    page = Page("blank", tuple(map(_picture, copies)))
    yield Lesson(page, Task.SPOTTING, _asked(Task.SPOTTING), "")
    yield Lesson(page, Task.PARSING, PROBE_PROMPT, "")


def _asked(task: Task) -> Prompt:
    return page_prompt(task, FAMILY)


def _sent_pictures(invoice: KnownInvoice) -> Iterator[Picture]:
    """The scan as the product sends it, then worn copies: other sizes, shifted by a few pixels, other qualities."""
    from PIL import ImageChops

    name, raw = invoice.scan()
    media_type = "application/pdf" if name.endswith(".pdf") else "image/jpeg"
    for pixels in SENT_PIXELS:
        yield as_sent(raw, media_type, pixels)
    rng = Random(invoice.name)
    for _ in range(_WORN_COPIES):
        (page,) = iter_page_images(raw, media_type, PixelBudget(max_pixels=rng.randint(900_000, 4_000_000)))
        shifted = ImageChops.offset(page.image, rng.randint(-4, 4), rng.randint(-4, 4))
        worn = io.BytesIO()
        shifted.save(worn, "JPEG", quality=rng.randint(75, 95))
        yield Picture(worn.getvalue(), "image/jpeg", shifted.width, shifted.height)


def _picture(image: Image.Image) -> Picture:
    data, media_type = encoded(image, "image/jpeg")
    return Picture(data, media_type, image.width, image.height)
