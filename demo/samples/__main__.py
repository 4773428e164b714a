"""``python -m demo.samples OUT --seed 7 --per-layout 3`` writes a labelled set of sample invoices."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

from demo.samples import FORMS, demo_set, generate


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.samples", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--per-layout", type=int, default=1, help="samples of every layout (default 1)")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--no-faults", action="store_true", help="only good invoices")
    parser.add_argument("--demo", action="store_true", help="the small curated set of `make demo` instead")
    parser.add_argument(
        "--issued-before",
        type=date.fromisoformat,
        default=datetime.now(UTC).date(),
        help="invoices are dated up to six days before this day (default today)",
    )
    args = parser.parse_args()
    if args.demo:
        samples = demo_set(args.folder, args.issued_before, seed=args.seed)
    else:
        samples = generate(
            args.folder,
            seed=args.seed,
            issued_before=args.issued_before,
            per_layout=args.per_layout,
            forms=args.forms,
            with_faults=not args.no_faults,
        )
    states = Counter(sample.expect["state"] for sample in samples)
    print(f"{len(samples)} documents in {args.folder}: " + ", ".join(f"{n} {state}" for state, n in states.items()))


if __name__ == "__main__":
    main()
