"""The start-up probe: does this engine read a page at all, and does it read a page in a batch as it does alone?

vLLM has served this architecture in a way that mixes the images of one encoder batch, without an error, and its caches
then keep the wrong answer. So eight small pages with a number of their own are asked together, and then one by one with
other pixels, so that no cache can repeat itself. The verdict goes by the numbers, and by the likeness of the texts; one
bad round is repeated before an engine is refused. The probe says nothing about how well a model reads invoices, and it
cannot see a mixture with the pages of other clients of the same server.
"""

from __future__ import annotations

import asyncio
import io
import re
import secrets
import time
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache

from hunyuan_ocr.engines.base import Answer, Picture, Prompt, Sampling
from hunyuan_ocr.engines.compat import REMEDY_CPU, REMEDY_GPU
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.exceptions import EngineRefusedError, PageRefusedError

#: The official wording for all text of an image: "general" of family 1.0, ``structured_parse`` of 1.5.
PROBE_PROMPT_TEXT = "提取图中的文字。"
#: No penalty: every page repeats its number on purpose.
PROBE_PROMPT = Prompt(PROBE_PROMPT_TEXT, Sampling(max_tokens=160))

#: Width and height in pixels. Below the 448 * 448 of the tiny checkpoint of the tests; the real model scales them up.
PROBE_SIZES = ((320, 448), (352, 384))
#: No two share a digit at the same place, so that a misread digit never makes another page's number.
PROBE_NUMBERS = ("481036", "927514", "350782", "764893", "218467", "639120", "105948", "872351")
PROBE_WORDS = (
    ("AMBER", "HARBOUR", "VIOLIN", "MEADOW"),
    ("CANDLE", "ORCHARD", "PILOT", "SILVER"),
    ("TIMBER", "LANTERN", "BRIDGE", "COTTON"),
    ("GARDEN", "MARBLE", "FALCON", "WINDOW"),
    ("PEPPER", "STATION", "OLIVE", "COPPER"),
    ("ISLAND", "BUTTON", "THUNDER", "VELVET"),
    ("ROCKET", "SUGAR", "CASTLE", "FOREST"),
    ("PENCIL", "DESERT", "GUITAR", "WINTER"),
)
#: Below this share of equal characters two answers about one page are two different texts (bf16 may drift a little).
LEAST_LIKENESS = 0.9

