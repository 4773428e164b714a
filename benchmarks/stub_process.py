"""The stand-in server of the tests in a process of its own, so that its work is not the client's.

Started with ``serving``; it tells what it has seen when a line comes in, and ends when its input closes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.model_stub import ModelStub, Seen
from tests.stub_settings import MODEL, Faults, Latency, StubSettings

__all__ = ["MODEL", "Faults", "Latency", "Served", "serving"]


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: where, and in which process."""

    url: str
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def fates(self) -> dict[str, int]:
        """How many questions met which fault so far; under "" those that met none."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@contextmanager
def serving(
    latency: Latency,
    faults: Faults = Faults(),  # noqa: B008 - frozen
    *,
    fails_at_once: bool = False,
    seed: int = 1,
) -> Iterator[Served]:
    """A server that answers after ``latency`` with ``faults``; it looks into no body. ``fails_at_once``: a 500 or 503
    comes without the latency."""
    told = json.dumps({
        "latency": asdict(latency),
        "faults": asdict(faults),
        "fails_at_once": fails_at_once,
        "seed": seed,
    })
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stub_process", told],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Served(process.stdout.readline().strip(), process)
        finally:
            process.stdin.close()


class _FailingAtOnce(ModelStub):
    """Refuses before it computes, as a server does that is overloaded or cannot take the picture."""

    def _fate(self, seen: Seen) -> str:
        fate = super()._fate(seen)
        latency = Latency() if fate in ("error_500", "burst_503") else self._latency
        self.settings = replace(self.settings, latency=latency)
        return fate

    def __init__(self, settings: StubSettings) -> None:
        super().__init__(settings)
        self._latency = settings.latency


async def _serve(told: Mapping[str, Any]) -> None:
    settings = StubSettings(
        latency=Latency(**told["latency"]), faults=Faults(**told["faults"]), seed=told["seed"], reads_body=False
    )
    stub = await (_FailingAtOnce if told["fails_at_once"] else ModelStub)(settings).start()
    print(stub.url, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(stub.fates), flush=True)
    await stub.stop()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
