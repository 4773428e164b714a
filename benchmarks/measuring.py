"""Times, processor seconds and memory of contenders that take turns, and what their ratios are worth.

The machine is not ours alone: every ratio is taken within a round, the median over the rounds is reported with the
lowest and the highest, and the load of the machine stands beside it. No figure is thrown away but those of the warm-up.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Setting:
    """How much is measured. ``folder`` is for what a benchmark needs on disk; it is removed afterwards."""

    is_quick: bool
    repeats: int
    folder: Path
    say: Callable[[str], object] = print

    def pick(self, full: Any, quick: Any) -> Any:
        return quick if self.is_quick else full


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        return cls(statistics.median(figures), min(figures), max(figures))

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)} to {_short(self.high)})"


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"


@dataclass(frozen=True, slots=True)
class Goal:
    """The limit a figure must keep to."""

    limit: float
    at_most: bool

    def is_met(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


def at_most(limit: float) -> Goal:
    return Goal(limit, at_most=True)


def at_least(limit: float) -> Goal:
    return Goal(limit, at_most=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report; without a goal it is only told."""

    what: str
    spread: Spread
    unit: str = ""
    goal: Goal | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "pass" if self.goal.is_met(self.spread.median) else "falls short"


@dataclass(slots=True)
class Report:
    """What a benchmark found. ``skipped`` says why it could not run; then there are no figures."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    samples: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: str = ""
    seconds: float = 0.0
    load_before: float = 0.0
    load_after: float = 0.0

    def tell(self, what: str, values: Sequence[float] | float, unit: str = "", goal: Goal | None = None) -> None:
        """Add a figure, of one value or of one a round."""
        self.figures.append(
            Figure(what, Spread.of([values] if isinstance(values, int | float) else values), unit, goal)
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """What one turn of a contender took: seconds on the clock, and of all processors in this process and its
    descendants (but for those left out)."""

    wall: float
    cpu: float
    facts: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, float]:
        return {"wall": self.wall, "cpu": self.cpu, **self.facts}


def cpu_seconds(apart_from: Collection[int] = ()) -> float:
    """Processor seconds of this process and its descendants so far, dead ones that were waited for included."""
    own = psutil.Process()
    total: float = sum(own.cpu_times()[:4])
    for child in own.children(recursive=True):
        if child.pid in apart_from:
            continue
        try:
            total += sum(child.cpu_times()[:4])
        except psutil.Error:
            continue
    return total


def timed(turn: Callable[[], Mapping[str, float] | None], apart_from: Collection[int] = ()) -> Sample:
    """One turn, measured; what it returns are further facts about it."""
    cpu, started = cpu_seconds(apart_from), time.perf_counter()
    facts = turn()
    wall = time.perf_counter() - started
    return Sample(wall, cpu_seconds(apart_from) - cpu, facts or {})


def take_turns(
    contenders: Mapping[str, Callable[[], Mapping[str, float] | None]],
    repeats: int,
    *,
    warm_up: bool = True,
    apart_from: Collection[int] = (),
) -> dict[str, list[Sample]]:
    """Each contender's samples, taken A B C A B C …; the first round is not counted when ``warm_up`` is set."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for round_no in range(repeats + warm_up):
        for name, turn in contenders.items():
            sample = timed(turn, apart_from)
            if round_no >= warm_up:
                samples[name].append(sample)
    return samples


def ratios(ours: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Ours over the baseline, round by round."""
    return [one / other for one, other in zip(ours, baseline, strict=True)]


def kept(samples: Mapping[str, Sequence[Sample]]) -> dict[str, list[dict[str, float]]]:
    """The samples as the results file keeps them."""
    return {name: [sample.as_dict() for sample in taken] for name, taken in samples.items()}


def load_average() -> float:
    return os.getloadavg()[0]
