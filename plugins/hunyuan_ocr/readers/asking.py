"""Asking an engine: through the cache, with a bound on the questions in flight, and counted.

Decides neither what is asked nor what an answer is worth.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace

from hunyuan_ocr.engines.base import Answer, AnswerCache, Engine, FinishReason, Picture, Prompt, answer_key


@dataclass(slots=True)
class Traffic:
    """What was asked and answered so far. ``changed_at`` is when (monotonic seconds) a question was last sent or
    answered: with questions in flight and no change for long, the engine hangs."""

    in_flight: int = 0
    asked: int = 0
    cached: int = 0
    unfinished: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    changed_at: float = 0.0


class Asker:
    """Asks ``engine``, at most ``in_flight`` questions at once (``None`` for no bound of ours).

    Only finished, non-empty answers are put into the cache: a greedy answer that ran away may well end the next time,
    in other company in the batch, and whoever has a bad page read again hopes for just that.
    """

    def __init__(
        self,
        engine: Engine,
        cache: AnswerCache | None = None,
        in_flight: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.traffic = Traffic(changed_at=clock())
        self._cache = cache
        self._clock = clock
        self._slots: AbstractAsyncContextManager[object] = asyncio.Semaphore(in_flight) if in_flight else nullcontext()

    def key_of(self, picture: Picture, prompt: Prompt) -> str:
        return answer_key(self.engine.key, picture, prompt)

    async def ask(self, picture: Picture, prompt: Prompt) -> tuple[Answer, str]:
        """The answer and its content key. Raises what the engine raises."""
        key = self.key_of(picture, prompt)
        traffic = self.traffic
        if self._cache is not None and (known := await self._cache.get(key)) is not None:
            traffic.cached += 1
            return replace(known, is_cached=True), key
        async with self._slots:
            traffic.in_flight += 1
            traffic.changed_at = self._clock()
            try:
                answer = _storable(await self.engine.ask(picture, prompt))
            finally:
                traffic.in_flight -= 1
                traffic.changed_at = self._clock()
        traffic.asked += 1
        traffic.prompt_tokens += answer.prompt_tokens
        traffic.completion_tokens += answer.completion_tokens
        traffic.unfinished += answer.finish_reason is not FinishReason.STOP
        if self._cache is not None and answer.finish_reason is FinishReason.STOP and answer.text.strip():
            await self._cache.put(key, answer)
        return answer, key


def _storable(answer: Answer) -> Answer:
    """Without what no database takes: NUL characters, and halves of characters that broken JSON can spell."""
    text = answer.text.replace("\0", "").encode(errors="replace").decode()
    return answer if text == answer.text else replace(answer, text=text)
