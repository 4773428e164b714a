"""One engine of ``vllm``, in a process of its own: once vLLM is imported, transformers computes with its kernels.

Tells when it is ready, asks all questions for each line that comes in, and tells how long that took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

# Sets how many threads torch may use; before torch is imported.
import tests.vllm.conftest  # noqa: F401
from hunyuan_ocr.engines.base import Engine
from hunyuan_ocr.engines.spec import ModelSpec
from tests.vllm.questions import ask_all, many, wrong


async def main(name: str, checkpoint: str, count: int) -> None:
    spec, questions = ModelSpec(model=checkpoint, revision=""), many(count)
    async with _engine(name, spec) as engine:
        await ask_all(engine, questions[:4], in_flight=4)
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            started = time.perf_counter()
            answers = await ask_all(engine, questions, in_flight=int(line))
            seconds = time.perf_counter() - started
            told = {
                "seconds": seconds,
                "tokens": sum(answer.completion_tokens for answer in answers),
                "wrong": len(wrong(questions, answers)),
            }
            print(json.dumps(told), flush=True)


def _engine(name: str, spec: ModelSpec) -> Engine:
    if name == "transformers":
        from hunyuan_ocr.engines.transformers import TransformersEngine

        return TransformersEngine(spec)
    from hunyuan_ocr.engines.vllm import VllmEngine
    from tests.vllm.test_in_process_engine import OPTIONS

    return VllmEngine(spec, OPTIONS)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
