"""B2: how many of the questions a server could answer in parallel our client really keeps under way.

The server answers after 2 seconds whatever it is sent, in a process of its own. Ideal is as many answers as there are
places, every 2 seconds. Beside it a bare aiohttp client that posts bodies made beforehand: no choice of endpoint, no
retries, no stragglers, no base64.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from benchmarks.measuring import Goal, Report, Sample, Setting, at_least, at_most, kept, ratios, take_turns
from benchmarks.parts import PROMPT, shortest_run
from benchmarks.stub_process import MODEL, Latency, Served, serving
from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.spec import ModelSpec

TITLE = "B2 saturation of the client: a server of fixed latency, 0.6 MB pictures"
_PICTURE_BYTES = 600_000
_GOALS: dict[int, Goal] = {64: at_least(0.95), 128: at_least(0.90)}
_SIGMA = 0.5


def run(setting: Setting) -> Report:
    report = Report("client", TITLE)
    seconds, waves = setting.pick(2.0, 1.0), setting.pick(20, 10)
    report.notes.append(
        f"{waves} questions a place, each answered after {seconds:g} s; processor time is this process's, the "
        "server's is not counted. Log-normal: sigma 0.5, ideal computed from the very latencies the server draws."
    )
    for places in setting.pick((16, 64, 128, 256), (64,)):
        rounds = setting.repeats if places == 64 else max(1, setting.repeats // 2)
        _compare(report, setting, f"{places} in flight", places, Latency(seconds), waves, rounds)
    _compare(
        report, setting, "64 in flight, log-normal", 64, Latency(seconds, _SIGMA), waves, max(1, setting.repeats // 2)
    )
    return report


def _compare(
    report: Report, setting: Setting, what: str, places: int, latency: Latency, waves: int, rounds: int
) -> None:
    setting.say(what)
    pictures = _pictures()
    count = places * waves
    ideal = shortest_run(_drawn(latency, count), places)
    taken = take_turns(
        {
            "ours": partial(_served, latency, partial(_ours, pictures, count, places)),
            "bare": partial(_served, latency, partial(_bare, pictures, count, places)),
        },
        rounds,
        warm_up=False,
    )
    asking = {name: [sample.facts["asking"] for sample in samples] for name, samples in taken.items()}
    goal = _GOALS.get(places) if not latency.sigma else None
    report.tell(f"{what}: share of the ideal", ratios([ideal] * rounds, asking["ours"]), "", goal)
    report.tell(f"{what}: bare client's share of the ideal", ratios([ideal] * rounds, asking["bare"]))
    report.tell(f"{what}: time of the bare client / ours", ratios(asking["bare"], asking["ours"]))
    report.tell(f"{what}: answers", [count / seconds for seconds in asking["ours"]], "1/s")
    cost = _milliseconds(taken["ours"], count)
    report.tell(f"{what}: processor time a request", cost, "ms", at_most(4.0) if places == 64 and goal else None)
    report.tell(f"{what}: bare client's processor time a request", _milliseconds(taken["bare"], count), "ms")
    report.samples |= {f"{what}: {name}": samples for name, samples in kept(taken).items()}


def _milliseconds(samples: list[Sample], count: int) -> list[float]:
    return [1000 * sample.facts["processor"] / count for sample in samples]


def _pictures() -> list[Picture]:
    """A few pictures that compress no further; what they show is nobody's concern."""
    return [Picture(b"\xff\xd8" + os.urandom(_PICTURE_BYTES), "image/jpeg", 1240, 1754) for _ in range(8)]


def _drawn(latency: Latency, count: int, seed: int = 1) -> list[float]:
    """The latencies the server will draw, as it draws them: one throw for the fault, one for the time."""
    dice = Random(seed)
    drawn = []
    for _ in range(count):
        dice.random()
        drawn.append(latency.draw(dice))
    return drawn


def _served(latency: Latency, ask_all: Any) -> Mapping[str, float]:
    with serving(latency) as server:
        return asyncio.run(ask_all(server))


async def _ours(pictures: list[Picture], count: int, places: int, server: Served) -> Mapping[str, float]:
    options = ServerOptions((server.url,), served_model=MODEL, max_in_flight=places, probe=False)
    async with OpenAIServerEngine(ModelSpec(), options) as engine:
        facts = await _timed(lambda number: engine.ask(pictures[number % len(pictures)], PROMPT), count, places)
        return {**facts, "requests": engine.stats.requests, "doubled": engine.stats.doubled}


async def _bare(pictures: list[Picture], count: int, places: int, server: Served) -> Mapping[str, float]:
    import aiohttp

    bodies = [_body(picture) for picture in pictures]
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> object:
            url = f"{server.url}/v1/chat/completions"
            async with session.post(url, data=bodies[number % len(bodies)], headers=headers) as response:
                answer = await response.json()
                return answer["choices"][0]["message"]["content"]

        return await _timed(ask, count, places)


def _body(picture: Picture) -> bytes:
    image = f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
    content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": PROMPT.text}]
    return json.dumps({
        "model": MODEL,
        "max_tokens": PROMPT.sampling.max_tokens,
        "messages": [{"role": "system", "content": ""}, {"role": "user", "content": content}],
    }).encode()


async def _timed(ask: Any, count: int, places: int) -> Mapping[str, float]:
    """``count`` questions by as many askers as there are places; seconds on the clock and of this process."""
    numbers = iter(range(count))

    async def asker() -> None:
        for number in numbers:
            await ask(number)

    processor, started = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(places):
            group.create_task(asker())
    asking = time.perf_counter() - started
    return {"asking": asking, "processor": time.process_time() - processor}
