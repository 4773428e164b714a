"""Reads a page with HunyuanOCR: asks for all its text with boxes, then what the examiner wants to know besides.

A page read badly is asked about again with another picture of it (more pixels, turned), as the examiner advises, and
every attempt is kept in the result. Which words are asked, what an answer means and whether it will do are the
examiner's; which pixels and when to stop are this module's.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from hunyuan_ocr.engines.base import Answer, AnswerCache, Engine, FinishReason, Picture
from hunyuan_ocr.exceptions import PageRefusedError
from hunyuan_ocr.model.answers import PageAnswer
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.readers.asking import Asker
from hunyuan_ocr.readers.examination import Judgement, PageQuestion, Remedy
from hunyuan_ocr.readers.rendering import PagePicture

#: What a page costs grows with the square of its pixels beyond 1.7 million; 3.9 million are an A4 page at 200 dpi.
PIXELS = (2_200_000, 3_900_000)
#: A PDF is drawn no finer than this, however small its pages.
DPI = (200, 300)
MAX_ATTEMPTS = 5
#: Problem of an answer that never came: the engine refused the question.
REFUSED = "refused"
_LONGEST_KEY = 200
_LEAST_PIXELS = 512 * 512
#: Times the pixels of a picture, at least, for another of the same page to show more.
_LARGER = 1.1
_MOST_ROUNDS = 4

T = TypeVar("T")


class Examiner(Protocol):
    """Decides what is asked about a page and whether the answers will do. Called in a thread, one page at a time."""

    def first(self) -> PageQuestion:
        """The spotting question, the same for every page."""
        ...

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
        """The reading a spotting answer amounts to, and what is wrong with the answer (``PageAnswer.problem``)."""
        ...

    def follow_ups(self, reading: Reading, answers: Sequence[PageAnswer]) -> Sequence[PageQuestion]:
        """What to ask next about the same picture, after every round of answers; nothing when all is asked."""
        ...

    def judge(self, reading: Reading, answers: Sequence[PageAnswer]) -> Judgement:
        """Whether this picture's answers will do, and what may help if not."""
        ...


class PictureSource(Protocol):
    """Draws the page: ``RenderPool.picture`` with document and page number filled in."""

    def __call__(self, *, max_pixels: int, max_dpi: int, rotation: int) -> Awaitable[PagePicture]: ...


@dataclass(frozen=True, slots=True)
class PageResult:
    """What came of a page: the reading of the best picture, every answer of every attempt, and the verdict on the
    best."""

    reading: Reading
    answers: tuple[PageAnswer, ...]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One picture and what came of it. ``rotation`` is that of the reading: absolute, the page's own turn included."""

    size: int
    rotation: int
    stored_rotation: int
    reading: Reading
    answers: tuple[PageAnswer, ...]
    judgement: Judgement

    @property
    def rank(self) -> tuple[bool, float]:
        return self.judgement.is_good, self.judgement.score


