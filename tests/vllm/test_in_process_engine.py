"""HunyuanOCR's architecture in vLLM inside this process: right answers, alone and in a batch, and a clean death."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hunyuan_ocr.engines.base import FinishReason
from hunyuan_ocr.engines.core_processes import Process, descendants, is_resource_tracker
from hunyuan_ocr.engines.probe import Verdict
from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.vllm import VllmEngine, VllmOptions
from hunyuan_ocr.exceptions import EngineDiedError
from tests.vllm.questions import ask_all, first_copies, many, wrong
from tests.vllm.serving import CONTEXT, KV_CACHE_BYTES

OPTIONS = VllmOptions(
    max_model_len=CONTEXT,
    max_num_seqs=32,
    max_num_batched_tokens=4096,
    dtype="float32",
    kv_cache_memory_bytes=KV_CACHE_BYTES,
    enforce_eager=True,
)


@contextmanager
def started(spec: ModelSpec, runner: asyncio.Runner) -> Iterator[VllmEngine]:
    engine = VllmEngine(spec, OPTIONS)
    runner.run(engine.__aenter__())
    try:
        yield engine
    finally:
        runner.run(engine.__aexit__())


@pytest.fixture(scope="module")
def engine(spec: ModelSpec, runner: asyncio.Runner) -> Iterator[VllmEngine]:
    with started(spec, runner) as engine:
        yield engine


def test_the_probe_passes(engine: VllmEngine) -> None:
    assert engine.report is not None
    assert (engine.report.verdict, engine.report.right_together, engine.report.right_alone) == (Verdict.SAME, 8, 8)


def test_every_page_is_answered_word_for_word(engine: VllmEngine, runner: asyncio.Runner) -> None:
    questions = first_copies()
    answers = runner.run(ask_all(engine, questions, in_flight=1))
    assert wrong(questions, answers) == []
    assert {answer.finish_reason for answer in answers} == {FinishReason.STOP}


def test_64_pages_at_32_in_flight_are_answered_as_each_alone(engine: VllmEngine, runner: asyncio.Runner) -> None:
    questions = many(64)
    together = runner.run(ask_all(engine, questions, in_flight=32))
    alone = runner.run(ask_all(engine, questions, in_flight=1))
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert wrong(questions, together) == []


def test_a_core_killed_in_the_middle_of_a_batch_is_noticed_and_leaves_nobody_behind(
    spec: ModelSpec, runner: asyncio.Runner
) -> None:
    before = descendants()
    with started(spec, runner) as engine:
        (core,) = (process for process in descendants() - before if b"EngineCore" in _command_line(process))
        results, seconds = runner.run(_kill_amidst(engine, core))
    died = [result for result in results if isinstance(result, BaseException)]
    assert died
    assert {type(error) for error in died} == {EngineDiedError}
    assert seconds < 30
    assert {process for process in descendants() - before if not is_resource_tracker(process)} == set()


async def _kill_amidst(engine: VllmEngine, core: Process) -> tuple[list[object], float]:
    """Ask 32 questions, kill the core when the first is answered; the results, and how long the last took to come."""
    asked = [asyncio.ensure_future(engine.ask(question.picture, question.prompt)) for question in many(32)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    os.kill(core.pid, signal.SIGKILL)
    killed = time.monotonic()
    results = await asyncio.gather(*asked, return_exceptions=True)
    return list(results), time.monotonic() - killed


def _command_line(process: Process) -> bytes:
    return Path(f"/proc/{process.pid}/cmdline").read_bytes()
