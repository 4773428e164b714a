"""A folder, local or in an object store, keeps the same promises as an SFTP server."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import SourceRefusedError
from hunyuan_ocr.sources.base import ItemGoneError, Source, Verdict, Window
from hunyuan_ocr.sources.config import FolderSourceConfig
from hunyuan_ocr.sources.folder import FolderSource
from tests.sources import mails

DAY = datetime(2026, 10, 5, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
NOON = DAY + timedelta(hours=12)


def put(folder: Path, name: str, content: bytes = mails.PDF, at: datetime = NOON) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))


def source_on(path: str, **config: object) -> FolderSource:
    defaults = {"code": "drop", "kind": "folder", "path": path, "stable_seconds": 0.1}
    return FolderSource(FolderSourceConfig.model_validate(defaults | config))


@pytest.mark.parametrize("as_url", [False, True], ids=["path", "file url"])
def test_a_local_folder_is_listed_fetched_and_settled_once(tmp_path, as_url):
    put(tmp_path, "a.pdf", mails.pdf("a"))
    put(tmp_path, "发票 二.pdf", mails.pdf("b"), at=NOON + timedelta(seconds=1))
    put(tmp_path, "later.pdf", at=WINDOW.end)
    put(tmp_path, "half.pdf.part")
    put(tmp_path, "empty.pdf", b"", at=NOON + timedelta(seconds=2))
    put(tmp_path, "processed/a.pdf", mails.pdf("earlier"))
    source = source_on(tmp_path.as_uri() if as_url else str(tmp_path), recursive=True)
    assert isinstance(source, Source)
    with source:
        refs = list(source.list_items(WINDOW))
        assert [ref.name for ref in refs] == ["a.pdf", "发票 二.pdf", "empty.pdf"]
        assert [source.fetch(ref).raw for ref in refs] == [mails.pdf("a"), mails.pdf("b"), b""]
        for _ in range(2):
            source.settle(refs[0].external_key, Verdict.ACCEPTED)
            source.settle(refs[1].external_key, Verdict.NEEDS_REVIEW)
        assert [ref.name for ref in source.list_items(WINDOW)] == ["empty.pdf"]
        with pytest.raises(ItemGoneError):
            source.fetch(refs[0])
    assert (tmp_path / "processed/a.pdf").read_bytes() == mails.pdf("earlier")
    assert (tmp_path / f"processed/a-{int(NOON.timestamp())}.pdf").read_bytes() == mails.pdf("a")
    assert (tmp_path / "review/发票 二.pdf").read_bytes() == mails.pdf("b")


def test_renaming_and_markers_in_place(tmp_path):
    put(tmp_path, "a.pdf")
    put(tmp_path, "a.pdf.done", b"")
    put(tmp_path, "unannounced.pdf")
    with source_on(str(tmp_path), done_marker=".done", settle={"on_accepted": "rename"}) as source:
        (ref,) = source.list_items(WINDOW)
        source.settle(ref.external_key, Verdict.ACCEPTED)
        assert list(source.list_items(WINDOW)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.pdf.processed",
        "a.pdf.processed.done",
        "unannounced.pdf",
    ]


def test_the_prefix_of_an_object_store_works_the_same_way():
    """The real ObjectStoragePath on a store that is not the local disk: fsspec's own in-memory file system."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    prefix = f"memory://inbox-{uuid.uuid4().hex}"
    ObjectStoragePath(prefix).mkdir(parents=True)
    ObjectStoragePath(f"{prefix}/a.pdf").write_bytes(mails.pdf("a"))
    now = datetime.now(UTC)
    window = Window(now - timedelta(hours=1), now + timedelta(hours=1))
    with source_on(prefix) as source:
        (ref,) = source.list_items(window)
        assert source.fetch(ref).raw == mails.pdf("a")
        for _ in range(2):
            source.settle(ref.external_key, Verdict.ACCEPTED)
        assert list(source.list_items(window)) == []
    assert ObjectStoragePath(f"{prefix}/processed/a.pdf").read_bytes() == mails.pdf("a")
    assert not ObjectStoragePath(f"{prefix}/a.pdf").exists()


def test_a_missing_folder_is_refused_by_name(tmp_path):
    with pytest.raises(SourceRefusedError, match=r"there is no folder .*nowhere"):
        source_on(str(tmp_path / "nowhere")).__enter__()
