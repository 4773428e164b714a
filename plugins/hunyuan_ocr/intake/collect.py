"""Collect: raw bytes into the archive, then a row into the ledger. The source learns nothing yet."""

from __future__ import annotations

from hunyuan_ocr.intake.stores import Intake
from hunyuan_ocr.settings import MEGA
from hunyuan_ocr.sources.base import ItemGoneError, Source, Window


def collect(intake: Intake, source: Source, window: Window) -> dict[str, int]:
    """Archive and enter what arrived within ``window`` and is not in the ledger yet.

    An item already entered is not fetched again, so that a repeated or backfilled run reads the archive.
    """
    counts = {"found": 0, "known": 0, "collected": 0, "gone": 0, "kilobytes": 0}
    for ref in source.list_items(window):
        counts["found"] += 1
        if intake.store.known_item(ref.source_code, ref.external_key):
            counts["known"] += 1
            continue
        try:
            fetched = source.fetch(ref)
        except ItemGoneError:
            # Moved or replaced between the list and now; if it is still there, the next run sees it under a new key.
            counts["gone"] += 1
            continue
        intake.store.record_item(fetched, intake.archive.put(fetched.raw))
        counts["collected"] += 1
        counts["kilobytes"] += len(fetched.raw) * 1000 // MEGA
    return counts
