"""The client gate: the next picture is sent only when the one before has its first token.

A server that mixes the pictures of one encoder batch (``engines.probe`` finds it out) then encodes one at a time, while
it still generates many answers together. It holds for one client: another client of the same server, or a preempted
request that is encoded again, passes it by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Passage:
    """The right to have a picture encoded; ``leave`` gives it to the next, once."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_inside = True

    @property
    def is_inside(self) -> bool:
        return self._is_inside

    def leave(self) -> None:
        if self._is_inside:
            self._is_inside = False
            self._lock.release()


class FirstTokenGate:
    """One per endpoint. Let through in the order of arrival."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[Passage]:
        """Waits for its turn. Whoever forgets to leave, or fails, leaves at the end."""
        await self._lock.acquire()
        passage = Passage(self._lock)
        try:
            yield passage
        finally:
            passage.leave()
