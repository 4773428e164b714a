"""An engine that answers by what a function sees in the picture, and an examiner that decides by what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt, Sampling
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.readers.examination import Judgement, PageQuestion, Remedy
from hunyuan_ocr.readers.rendering import PagePicture

SPOTTING = PageQuestion(Task.SPOTTING, Prompt("all text", Sampling(100)))
FIELDS = PageQuestion(Task.FIELDS, Prompt("the fields", Sampling(50)), "invoice", ("No.", "Total"))
TABLE = PageQuestion(Task.TABLE, Prompt("the table", Sampling(80)), "invoice")


class ScriptedEngine:
    """Asks ``script`` for each answer; a text is a finished answer of it."""

    def __init__(
        self, script: Callable[[Picture, Prompt], str | Answer | Awaitable[str | Answer]], *, capacity: int = 4
    ) -> None:
        self.script = script
        self.capacity = capacity
        self.key = "scripted@1"
        self.asked: list[tuple[str, str]] = []
        self.in_flight = self.most_in_flight = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        self.asked.append((picture.sha256, prompt.text))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            said = self.script(picture, prompt)
            if isinstance(said, Awaitable):
                said = await said
        finally:
            self.in_flight -= 1
        return said if isinstance(said, Answer) else Answer(said, FinishReason.STOP, 1000, 10, 0.1)


class ScriptedExaminer:
    """The spotting answer is the page's text; ``verdict`` judges it by that text and the attempt's number."""

    def __init__(
        self,
        verdict: Callable[[str, int], Judgement] = lambda text, attempt: Judgement(1.0, True),
        rounds: Sequence[Sequence[PageQuestion]] = (),
    ) -> None:
        self._verdict = verdict
        self._rounds = rounds

    def first(self) -> PageQuestion:
        return SPOTTING

    def read_spotting(
        self,
        answer_text: str,
        finish_reason: str,
        *,
        page_no: int,
        width: float,
        height: float,
        rotation: int,
        reader_version: str,
    ) -> tuple[Reading, str]:
        spans = (Span(answer_text, Box(0, 0, 1000, 20), 0.9),) if answer_text else ()
        reading = Reading(page_no, Reader.HUNYUAN, reader_version, spans, width, height, rotation)
        return reading, "" if answer_text else "empty"

    def follow_ups(self, reading: Reading, answers: Sequence[PageAnswer]) -> Sequence[PageQuestion]:
        asked = {answer.task for answer in answers}
        return next((questions for questions in self._rounds if questions[0].task not in asked), ())

    def judge(self, reading: Reading, answers: Sequence[PageAnswer]) -> Judgement:
        return self._verdict(reading.text, answers[0].attempt)


class Stage:
    """Draws pages of a page that is ``most_pixels`` large and stored ``stored_rotation`` degrees from upright."""

    def __init__(self, *, most_pixels: int = 10_000_000, stored_rotation: int = 0) -> None:
        self.most_pixels = most_pixels
        self.stored_rotation = stored_rotation
        self.drawn: list[tuple[int, int]] = []

    async def __call__(self, *, max_pixels: int, max_dpi: int, rotation: int) -> PagePicture:
        pixels = min(max_pixels, self.most_pixels)
        self.drawn.append((pixels, rotation))
        await asyncio.sleep(0)
        return PagePicture(
            data=f"{pixels}/{rotation}".encode(),
            media_type="image/jpeg",
            width=pixels // 1000,
            height=1000,
            stored_rotation=self.stored_rotation,
        )


def poor(score: float, *wants: Remedy) -> Judgement:
    return Judgement(score, False, "hardly any text was read", wants)
