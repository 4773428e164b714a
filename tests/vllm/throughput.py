"""How much faster vLLM answers many questions at once than it does one at a time, and than transformers one by one.

The tiny checkpoint on a processor: what the ratio shows is the engine's work shared by a batch, not a GPU's speed.
`python -m tests.vllm.throughput` prints the table.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.transformers import TransformersEngine
from hunyuan_ocr.engines.vllm import VllmEngine
from tests.vllm.conftest import REPOSITORY
from tests.vllm.questions import ask_all, many, wrong
from tests.vllm.test_in_process_engine import OPTIONS

QUESTIONS = 64
IN_FLIGHT = 32


@dataclass(frozen=True)
class Throughput:
    """Seconds for the same questions, the engine's start not counted; ``tokens`` are all that were answered."""

    questions: int
    tokens: int
    vllm_together: float
    vllm_one_at_a_time: float
    transformers_one_by_one: float

    @property
    def gain_over_transformers(self) -> float:
        return self.transformers_one_by_one / self.vllm_together

    @property
    def gain_of_batching(self) -> float:
        return self.vllm_one_at_a_time / self.vllm_together

    def __str__(self) -> str:
        rows = (
            (f"vLLM, {IN_FLIGHT} in flight", self.vllm_together),
            ("vLLM, one at a time", self.vllm_one_at_a_time),
            ("transformers, one by one", self.transformers_one_by_one),
        )
        return "\n".join(
            f"{name:<26}{seconds:8.1f} s{self.questions / seconds:8.2f} answers/s{self.tokens / seconds:8.0f} tokens/s"
            f"{seconds / self.vllm_together:7.1f} x"
            for name, seconds in rows
        )


def measure(checkpoint: Path, questions: int = QUESTIONS) -> Throughput:
    """Ask the same questions in the three ways. Raises CalledProcessError when an engine fails or answers wrongly."""
    vllm, transformers = (_in_a_process(engine, checkpoint, questions) for engine in ("vllm", "transformers"))
    return Throughput(
        questions, int(vllm["tokens"]), vllm["together"], vllm["one_at_a_time"], transformers["one_at_a_time"]
    )


def _in_a_process(engine: str, checkpoint: Path, questions: int) -> dict[str, float]:
    # Apart: once vLLM is imported, transformers computes with some of vLLM's kernels.
    command = [sys.executable, "-m", "tests.vllm.throughput", engine, str(checkpoint), str(questions)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    seconds: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


async def _time(name: str, checkpoint: str, count: int) -> dict[str, float]:
    spec, questions = ModelSpec(model=checkpoint, revision=""), many(count)
    engine = VllmEngine(spec, OPTIONS) if name == "vllm" else TransformersEngine(spec)
    ways = {"together": IN_FLIGHT, "one_at_a_time": 1} if name == "vllm" else {"one_at_a_time": 1}
    seconds: dict[str, float] = {}
    async with engine:
        await ask_all(engine, questions[:2], in_flight=2)
        for way, in_flight in ways.items():
            started = time.monotonic()
            answers = await ask_all(engine, questions, in_flight=in_flight)
            seconds[way] = time.monotonic() - started
            assert not (mistaken := wrong(questions, answers)), mistaken
    return seconds | {"tokens": sum(answer.completion_tokens for answer in answers)}


def main(arguments: list[str]) -> None:
    if arguments:
        engine, checkpoint, count = arguments
        print(json.dumps(asyncio.run(_time(engine, checkpoint, int(count)))))
    else:
        from tests.vllm.tiny.checkpoint import tiny_checkpoint

        print(measure(tiny_checkpoint()))


if __name__ == "__main__":
    main(sys.argv[1:])