Ask = Callable[[Picture, Prompt], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class ProbePage:
    """A probe page and what is printed on it, line by line; ``number`` stands on every second line."""

    picture: Picture
    number: str
    text: str


class Verdict(StrEnum):
    SAME = "same"
    MIXED = "mixed"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What the last round showed. The counts are pages whose answer held their own number and no other page's."""

    pages: int
    right_together: int
    right_alone: int
    seconds: float
    verdict: Verdict
    rounds: int = 1
    together: int = 8

    def __str__(self) -> str:
        return (
            f"{self.right_together}/{self.pages} right {self.together} at a time, {self.right_alone}/{self.pages} "
            f"right alone, {self.rounds} round(s) in {self.seconds:.1f} s: {self.verdict}"
        )


class ProbeFailedError(EngineRefusedError):
    """The engine failed its probe. The data engineer acts; a retry repeats it. ``report`` tells how: a ``MIXED`` one
    may be driven one image at a time where ``[hunyuan_ocr] engine_gate`` allows it, an ``UNREAD`` one may not."""

    def __init__(self, message: str, report: ProbeReport) -> None:
        super().__init__(message)
        self.report = report


def probe_pages(seed: int) -> list[ProbePage]:
    """The eight pages; ``seed`` decides one pale corner pixel and nothing else."""
    pages = []
    for index, (number, words) in enumerate(zip(PROBE_NUMBERS, PROBE_WORDS, strict=True)):
        width, height = PROBE_SIZES[index % len(PROBE_SIZES)]
        # 224..255 in each channel: too pale for a reader to see, and another hash for every seed below 32768.
        mark = tuple(224 + (seed >> shift) % 32 for shift in (0, 5, 10))
        picture = Picture(_png(number, words, width, height, mark), "image/png", width, height)
        pages.append(ProbePage(picture, number, "\n".join(f"{word}\n{number}" for word in words)))
    return pages


async def run_probe(ask: Ask, spec: ModelSpec, *, rounds: int = 1, concurrency: int = 8) -> ProbeReport:
    """Asks the probe pages ``concurrency`` at a time, then alone, ``rounds`` times; returns the report of a pass.

    A round that finds a mixture is repeated once, with new pixels, before it counts. Raises ProbeFailedError when the
    engine mixes pages or does not read them, EngineRefusedError when it refuses them, and what ``ask`` raises of the
    engine's own faults.
    """
    started = time.monotonic()
    done = 0
    while True:
        for is_repetition in (False, True):
            done += 1
            verdict, together, alone = await _round(ask, concurrency)
            seconds = time.monotonic() - started
            report = ProbeReport(len(PROBE_NUMBERS), together, alone, seconds, verdict, done, concurrency)
            if verdict is Verdict.SAME:
                break
            if verdict is Verdict.UNREAD or is_repetition:
                raise ProbeFailedError(_message(spec, report), report)
        if done >= rounds:
            return report


def judge(pages: Sequence[ProbePage], together: Sequence[str], alone: Sequence[str]) -> tuple[Verdict, int, int]:
    """The verdict over the answers of one round, and how many pages were right together and alone. Pure.

    A page is mixed when its number is there alone and missing together, when another page's number is there together
    and not alone, or when the two texts are less than ``LEAST_LIKENESS`` alike. Where fewer than half of the pages
    are read even alone, nothing can be said about batches: the model does not read what it is shown.
    """
    right_together = [_is_right(page, text) for page, text in zip(pages, together, strict=True)]
    right_alone = [_is_right(page, text) for page, text in zip(pages, alone, strict=True)]
    if sum(right_alone) * 2 < len(pages):
        verdict = Verdict.UNREAD
    elif any(
        (was_right and not is_right)
        or _foreign(page, batch_text) - _foreign(page, single_text)
        or _likeness(batch_text, single_text) < LEAST_LIKENESS
        for page, batch_text, single_text, is_right, was_right in zip(
            pages, together, alone, right_together, right_alone, strict=True
        )
    ):
        verdict = Verdict.MIXED
    else:
        verdict = Verdict.SAME
    return verdict, sum(right_together), sum(right_alone)


#: The chat template's tokens, in the order a right prompt has them (the model's own chat_template.jinja).
SYSTEM_END = "<｜hy_place▁holder▁no▁3｜>"
IMAGE_BLOCK = "<｜hy_place▁holder▁no▁100｜><｜hy_place▁holder▁no▁102｜><｜hy_place▁holder▁no▁101｜>"
USER_END = "<｜hy_User｜>"


def messages_of(text: str, image: dict[str, object] | None = None) -> list[dict[str, object]]:
    """The one right layout of a question: an empty system message, then the image before the text.

    ``image`` is the content part as its reader wants it (default ``{"type": "image"}``).
    """
    return [
        {"role": "system", "content": ""},
        {"role": "user", "content": [image or {"type": "image"}, {"type": "text", "text": text}]},
    ]


def check_template(render: Callable[[list[dict[str, object]]], str]) -> str:
    """The rendered probe prompt, if ``render`` (messages to text) lays it out as the model was trained.

    Without the empty system message's token, or with the text before the image, the model still answers, only worse.
    Raises EngineRefusedError naming what is missing or out of place.
    """
    rendered = render(messages_of(PROBE_PROMPT_TEXT))
    expected = SYSTEM_END + IMAGE_BLOCK + PROBE_PROMPT_TEXT + USER_END
    if not rendered.endswith(expected):
        missing = [part for part in (SYSTEM_END, IMAGE_BLOCK, PROBE_PROMPT_TEXT, USER_END) if part not in rendered]
        fault = f"it lacks {', '.join(missing)}" if missing else "its parts are in another order"
        raise EngineRefusedError(
            f"The chat template does not lay out a question as the model was trained: {fault}. Expected the empty "
            "system message, the image, the text and the user mark, in this order and at the end. Use the "
            "chat_template.jinja of the model's own revision, and no --chat-template of your own."
        )
    return rendered


async def _round(ask: Ask, concurrency: int) -> tuple[Verdict, int, int]:
    first = secrets.randbelow(32768)
    # Never equal, whatever the draw: an engine that saw the same pixels twice could answer from a cache.
    second = (first + 1 + secrets.randbelow(32766)) % 32768
    pages = probe_pages(first)
    together: list[str] = []
    for start in range(0, len(pages), max(1, concurrency)):
        together += await _ask_at_once(ask, pages[start : start + max(1, concurrency)])
    alone: list[str] = []
    for page in probe_pages(second):
        alone += await _ask_at_once(ask, [page])
    return judge(pages, together, alone)


async def _ask_at_once(ask: Ask, pages: Sequence[ProbePage]) -> list[str]:
    answers = await asyncio.gather(*(ask(page.picture, PROBE_PROMPT) for page in pages), return_exceptions=True)
    texts = []
    for answer in answers:
        if isinstance(answer, PageRefusedError):
            raise EngineRefusedError(
                f"The engine refused a small probe page: {answer} Its limits (max_model_len, images per prompt, "
                "pixels) are too low for any invoice; raise them."
            ) from answer
        if isinstance(answer, BaseException):
            raise answer
        texts.append(answer.text)
    return texts


def _message(spec: ModelSpec, report: ProbeReport) -> str:
    if report.verdict is Verdict.MIXED:
        return (
            f"Model {spec.key}: the engine failed its probe ({report}): asked together, pages are answered with the "
            "text of other pages. vLLM from 0.29 on does this with transformers before 5.20.1. Install on the engine's "
            f"machine: {REMEDY_GPU} (without a GPU: {REMEDY_CPU}). Until then [hunyuan_ocr] engine_gate = when_needed "
            "drives it one image at a time, slower and right; caches of a server must be emptied by a restart."
        )
    return (
        f"Model {spec.key}: the engine failed its probe ({report}): asked one by one, it does not read the large "
        f"numbers on plain probe pages. This is not HunyuanOCR of family {spec.family}, or its chat template, image "
        "processor or its weights are not of the same revision. Check the model's name, revision and template."
    )


def _is_right(page: ProbePage, text: str) -> bool:
    return page.number in _digits(text) and not _foreign(page, text)


def _foreign(page: ProbePage, text: str) -> set[str]:
    digits = _digits(text)
    return {number for number in PROBE_NUMBERS if number != page.number and number in digits}


def _digits(text: str) -> str:
    """The answer with its digits drawn together ("481 036", "481,036") and everything else as separators."""
    plain = unicodedata.normalize("NFKC", text)
    joined = re.sub(r"(?<=\d)[ ,.'_](?=\d)", "", plain)
    return re.sub(r"\D+", "|", joined)


def _likeness(one: str, other: str) -> float:
    """The share of characters in common, 0 to 1; layout (white space) does not count."""
    left, right = (re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)) for text in (one, other))
    return SequenceMatcher(None, left, right, autojunk=False).ratio()


@cache
def _blank_page(number: str, words: tuple[str, ...], width: int, height: int) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    row = height / len(words)
    word_font, number_font = ImageFont.load_default(size=26), ImageFont.load_default(size=46)
    for index, word in enumerate(words):
        top = index * row
        draw.text((18, top + 6), word, fill="black", font=word_font)
        draw.text((18, top + 34), number, fill="black", font=number_font)
    return image.tobytes()


def _png(number: str, words: tuple[str, ...], width: int, height: int, mark: tuple[int, ...]) -> bytes:
    from PIL import Image

    image = Image.frombytes("RGB", (width, height), _blank_page(number, words, width, height))
    image.putpixel((width - 1, height - 1), mark)
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()
