"""vLLM with many questions at once against one at a time, and against transformers one by one, on the tiny checkpoint.

The same questions, answered word for word as taught, by the engines of the product; engines stay loaded and take turns.
The tiny model on a processor shows what sharing an engine's step is worth, not what a GPU does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from benchmarks.measuring import Report, Setting, at_least, at_most, kept, ratios, take_turns

TITLE = "vLLM in batches against transformers one by one, and against one request at a time (tiny checkpoint)"
_IN_FLIGHT = 32


def run(setting: Setting) -> Report:
    report = Report("vllm", TITLE)
    if find_spec("vllm") is None:
        report.skipped = "vLLM is not installed here; run it with the Python of the environment of make test-vllm"
        return report
    from tests.vllm.tiny.checkpoint import tiny_checkpoint

    checkpoint = tiny_checkpoint(setting.say)
    count = setting.pick(64, 16)
    with ExitStack() as stack:
        vllm = stack.enter_context(_Loaded("vllm", checkpoint, count))
        transformers = stack.enter_context(_Loaded("transformers", checkpoint, count))
        taken = take_turns(
            {
                "together": partial(vllm.ask_all, min(_IN_FLIGHT, count)),
                "one at a time": partial(vllm.ask_all, 1),
                "transformers": partial(transformers.ask_all, 1),
            },
            setting.repeats,
        )
    seconds = {name: [sample.facts["seconds"] for sample in samples] for name, samples in taken.items()}
    for name, samples in taken.items():
        report.tell(f"{name}: tokens", [one.facts["tokens"] / one.facts["seconds"] for one in samples], "1/s")
    gain = ratios(seconds["transformers"], seconds["together"])
    report.tell(f"vLLM, {_IN_FLIGHT} in flight / transformers one by one", gain, "times as fast", at_least(2.3))
    gain = ratios(seconds["one at a time"], seconds["together"])
    report.tell(f"vLLM, {_IN_FLIGHT} in flight / vLLM one at a time", gain, "times as fast")
    mistaken = [sum(sample.facts["wrong"] for sample in turn) for turn in zip(*taken.values(), strict=True)]
    report.tell("answers that were not word for word right", mistaken, "", at_most(0))
    report.samples = kept(taken)
    report.notes.append(f"{count} questions a turn; engines are loaded and warm before the clock.")
    return report


class _Loaded:
    """An engine in a process of its own, loaded, that asks when it is told to."""

    def __init__(self, name: str, checkpoint: Path, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.vllm_run", name, str(checkpoint), str(count)],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self._heard()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask_all(self, in_flight: int) -> Mapping[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{in_flight}\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> Mapping[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                told: dict[str, float] = json.loads(line)
                return told
        raise RuntimeError("the engine's process ended; what it said is above")
