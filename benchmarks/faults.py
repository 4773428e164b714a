"""B8: what a bad server costs: 10 % of answers a 500, 2 % never, bursts of 503, 1 % cut off, against a good one.

The client asks again what failed and only that, sends a question that hangs a second time, and loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial

from benchmarks.measuring import Report, Setting, at_most, kept, ratios, take_turns
from benchmarks.parts import PROMPT
from benchmarks.stub_process import MODEL, Faults, Latency, serving
from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.spec import ModelSpec

TITLE = "B8 faults: a server that fails, hangs and overloads, against the same server without faults"
_FAULTS = Faults(error_500=0.10, hang=0.02, burst_503=0.01, half_body=0.01)
_LATENCY = Latency(1.0, 0.3)
_PLACES = 32


def run(setting: Setting) -> Report:
    report = Report("faults", TITLE)
    count = _PLACES * setting.pick(60, 20)
    taken = take_turns(
        {
            "good": partial(_ask_all, Faults(), count),
            "fails at once": partial(_ask_all, _FAULTS, count, fails_at_once=True),
            "fails late": partial(_ask_all, _FAULTS, count),
        },
        setting.pick(max(2, setting.repeats // 2), setting.repeats),
        warm_up=False,
    )
    asking = {name: [sample.facts["asking"] for sample in samples] for name, samples in taken.items()}
    for name in ("fails at once", "fails late"):
        facts = [sample.facts for sample in taken[name]]
        slower = ratios(asking[name], asking["good"])
        report.tell(f"server {name}: time / without faults", slower, "", at_most(1.15))
        resent = [(one["requests"] - count) / one["faulty"] for one in facts]
        report.tell(f"server {name}: sent again for each that failed", resent, "", at_most(1.1))
        report.tell(f"server {name}: answers lost", [count - one["answered"] for one in facts], "", at_most(0))
        met = [100 * one["faulty"] / one["requests"] for one in facts]
        report.tell(f"server {name}: requests that met a fault", met, "%")
        report.tell(f"server {name}: sent a second time beside the first", [one["doubled"] for one in facts])
    report.samples = kept(taken)
    report.notes.append(
        f"{count} questions a turn, {_PLACES} at once, answered after about {_LATENCY.seconds:g} s. Fails at once: a "
        "500 or 503 comes without the time of an answer; late: after it, so that this time is lost whatever the client "
        "does. A turn is a minute: what hangs at its very end counts more here than in a run of an hour."
    )
    return report


def _ask_all(faults: Faults, count: int, *, fails_at_once: bool = False) -> Mapping[str, float]:
    with serving(_LATENCY, faults, fails_at_once=fails_at_once) as server:
        facts = asyncio.run(_asked(server.url, count))
        fates = server.fates()
    return facts | {"faulty": sum(number for fate, number in fates.items() if fate)}


async def _asked(url: str, count: int) -> dict[str, float]:
    picture = Picture(b"\xff\xd8" + bytes(100_000), "image/jpeg", 1240, 1754)
    options = ServerOptions((url,), served_model=MODEL, max_in_flight=_PLACES, probe=False)
    answered = 0
    numbers = iter(range(count))
    async with OpenAIServerEngine(ModelSpec(), options) as engine:

        async def asker() -> None:
            nonlocal answered
            for _ in numbers:
                await engine.ask(picture, PROMPT)
                answered += 1

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(_PLACES):
                group.create_task(asker())
        asking = time.perf_counter() - started
        stats = engine.stats
        return {
            "asking": asking,
            "answered": answered,
            "requests": stats.requests,
            "retried": sum(stats.retries.values()),
            "doubled": stats.doubled,
        }
