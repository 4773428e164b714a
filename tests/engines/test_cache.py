"""Caches of answers: what was asked is found again, and a cache that is out of order costs time, never a page."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_ocr.engines.base import Answer, FinishReason, Picture, Prompt, Sampling, answer_key
from hunyuan_ocr.engines.cache import JournalCache, RedisCache, TieredCache, _answer, _kept
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.geometry import Reader, Reading
from hunyuan_ocr.staging.repository import Store
from tests.engines.redis_server import PASSWORD, RedisServer, free_port

PICTURE = Picture(b"\xff\xd8 picture", "image/jpeg", 1280, 1808)
KEY = answer_key("HunyuanOCR@449e7d471a8a", PICTURE, Prompt("提取图中的: 价税合计", Sampling(1024)))
OTHER = answer_key("HunyuanOCR@449e7d471a8a", PICTURE, Prompt("提取图中的: 税额", Sampling(1024)))
SAID = Answer('{"价税合计": "1,234.50"}', FinishReason.STOP, 3001, 25, 1.25)
KNOWN = replace(SAID, is_cached=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    redis_server = RedisServer(tmp_path)
    redis_server.start()
    yield redis_server
    redis_server.kill()


def url_of(server: RedisServer) -> str:
    return f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/1"


def patient(server: RedisServer, **options: Any) -> RedisCache:
    """For tests that are not about time: the machine that runs them may be busy."""
    return RedisCache(url_of(server), timeout=20, **options)


@asynccontextmanager
async def stalled_server() -> AsyncIterator[str]:
    """Takes connections and says nothing."""
    held: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}/0"
    finally:
        for writer in held:
            writer.close()
        listener.close()


def seconds_of(started: float) -> float:
    return time.perf_counter() - started


# --- the journal ---------------------------------------------------------------------------------------------------


def test_an_answer_committed_with_its_page_is_found_for_the_same_question(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'staging.db'}") as store:
        kept = PageAnswer(1, 1, Task.FIELDS, SAID.text, "vllm", "0" * 64, KEY, 1280, 1808, seconds=1.25)
        kept = replace(kept, prompt_tokens=3001, completion_tokens=25)
        store.record_page("a" * 64, "hunyuan", Reading(1, Reader.HUNYUAN, "hunyuan", (), 1, 1), [kept])
        cache = JournalCache(store.answer_by_key)

        async def ask() -> list[Answer | None]:
            await cache.put(OTHER, SAID)
            return [await cache.get(KEY), await cache.get(OTHER)]

        assert asyncio.run(ask()) == [KNOWN, None]


def test_a_journal_that_is_out_of_order_misses_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken(key: str) -> Answer | None:
        raise RuntimeError("SELECT … secret")

    cache = JournalCache(broken)
    assert [asyncio.run(cache.get(KEY)) for _ in range(3)] == [None] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "the journal cannot be asked for earlier answers (RuntimeError); going on"
    ]


def test_looking_into_the_journal_does_not_hold_up_the_engine() -> None:
    async def beats_while_looking() -> int:
        cache, beats = JournalCache(lambda key: time.sleep(0.3)), 0
        looking = asyncio.create_task(cache.get(KEY))
        while not looking.done():
            beats += 1
            await asyncio.sleep(0.01)
        return beats

    assert asyncio.run(beats_while_looking()) > 5


# --- Redis ---------------------------------------------------------------------------------------------------------


@pytest.mark.real_server
def test_what_one_worker_was_told_another_knows(server: RedisServer) -> None:
    async def ask() -> list[Answer | None]:
        async with patient(server) as one, patient(server) as another:
            await one.put(KEY, SAID)
            return [await another.get(KEY), await another.get(OTHER)]

    assert asyncio.run(ask()) == [KNOWN, None]


@pytest.mark.real_server
def test_answers_are_kept_for_so_many_days_under_a_key_that_tells_nothing(server: RedisServer) -> None:
    import redis

    async def put() -> None:
        async with patient(server, ttl_days=0.5, prefix="ours:") as cache:
            await cache.put(KEY, SAID)

    asyncio.run(put())
    with redis.Redis.from_url(url_of(server)) as client:
        assert client.keys() == [f"ours:{KEY}".encode()]
        assert 43_000 < client.ttl(f"ours:{KEY}") <= 43_200


@pytest.mark.real_server
def test_with_a_cipher_redis_holds_nothing_readable_and_another_key_opens_nothing(server: RedisServer) -> None:
    import redis
    from cryptography.fernet import Fernet

    ours, theirs = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())

    async def ask() -> list[Answer | None]:
        async with patient(server, cipher=ours) as cache, patient(server, cipher=theirs) as other:
            await cache.put(KEY, SAID)
            return [await cache.get(KEY), await other.get(KEY)]

    assert asyncio.run(ask()) == [KNOWN, None]
    with redis.Redis.from_url(url_of(server)) as client:
        (name,) = client.keys()
        assert "1,234.50" not in client.get(name).decode()


@pytest.mark.real_server
@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\x00\xff",
        b"null",
        b'{"text": "x"}',
        _kept(SAID, OTHER),
        _kept(SAID, KEY).replace(b'"stop"', b'"tired"'),
        b"[2" + _kept(SAID, KEY)[2:],
        _kept(SAID, KEY)[:-1],
    ],
    ids=["empty", "binary", "null", "an object", "about another key", "no such reason", "a later format", "cut off"],
)
def test_rubbish_is_a_miss_and_the_next_answer_takes_its_place(server: RedisServer, rubbish: bytes) -> None:
    import redis

    with redis.Redis.from_url(url_of(server)) as client:
        client.set(f"hunyuan_ocr:answer:{KEY}", rubbish)

    async def ask() -> list[Answer | None]:
        async with patient(server) as cache:
            before = await cache.get(KEY)
            await cache.put(KEY, SAID)
            return [before, await cache.get(KEY)]

    assert asyncio.run(ask()) == [None, KNOWN]


@pytest.mark.real_server
def test_a_refusal_by_redis_costs_that_question_only(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    import redis

    with redis.Redis.from_url(url_of(server)) as client:
        client.lpush(f"hunyuan_ocr:answer:{OTHER}", "a list where an answer should be")

    async def ask() -> list[Answer | None]:
        async with patient(server) as cache:
            await cache.put(KEY, SAID)
            return [await cache.get(OTHER), await cache.get(OTHER), await cache.get(KEY)]

    assert asyncio.run(ask()) == [None, None, KNOWN]
    assert [record.getMessage() for record in caplog.records] == [
        "the Redis with earlier answers refused (ResponseError); going on without it"
    ]


@pytest.mark.real_server
def test_a_wrong_password_is_a_miss_and_stands_in_no_log(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def ask() -> Answer | None:
        async with RedisCache(f"redis://:geheim@127.0.0.1:{server.port}/0", timeout=20) as cache:
            await cache.put(KEY, SAID)
            return await cache.get(KEY)

    assert asyncio.run(ask()) is None
    assert "going on without it" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.real_server
def test_killed_in_the_middle_of_a_run_it_misses_and_serves_again_when_it_is_back(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> tuple[list[Answer | None], list[Answer | None], list[Answer | None]]:
        async with patient(server, rest_seconds=0.4) as cache:
            await cache.put(KEY, SAID)
            before = await asyncio.gather(*(cache.get(KEY) for _ in range(64)))
            waiting = [asyncio.create_task(cache.get(KEY)) for _ in range(64)]
            await asyncio.sleep(0)
            server.kill()
            await asyncio.gather(*waiting)
            during = await asyncio.gather(*(cache.get(KEY) for _ in range(64)))
            server.start()
            await asyncio.sleep(0.5)
            await cache.put(KEY, SAID)
            return before, during, await asyncio.gather(*(cache.get(KEY) for _ in range(64)))

    before, during, after = asyncio.run(run())
    assert before == [KNOWN] * 64
    assert during == [None] * 64
    assert after == [KNOWN] * 64, "connections of before the kill are not used again"
    assert len(caplog.records) <= 3, "each kind of trouble is told once"


def test_a_redis_that_says_nothing_is_waited_for_once_and_then_left_alone() -> None:
    async def ask() -> tuple[float, float, float]:
        async with stalled_server() as url, RedisCache(url, timeout=1.0, rest_seconds=1.5) as cache:
            started = time.perf_counter()
            assert await asyncio.gather(*(cache.get(KEY) for _ in range(64))) == [None] * 64
            first, started = seconds_of(started), time.perf_counter()
            for _ in range(1000):
                await cache.put(KEY, SAID)
            second = seconds_of(started)
            await asyncio.sleep(1.5)
            started = time.perf_counter()
            trial = asyncio.create_task(cache.get(KEY))
            await asyncio.sleep(0)
            assert await asyncio.gather(*(cache.get(KEY) for _ in range(64))) == [None] * 64
            others = seconds_of(started)
            await trial
            return first, second, others

    first, second, others = asyncio.run(ask())
    assert 0.9 < first < 10, "all wait at once, not one after the other"
    assert second < 0.9
    assert others < 0.9, "one tries, the others do not wait for it"


def test_a_redis_that_is_not_there_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> Answer | None:
        async with RedisCache(f"redis://:geheim@127.0.0.1:{free_port()}/0", timeout=9.5) as cache:
            await cache.put(KEY, SAID)
            return await cache.get(KEY)

    assert asyncio.run(ask()) is None
    assert [record.getMessage() for record in caplog.records] == [
        "the Redis with earlier answers cannot be reached, or not within 9.5 s (ConnectionError); going on without it"
    ]


@pytest.mark.parametrize("url", ["http://:geheim@redis", "geheim", "redis://:geheim@redis:port/0"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://") as refusal:
        RedisCache(url)
    assert "geheim" not in str(refusal.value)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text() | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Lo"])),
    reason=st.sampled_from(FinishReason),
    tokens=st.integers(min_value=0, max_value=200_000),
)
def test_every_answer_comes_out_as_it_went_in(text: str, reason: FinishReason, tokens: int) -> None:
    said = Answer(text, reason, tokens, tokens, 0.125)
    assert _answer(_kept(said, KEY), KEY) == replace(said, is_cached=True)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_no_json_of_others_passes_for_an_answer(kept: object) -> None:
    with pytest.raises(ValueError):
        _answer(json.dumps(kept).encode(), KEY)


# --- one in front of the other -------------------------------------------------------------------------------------


class Remembering:
    """The simplest cache there is."""

    def __init__(self, **known: Answer) -> None:
        self.known = known

    async def get(self, key: str) -> Answer | None:
        return self.known.get(key)

    async def put(self, key: str, answer: Answer) -> None:
        self.known[key] = answer


def test_the_first_that_knows_answers_and_the_faster_ones_learn_it() -> None:
    fast, middle, slow = Remembering(), Remembering(k=KNOWN), Remembering(k=SAID, only_here=SAID)
    cache = TieredCache(fast, middle, slow)
    assert asyncio.run(cache.get("k")) is KNOWN
    assert (fast.known, middle.known) == ({"k": KNOWN}, {"k": KNOWN})
    assert asyncio.run(cache.get("only_here")) is SAID
    assert fast.known["only_here"] is middle.known["only_here"] is SAID
    assert asyncio.run(cache.get("nowhere")) is None


def test_what_is_new_is_put_into_all() -> None:
    caches = [Remembering(), Remembering()]
    asyncio.run(TieredCache(*caches).put("k", SAID))
    assert [cache.known for cache in caches] == [{"k": SAID}] * 2


@pytest.mark.real_server
def test_a_dead_redis_in_front_of_the_journal_costs_no_answer(server: RedisServer) -> None:
    async def run() -> list[Answer | None]:
        cache = TieredCache(patient(server), JournalCache(lambda key: KNOWN if key == KEY else None))
        found = [await cache.get(KEY), await cache.get(KEY)]
        server.kill()
        found += [await cache.get(KEY), await cache.get(OTHER)]
        await cache.aclose()
        return found

    assert asyncio.run(run()) == [KNOWN, KNOWN, KNOWN, None]
