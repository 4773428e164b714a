"""Which of several endpoints gets the next question, which are left out for now, and how they come back.

An endpoint is *admitted* when it has shown what it serves (and passed the probe), and *out* when it did not answer its
health check or could not be reached. Out is not for ever: a check that passes brings it back. One that answers but
fails question after question stays in and is merely chosen last: nothing else can be asked when all are like that.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from enum import StrEnum

from hunyuan_ocr.engines.gate import FirstTokenGate
from hunyuan_ocr.exceptions import EngineRefusedError, EngineUnavailableError, HunyuanOCRError

log = logging.getLogger(__name__)

#: A busy server may be late for a health check: only so many in a row put an endpoint out.
_LATE_CHECKS = 3
_LONGEST_REST = 15.0
_LEAST_BETWEEN_CHECKS = 1.0


class Health(StrEnum):
    """What a health check found. ``REPLACED`` is well, but no longer the server that was admitted."""

    WELL = "well"
    LATE = "late"
    OUT = "out"
    REPLACED = "replaced"


class Endpoint:
    """One server. ``name`` is fit for messages; ``version`` is what it said it runs when it was admitted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = url.partition("://")[2]
        self.version = ""
        self.is_admitted = False
        #: Why it may not come back as it is now; empty when it may.
        self.refusal = ""
        self.is_gated = False
        self.in_flight = 0
        self.answers = 0
        self.gate = FirstTokenGate()
        self._failures = 0
        self._rests_until = 0.0
        self.late_checks = 0
        self.checked_at = 0.0

    def answered(self) -> None:
        self.answers += 1
        self.forgive()

    def forgive(self) -> None:
        """Choose it like any other again."""
        self._failures = 0
        self._rests_until = 0.0

    def failed(self, rest: float | None) -> None:
        """Choose others first for ``rest`` seconds, or for longer the more often it fails in a row."""
        self._failures += 1
        seconds = min(_LONGEST_REST, 0.1 * 2.0 ** min(self._failures, 20)) if rest is None else rest
        self._rests_until = max(self._rests_until, time.monotonic() + seconds)

    @property
    def is_resting(self) -> bool:
        return time.monotonic() < self._rests_until


class Endpoints:
    """All endpoints of an engine. ``check`` looks whether one is well; it must not raise."""

    def __init__(
        self,
        urls: tuple[str, ...],
        check: Callable[[Endpoint], Awaitable[Health]],
        admit: Callable[[Endpoint], Awaitable[None]],
        health_interval: float,
    ) -> None:
        self._all = tuple(Endpoint(url) for url in urls)
        self._check = check
        self._admit = admit
        self._interval = health_interval
        self._turn = itertools.count()
        self._changed = asyncio.Event()
        self._watchers: list[asyncio.Task[None]] = []
        self._hurry = {endpoint: asyncio.Event() for endpoint in self._all}
        self.ejections = 0

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._all)

    @property
    def admitted(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for endpoint in self._all if endpoint.is_admitted)

    def choose_now(self, avoid: Endpoint | None = None) -> Endpoint | None:
        """The admitted endpoint with the least in flight; ``avoid`` and resting ones only when no other is there."""
        turn = next(self._turn)
        candidates = self._all[turn % len(self._all) :] + self._all[: turn % len(self._all)]
        return min(
            (endpoint for endpoint in candidates if endpoint.is_admitted),
            key=lambda endpoint: (endpoint is avoid, endpoint.is_resting, endpoint.in_flight),
            default=None,
        )

    async def choose(self, avoid: Endpoint | None = None) -> Endpoint:
        """As ``choose_now``, but waits until an endpoint is back when all are out. The caller sets the deadline.

        Raises EngineRefusedError when all came back as something that is refused.
        """
        while (endpoint := self.choose_now(avoid)) is None:
            if all(endpoint.refusal for endpoint in self._all):
                raise EngineRefusedError(" ".join(dict.fromkeys(endpoint.refusal for endpoint in self._all)))
            self._changed.clear()
            await self._changed.wait()
        return endpoint

    def put_out(self, endpoint: Endpoint, why: str) -> None:
        """Leave it out until a check passes; one is made at once."""
        self._leave_out(endpoint, why)
        self._hurry[endpoint].set()

    def look_at(self, endpoint: Endpoint) -> None:
        """Check it soon: something went wrong there. A proxy answers 502 while the server behind it is gone."""
        if time.monotonic() - endpoint.checked_at > _LEAST_BETWEEN_CHECKS:
            self._hurry[endpoint].set()

    def admit(self, endpoint: Endpoint) -> None:
        endpoint.is_admitted = True
        # What failed when it went away says nothing about what came back.
        endpoint.forgive()
        endpoint.late_checks = 0
        endpoint.refusal = ""
        self._changed.set()

    def start_watching(self) -> None:
        self._watchers = [asyncio.create_task(self._watch(endpoint)) for endpoint in self._all]

    async def stop_watching(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._watchers = []

    async def _watch(self, endpoint: Endpoint) -> None:
        """Checks one endpoint for ever: at the interval while it is in, sooner at first when it is out."""
        hurry = self._hurry[endpoint]
        checks_out = 0
        while True:
            # Most servers that go are back within seconds.
            wait = self._interval if endpoint.is_admitted else min(self._interval, 0.25 * 2.0 ** min(checks_out, 10))
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await hurry.wait()
            hurry.clear()
            health = await self._check(endpoint)
            endpoint.checked_at = time.monotonic()
            if endpoint.is_admitted:
                self._judge(endpoint, health)
            elif health in (Health.WELL, Health.REPLACED):
                await self._let_in(endpoint)
            checks_out = 0 if endpoint.is_admitted else checks_out + 1

    def _leave_out(self, endpoint: Endpoint, why: str) -> None:
        if endpoint.is_admitted:
            endpoint.is_admitted = False
            self.ejections += 1
            log.warning("engine server %s is left out: it %s (%d left)", endpoint.name, why, len(self.admitted))

    def _judge(self, endpoint: Endpoint, health: Health) -> None:
        if health is Health.WELL:
            endpoint.late_checks = 0
        elif health is Health.LATE:
            endpoint.late_checks += 1
            if endpoint.late_checks >= _LATE_CHECKS:
                self._leave_out(endpoint, f"was late for {_LATE_CHECKS} health checks in a row")
        elif health is Health.OUT:
            self._leave_out(endpoint, "failed its health check")
        else:
            self._leave_out(endpoint, "was started anew with another version")

    async def _let_in(self, endpoint: Endpoint) -> None:
        try:
            await self._admit(endpoint)
        except EngineUnavailableError:
            return
        except HunyuanOCRError as error:
            # A server that came back wrong must not stop the run that the others can finish.
            if endpoint.refusal != str(error):
                log.error("engine server %s stays out: %s", endpoint.name, error)
            endpoint.refusal = str(error)
            self._changed.set()
            return
        self.admit(endpoint)
        log.info("engine server %s is back (%d in use)", endpoint.name, len(self.admitted))
