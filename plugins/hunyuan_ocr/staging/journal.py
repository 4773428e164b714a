"""The journal: what each reader saw on each page and what a vision model answered, committed page by page.

It is the result cache too: a page is found by the document's bytes, its number and the engine key, an answer by its
content key, so the same question is never asked twice. What is recorded is not replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, update

from hunyuan_ocr.engines.base import Answer, FinishReason
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.model.geometry import Box, Reader, Reading, Span
from hunyuan_ocr.staging.column_types import as_share
from hunyuan_ocr.staging.database import Database, utc_now
from hunyuan_ocr.staging.events import shortened
from hunyuan_ocr.staging.rows import PageFacts, PendingPage
from hunyuan_ocr.staging.tables import document, page, page_answer, page_reading, run_item


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


def _answer_rows(key: dict[str, Any], answers: Sequence[PageAnswer]) -> list[dict[str, Any]]:
    """One row per answer; ``ask_no`` keeps the order they were given in, attempt by attempt."""
    asked: Counter[int] = Counter()
    rows, now = [], utc_now()
    for answer in answers:
        asked[answer.attempt] += 1
        rows.append(
            key
            | {
                "attempt": answer.attempt,
                "task": answer.task.value,
                "ask_no": asked[answer.attempt],
                "prompt_profile": answer.profile or None,
                "keys_json": list(answer.keys),
                "engine_key": answer.engine_key,
                "prompt_sha256": answer.prompt_sha256,
                "answer_key": answer.answer_key,
                "picture_width": answer.picture_width,
                "picture_height": answer.picture_height,
                "rotation": answer.rotation,
                "answer_text": answer.text or None,
                "finish_reason": answer.finish_reason,
                "prompt_tokens": answer.prompt_tokens,
                "completion_tokens": answer.completion_tokens,
                "seconds": as_share(answer.seconds),
                "is_cached": int(answer.is_cached),
                "is_kept": int(answer.is_kept),
                "problem": answer.problem or None,
                "created_at": now,
            }
        )
    return rows


def _answer_of(row: Row[Any]) -> PageAnswer:
    return PageAnswer(
        page_no=row.page_no,
        attempt=row.attempt,
        task=Task(row.task),
        text=row.answer_text or "",
        engine_key=row.engine_key,
        prompt_sha256=row.prompt_sha256,
        answer_key=row.answer_key,
        picture_width=row.picture_width,
        picture_height=row.picture_height,
        rotation=row.rotation,
        profile=row.prompt_profile or "",
        keys=tuple(row.keys_json),
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        seconds=float(row.seconds),
        is_cached=bool(row.is_cached),
        is_kept=bool(row.is_kept),
        problem=row.problem or "",
    )


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
        return self.record_page(content_sha256, engine_key, reading, ())

    def record_page(
        self, content_sha256: str, reading_key: str, reading: Reading, answers: Sequence[PageAnswer]
    ) -> bool:
        """Commit one page's reading together with every answer it cost; false when the journal has the page already.

        ``reading_key`` (at most 200 characters) is the reading's ``reader_version``. The first record of a page stays
        whole: a second one leaves neither its reading nor its answers. Raises ``ValueError`` for an answer about
        another page.
        """
        if any(answer.page_no != reading.page_no for answer in answers):
            raise ValueError(f"an answer about another page than {reading.page_no} cannot be recorded with its reading")
        key = {"content_sha256": content_sha256, "page_no": reading.page_no, "engine_key": reading_key}
        rows = _answer_rows(
            {"content_sha256": content_sha256, "page_no": reading.page_no, "reading_key": reading_key}, answers
        )

        def work(connection: Connection) -> bool:
            if connection.execute(select(page_reading.c.page_no).filter_by(**key)).first():
                return False
            connection.execute(
                insert(page_reading).values(
                    **key, reader=reading.reader.value, reading_json=reading_to_json(reading), created_at=utc_now()
                )
            )
            if rows:
                connection.execute(insert(page_answer), rows)
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

    def answers_of(
        self, content_sha256: str, reading_keys: Sequence[str], *, kept_only: bool = True
    ) -> tuple[PageAnswer, ...]:
        """The answers behind the readings that ``readings_of`` gives for the same keys, by page and as they were asked.

        With ``kept_only`` only those about the picture the reading was taken from, else of every attempt.
        """
        rank = {key: position for position, key in enumerate(reading_keys)}
        read = select(page_reading.c.page_no, page_reading.c.engine_key).where(
            page_reading.c.content_sha256 == content_sha256, page_reading.c.engine_key.in_(list(reading_keys))
        )
        query = (
            select(page_answer)
            .where(page_answer.c.content_sha256 == content_sha256, page_answer.c.reading_key.in_(list(reading_keys)))
            .order_by(page_answer.c.page_no, page_answer.c.attempt, page_answer.c.ask_no)
        )
        if kept_only:
            query = query.where(page_answer.c.is_kept == 1)
        with self.reading() as connection:
            best: dict[int, str] = {}
            for row in connection.execute(read):
                best[row.page_no] = min(best.get(row.page_no, row.engine_key), row.engine_key, key=rank.__getitem__)
            found = connection.execute(query).all()
        return tuple(_answer_of(row) for row in found if row.reading_key == best.get(row.page_no))

    def answer_by_key(self, answer_key: str) -> Answer | None:
        """What the model once said to this very question (``engines.base.answer_key``), about whatever page."""
        query = (
            select(
                page_answer.c.answer_text,
                page_answer.c.finish_reason,
                page_answer.c.prompt_tokens,
                page_answer.c.completion_tokens,
                page_answer.c.seconds,
            )
            .where(page_answer.c.answer_key == answer_key)
            .limit(1)
        )
        with self.reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Answer(
            text=row.answer_text or "",
            finish_reason=FinishReason(row.finish_reason),
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            seconds=float(row.seconds),
            is_cached=True,
        )

    def answer_statistics(self, batch_id: str) -> dict[str, int]:
        """What reading a run's documents cost: pages, attempts (pictures), answers, those of a cache, tokens, problems.

        Tokens are those the engine worked for: of answers that no cache gave. Problems are counted by word, as
        ``problem_truncated`` and so on. Answers from earlier runs about the same documents count too.
        """
        documents = (
            select(document.c.content_sha256)
            .join(run_item, run_item.c.item_id == document.c.item_id)
            .where(run_item.c.batch_id == batch_id)
        )
        ours = page_answer.c.content_sha256.in_(documents)
        picture = (page_answer.c.content_sha256, page_answer.c.page_no, page_answer.c.reading_key)

        def rows_in(query: Select[Any]) -> Any:
            return select(func.count()).select_from(query.where(ours).distinct().subquery())

        sums = select(
            func.count(),
            func.coalesce(func.sum(page_answer.c.is_cached), 0),
            func.coalesce(func.sum(page_answer.c.prompt_tokens * (1 - page_answer.c.is_cached)), 0),
            func.coalesce(func.sum(page_answer.c.completion_tokens * (1 - page_answer.c.is_cached)), 0),
        ).where(ours)
        problems = (
            select(page_answer.c.problem, func.count())
            .where(ours, page_answer.c.problem.is_not(None))
            .group_by(page_answer.c.problem)
        )
        with self.reading() as connection:
            pages = connection.execute(rows_in(select(*picture[:2]))).scalar_one()
            attempts = connection.execute(rows_in(select(*picture, page_answer.c.attempt))).scalar_one()
            answers, cached, prompt_tokens, completion_tokens = connection.execute(sums).one()
            by_problem: dict[str, int] = dict(connection.execute(problems).tuples().all())
        counts = {
            "pages": pages,
            "attempts": attempts,
            "answers": answers,
            "cached": int(cached),
            "prompt_tokens": int(prompt_tokens),
            "completion_tokens": int(completion_tokens),
        }
        return counts | {f"problem_{problem}": count for problem, count in sorted(by_problem.items())}

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
