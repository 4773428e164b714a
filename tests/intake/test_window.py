"""Which window a run is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.intake.run import resolve_window
from hunyuan_ocr.sources.base import Window

START, END = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 2, 6, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def window(
    run_type: str = "scheduled", *, start: datetime | None = START, end: datetime | None = END, **params: str
) -> Window:
    return resolve_window(params, run_type=run_type, interval_start=start, interval_end=end, run_after=NOON)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill", "asset_triggered"])
def test_a_run_takes_its_data_interval(run_type: str) -> None:
    assert window(run_type) == Window(START, END)


def test_a_manual_run_reaches_up_to_the_moment_it_was_triggered() -> None:
    assert window("manual") == Window(START, NOON)


@pytest.mark.parametrize(("start", "end"), [(None, None), (START, START)])
def test_a_run_without_an_interval_looks_back_one_day(start: datetime | None, end: datetime | None) -> None:
    assert window("manual", start=start, end=end) == Window(NOON - timedelta(days=1), NOON)


def test_what_the_form_says_wins_and_may_be_half_a_window() -> None:
    asked = window(window_start="2026-02-01T00:00:00+08:00")
    assert asked == Window(datetime(2026, 1, 31, 16, tzinfo=UTC), END)


def test_a_moment_without_zone_is_utc_and_the_window_is_given_in_utc() -> None:
    asked = window(window_start="2026-02-01T00:00:00", window_end="2026-02-02T00:00:00+08:00")
    assert asked.start == datetime(2026, 2, 1, tzinfo=UTC)
    assert asked.end.tzinfo == UTC
    assert asked.end == datetime(2026, 2, 2, tzinfo=timezone(timedelta(hours=8)))


@pytest.mark.parametrize("params", [{"window_start": "yesterday"}, {"window_start": "2026-03-05T00:00:00+00:00"}])
def test_an_empty_or_unreadable_window_is_refused_with_the_reason(params: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="window_start"):
        window(**params)
