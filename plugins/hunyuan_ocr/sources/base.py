"""What every source of invoices promises: list a window, fetch the raw bytes, settle an item afterwards.

A source never parses what it carries, never decides what is new (the ledger does) and changes nothing at the sender's
side except in ``settle``, which is only called after the raw bytes and their ledger row are committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from hunyuan_ocr.exceptions import SourceUnavailableError


class ItemGoneError(SourceUnavailableError):
    """An item that was listed is no longer there, or is no longer the same: somebody moved or replaced it.

    Nobody need act; a retry lists again and sees what is there now.
    """


@dataclass(frozen=True, slots=True)
class Window:
    """The half-open stretch of time ``[start, end)`` in which an item must have arrived. Both ends know their zone."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment.tzinfo is None or moment.utcoffset() is None:
                raise ValueError(f"window {name} {moment.isoformat()} has no time zone: give an aware datetime")
        if self.start > self.end:
            raise ValueError(f"window starts at {self.start.isoformat()}, after its end {self.end.isoformat()}")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class ItemRef:
    """One mail or one file as the source names it.

    ``external_key`` is unique within the source and survives reconnecting; ``received_at`` is UTC: the IMAP
    INTERNALDATE or the file's modification time; ``size`` is in bytes as the source reports it.
    """

    source_code: str
    external_key: str
    received_at: datetime
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class FetchedItem:
    """An item with its raw bytes, untouched. The addresses are bare (``a@b.example``), ``None`` where there is none."""

    ref: ItemRef
    raw: bytes
    is_mail: bool
    file_name: str
    sender: str | None = None
    recipient: str | None = None
    message_id: str | None = None


class Verdict(StrEnum):
    """What became of an item, as far as its sender's side is concerned."""

    ACCEPTED = "accepted"
    NEEDS_REVIEW = "needs_review"


@runtime_checkable
class Source(Protocol):
    """A place invoices come from. Opened by ``with``; one thread at a time.

    Every method raises ``SourceUnavailableError`` when a retry may help and ``SourceRefusedError`` when it will not.
    """

    @property
    def code(self) -> str:
        """The source's unique code from ``sources.yaml``."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def list_items(self, window: Window) -> Iterator[ItemRef]:
        """What arrived within ``window`` and passes the filters, in a stable order, without fetching contents."""
        ...

    def fetch(self, ref: ItemRef) -> FetchedItem:
        """The raw bytes of an item; ``ItemGoneError`` when it is no longer there."""
        ...

    def settle(self, external_key: str, verdict: Verdict) -> None:
        """Move, flag or rename the item as configured. Repeating it, or an item gone meanwhile, changes nothing."""
        ...


def as_utc(seconds: float) -> datetime:
    """A POSIX time stamp as an aware datetime, independent of the machine's time zone."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def is_too_old(received_at: datetime, window: Window, max_age_days: float | None) -> bool:
    """Whether an item is older than a filter allows, counted back from the window's end so that a backfill agrees."""
    return max_age_days is not None and received_at < window.end - timedelta(days=max_age_days)
