"""What goes wrong with servers and networks is retried where that helps, named where it does not, and never hangs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hunyuan_ocr.engines.openai_server import OpenAIServerEngine
from hunyuan_ocr.engines.retrying import Patience, pause
from hunyuan_ocr.engines.server_faults import Blame, fault_of_response, readable, retry_after
from hunyuan_ocr.exceptions import (
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineRefusedError,
    EngineUnavailableError,
    HunyuanOCRError,
    PageRefusedError,
)
from tests.engines.pictures import KEY, PROMPT, engine, picture
from tests.model_stub import Faults, Latency, ModelStub, StubSettings


def error_of(*fates: str, **changes: object) -> tuple[HunyuanOCRError, int]:
    """What a question ends in that meets these fates, and how often it was sent."""

    async def run() -> tuple[HunyuanOCRError, int]:
        async with ModelStub() as stub, engine(stub, **changes) as it:
            stub.script.extend(fates)
            with pytest.raises(HunyuanOCRError) as failed:
                await it.ask(picture(1), PROMPT)
            return failed.value, stub.questions

    return asyncio.run(run())


@pytest.mark.parametrize(
    "fate",
    ["error_500", "502", "503", "504", "408", "too_many_429", "burst_503", "reset", "half_body", "garbled"],
)
def test_a_passing_fault_is_asked_again_and_forgotten(fate: str) -> None:
    async def run() -> None:
        async with ModelStub() as stub, engine(stub) as it:
            stub.script.extend([fate, fate])
            answer = await it.ask(picture(1), PROMPT)
            assert answer.text == stub.answer(picture(1).data, PROMPT.text)
            assert it.stats.requests == 3
            assert sum(it.stats.retries.values()) == 2

    asyncio.run(run())


class TestTheRequestsFault:
    @pytest.mark.parametrize("fate", ["400", "413", "422", "bomb", "context"])
    def test_is_not_asked_again(self, fate: str) -> None:
        error, sent = error_of(fate)
        assert isinstance(error, PageRefusedError)
        assert sent == 1

    def test_says_that_the_context_is_too_short(self) -> None:
        error, _ = error_of("context")
        assert "longer than the context length" in str(error)
        assert "2048" in str(error)

    def test_is_told_for_a_body_that_a_proxy_does_not_take(self) -> None:
        async def run() -> None:
            async with ModelStub(StubSettings(max_body=100_000)) as stub, engine(stub) as it:
                with pytest.raises(PageRefusedError, match="client_max_body_size"):
                    await it.ask(picture(1, 3_000_000), PROMPT)
                assert (await it.ask(picture(2, 1000), PROMPT)).text

        asyncio.run(run())

    @pytest.mark.parametrize("fate", ["error_500", "reset", "half_body"])
    def test_is_found_out_when_a_picture_fails_each_time_and_another_does_not(self, fate: str) -> None:
        async def run() -> None:
            async with ModelStub() as stub, engine(stub, retries=4) as it:
                bad = picture("bad")
                stub.fate_of = lambda seen: fate if seen.picture == bad.data else ""
                with pytest.raises(PageRefusedError, match="failed at this picture 5 times and answers another"):
                    await it.ask(bad, PROMPT)
                assert (await it.ask(picture("good"), PROMPT)).text

        asyncio.run(run())

    def test_is_not_assumed_when_the_server_fails_at_every_picture(self) -> None:
        error, sent = error_of(*["error_500"] * 20, retries=4)
        assert type(error) is EngineUnavailableError
        assert sent == 5 + 3  # three looks at whether another picture is answered

    def test_is_not_assumed_of_overload(self) -> None:
        error, sent = error_of(*["503"] * 5, retries=4)
        assert type(error) is EngineUnavailableError
        assert sent == 5


class TestASettingsFault:
    @pytest.mark.parametrize("fate", ["401", "403", "404", "302", "405"])
    def test_is_not_asked_again_and_names_the_connection(self, fate: str) -> None:
        error, sent = error_of(fate)
        assert type(error) is EngineRefusedError
        assert "connection hunyuan_test" in str(error)
        assert sent == 1


def test_out_of_memory_is_tried_twice_and_named() -> None:
    error, sent = error_of(*["out_of_memory"] * 9)
    assert type(error) is EngineOutOfMemoryError
    assert "max_in_flight" in str(error)
    assert sent == 2


class TestRetryAfter:
    def test_is_waited_for(self) -> None:
        async def run() -> float:
            async with ModelStub() as stub, engine(stub) as it:
                stub.script.extend(["burst_503"])
                started = time.monotonic()
                await it.ask(picture(1), PROMPT)
                return time.monotonic() - started

        assert asyncio.run(run()) >= 0.1

    def test_longer_than_the_deadline_is_not_waited_for(self) -> None:
        error, sent = error_of("burst_503", request_timeout=0.08)
        assert type(error) is EngineUnavailableError
        assert sent == 1

    def test_is_a_number_or_a_date_by_the_servers_own_clock(self) -> None:
        now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
        assert retry_after({"Retry-After": "7"}) == 7
        assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, now=now) == 30
        skewed = {"Retry-After": "Sun, 22 Nov 2026 15:00:30 GMT", "Date": "Sun, 22 Nov 2026 15:00:00 GMT"}
        assert retry_after(skewed, now=now) == 30
        assert retry_after({"Retry-After": "Sat, 21 Nov 2026 12:00:30 GMT"}, now=now) == 0
        assert retry_after({"Retry-After": "soon"}) is None
        assert retry_after({}) is None


class TestEndpoints:
    def test_the_least_busy_is_chosen(self) -> None:
        async def run() -> None:
            slow = StubSettings(latency=Latency(0.4))
            async with (
                ModelStub(slow) as one,
                ModelStub(StubSettings(latency=Latency(0.02))) as other,
                engine(one, other, max_in_flight=8) as it,
            ):
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(80)))
            assert one.questions + other.questions == 80
            assert other.questions > 2 * one.questions

        asyncio.run(run())

    def test_a_killed_one_is_left_out_and_comes_back(self) -> None:
        async def run() -> None:
            async with ModelStub(StubSettings(latency=Latency(0.05))) as lasting:
                mortal = await ModelStub(StubSettings(latency=Latency(0.05))).start()
                async with engine(lasting, mortal, max_in_flight=8) as it:
                    asked = asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(80)))
                    await asyncio.sleep(0.12)
                    await mortal.stop()
                    assert len({answer.text for answer in await asked}) == 80
                    assert it.stats.ejections == 1
                    async with _at(mortal.port) as reborn:
                        await _until_it_gets_questions(it, reborn)

        asyncio.run(run())

    def test_one_whose_health_fails_gets_no_questions(self) -> None:
        async def run() -> None:
            async with ModelStub() as well, ModelStub() as ill, engine(well, ill) as it:
                ill.is_well = False
                await asyncio.sleep(0.5)
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(10)))
                assert (well.questions, ill.questions) == (10, 0)
                ill.is_well = True
                await _until_it_gets_questions(it, ill)

        asyncio.run(run())

    def test_one_that_fails_fast_does_not_swallow_all_questions(self) -> None:
        async def run() -> None:
            async with ModelStub(StubSettings(latency=Latency(0.05))) as well, ModelStub() as broken:
                broken.fate_of = lambda seen: "error_500"
                async with engine(well, broken, max_in_flight=8) as it:
                    await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(60)))
            assert broken.questions < 20

        asyncio.run(run())

    def test_all_out_is_waited_for_until_one_is_back(self) -> None:
        async def run() -> None:
            mortal = await ModelStub().start()
            async with engine(mortal) as it:
                await mortal.stop()
                asked = asyncio.create_task(it.ask(picture(1), PROMPT))
                await asyncio.sleep(0.6)
                async with _at(mortal.port):
                    assert (await asked).text

        asyncio.run(run())

    def test_a_server_gone_behind_a_proxy_is_waited_for_too(self) -> None:
        async def run() -> None:
            async with ModelStub() as stub, engine(stub, retries=3, health_interval=5) as it:
                await asyncio.sleep(1.1)
                stub.is_well, stub.fate_of = False, lambda seen: "502"
                asked = asyncio.create_task(it.ask(picture(1), PROMPT))
                await asyncio.sleep(1)
                assert not asked.done()
                stub.is_well, stub.fate_of = True, None
                assert (await asked).text

        asyncio.run(run())

    def test_all_out_ends_at_the_deadline(self) -> None:
        async def run() -> None:
            mortal = await ModelStub().start()
            async with engine(mortal, request_timeout=1) as it:
                await mortal.stop()
                started = time.monotonic()
                with pytest.raises(EngineUnavailableError, match=r"No answer within 1 s.*Out of order: 127"):
                    await it.ask(picture(1), PROMPT)
                assert time.monotonic() - started < 5

        asyncio.run(run())

    def test_one_that_comes_back_as_a_refused_version_stays_out(self, caplog: pytest.LogCaptureFixture) -> None:
        async def run() -> None:
            async with ModelStub() as lasting:
                mortal = await ModelStub().start()
                async with engine(lasting, mortal) as it:
                    await mortal.stop()
                    async with _at(mortal.port, StubSettings(version="0.32.0")) as other:
                        await asyncio.sleep(0.6)
                        await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(8)))
                        assert (lasting.questions, other.questions) == (8, 0)

        asyncio.run(run())
        assert "must not be mixed" in caplog.text

    def test_the_only_one_that_comes_back_as_another_version_is_refused(self) -> None:
        async def run() -> None:
            mortal = await ModelStub().start()
            async with engine(mortal, request_timeout=60) as it:
                await mortal.stop()
                async with _at(mortal.port, StubSettings(version="0.32.0")):
                    await asyncio.sleep(1)  # a few health checks
                    with pytest.raises(EngineRefusedError, match="must not be mixed"):
                        await it.ask(picture(1), PROMPT)

        asyncio.run(run())


class TestNothingHangs:
    def test_a_question_ends_at_its_deadline(self) -> None:
        async def run() -> None:
            async with ModelStub() as stub, engine(stub, request_timeout=0.5) as it:
                stub.is_hanging = True
                started = time.monotonic()
                with pytest.raises(EngineUnavailableError, match=r"No answer within 0\.5 s"):
                    await it.ask(picture(1), PROMPT)
                assert time.monotonic() - started < 5
                async with asyncio.timeout(10):
                    while stub.in_flight:  # the server is told
                        await asyncio.sleep(0.01)

        asyncio.run(run())

    def test_a_body_that_trickles_ends_at_the_deadline_too(self) -> None:
        error, _ = error_of("slow_body", request_timeout=0.15)
        assert type(error) is EngineUnavailableError

    def test_no_progress_at_all_is_a_dead_engine(self) -> None:
        async def run() -> None:
            async with ModelStub() as stub, engine(stub, progress_timeout=0.5, request_timeout=60) as it:
                await it.ask(picture(0), PROMPT)
                stub.is_hanging = True
                asked = [it.ask(picture(number), PROMPT) for number in range(8)]
                started = time.monotonic()
                results = await asyncio.gather(*asked, return_exceptions=True)
                assert time.monotonic() - started < 10
                assert {type(result) for result in results} == {EngineDiedError}

        asyncio.run(run())

    def test_a_straggler_is_asked_a_second_time_and_the_first_answer_counts(self) -> None:
        async def run() -> None:
            async with (
                ModelStub(StubSettings(latency=Latency(0.02))) as stub,
                engine(stub, straggler_floor=0.2, request_timeout=30) as it,
            ):
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(30)))
                stub.script.append("hang")
                started = time.monotonic()
                assert (await it.ask(picture(99), PROMPT)).text
                # Far from the deadline, also on a busy machine.
                assert time.monotonic() - started < 10
                assert it.stats.doubled >= 1 and it.stats.doubled_won >= 1
                async with asyncio.timeout(10):
                    while stub.in_flight:
                        await asyncio.sleep(0.01)

        asyncio.run(run())

    def test_second_sendings_that_fail_are_paused_and_counted(self) -> None:
        """A question that hangs, beside which every second sending fails at once, asks the server a few times only."""

        async def run() -> None:
            async with (
                ModelStub(StubSettings(latency=Latency(0.02))) as stub,
                engine(stub, straggler_floor=0.1, request_timeout=4, retries=3) as it,
            ):
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(30)))
                before = stub.questions
                stub.script.extend(["hang", *["error_500"] * 200])
                with pytest.raises(EngineUnavailableError):
                    await it.ask(picture(99), PROMPT)
                assert stub.questions - before <= 1 + 3 + 2
                stub.script.clear()

        asyncio.run(run())

    def test_a_slow_server_is_not_made_slower_by_second_sendings(self) -> None:
        async def run() -> None:
            async with (
                ModelStub(StubSettings(latency=Latency(0.02))) as stub,
                engine(stub, straggler_floor=0.1, max_in_flight=16) as it,
            ):
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(32)))
                stub.settings = replace(stub.settings, latency=Latency(0.8))
                await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(16)))
                assert stub.most_in_flight <= 16 + 2

        asyncio.run(run())

    def test_cancelling_a_question_frees_its_place_and_the_server(self) -> None:
        async def run() -> None:
            async with ModelStub() as stub, engine(stub, max_in_flight=1) as it:
                stub.script.append("hang")
                asked = asyncio.create_task(it.ask(picture(1), PROMPT))
                await asyncio.sleep(0.2)
                asked.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asked
                assert (await it.ask(picture(2), PROMPT)).text
                assert stub.in_flight == 0

        asyncio.run(run())


def test_through_a_storm_of_faults_every_page_gets_its_own_answer_once() -> None:
    storm = Faults(0.1, 0.02, 0.01, 0.02, 0.02, 0.02, 0.02, 0.0, 0.02, burst_seconds=0.05)

    async def run() -> None:
        async with (
            ModelStub(StubSettings(latency=Latency(0.02, 0.5), faults=storm, seed=7)) as stub,
            engine(stub, straggler_floor=0.3, max_in_flight=32, retries=9, request_timeout=30) as it,
        ):
            shown = [picture(number, 2000) for number in range(600)]
            answers = await asyncio.gather(*(it.ask(one, PROMPT) for one in shown))
            expected = [stub.answer(one.data, PROMPT.text) for one in shown]
            assert [answer.text for answer in answers] == expected
            faults = sum(stub.fates.values()) - stub.fates[""]
            assert faults >= 100
            # Only what failed was sent again.
            assert it.stats.requests <= len(shown) + faults + it.stats.doubled

    asyncio.run(run())


class TestSorting:
    def test_the_servers_words_lose_what_they_quote(self) -> None:
        said = b"""{"error":{"message":"1 validation error: {'loc': 'body', 'input': 'Rechnung von Frau Muster'}"}}"""
        assert "Muster" not in fault_of_response(400, {}, said).reason
        assert "AAAA" not in readable("bad picture data:image/jpeg;base64," + "A" * 500)
        assert KEY not in readable(f"Incorrect key {KEY}. Bearer {KEY}")
        assert len(readable("word " * 500)) <= 240

    def test_blame_follows_the_status(self) -> None:
        blames = {
            status: fault_of_response(status, {}, b"").blame
            for status in (
                301,
                400,
                401,
                402,
                403,
                404,
                405,
                408,
                413,
                415,
                422,
                425,
                429,
                500,
                501,
                502,
                503,
                504,
                529,
            )
        }
        of = {blame: sorted(status for status in blames if blames[status] is blame) for blame in Blame}
        assert of[Blame.REQUEST] == [400, 413, 415, 422]
        assert of[Blame.SETTING] == [301, 401, 402, 403, 404, 405, 501]
        assert of[Blame.SERVER] == [408, 425, 429, 500, 502, 503, 504, 529]


def test_pauses_grow_are_random_and_bounded() -> None:
    assert all(0 <= pause(attempt, 0.25, 8) <= min(8, 0.25 * 2 ** (attempt - 1)) for attempt in range(1, 60))
    assert len({pause(3, 0.25, 8) for _ in range(20)}) > 10


def test_patience_is_learnt_from_the_slowest_of_a_hundred_and_has_a_floor() -> None:
    patience = Patience(2.0, 0.5)
    for _ in range(19):
        patience.learn(1, 3.0)
    assert patience.limit(1) is None
    patience.learn(1, 4.0)
    assert patience.limit(1) == 8.0
    for _ in range(20):
        patience.learn(2, 0.01)
    assert patience.limit(2) == 0.5
    assert Patience(0.0, 0.5).limit(1) is None


async def _until_it_gets_questions(it: OpenAIServerEngine, stub: ModelStub) -> None:
    async with asyncio.timeout(10):
        while not stub.questions:
            await asyncio.gather(*(it.ask(picture(number), PROMPT) for number in range(4)))


class _at:  # noqa: N801 - reads as a preposition
    """A stub on a given port: a server that was started again."""

    def __init__(self, port: int, settings: StubSettings = StubSettings()) -> None:  # noqa: B008
        self._stub = ModelStub(settings)
        self._port = port

    async def __aenter__(self) -> ModelStub:
        return await self._stub.start(self._port)

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stub.stop()
