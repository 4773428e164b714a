"""Run benchmarks: ``python -m benchmarks [names…] [--quick] [--repeats N] [--out FOLDER]``.

Prints every figure with its spread and, where there is a goal, whether it is met; writes ``results.json`` and a plot of
the goals. Ends with 0 whatever the figures say (a busy machine is no reason to fail a build) unless ``--strict`` is
given.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.measuring import Report, Setting, load_average
from benchmarks.telling import merged, print_report, write_results

#: In the order they run; each module has ``TITLE`` and ``run``.
NAMES = ("render", "overhead", "client", "overlap", "memory", "kills", "faults", "processor", "vllm")
_OUT = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the pipeline against baselines.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones ({', '.join(NAMES)}); all by default")
    parser.add_argument("--quick", action="store_true", help="smaller loads and two repeats: does it run at all")
    parser.add_argument("--repeats", type=int, default=0, help="rounds of each comparison (5, or 2 when quick)")
    parser.add_argument("--out", type=Path, default=_OUT, help="where results.json and goals.svg go")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a goal is not met")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}")
    if options.list:
        for name in NAMES:
            print(f"{name:10} {_module(name).TITLE}")
        return 0
    # What the package logs about a stand-in server is no news here.
    logging.basicConfig(level=logging.ERROR)
    reports = []
    for name in options.names or NAMES:
        with tempfile.TemporaryDirectory(prefix="hunyuan_ocr_bench_") as folder:
            repeats = options.repeats or (2 if options.quick else 5)
            report = _run(name, Setting(options.quick, repeats, Path(folder), _say))
        print_report(report)
        reports.append(report)
        write_results(options.out, merged(options.out, reports), is_quick=options.quick)
    print(f"\nWritten: {options.out / 'results.json'} and {options.out / 'goals.svg'}")
    missed = [figure for report in reports for figure in report.figures if figure.verdict == "falls short"]
    return 1 if options.strict and (missed or any("failed" in report.skipped for report in reports)) else 0


def _module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def _run(name: str, setting: Setting) -> Report:
    started, load = time.perf_counter(), load_average()
    module = _module(name)
    report: Report
    try:
        report = module.run(setting)
    except Exception as error:
        # The others go on; what failed is told and written like any result.
        traceback.print_exc()
        report = Report(name, module.TITLE, skipped=f"failed: {type(error).__name__}: {error}")
    report.seconds = time.perf_counter() - started
    report.load_before, report.load_after = load, load_average()
    return report


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
