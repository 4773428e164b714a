"""What the model answered before: caches in front of an engine, by content key.

A cache is never a reason to fail: one that is down, slow or full of rubbish misses, says so once in the log, and is
left alone for a while. Keys are hashes. The answers are what stands on invoices, so they are personal data wherever
they are kept: give a Redis of yours a password and TLS, give ``RedisCache`` a cipher, and a short ``ttl_days``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from hunyuan_ocr.engines.base import Answer, AnswerCache, FinishReason
from hunyuan_ocr.exceptions import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

log = logging.getLogger(__name__)

_FORMAT = 1
_CONNECTIONS = 8


class Cipher(Protocol):
    """Seals what leaves this process; Airflow's Fernet is one."""

    def encrypt(self, msg: bytes) -> bytes: ...

    def decrypt(self, msg: bytes) -> bytes: ...


class JournalCache:
    """The journal of pages as a cache. ``lookup`` is ``Store.answer_by_key``; it runs in a thread.

    Writes nothing: the journal keeps an answer when its page is committed.
    """

    def __init__(self, lookup: Callable[[str], Answer | None]) -> None:
        self._lookup = lookup
        self._told = False

    async def get(self, key: str) -> Answer | None:
        try:
            return await asyncio.to_thread(self._lookup, key)
        except Exception as error:
            if not self._told:
                self._told = True
                # Only the kind: a database's message repeats the statement and its values.
                log.warning("the journal cannot be asked for earlier answers (%s); going on", type(error).__name__)
            return None

    async def put(self, key: str, answer: Answer) -> None:
        """Nothing to do; see the class."""


class RedisCache:
    """Answers in a Redis, shared between workers. Use as an asynchronous context manager, or call ``aclose``.

    Use a Redis, or a database of one, that is not the broker of Celery: a cache is run with ``maxmemory-policy
    allkeys-lru``, which throws a broker's tasks away. ``url`` is ``redis://``, ``rediss://`` or ``unix://``, password
    included, and is never logged. Everything waits at most ``timeout`` seconds; after a failure Redis is left alone
    for ``rest_seconds``, then one question tries again. Redis answers that ``cipher`` cannot open, or that are not
    about the key, are misses. Raises ``ConfigurationError`` for a URL that is none, or without the extra ``redis``.
    """

    def __init__(
        self,
        url: str,
        ttl_days: float = 30.0,
        *,
        prefix: str = "hunyuan_ocr:answer:",
        timeout: float = 0.5,
        rest_seconds: float = 20.0,
        cipher: Cipher | None = None,
    ) -> None:
        self._redis = _client(url, timeout)
        self._ttl_seconds = max(1, round(ttl_days * 86_400))
        self._prefix = prefix
        self._timeout = timeout
        self._rest_seconds = rest_seconds
        self._cipher = cipher
        self._rests_until = 0.0
        self._told: set[str] = set()

    async def get(self, key: str) -> Answer | None:
        kept = await self._asked(lambda: self._redis.get(self._prefix + key))
        if not isinstance(kept, bytes):
            return None
        try:
            return _answer(self._cipher.decrypt(kept) if self._cipher else kept, key)
        except Exception as error:
            # A cipher raises errors of its own; whatever cannot be opened is as good as not there.
            self._tell(error, "holds what is no answer of ours")
            return None

    async def put(self, key: str, answer: Answer) -> None:
        def stored() -> Awaitable[object]:
            raw = _kept(answer, key)
            sealed = self._cipher.encrypt(raw) if self._cipher else raw
            return self._redis.set(self._prefix + key, sealed, ex=self._ttl_seconds)

        await self._asked(stored)

    async def aclose(self) -> None:
        """Close the connections. Never raises."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._redis.aclose()
        except Exception as error:
            self._tell(error, "did not let go of its connections")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _asked(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The reply, or nothing when there is none in time."""
        from redis.exceptions import ResponseError

        if time.monotonic() < self._rests_until:
            return None
        is_trial = self._rests_until > 0
        if is_trial:
            self._rest()  # the others go on without Redis while this one tries
        try:
            async with asyncio.timeout(self._timeout):
                reply = await question()
        except ResponseError as error:
            # It is there and quick: full, read-only, or a key of another kind. Other questions may do.
            self._tell(error, "refused")
            reply = None
        except Exception as error:
            self._rest()
            self._tell(error, f"cannot be reached, or not within {self._timeout:g} s")
            return None
        if is_trial:
            self._rests_until = 0.0
        return reply

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + self._rest_seconds

    def _tell(self, error: Exception, what: str) -> None:
        kind = type(error).__name__
        if kind not in self._told:
            self._told.add(kind)
            # Not the message: it may repeat the address with its password, or what was kept.
            log.warning("the Redis with earlier answers %s (%s); going on without it", what, kind)


class TieredCache:
    """Several caches, the fastest first: the first that knows an answer gives it, and the faster ones learn it."""

    def __init__(self, *caches: AnswerCache) -> None:
        self._caches = caches

    async def get(self, key: str) -> Answer | None:
        for position, cache in enumerate(self._caches):
            answer = await cache.get(key)
            if answer is not None:
                for faster in self._caches[:position]:
                    await faster.put(key, answer)
                return answer
        return None

    async def put(self, key: str, answer: Answer) -> None:
        for cache in self._caches:
            await cache.put(key, answer)

    async def aclose(self) -> None:
        """Close those that hold connections. Never raises."""
        for cache in self._caches:
            if isinstance(cache, RedisCache):
                await cache.aclose()


def _client(url: str, timeout: float) -> Redis:
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Answers shall be kept in Redis, but its client is not installed: pip install "
            "'airflow-provider-hunyuan-ocr[redis]' on the workers, or empty [hunyuan_ocr] answer_cache_conn_id."
        ) from None
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),  # its own would wait several times as long
        )
        return Redis(connection_pool=pool)
    except ValueError:
        raise ConfigurationError(
            "The address of the Redis with earlier answers cannot be used; it must start with redis://, rediss:// or "
            "unix://. Check the connection that [hunyuan_ocr] answer_cache_conn_id names."
        ) from None


def _kept(answer: Answer, key: str) -> bytes:
    """An answer as Redis keeps it; the key is repeated so that a mix-up shows."""
    told = [
        _FORMAT,
        key,
        answer.text,
        answer.finish_reason.value,
        answer.prompt_tokens,
        answer.completion_tokens,
        round(answer.seconds, 4),
    ]
    # As ASCII, Chinese text would take twice the room; a model's text may hold half a surrogate pair.
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _answer(raw: bytes, key: str) -> Answer:
    """Raises ``ValueError`` for anything but what ``_kept`` made for this key."""
    match json.loads(raw):
        case [
            int(version),
            str(about),
            str(text),
            str(reason),
            int(asked),
            int(answered),
            int() | float() as seconds,
        ] if version == _FORMAT and about == key:
            return Answer(text, FinishReason(reason), asked, answered, float(seconds), is_cached=True)
        case _:
            raise ValueError("not an answer of this format about this key")
