"""No step but those of the life cycle is possible, through any door; and each leaves its mark in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hunyuan_ocr.exceptions import HunyuanOCRError, StaleStateError
from hunyuan_ocr.staging.events import BrokenChainError
from hunyuan_ocr.staging.lifecycle import BEYOND_RECALL, WAY_OUT, IllegalTransitionError, Status, allowed
from hunyuan_ocr.staging.repository import Store
from tests.staging.builders import (
    PASSED,
    a_document,
    a_finding,
    an_invoice,
    extraction,
    open_run,
    receive,
    validated,
)

Step = Callable[[Store, str, str], object]


def _decide(to_status: Status) -> Step:
    def step(store: Store, invoice_id: str, _batch: str) -> None:
        version = store.invoice(invoice_id).lock_version
        store.transition(invoice_id, to_status, reason="a person", lock_version=version)

    return step


STEPS: list[Step] = [
    *map(_decide, Status),
    lambda store, invoice_id, _: store.record_extraction(invoice_id, extraction()),
    lambda store, invoice_id, _: store.record_extraction(invoice_id, extraction(), reprocess=True),
    lambda store, invoice_id, _: store.record_extraction(invoice_id, extraction(an_invoice("X-9")), reprocess=True),
    lambda store, invoice_id, _: store.record_findings(invoice_id, [PASSED], "rules 1"),
    lambda store, invoice_id, _: store.record_findings(invoice_id, [a_finding()], "rules 2"),
    lambda store, invoice_id, batch: store.load(invoice_id, batch_id=batch),
    lambda store, invoice_id, _: store.quarantine(invoice_id, "CORRUPT", "the file is damaged"),
]


def _post(store: Store, invoice_id: str, _batch: str) -> None:
    _decide(Status.EXPORTING)(store, invoice_id, _batch)
    _decide(Status.POSTED)(store, invoice_id, _batch)


def _read(store: Store, invoice_id: str, _batch: str) -> None:
    store.record_extraction(invoice_id, extraction(an_invoice(invoice_id)))


def _stage(store: Store, invoice_id: str, batch: str) -> None:
    _read(store, invoice_id, batch)
    store.record_findings(invoice_id, [PASSED], "rules 1")
    store.load(invoice_id, batch_id=batch)


def _reject(store: Store, invoice_id: str, batch: str) -> None:
    _read(store, invoice_id, batch)
    store.record_findings(invoice_id, [a_finding()], "rules 1")
    store.load(invoice_id, batch_id=batch)


def _duplicate(store: Store, invoice_id: str, batch: str) -> None:
    original = validated(store, batch, f"original of {invoice_id}", an_invoice(invoice_id))
    store.load(original, batch_id=batch)
    _stage(store, invoice_id, batch)


STEPS += [_stage, _reject, _post]

WAY_TO: dict[Status, list[Step]] = {
    Status.RECEIVED: [],
    Status.EXTRACTED: [_read],
    Status.VALIDATED: [_read, lambda store, invoice_id, _: store.record_findings(invoice_id, [PASSED], "rules 1")],
    Status.STAGED: [_stage],
    Status.REVIEW: [_reject],
    Status.DUPLICATE: [_duplicate],
    Status.QUARANTINED: [lambda store, invoice_id, _: store.quarantine(invoice_id, "CORRUPT", "damaged")],
    Status.REJECTED: [_reject, _decide(Status.REJECTED)],
    Status.EXPORTING: [_stage, _decide(Status.EXPORTING)],
    Status.POSTED: [_stage, _post],
    Status.POST_FAILED: [_stage, _decide(Status.EXPORTING), _decide(Status.POST_FAILED)],
    Status.REVERSED: [_stage, _post, _decide(Status.REVERSED)],
    Status.SUPERSEDED: [_decide(Status.SUPERSEDED)],
}


def _new_invoice(store: Store, batch: str, name: str) -> str:
    return store.documents_of_item(receive(store, batch, f"mail {name}", a_document(name)))[0].invoice_id


def _try(store: Store, batch: str, invoice_id: str, step: Step) -> None:
    """Take one step and check that it was legal, or refused without a trace."""
    before = store.invoice(invoice_id)
    events = len(store.events_of(invoice_id))
    with suppress(IllegalTransitionError, StaleStateError):
        step(store, invoice_id, batch)
    after = store.invoice(invoice_id)
    steps = store.events_of(invoice_id)[events:]
    if not steps:
        assert after == before, "a refused step changes nothing"
    changes = [each for each in steps if not each.from_status == each.to_status == "VALIDATED"]
    assert after.lock_version == before.lock_version + len(changes)
    for each in changes:
        assert allowed(Status(each.from_status), Status(each.to_status)), each
    with store.engine.connect() as connection:
        staged, key = connection.execute(
            text(
                "SELECT (SELECT status FROM stg_invoice WHERE invoice_id = :id), "
                "(SELECT active_key FROM invoice WHERE invoice_id = :id)"
            ),
            {"id": invoice_id},
        ).one()
    assert staged in {None, after.status.value}, "the staging row tells the same story"
    assert staged is not None or after.status not in {Status.STAGED, Status.EXPORTING, Status.POSTED}
    if after.status in {Status.DUPLICATE, Status.REJECTED, Status.SUPERSEDED, Status.QUARANTINED}:
        assert key is None, "it must not keep another document from being staged"
    assert store.verify_events(invoice_id) == events + len(steps)


@pytest.mark.parametrize("status", Status)
def test_from_every_state_only_the_steps_of_the_life_cycle_are_possible(tmp_path: Path, status: Status) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'staging.db'}") as store:
        batch = open_run(store)
        for number, step in enumerate(STEPS):
            invoice_id = _new_invoice(store, batch, f"{status} {number}")
            for each in WAY_TO[status]:
                each(store, invoice_id, batch)
            assert store.invoice(invoice_id).status is status
            _try(store, batch, invoice_id, step)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(st.sampled_from(range(len(STEPS))), min_size=3, max_size=25))
def test_no_sequence_of_calls_makes_an_illegal_step(tmp_path: Path, path: list[int]) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'staging.db'}") as store:
        batch = open_run(store, f"run {path}")
        invoice_id = _new_invoice(store, batch, str(path))
        for choice in path:
            _try(store, batch, invoice_id, STEPS[choice])


def test_every_state_says_how_to_leave_it_and_leads_on_unless_it_is_the_end() -> None:
    assert set(WAY_OUT) == set(Status)
    dead_ends = {state for state in Status if not any(allowed(state, other) for other in Status)}
    assert dead_ends == {Status.REVERSED}


def test_what_the_erp_has_is_never_read_again() -> None:
    for state in BEYOND_RECALL:
        assert not allowed(state, Status.EXTRACTED)
        assert not allowed(state, Status.SUPERSEDED)
    assert [state for state in Status if allowed(state, Status.STAGED)] == [Status.VALIDATED, Status.POST_FAILED]


def test_two_people_cannot_both_decide(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", findings=[a_finding()])
    store.load(invoice_id, batch_id=batch)
    seen = store.invoice(invoice_id).lock_version
    store.transition(invoice_id, Status.REJECTED, reason="not ours", lock_version=seen)
    with pytest.raises(HunyuanOCRError):
        store.transition(invoice_id, Status.VALIDATED, reason="released", lock_version=seen)
    assert store.invoice(invoice_id).status is Status.REJECTED


def test_a_decision_on_an_older_version_is_refused(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", findings=[a_finding()])
    store.load(invoice_id, batch_id=batch)
    version = store.invoice(invoice_id).lock_version
    with pytest.raises(StaleStateError, match="no longer REVIEW"):
        store.transition(invoice_id, Status.REJECTED, reason="not ours", lock_version=version - 1)
    with pytest.raises(StaleStateError, match="no invoice"):
        store.transition("unknown", Status.REJECTED, reason="not ours", lock_version=1)


def test_a_released_invoice_is_judged_again(store: Store) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a", findings=[a_finding()])
    store.load(invoice_id, batch_id=batch)
    version = store.invoice(invoice_id).lock_version
    store.transition(invoice_id, Status.VALIDATED, reason="released", lock_version=version)
    store.record_findings(invoice_id, [PASSED], "rules 2")
    assert store.load(invoice_id, batch_id=batch).status is Status.STAGED


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE event SET reason = 'nothing happened' WHERE seq = 2",
        "UPDATE event SET actor = 'somebody' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 2",
        "DELETE FROM event WHERE seq = 4",
        "UPDATE invoice SET status = 'POSTED'",
    ],
)
def test_a_trail_that_was_tampered_with_shows(store: Store, tampering: str) -> None:
    batch = open_run(store)
    invoice_id = validated(store, batch, "a")
    store.load(invoice_id, batch_id=batch)
    assert store.verify_events(invoice_id) == 4
    with store.engine.begin() as connection:
        connection.execute(text(tampering))
    with pytest.raises(BrokenChainError):
        store.verify_events(invoice_id)
