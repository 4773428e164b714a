"""Which run this is and which window of time it takes invoices from. Decisions only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.sources.base import Window

#: A run without any interval (triggered with an empty logical date) looks back this far.
LOOKBACK = timedelta(days=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Run types that also take what earlier runs left unfinished. A backfill keeps to its own interval.
TAKES_BACKLOG = frozenset({"scheduled", "manual"})


@dataclass(frozen=True, kw_only=True)
class IntakeRun:
    """One run of the intake DAG, as every step needs to know it.

    ``instruction`` and ``extra_keys`` are what the person who triggered it wants HunyuanOCR asked besides.
    """

    dag_id: str
    run_id: str
    run_type: str
    window: Window
    takes_backlog: bool
    logical_date: datetime | None = None
    prompt_profile: str | None = None
    instruction: str = ""
    extra_keys: tuple[str, ...] = ()
    reprocess: bool = False
    reject_ratio: float


def window_to_list(run: IntakeRun, *, is_inbox_folder: bool, backlog_days: int) -> Window:
    """How far back a source is listed. What the ledger knows is skipped, so looking further costs little.

    A run that takes the backlog also looks for what nobody collected. In an inbox folder (SFTP, folder) that is every
    file: upload tools keep old modification times, and what was settled has been moved. In a mailbox it is bounded,
    because an inbox may hold years of mail.
    """
    if not run.takes_backlog:
        return run.window
    start = EPOCH if is_inbox_folder else run.window.start - timedelta(days=backlog_days)
    return Window(start, run.window.end)


def resolve_window(
    params: Mapping[str, Any],
    *,
    run_type: str,
    interval_start: datetime | None,
    interval_end: datetime | None,
    run_after: datetime,
) -> Window:
    """The half-open window of arrival times a run is about.

    What the person who triggered the run asked for wins (``window_start``, ``window_end``); then the run's data
    interval; a run that has none looks back one day. A manual run without a window of its own reaches up to the moment
    it was triggered: who presses *Trigger* at noon wants this morning's mail too.

    :raises ConfigurationError: when the window asked for is empty or not a date.
    """
    start, end = interval_start, interval_end
    if start is None or end is None or start >= end:
        start, end = run_after - LOOKBACK, run_after
    elif run_type == "manual":
        end = max(end, run_after)
    asked_start, asked_end = _moment(params, "window_start"), _moment(params, "window_end")
    start, end = asked_start or start, asked_end or end
    if start >= end:
        raise ConfigurationError(
            f"The window from {start.isoformat()} to {end.isoformat()} is empty: window_start must lie before "
            "window_end."
        )
    return Window(_plain_utc(start), _plain_utc(end))


def _plain_utc(moment: datetime) -> datetime:
    # Airflow hands out pendulum moments; one moved to UTC this way loses its zone in the next subtraction.
    return datetime.fromisoformat(moment.isoformat()).astimezone(UTC)


def _moment(params: Mapping[str, Any], name: str) -> datetime | None:
    text = params.get(name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ConfigurationError(f"{name} must be a date and time such as 2026-03-01T06:00:00+00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
