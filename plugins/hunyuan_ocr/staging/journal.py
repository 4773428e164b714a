"""The journal of readings: what each reader saw on each page, committed page by page.

It is the result cache too: the key is the document's bytes, the page and the engine key, so the same question is
never asked twice. A reading, once recorded, is not replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.staging.column_types import as_share
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.events import shortened
from hunyuan_ocr.staging.rows import PageFacts, PendingPage
from hunyuan_ocr.staging.tables import document, page, page_reading, run_item


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """A reading as the journal keeps it; a span is ``[text, x0, y0, x1, y1, confidence]``."""
    spans = [[s.text, s.box.x0, s.box.y0, s.box.x1, s.box.y1, s.confidence] for s in reading.spans]
    return {
        "page_no": reading.page_no,
        "reader": reading.reader.value,
        "reader_version": reading.reader_version,
        "width": reading.width,
        "height": reading.height,
        "rotation": reading.rotation,
        "spans": spans,
    }


def reading_from_json(kept: dict[str, Any]) -> Reading:
    spans = tuple(Span(text, Box(x0, y0, x1, y1), confidence) for text, x0, y0, x1, y1, confidence in kept["spans"])
    return Reading(**kept | {"reader": Reader(kept["reader"]), "spans": spans})


class Journal(Database):
    """Pages and what was read on them."""

    def record_pages(self, content_sha256: str, pages: Sequence[PageFacts]) -> None:
        """Enter what is known of a document's pages, in place of what was known before, and count them."""
        rows = [
            {
                "content_sha256": content_sha256,
                "page_no": facts.page_no,
                "needs_eyes": int(facts.needs_eyes),
                "reason": shortened(facts.reason, 200),
                "width": as_share(facts.width),
                "height": as_share(facts.height),
                "rotation": facts.rotation,
            }
            for facts in pages
        ]

        def work(connection: Connection) -> None:
            connection.execute(delete(page).where(page.c.content_sha256 == content_sha256))
            if rows:
                connection.execute(insert(page), rows)
            connection.execute(
                update(document).where(document.c.content_sha256 == content_sha256).values(n_pages=len(rows))
            )

        self.write(work)

    def pages_of(self, content_sha256: str) -> tuple[PageFacts, ...]:
        """What is known of a document's pages, by number; empty before it was prepared."""
        query = select(page).where(page.c.content_sha256 == content_sha256).order_by(page.c.page_no)
        with self.reading() as connection:
            return tuple(
                PageFacts(
                    page_no=row.page_no,
                    needs_eyes=bool(row.needs_eyes),
                    reason=row.reason,
                    width=float(row.width),
                    height=float(row.height),
                    rotation=row.rotation,
                )
                for row in connection.execute(query)
            )

    def record_reading(self, content_sha256: str, engine_key: str, reading: Reading) -> bool:
        """Commit one page's reading at once; false when the journal has it already (the first one stays)."""
        key = {"content_sha256": content_sha256, "page_no": reading.page_no, "engine_key": engine_key}

        def work(connection: Connection) -> bool:
            if connection.execute(select(page_reading.c.page_no).filter_by(**key)).first():
                return False
            connection.execute(
                insert(page_reading).values(
                    **key, reader=reading.reader.value, reading_json=reading_to_json(reading), created_at=utc_now()
                )
            )
            return True

        return self.write(work)

    def readings_of(
        self, content_sha256: str, engine_keys: Sequence[str], *, best_only: bool = True
    ) -> tuple[Reading, ...]:
        """A document's readings by page and then in the order of ``engine_keys``, the best first.

        With ``best_only`` a page gives the reading of the first engine in that order that has read it, and no other.
        """
        rank = {key: position for position, key in enumerate(engine_keys)}
        query = select(page_reading.c.page_no, page_reading.c.engine_key, page_reading.c.reading_json).where(
            page_reading.c.content_sha256 == content_sha256, page_reading.c.engine_key.in_(list(engine_keys))
        )
        with self.reading() as connection:
            found = sorted(connection.execute(query).all(), key=lambda row: (row.page_no, rank[row.engine_key]))
        readings: list[Reading] = []
        for row in found:
            if not (best_only and readings and readings[-1].page_no == row.page_no):
                readings.append(reading_from_json(row.reading_json))
        return tuple(readings)

    def pages_needing_eyes(self, batch_id: str, shard_no: int, engine_key: str) -> tuple[PendingPage, ...]:
        """The pages of a shard that a reader of pictures must look at and ``engine_key`` has not read yet."""
        is_read = exists().where(
            page_reading.c.content_sha256 == page.c.content_sha256,
            page_reading.c.page_no == page.c.page_no,
            page_reading.c.engine_key == engine_key,
        )
        query = (
            select(page.c.content_sha256, page.c.page_no, document.c.blob_uri, document.c.media_type)
            .join(document, document.c.content_sha256 == page.c.content_sha256)
            .join(run_item, run_item.c.item_id == document.c.item_id)
            .where(
                run_item.c.batch_id == batch_id,
                run_item.c.shard_no == shard_no,
                document.c.doc_role == DocumentRole.PRIMARY.value,
                document.c.problem_code.is_(None),
                page.c.needs_eyes == 1,
                ~is_read,
            )
            .order_by(page.c.content_sha256, page.c.page_no)
        )
        with self.reading() as connection:
            return tuple(PendingPage(*row) for row in connection.execute(query))