class HunyuanPageReader:
    """Reads pages through ``engine`` as ``examiner`` says.

    ``pixels`` and ``dpi`` bound the first picture of a page and the larger ones a remedy asks for, smallest first.
    ``reading_key`` is the journal's name for these readings where it must be known before the engine has started; empty
    for one made of what the started engine says. Holds no state of a page: one reader serves all pages at once.
    """

    def __init__(
        self,
        engine: Engine,
        examiner: Examiner,
        cache: AnswerCache | None = None,
        *,
        pixels: Sequence[int] = PIXELS,
        dpi: Sequence[int] = DPI,
        max_attempts: int = MAX_ATTEMPTS,
        reading_key: str = "",
    ) -> None:
        self.engine = engine
        self.cache = cache
        self._examiner = examiner
        self._sizes = tuple(zip(pixels, dpi, strict=True))
        self._max_attempts = max_attempts
        self._reading_key = reading_key
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hunyuan-ocr-examine")

    @property
    def reading_key(self) -> str:
        """Names all that changes a reading, in at most 200 characters; ``Reading.reader_version``."""
        if self._reading_key:
            return self._reading_key
        sizes = "+".join(f"{pixels}px-{dpi}dpi" for pixels, dpi in self._sizes)
        key = f"{self.engine.key}/{self._examiner.first().prompt.sha256[:16]}/{sizes}"
        if len(key) <= _LONGEST_KEY:
            return key
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        return f"{key[: _LONGEST_KEY - len(digest) - 1]}~{digest}"

    async def read(self, page_no: int, picture: PictureSource, *, asker: Asker | None = None) -> PageResult:
        """Read one page; ``asker`` bounds and counts the questions of many pages.

        Boxes are in page units of the kept picture, which is the page as ``Reading.rotation`` turns it. A page without
        text is a reading without spans; ``judgement.reason`` says so.

        Raises what the engine raises (its PageRefusedError only when no picture of the page is taken) and what
        ``picture`` raises.
        """
        asker = asker or Asker(self.engine, self.cache)
        attempts = [await self._first(page_no, picture, asker)]
        seen = {(attempts[0].size, attempts[0].rotation)}
        best = attempts[0]
        while not best.judgement.is_good and len(attempts) < self._max_attempts:
            choice = self._next_choice(best, seen)
            if choice is None:
                break
            seen.add(choice)
            attempt = await self._retry(page_no, len(attempts) + 1, picture, asker, best, choice)
            if attempt is not None:
                attempts.append(attempt)
                best = max(best, attempt, key=lambda one: one.rank)
        answers = (
            answer if attempt is best else replace(answer, is_kept=False)
            for attempt in attempts
            for answer in attempt.answers
        )
        return PageResult(best.reading, tuple(answers), best.judgement)

    def _next_choice(self, best: _Attempt, seen: set[tuple[int, int]]) -> tuple[int, int] | None:
        """The first remedy for the best attempt that was not tried, as size and absolute rotation."""
        for remedy in best.judgement.wants:
            turn = remedy.rotation
            choice = (best.size + 1, best.rotation) if remedy is Remedy.MORE_PIXELS else (best.size, turn or 0)
            if choice not in seen and choice[0] < len(self._sizes):
                return choice
        return None

    async def _first(self, page_no: int, picture: PictureSource, asker: Asker) -> _Attempt:
        pixels, dpi = self._sizes[0]
        page = await picture(max_pixels=pixels, max_dpi=dpi, rotation=0)
        try:
            return await self._attempt(page_no, 1, 0, page.stored_rotation % 360, page, asker)
        except PageRefusedError:
            # Too long for this engine's context is the usual reason; half the pixels are half the tokens.
            fewer = max(_LEAST_PIXELS, pixels // 2)
            if page.width * page.height <= fewer:
                raise
            page = await picture(max_pixels=fewer, max_dpi=dpi, rotation=0)
            return await self._attempt(page_no, 1, 0, page.stored_rotation % 360, page, asker)

    async def _retry(
        self,
        page_no: int,
        attempt_no: int,
        picture: PictureSource,
        asker: Asker,
        best: _Attempt,
        choice: tuple[int, int],
    ) -> _Attempt | None:
        """Another attempt; ``None`` when there is no other picture to be had or the engine refuses it."""
        size, rotation = choice
        pixels, dpi = self._sizes[size]
        page = await picture(max_pixels=pixels, max_dpi=dpi, rotation=(rotation - best.stored_rotation) % 360)
        if rotation == best.rotation and page.width * page.height < _LARGER * best.reading.width * best.reading.height:
            return None
        try:
            return await self._attempt(page_no, attempt_no, size, rotation, page, asker)
        except PageRefusedError:
            return None

    async def _attempt(
        self, page_no: int, attempt_no: int, size: int, rotation: int, page: PagePicture, asker: Asker
    ) -> _Attempt:
        question = self._examiner.first()
        answer, key = await asker.ask(page, question.prompt)
        record = _Recorder(self.engine.key, page_no, attempt_no, rotation, page)

        def looked_at() -> tuple[Reading, PageAnswer, Judgement | Sequence[PageQuestion]]:
            reading, problem = self._examiner.read_spotting(
                answer.text,
                answer.finish_reason.value,
                page_no=page_no,
                width=page.width,
                height=page.height,
                rotation=rotation,
                reader_version=self.reading_key,
            )
            spotted = record.of(question, answer, key, problem)
            return reading, spotted, self._verdict(reading, [spotted], 0)

        reading, spotted, said = await self._examined(looked_at)
        answers, rounds = [spotted], 0
        while not isinstance(said, Judgement):
            rounds += 1
            answers += await _all_of([self._follow_up(one, page, record, asker) for one in said])
            said = await self._examined(partial(self._verdict, reading, answers, rounds))
        return _Attempt(size, rotation, page.stored_rotation, reading, tuple(answers), said)

    def _verdict(
        self, reading: Reading, answers: Sequence[PageAnswer], rounds: int
    ) -> Judgement | Sequence[PageQuestion]:
        # Bounded, or an examiner that never has enough would ask for ever.
        questions = self._examiner.follow_ups(reading, answers) if rounds < _MOST_ROUNDS else ()
        return questions or self._examiner.judge(reading, answers)

    async def _examined(self, work: Callable[[], T]) -> T:
        # One thread and not several: examining is Python, and more of them would only starve the event loop.
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _follow_up(
        self, question: PageQuestion, page: PagePicture, record: _Recorder, asker: Asker
    ) -> PageAnswer:
        try:
            answer, key = await asker.ask(page, question.prompt)
        except PageRefusedError:
            # The page's text was read from this very picture; one vote fewer does not make it unreadable.
            return record.of(question, None, asker.key_of(page, question.prompt), REFUSED)
        return record.of(question, answer, key, _problem_of(answer))


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Makes the record of an answer about one picture."""

    engine_key: str
    page_no: int
    attempt: int
    rotation: int
    picture: Picture

    def of(self, question: PageQuestion, answer: Answer | None, key: str, problem: str) -> PageAnswer:
        record = PageAnswer(
            page_no=self.page_no,
            attempt=self.attempt,
            task=question.task,
            text="",
            engine_key=self.engine_key,
            prompt_sha256=question.prompt.sha256,
            answer_key=key,
            picture_width=self.picture.width,
            picture_height=self.picture.height,
            rotation=self.rotation,
            profile=question.profile,
            keys=question.keys,
            problem=problem,
        )
        if answer is None:
            return record
        return replace(
            record,
            text=answer.text,
            finish_reason=answer.finish_reason.value,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            seconds=answer.seconds,
            is_cached=answer.is_cached,
        )


def _problem_of(answer: Answer) -> str:
    """What shows without reading it; what it says is for the parsers."""
    if answer.finish_reason is FinishReason.LENGTH:
        return "truncated"
    if answer.finish_reason is FinishReason.REPETITION:
        return "repetition"
    return "" if answer.text.strip() else "empty"


async def _all_of(questions: Sequence[Awaitable[PageAnswer]]) -> list[PageAnswer]:
    """All answers, in order; when one fails, none is left running."""
    if len(questions) < 2:
        return [await question for question in questions]
    running = [asyncio.ensure_future(question) for question in questions]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for one in running:
            one.cancel()
