"""Starts the engine in a process of its own, with whatever packages its path names, and asks it 64 questions.

`python -m tests.vllm.ask_in_process CHECKPOINT GATE` prints which were answered wrongly.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.engines.vllm import Gate, VllmEngine
from tests.vllm.questions import ask_all, many, wrong
from tests.vllm.test_in_process_engine import OPTIONS


async def main(checkpoint: str, gate: Gate) -> None:
    questions = many(64)
    async with VllmEngine(ModelSpec(model=checkpoint, revision=""), replace(OPTIONS, engine_gate=gate)) as engine:
        answers = await ask_all(engine, questions, in_flight=32)
    print(f"{len(questions)} asked, wrong: {wrong(questions, answers)}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "when_needed" if sys.argv[2] == "when_needed" else "never"))
