"""The ledger: nothing lost, nothing twice, whatever is repeated and in whatever order it comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.base import Verdict, Window
from hunyuan_ocr.staging import tables
from hunyuan_ocr.staging.lifecycle import Status
from hunyuan_ocr.staging.repository import Store
from hunyuan_ocr.staging.rows import Shard
from hunyuan_ocr.staging.tables import ItemStatus
from tests.staging.builders import DAY, WINDOW, a_document, fetched, open_run, receive

NEXT_DAY = Window(WINDOW.end, WINDOW.end + timedelta(days=1))


def count(store: Store, table: str) -> int:
    with store.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(tables.metadata.tables[table])).scalar_one()


def test_an_item_is_entered_once_and_found_again(store: Store) -> None:
    item_id, is_new = store.record_item(*fetched("uid 7"))
    assert (is_new, store.record_item(*fetched("uid 7"))) == (True, (item_id, False))
    known = store.known_item("mailbox", "uid 7")
    assert known is not None
    assert (known.item_id, known.status, known.received_at) == (item_id, ItemStatus.RECEIVED, DAY + timedelta(hours=9))
    assert known == store.item(item_id)
    assert store.known_item("mailbox", "uid 8") is None
    assert store.known_item("sftp", "uid 7") is None, "a key is unique only within its source"


def test_a_repeated_run_has_the_same_batch(store: Store) -> None:
    batch = open_run(store)
    store.close_batch(batch)
    assert open_run(store) == batch
    assert open_run(store, "manual__2") != batch
    assert count(store, "stg_batch") == 2


def test_items_are_cut_into_shards_by_number_and_bytes(store: Store) -> None:
    batch = open_run(store)
    for n in range(5):
        store.record_item(*fetched(f"mail {n}", hour=n))
    assert store.assign_shards(batch, ["mailbox"], WINDOW, max_items=2) == (
        Shard(0, 2, 2000),
        Shard(1, 2, 2000),
        Shard(2, 1, 1000),
    )
    other = open_run(store, "manual__2")
    assert [shard.n_items for shard in store.assign_shards(other, ["mailbox"], WINDOW, max_bytes=3500)] == [3, 2]
    assert [item.external_key for item in store.shard_items(other, 1)] == ["mail 3", "mail 4"]


def test_a_repeated_run_keeps_its_shards_and_appends_what_came_since(store: Store) -> None:
    batch = open_run(store)
    store.record_item(*fetched("late", hour=12))
    store.assign_shards(batch, ["mailbox"], WINDOW)
    store.record_item(*fetched("early", hour=1))
    assert store.assign_shards(batch, ["mailbox"], WINDOW) == (Shard(0, 1, 1000), Shard(1, 1, 1000))
    assert [item.external_key for item in store.shard_items(batch, 0)] == ["late"]


def test_a_run_takes_its_window_its_sources_and_what_is_unsettled_from_before(store: Store) -> None:
    for key, hour in (("old settled", 1), ("old", 2), ("mine", 24), ("mine settled", 25), ("future", 48)):
        item_id, _ = store.record_item(*fetched(key, hour=hour))
        if "settled" in key:
            store.mark_settled(item_id, Verdict.ACCEPTED)
    store.record_item(*fetched("other source", hour=24, source="sftp"))

    def taken(run_id: str, **options: bool) -> list[str]:
        batch = open_run(store, run_id)
        shards = store.assign_shards(batch, ["mailbox"], NEXT_DAY, **options)
        return [item.external_key for shard in shards for item in store.shard_items(batch, shard.shard_no)]

    assert taken("scheduled") == ["old", "mine"]
    assert taken("backfill", include_backlog=False) == ["mine"]
    assert taken("reprocess", include_backlog=False, reprocess=True) == ["mine", "mine settled"]
    assert taken("nothing", include_backlog=False) == ["mine"]


def test_unpacking_twice_enters_documents_and_invoices_once(store: Store) -> None:
    batch = open_run(store)
    documents = (
        a_document("a"),
        a_document("logo", part="2", role=DocumentRole.IGNORED, reason="picture in a signature"),
    )
    item_id = receive(store, batch, "mail", *documents)
    first = store.documents_of_item(item_id)

    assert store.record_unpacked(item_id, documents, batch_id=batch) == first
    assert [(row.part_path, row.role) for row in first] == [("1", DocumentRole.PRIMARY), ("2", DocumentRole.IGNORED)]
    assert count(store, "invoice") == 1
    assert store.invoice(first[0].invoice_id).status is Status.RECEIVED
    assert store.item(item_id).status is ItemStatus.UNPACKED
    assert store.verify_events(first[0].invoice_id) == 1


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_equal_bytes_are_one_invoice_of_the_document_received_first(store: Store, order: tuple[str, str]) -> None:
    batch = open_run(store)
    hours = {"first": 9, "second": 10}
    for key in order:
        receive(store, batch, key, a_document("a", file_name=f"{key}.pdf"), hour=hours[key])

    rows = {}
    for key in order:
        item = store.known_item("mailbox", key)
        assert item is not None
        rows[key] = store.documents_of_item(item.item_id)[0]
    assert (rows["first"].role, rows["second"].role) == (DocumentRole.PRIMARY, DocumentRole.DUPLICATE)
    assert rows["second"].first_document_id == rows["first"].document_id
    assert rows["second"].reason.startswith("DUP-1: the same bytes as first.pdf")
    assert count(store, "invoice") == 1
    assert store.invoice(rows["first"].invoice_id).file_name == "first.pdf"
    assert [row.file_name for row in store.invoices_in_shard(batch, 0)] + [
        row.file_name for row in store.invoices_in_shard(batch, 1)
    ] == ["first.pdf"]


def test_the_same_file_attached_twice_to_one_mail_is_one_invoice(store: Store) -> None:
    batch = open_run(store)
    item_id = receive(store, batch, "mail", a_document("a", part="1"), a_document("a", part="2"))
    assert [row.role for row in store.documents_of_item(item_id)] == [DocumentRole.PRIMARY, DocumentRole.DUPLICATE]


def test_a_document_that_cannot_be_used_is_quarantined_with_its_reason(store: Store) -> None:
    batch = open_run(store)
    locked = a_document("a", problem_code="ENCRYPTED", problem="needs a password: ask the sender")
    item_id = receive(store, batch, "mail", locked)
    row = store.invoices_in_shard(batch, 0, [Status.QUARANTINED])[0]
    assert row.status_reason == "ENCRYPTED: needs a password: ask the sender"
    assert [each.to_status for each in store.events_of(row.invoice_id)] == ["RECEIVED", "QUARANTINED"]

    store.record_unpacked(item_id, [a_document("a")], batch_id=batch)
    assert store.documents_of_item(item_id)[0].problem_code is None, "the unpacker can open it now"
    assert store.invoice(row.invoice_id).status is Status.QUARANTINED, "until it is reprocessed"


def test_a_known_document_that_turns_out_unusable_is_quarantined(store: Store) -> None:
    batch = open_run(store)
    item_id = receive(store, batch, "mail", a_document("a"))
    store.record_unpacked(item_id, [a_document("a", problem_code="LIMIT", problem="too many pages")], batch_id=batch)
    assert store.invoices_in_shard(batch, 0)[0].status is Status.QUARANTINED


def test_long_names_and_keys_are_kept_whole(store: Store) -> None:
    batch = open_run(store)
    key = "/inbox/" + "很长" * 1500
    receive(store, batch, key, a_document("a", file_name="名" * 3000, part="zip/" * 400))
    item = store.known_item("mailbox", key)
    assert item is not None
    assert store.documents_of_item(item.item_id)[0].file_name == "名" * 3000


def test_an_item_that_could_not_be_unpacked_stays_lost_until_it_is(store: Store) -> None:
    batch = open_run(store)
    item_id, _ = store.record_item(*fetched("mail"))
    store.assign_shards(batch, ["mailbox"], WINDOW)
    store.record_item_error(item_id, "the archive has no such bytes")
    assert store.item(item_id).error_text == "the archive has no such bytes"
    assert store.batch_summary(batch).lost == (f"item {item_id}",)
    store.record_unpacked(item_id, [], batch_id=batch)
    assert store.batch_summary(batch).lost == ()
    assert store.item(item_id).error_text is None
