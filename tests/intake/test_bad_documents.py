"""One bad document never stops the others, and is seen."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from demo.samples import demo_set
from hunyuan_ocr.exceptions import RunRejectedError
from hunyuan_ocr.hooks.stores import open_intake
from hunyuan_ocr.intake import prepare as prepare_step
from hunyuan_ocr.staging.repository import Store
from tests.integration.intake_steps import DAY, run_of, run_steps, settings_for


def home_with_two(folder: Path) -> tuple[Path, list[str]]:
    names = []
    (folder / "inbox").mkdir()
    for sample in demo_set(folder / "samples", date(2026, 3, 1)):
        if sample.path.stem in {"de_rechnung", "fr_facture"}:
            copy = folder / "inbox" / sample.file
            copy.write_bytes(sample.path.read_bytes())
            os.utime(copy, (DAY.start.timestamp() + 60, DAY.start.timestamp() + 60))
            names.append(sample.file)
    return folder, names


def attention(home: Path) -> dict[str, tuple[str, str]]:
    from sqlalchemy import text

    with Store.open(f"sqlite:///{home / 'hunyuan_ocr.db'}") as store, store.reading() as connection:
        rows = connection.execute(text("select file_name, doc_state, reason from v_attention")).all()
        staged = connection.execute(text("select file_name from v_stg_ready")).scalars()
        return {row.file_name: (row.doc_state, row.reason) for row in rows} | dict.fromkeys(staged, ("STAGED", ""))


def test_bytes_that_changed_in_the_archive_quarantine_their_document_only(tmp_path: Path) -> None:
    home, names = home_with_two(tmp_path)

    def spoil(step: str) -> None:
        if step == "shards":
            with open_intake(settings_for(home)) as intake:
                (item, *_) = intake.store.shard_items(intake.batch(run_of()), 0)
                (home / "archive" / item.raw_uri.split("/archive/")[1]).write_bytes(b"not what was put in")

    with pytest.raises(RunRejectedError, match="no final state"):
        run_steps(home, run_of(), after=spoil)
    states = attention(home)
    assert sorted(state for state, _ in states.values()) == ["RECEIVED", "STAGED"]
    assert "have changed since" in next(reason for state, reason in states.values() if state == "RECEIVED")
    assert set(states) == set(names)


def test_an_unpacker_that_fails_on_one_item_leaves_it_visible_and_the_others_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, names = home_with_two(tmp_path)
    real = prepare_step.unpack

    def fails_on_one(raw: bytes, *, file_name: str, **options: object) -> object:
        if file_name == names[0]:
            raise RecursionError("a value that must not be logged")
        return real(raw, file_name=file_name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(prepare_step, "unpack", fails_on_one)
    with pytest.raises(RunRejectedError, match="no final state"):
        run_steps(home, run_of())
    assert attention(home)[names[0]][0] == "RECEIVED"
    assert "must not be logged" not in attention(home)[names[0]][1]
    assert attention(home)[names[1]][0] == "STAGED"

    monkeypatch.undo()
    run_steps(home, run_of())
    assert attention(home)[names[0]][0] == "STAGED", "mended and run again"
