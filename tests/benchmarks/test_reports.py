"""The benchmarks' own arithmetic is right: ratios by round, the ideal they compare with, verdicts, files written."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.measuring import Report, Spread, at_least, at_most, ratios, take_turns, timed
from benchmarks.parts import shortest_run, skewed_latencies
from benchmarks.telling import merged, print_report, write_results


def test_contenders_take_turns_and_the_warm_up_is_not_counted() -> None:
    turns: list[str] = []
    samples = take_turns({"ours": lambda: turns.append("ours"), "bare": lambda: turns.append("bare")}, 2)
    assert turns == ["ours", "bare"] * 3
    assert {name: len(taken) for name, taken in samples.items()} == {"ours": 2, "bare": 2}


def test_ratios_are_taken_within_a_round() -> None:
    # A neighbour doubles the second round for both: the ratio does not see it.
    assert ratios([2.0, 4.0], [1.0, 2.0]) == [2.0, 2.0]
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)


def test_processor_time_is_told_apart_from_time() -> None:
    asleep = timed(lambda: time.sleep(0.2))
    assert asleep.wall >= 0.2
    assert asleep.cpu < 0.1


def test_the_shortest_run_is_that_of_slots_never_idle() -> None:
    assert shortest_run([1.0] * 6, 2) == pytest.approx(3.0)
    assert shortest_run([5.0, 1.0, 1.0, 1.0], 2) == pytest.approx(5.0)
    assert shortest_run([1.0, 1.0, 1.0, 5.0], 2) == pytest.approx(6.0)
    assert shortest_run([1.0, 1.0, 1.0, 5.0], 2, drawn_every=2.0) == pytest.approx(13.0)


def test_skewed_latencies_have_the_mean_they_are_asked_for() -> None:
    latencies = skewed_latencies(1000, 0.5, stragglers=0.01)
    assert sum(latencies) / 1000 == pytest.approx(0.5)
    assert max(latencies) > 10 * 0.5
    assert latencies == skewed_latencies(1000, 0.5, stragglers=0.01)


def a_report(name: str, value: float) -> Report:
    report = Report(name, f"{name} & co <measured>")
    report.tell("time / baseline", [value, value], "", at_most(1.25))
    report.tell("share of the ideal", value, "", at_least(1.0))
    report.tell("pages", 3.0, "1/s")
    return report


def test_verdicts_follow_the_goals(capsys: pytest.CaptureFixture[str]) -> None:
    report = a_report("one", 1.1)
    assert [figure.verdict for figure in report.figures] == ["pass", "pass", ""]
    assert [figure.verdict for figure in a_report("two", 1.5).figures] == ["falls short", "pass", ""]
    assert [figure.verdict for figure in a_report("three", 0.9).figures] == ["pass", "falls short", ""]
    print_report(report)
    assert "goal ≤ 1.25: pass" in capsys.readouterr().out


def test_results_replace_those_of_the_same_benchmark_only(tmp_path: Path) -> None:
    write_results(tmp_path, merged(tmp_path, [a_report("one", 1.1), a_report("two", 1.1)]), is_quick=False)
    write_results(tmp_path, merged(tmp_path, [a_report("two", 1.5), a_report("three", 0.0)]), is_quick=False)
    kept = json.loads((tmp_path / "results.json").read_text("utf-8"))["benchmarks"]
    assert [(one["name"], one["figures"][0]["spread"]["median"]) for one in kept] == [
        ("one", 1.1), ("two", 1.5), ("three", 0.0),
    ]  # fmt: skip
    assert ElementTree.parse(tmp_path / "goals.svg").getroot().tag.endswith("svg")
