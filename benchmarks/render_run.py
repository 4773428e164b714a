"""The bare loop of ``render`` in a process of its own: what two of them do at once is what the machine can do."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.bare_loop import draw_all

if __name__ == "__main__":
    print("ready", flush=True)
    while sys.stdin.readline():
        draw_all([Path(path) for path in sys.argv[2:]], int(sys.argv[1]), "JPEG")
        print("done", flush=True)
