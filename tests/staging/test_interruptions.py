"""Killed, repeated, in any order, or two at once: the staging rows end up the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.staging import tables
from hunyuan_ocr.staging.lifecycle import FINAL_FOR_RUN, Status
from hunyuan_ocr.staging.repository import Store
from tests.staging.builders import (
    PASSED,
    WINDOW,
    a_document,
    a_finding,
    an_invoice,
    extraction,
    fetched,
    open_run,
    sha,
    validated,
)


class Killed(BaseException):
    """Stands for the process being gone: no handler of ours may catch it."""


DOCUMENTS = {
    "mail 1": (a_document("a"), a_document("broken", part="2", problem_code="CORRUPT", problem="damaged")),
    "mail 2": (
        a_document("a"),
        a_document("b", part="2"),
        a_document("logo", part="3", role=DocumentRole.IGNORED),
    ),
    "mail 3": (a_document("bad total"), a_document("copy of b", part="2")),
}
BODIES = {
    sha("a"): an_invoice("A-1"),
    sha("b"): an_invoice("B-1"),
    sha("copy of b"): an_invoice("b 1"),
    sha("bad total"): an_invoice("C-1", total_with_tax=Decimal("999.00")),
}


def run(store: Store, run_id: str = "scheduled__1", *, keys: tuple[str, ...] = ("mail 1", "mail 2", "mail 3")) -> None:
    """A whole run as the DAG does it, every step for itself, picking up whatever is there."""
    batch = open_run(store, run_id)
    for key in keys:
        store.record_item(*fetched(key, hour=int(key[-1])))
    for shard in store.assign_shards(batch, ["mailbox"], WINDOW, reprocess=True, max_items=1):
        for item in store.shard_items(batch, shard.shard_no):
            store.record_unpacked(item.item_id, DOCUMENTS[item.external_key], batch_id=batch)
    for shard in store.shards_of(batch):
        for row in store.invoices_in_shard(batch, shard.shard_no, [Status.RECEIVED]):
            store.record_extraction(row.invoice_id, extraction(BODIES[row.content_sha256]))
    for extracted in store.invoices_of_batch(batch, [Status.EXTRACTED]):
        is_wrong = extracted.invoice.total_with_tax == Decimal("999.00")
        store.record_findings(extracted.row.invoice_id, [a_finding() if is_wrong else PASSED], "rules 1")
    for invoice_id in store.load_order(batch):
        store.load(invoice_id, batch_id=batch)
    for item in store.items_ready_to_settle(batch):
        store.mark_settled(item.item_id, item.verdict)
    store.close_batch(batch)


def final_states(store: Store) -> dict[str, int]:
    with store.engine.connect() as connection:
        found = connection.execute(select(tables.invoice.c.status, func.count()).group_by(tables.invoice.c.status))
        return dict(found.tuples().all())


EXPECTED = {"STAGED": 2, "DUPLICATE": 1, "REVIEW": 1, "QUARANTINED": 1}


def test_the_same_interval_again_and_as_a_backfill_leaves_identical_rows(store: Store) -> None:
    run(store)
    rows = store.dump_staging()
    assert final_states(store) == EXPECTED
    run(store)
    run(store, "backfill__1")
    run(store, "manual__2", keys=("mail 3", "mail 1", "mail 2"))
    assert store.dump_staging() == rows


def test_the_order_of_arrival_in_the_ledger_does_not_matter(store: Store, tmp_path: object) -> None:
    run(store)
    with Store.open(f"sqlite:///{tmp_path}/other.db") as other:
        run(other, keys=("mail 3", "mail 2", "mail 1"))
        assert other.dump_staging() == store.dump_staging()


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
def test_killed_at_any_commit_and_repeated_the_rows_are_identical(store: Store, tmp_path: object, when: str) -> None:
    with Store.open(f"sqlite:///{tmp_path}/undisturbed.db") as undisturbed:
        run(undisturbed)
        expected = undisturbed.dump_staging()
    point, runs = 0, 0
    while not _finishes(store, lambda: run(store), kill_at=point, before=when == "before the commit"):
        # Every run dies a little later than the one before; later ones find what the earlier ones left.
        point, runs = point + 3, runs + 1
    assert runs > 3, "the test must have killed some runs"
    assert store.dump_staging() == expected
    assert final_states(store) == EXPECTED
    with store.engine.connect() as connection:
        for (invoice_id,) in connection.execute(select(tables.invoice.c.invoice_id)).all():
            store.verify_events(invoice_id)


def _finishes(store: Store, work: Callable[[], None], *, kill_at: int, before: bool) -> bool:
    """Run ``work`` and die at the ``kill_at``-th commit, just before or just after it; true when it got through."""
    commits = 0

    def on_commit(connection: object) -> None:
        nonlocal commits
        commits += 1
        if commits > kill_at:
            if not before:
                connection.connection.commit() if store.engine.dialect.name != "sqlite" else connection.exec_driver_sql(
                    "COMMIT"
                )  # type: ignore[attr-defined]
            raise Killed

    event.listen(store.engine, "commit", on_commit)
    try:
        work()
    except Killed:
        return False
    else:
        return True
    finally:
        event.remove(store.engine, "commit", on_commit)
        store.engine.dispose()


def _load_at_once(store: Store, batch: str, rounds: list[tuple[str, str]]) -> list[Exception]:
    """Two loaders, each with one invoice of every pair, pair by pair at the same moment; their errors."""
    barrier, errors = threading.Barrier(2), []

    def load(position: int) -> None:
        try:
            for pair in rounds:
                barrier.wait(timeout=30)
                store.load(pair[position], batch_id=batch)
        except Exception as error:
            errors.append(error)
            barrier.abort()

    loaders = [threading.Thread(target=load, args=(position,)) for position in (0, 1)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    return errors


def test_two_loaders_at_once_stage_an_invoice_exactly_once(store: Store) -> None:
    batch = open_run(store)
    pairs = []
    for n in range(6):
        one = validated(store, batch, f"one {n}", an_invoice(f"N-{n}"), hour=n)
        pairs.append((one, validated(store, batch, f"other {n}", an_invoice(f"N-{n}"), hour=n + 0.5)))

    assert _load_at_once(store, batch, pairs) == []

    for pair in pairs:
        states = sorted(store.invoice(each).status for each in pair)
        assert states == [Status.DUPLICATE, Status.STAGED]


def test_two_good_copies_at_once_replace_a_bad_one_exactly_once(store: Store) -> None:
    batch = open_run(store)
    bad, pairs = [], []
    for n in range(6):
        bad.append(validated(store, batch, f"bad {n}", an_invoice(f"N-{n}"), hour=n, findings=[a_finding()]))
        store.load(bad[-1], batch_id=batch)
        one = validated(store, batch, f"one {n}", an_invoice(f"N-{n}"), hour=n + 0.3)
        pairs.append((one, validated(store, batch, f"other {n}", an_invoice(f"N-{n}"), hour=n + 0.6)))

    assert _load_at_once(store, batch, pairs) == []

    for replaced, pair in zip(bad, pairs, strict=True):
        states = sorted(store.invoice(each).status for each in (replaced, *pair))
        assert states == [Status.DUPLICATE, Status.DUPLICATE, Status.STAGED]
        assert store.invoice(replaced).status is Status.DUPLICATE


def test_two_runs_that_unpack_the_same_bytes_at_once_make_one_invoice(store: Store) -> None:
    batch = open_run(store)
    items = [store.record_item(*fetched(f"mail {n}", hour=n))[0] for n in range(4)]
    barrier, errors = threading.Barrier(4), []

    def unpack(item_id: str) -> None:
        try:
            barrier.wait(timeout=30)
            store.record_unpacked(item_id, [a_document(f"file {n}", part=str(n)) for n in range(5)], batch_id=batch)
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=unpack, args=(item_id,)) for item_id in items]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert errors == []
    roles = [row.role for item_id in items for row in store.documents_of_item(item_id)]
    assert roles == [DocumentRole.PRIMARY] * 5 + [DocumentRole.DUPLICATE] * 15
    with store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(tables.invoice)).scalar() == 5


def test_a_run_that_got_through_leaves_nothing_unfinished(store: Store) -> None:
    run(store)
    assert {Status(status) for status in final_states(store)} <= FINAL_FOR_RUN
