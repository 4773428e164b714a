"""A server that mixes the pictures of a batch is found out, refused, or driven one picture at a time."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from functools import cache

import pytest
from PIL import Image

from hunyuan_ocr.engines.probe import probe_pages
from hunyuan_ocr.exceptions import EngineRefusedError
from tests.engines.pictures import PROMPT, engine, picture
from tests.model_stub import Latency, ModelStub, StubSettings

MIXING = StubSettings(mixes_pictures=True, latency=Latency(0.05))


class Reading(ModelStub):
    """Reads probe pages, whatever their one marked pixel is."""

    def __init__(self, settings: StubSettings) -> None:
        super().__init__(settings, self._read)

    def _read(self, shown: bytes, text: str) -> str:
        if not shown.startswith(b"\x89PNG"):
            return hashlib.sha256(shown).hexdigest()
        return _known_pages()[_without_mark(shown)]


def _without_mark(shown: bytes) -> bytes:
    image = Image.open(io.BytesIO(shown)).convert("RGB")
    image.putpixel((image.width - 1, image.height - 1), (0, 0, 0))
    return image.tobytes()


@cache
def _known_pages() -> dict[bytes, str]:
    return {_without_mark(page.picture.data): page.text for page in probe_pages(0)}


def test_a_server_that_reads_in_a_batch_as_alone_passes() -> None:
    async def run() -> None:
        async with Reading(StubSettings(latency=Latency(0.02))) as stub, engine(stub, probe=True) as it:
            assert not it.stats.is_gated
            assert stub.questions == 16

    asyncio.run(run())


def test_one_that_mixes_is_refused_with_the_remedy() -> None:
    async def run() -> None:
        async with Reading(MIXING) as stub:
            with pytest.raises(EngineRefusedError, match="text of other pages") as refused:
                await engine(stub, probe=True).__aenter__()
            assert "transformers==5.20.2" in str(refused.value)
            assert "engine_gate" in str(refused.value)

    asyncio.run(run())


def test_or_driven_through_the_gate_where_that_is_allowed(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Reading(MIXING) as stub, engine(stub, probe=True, gate="when_needed") as it:
            assert it.stats.is_gated
            shown = [picture(number) for number in range(40)]
            stub.encoder_batches.clear()
            answers = await asyncio.gather(*(it.ask(one, PROMPT) for one in shown))
            assert [answer.text for answer in answers] == [one.sha256 for one in shown]
            assert set(stub.encoder_batches) == {1}

    asyncio.run(run())
    assert "driven one at a time" in caplog.text


def test_without_the_gate_that_server_gives_other_pages_text() -> None:
    """The stub does what the gate is for; or the tests above prove nothing."""

    async def run() -> None:
        async with Reading(MIXING) as stub, engine(stub) as it:
            shown = [picture(number) for number in range(40)]
            answers = await asyncio.gather(*(it.ask(one, PROMPT) for one in shown))
            assert sum(answer.text == one.sha256 for answer, one in zip(answers, shown, strict=True)) < 20

    asyncio.run(run())


def test_behind_the_gate_answers_are_still_generated_together() -> None:
    async def run() -> None:
        settings = StubSettings(mixes_pictures=True, encoder_seconds=0.01, latency=Latency(0.5))
        async with Reading(settings) as stub, engine(stub, gate="always") as it:
            started = time.monotonic()
            await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(20)))
            assert time.monotonic() - started < 8  # one at a time: 20 * 0.51 s
            assert stub.most_in_flight > 5

    asyncio.run(run())


def test_each_endpoint_has_a_gate_of_its_own_and_only_where_needed() -> None:
    async def run() -> None:
        async with Reading(MIXING) as bad, Reading(StubSettings(latency=Latency(0.05))) as good:
            async with engine(bad, good, probe=True, gate="when_needed") as it:
                shown = [picture(number) for number in range(40)]
                answers = await asyncio.gather(*(it.ask(one, PROMPT) for one in shown))
                assert [answer.text for answer in answers] == [one.sha256 for one in shown]
            assert any(seen.body.get("stream") for seen in bad.seen)
            assert not any(seen.body.get("stream") for seen in good.seen)

    asyncio.run(run())


def test_a_request_that_hangs_at_the_gate_is_cut_and_the_others_go_on() -> None:
    async def run() -> None:
        async with Reading(StubSettings()) as stub, engine(stub, gate="always", straggler_floor=0.3) as it:
            await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(25)))
            stub.script.append("hang")
            started = time.monotonic()
            await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(25)))
            assert time.monotonic() - started < 8
            assert it.stats.retries["cut_at_gate"] >= 1

    asyncio.run(run())


def test_a_failed_request_opens_the_gate() -> None:
    async def run() -> None:
        async with Reading(StubSettings()) as stub, engine(stub, gate="always") as it:
            stub.script.extend(["error_500", "reset", "half_body", "400"])
            results = await asyncio.gather(
                *(it.ask(picture(number), PROMPT) for number in range(12)), return_exceptions=True
            )
            assert sum(isinstance(result, Exception) for result in results) == 1  # the 400

    asyncio.run(run())


def test_requests_the_server_computed_again_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with Reading(StubSettings()) as stub, engine(stub, gate="always") as it:
            await asyncio.sleep(0.5)
            stub.preemptions = 3
            await asyncio.sleep(0.5)
            assert it.stats.preemptions == 3

    asyncio.run(run())
    assert "put 3 requests back" in caplog.text
