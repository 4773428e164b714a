"""vLLM 0.32.0 with the transformers it asks for itself: it mixes pictures of a batch, and must not get away with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.probe import ProbeFailedError, Verdict
from hunyuan_ocr.engines.server_options import Gate, ServerOptions
from tests.vllm.conftest import REPOSITORY, WRONG_TRANSFORMERS
from tests.vllm.questions import ask_all, many, wrong
from tests.vllm.serving import Server, tiny_server
from tests.vllm.test_server_engine import SPEC, options_for


@pytest.fixture(scope="module")
def server(checkpoint: Path, old_transformers: Path) -> Iterator[Server]:
    with tiny_server(checkpoint, packages=old_transformers) as server:
        yield server


def test_the_probe_refuses_the_server_and_says_what_to_install(server: Server, runner: asyncio.Runner) -> None:
    with pytest.raises(ProbeFailedError, match=r"transformers==5\.20\.2") as refusal:
        runner.run(_ask_64(replace(options_for(server), gate=Gate.NEVER)))
    assert refusal.value.report.verdict is Verdict.MIXED


def test_behind_the_gate_all_64_answers_are_right(server: Server, runner: asyncio.Runner) -> None:
    assert runner.run(_ask_64(replace(options_for(server), gate=Gate.WHEN_NEEDED))) == []


def test_without_probe_and_gate_it_does_answer_with_other_pages(server: Server, runner: asyncio.Runner) -> None:
    """Or the two tests above would show nothing."""
    assert runner.run(_ask_64(replace(options_for(server), probe=False), first=64)) != []


def test_the_engine_in_process_refuses_it_before_it_starts(checkpoint: Path, old_transformers: Path) -> None:
    done = _in_process(checkpoint, old_transformers, gate="never")
    assert done.returncode != 0
    assert f"transformers {WRONG_TRANSFORMERS} is refused" in done.stderr
    assert "transformers==5.20.2" in done.stderr


def test_the_engine_in_process_is_right_with_one_picture_at_a_time(checkpoint: Path, old_transformers: Path) -> None:
    done = _in_process(checkpoint, old_transformers, gate="when_needed")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "64 asked, wrong: []"


async def _ask_64(options: ServerOptions, first: int = 0) -> list[str]:
    """The names of the questions answered wrongly; pixels from ``first`` on, which no cache has seen."""
    questions = many(first + 64)[first:]
    async with OpenAIServerEngine(SPEC, options) as engine:
        return wrong(questions, await ask_all(engine, questions, in_flight=32))


def _in_process(checkpoint: Path, packages: Path, *, gate: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(packages), str(REPOSITORY / "plugins"), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, "-m", "tests.vllm.ask_in_process", str(checkpoint), gate],
        env=os.environ | {"PYTHONPATH": path},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
