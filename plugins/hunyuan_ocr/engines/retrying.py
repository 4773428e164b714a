"""How long to wait: before asking again, and for an answer that is slower than its like. Pure, but for the dice."""

from __future__ import annotations

import random
from collections import deque


def pause(attempt: int, shortest: float, longest: float, *, dice: random.Random | None = None) -> float:
    """Seconds before retry number ``attempt`` (from 1): random between 0 and a ceiling that doubles each time.

    Full jitter: many questions that failed together do not come back together.
    """
    ceiling = min(longest, shortest * 2.0 ** min(attempt - 1, 30))
    return (dice or random).uniform(0.0, ceiling)


class Patience:
    """What a usual answer takes, learnt from the last ones of each kind, and from when one counts as a straggler.

    A kind is whatever makes answers comparable (here: how many tokens they may have). Until ``enough`` of a kind are
    known nothing is a straggler.
    """

    def __init__(self, factor: float, floor: float, *, enough: int = 20, window: int = 512) -> None:
        self._factor = factor
        self._floor = floor
        self._enough = enough
        self._window = window
        self._seen: dict[int, deque[float]] = {}
        self._usual: dict[int, float] = {}
        self._news: dict[int, int] = {}

    def learn(self, kind: int, seconds: float) -> None:
        seen = self._seen.setdefault(kind, deque(maxlen=self._window))
        seen.append(seconds)
        self._news[kind] = self._news.get(kind, 0) + 1
        # Sorting hundreds of figures for every answer would cost more than it tells.
        if len(seen) >= self._enough and (kind not in self._usual or self._news[kind] >= self._enough):
            self._news[kind] = 0
            ordered = sorted(seen)
            self._usual[kind] = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]

    def limit(self, kind: int, *, is_idle: bool = False) -> float | None:
        """Seconds after which an answer of this kind is a straggler; None while too little is known, or never.

        A server that is mostly idle has room for a second sending: there the slowest usual time is limit enough.
        """
        if self._factor <= 0 or kind not in self._usual:
            return None
        return max(self._floor, self._usual[kind] * (min(1.1, self._factor) if is_idle else self._factor))
