"""Reports as text, as JSON and as one picture: how far each figure is from its goal."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.measuring import Figure, Report


def print_report(report: Report) -> None:
    print(f"\n{report.title}")
    if report.skipped:
        print(f"  not run: {report.skipped}")
    width = max((len(figure.what) for figure in report.figures), default=0)
    for figure in report.figures:
        goal = f"   goal {figure.goal}: {figure.verdict}" if figure.goal else ""
        print(f"  {figure.what:{width}}  {figure.spread} {figure.unit}{goal}")
    for note in report.notes:
        print(f"  · {note}")
    print(
        f"  took {report.seconds:.0f} s; load average {report.load_before:.1f} before, {report.load_after:.1f} after, "
        f"on {os.cpu_count()} cores"
    )


def as_dict(report: Report) -> dict[str, Any]:
    told = asdict(report)
    told["figures"] = [asdict(figure) | {"verdict": figure.verdict} for figure in report.figures]
    told["measured_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return told


def merged(folder: Path, reports: Sequence[Report]) -> list[dict[str, Any]]:
    """These reports in place of earlier ones of the same benchmarks, which stay where no new one is."""
    fresh = {report.name: as_dict(report) for report in reports}
    path = folder / "results.json"
    earlier = json.loads(path.read_text("utf-8"))["benchmarks"] if path.is_file() else []
    kept = [fresh.pop(one["name"], one) for one in earlier]
    return [*kept, *fresh.values()]


def write_results(folder: Path, benchmarks: list[dict[str, Any]], *, is_quick: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.system()}
    told = {"quick": is_quick, "machine": about, "benchmarks": benchmarks}
    (folder / "results.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / "goals.svg").write_text(_plot(benchmarks), "utf-8")


_ROW, _LEFT, _WIDTH, _TOP = 24, 520, 420, 70
_FARTHEST = 2.0


def _plot(benchmarks: list[dict[str, Any]]) -> str:
    """Every figure with a goal on one axis: 1 is the goal, left of it is better."""
    rows = [(one, figure) for one in benchmarks for figure in one["figures"] if figure["goal"]]
    height = _TOP + _ROW * len(rows) + 40
    goal_x = _x(1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 190}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="16" y="26" font-size="16" font-weight="bold">How far each figure is from its goal</text>',
        '<text x="16" y="46" fill="#555">dot: median, bar: lowest to highest round; left of the line the goal is met; '
        "the axis is the share of what is allowed</text>",
        f'<rect x="{_LEFT}" y="{_TOP - 8}" width="{goal_x - _LEFT}" height="{height - _TOP - 22}" fill="#eef6ee"/>',
    ]
    for row, (one, figure) in enumerate(rows):
        y = _TOP + _ROW * row + 8
        spread = figure["spread"]
        shares = sorted(_share(figure, spread[end]) for end in ("low", "high"))
        median = _share(figure, spread["median"])
        color = "#2a7f3f" if median <= 1 else "#c0392b"
        what = escape(f"{one['name']}: {figure['what']}")
        limit = f"{'≤' if figure['goal']['at_most'] else '≥'} {figure['goal']['limit']:g}"
        told = escape(f"{spread['median']:.3g} {figure['unit']} (goal {limit})")
        parts += [
            f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{what}</text>',
            f'<line x1="{_x(shares[0])}" x2="{_x(shares[1])}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="4" '
            'stroke-opacity="0.35"/>',
            f'<circle cx="{_x(median)}" cy="{y}" r="5" fill="{color}"/>',
            f'<text x="{_LEFT + _WIDTH + 12}" y="{y + 4}" fill="{color}">{told}</text>',
        ]
    parts.append(
        f'<line x1="{goal_x}" x2="{goal_x}" y1="{_TOP - 8}" y2="{height - 30}" stroke="#333" stroke-width="1.5"/>'
    )
    for share in (0.0, 0.5, 1.0, 1.5, 2.0):
        label = "goal" if share == 1 else f"{share:g}" + ("+" if share == _FARTHEST else "")
        parts.append(f'<text x="{_x(share)}" y="{height - 12}" text-anchor="middle" fill="#555">{label}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _share(figure: dict[str, Any], value: float) -> float:
    limit, at_most = figure["goal"]["limit"], figure["goal"]["at_most"]
    if at_most:
        return value / limit if limit else float(value > 0) * _FARTHEST
    return limit / value if value > 0 else _FARTHEST


def _x(share: float) -> float:
    return round(_LEFT + _WIDTH * min(share, _FARTHEST) / _FARTHEST, 1)


__all__ = ["Figure", "merged", "print_report", "write_results"]
