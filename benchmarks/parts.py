"""What stands in for the model and the store: an engine that only waits, an examiner with one question, a JSONL sink.

Everything else in these benchmarks is the real thing: the pipeline, the reader, the processes that draw, the client.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Self

from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt, Sampling
from hunyuan_ocr.extraction.answers import parse_spotting
from hunyuan_ocr.extraction.pipeline import PageJob, PipelineCounts, run_pipeline
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Reader, Reading
from hunyuan_ocr.readers.examination import Judgement, PageQuestion
from hunyuan_ocr.readers.hunyuan import HunyuanPageReader, PageResult
from hunyuan_ocr.readers.rendering import RenderPool

PROMPT = Prompt("检测并识别图片中的文字，将文本坐标格式化输出。", Sampling(max_tokens=1024))
#: About as long as what a model says of an invoice.
ANSWER = "".join(f"line {n} 12.{n:02}({n * 20},{n * 20}),({n * 20 + 300},{n * 20 + 15})" for n in range(1, 33))


class QuietLog:
    """Takes the place of the task's log."""

    def info(self, msg: str, *args: object) -> None: ...

    def warning(self, msg: str, *args: object) -> None: ...


class WaitingEngine:
    """Answers every question alike, after ``latency`` of its number (from 0); see ``engines.base.Engine``."""

    def __init__(
        self, capacity: int, latency: Callable[[int], float], asked: Callable[[Picture], object] | None = None
    ) -> None:
        self.capacity = capacity
        self.key = "waiting@1"
        self.in_flight = self.most_in_flight = self.count = 0
        self._latency = latency
        self._asked = asked

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def ask(self, picture: Picture, prompt: Prompt) -> Answer:
        number, self.count = self.count, self.count + 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self._asked is not None:
            self._asked(picture)
        try:
            if seconds := self._latency(number):
                await asyncio.sleep(seconds)
        finally:
            self.in_flight -= 1
        return Answer(ANSWER, FinishReason.STOP, 2000, 400)


class OneQuestion:
    """Asks every page for its text and is content; see ``readers.hunyuan.Examiner``."""

    def first(self) -> PageQuestion:
        return PageQuestion(Task.SPOTTING, PROMPT)

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
        answer = parse_spotting(answer_text)
        reading = Reading(page_no, Reader.HUNYUAN, reader_version, answer.spans, width, height, rotation)
        return reading, answer.problem

    def follow_ups(self, reading: Reading, answers: Sequence[PageAnswer]) -> Sequence[PageQuestion]:
        return ()

    def judge(self, reading: Reading, answers: Sequence[PageAnswer]) -> Judgement:
        return Judgement(1.0, is_good=True)


class JsonLines:
    """Commits each page as one line, forced to the disk together with what waits beside it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def commit(self, job: PageJob, result: PageResult) -> None:
        self.write(job.content_sha256, job.page_no, [answer.text for answer in result.answers])

    def write(self, sha256: str, page_no: int, texts: Sequence[str]) -> None:
        self._file.write(json.dumps({"document": sha256, "page": page_no, "texts": texts}, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def refuse(job: PageJob, error: Exception) -> None:
    """No document of a benchmark is to blame for anything: whatever is set aside is a failure of the benchmark."""
    raise AssertionError(f"page {job.page_no} of {job.content_sha256[:8]} was set aside") from error


async def through_pipeline(
    jobs: Sequence[PageJob],
    load: Callable[[str], bytes | Path],
    engine: WaitingEngine,
    commit: Callable[[PageJob, PageResult], object],
    pool: RenderPool,
    max_pixels: int = 2_200_000,
) -> PipelineCounts:
    """The pages through the real pipeline and reader, drawn by the pool, asked of ``engine``."""
    reader = HunyuanPageReader(engine, OneQuestion(), pixels=(max_pixels,), dpi=(200,))
    return await run_pipeline(
        jobs,
        load=load,
        read=reader,
        commit=commit,
        set_aside=refuse,
        pool=pool,
        capacity=engine.capacity,
        log=QuietLog(),
    )


def skewed_latencies(count: int, mean: float, *, stragglers: float = 0.0, seed: int = 5) -> list[float]:
    """Log-normal seconds (sigma 1), a share ``stragglers`` of them 20 times the usual one; their mean is ``mean``."""
    rng = Random(seed)
    drawn = [rng.lognormvariate(0.0, 1.0) for _ in range(count)]
    usual = sum(drawn) / count
    for number in rng.sample(range(count), round(count * stragglers)):
        drawn[number] = 20 * usual
    scale = mean * count / sum(drawn)
    return [seconds * scale for seconds in drawn]


def shortest_run(latencies: Sequence[float], slots: int, drawn_every: float = 0.0) -> float:
    """How long the questions take when each of ``slots`` is given the next one the moment it is free and its page is
    drawn, one every ``drawn_every`` seconds: nothing that keeps their order can be faster."""
    free_at = [0.0] * slots
    end = 0.0
    for number, seconds in enumerate(latencies, start=1):
        done = max(heapq.heappop(free_at), number * drawn_every) + seconds
        heapq.heappush(free_at, done)
        end = max(end, done)
    return end


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
