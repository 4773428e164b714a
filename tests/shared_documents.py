"""Where the real invoices are, when somebody has put them beside the checkout; tests that need them skip otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_data_dir() -> Path:
    """The folder with ``manifest.json``; skips the calling test, saying why, when there is none."""
    named = os.environ.get("HUNYUAN_OCR_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "manifest.json").is_file():
        pytest.skip("no real invoices beside the checkout (set HUNYUAN_OCR_SHARED_DATA to a folder with manifest.json)")
    return folder
