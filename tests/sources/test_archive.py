"""What is put into the archive is there whole, once, and comes back proven."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import ConfigurationError, CorruptDocumentError
from hunyuan_ocr.sources.archive import Archive

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["path", "file url", "object store"])
def root(request, tmp_path):
    if request.param == "path":
        return str(tmp_path / "archive")
    if request.param == "file url":
        return (tmp_path / "archive with space").as_uri()
    # The real ObjectStoragePath on a file system that is not the local one: fsspec's own in-memory store.
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    return f"memory://archive-{tmp_path.name}"


def test_bytes_come_back_under_their_own_hash(root):
    archive, raw = Archive(root), os.urandom(100_000)
    stored = archive.put(raw)
    assert stored.sha256 == sha256(raw).hexdigest()
    assert stored.size == len(raw)
    assert stored.uri.endswith(f"/{stored.sha256[:2]}/{stored.sha256[2:4]}/{stored.sha256}")
    assert archive.has(stored.sha256)
    assert archive.get(stored.sha256) == raw
    assert Archive(root).get(stored.sha256) == raw


def test_the_same_bytes_are_stored_once(root):
    archive = Archive(root)
    assert archive.put(b"twice") == archive.put(b"twice")
    assert archive.put(b"") == archive.put(b"")


def test_what_is_not_there_is_a_matter_of_configuration(root):
    archive = Archive(root)
    digest = sha256(b"never put").hexdigest()
    assert not archive.has(digest)
    with pytest.raises(ConfigurationError, match=f"no document {digest}.*archive_url"):
        archive.get(digest)


def test_changed_bytes_are_noticed(tmp_path):
    archive = Archive(str(tmp_path))
    stored = archive.put(b"the true invoice")
    place = tmp_path / stored.sha256[:2] / stored.sha256[2:4] / stored.sha256
    place.write_bytes(b"the fake invoice")
    with pytest.raises(CorruptDocumentError, match=r"have changed since"):
        archive.get(stored.sha256)


def test_a_half_written_file_of_a_killed_put_is_put_right(tmp_path):
    archive, raw = Archive(str(tmp_path)), b"whole document"
    digest = sha256(raw).hexdigest()
    place = tmp_path / digest[:2] / digest[2:4] / digest
    place.parent.mkdir(parents=True)
    place.write_bytes(raw[:4])
    archive.put(raw)
    assert archive.get(digest) == raw


def test_nothing_but_the_document_is_left_behind(tmp_path):
    Archive(str(tmp_path)).put(b"only me")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [sha256(b"only me").hexdigest()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "ABC", "", "a" * 63])
def test_only_a_hash_is_a_name(tmp_path, name):
    with pytest.raises(ValueError, match=r"not a SHA-256"):
        Archive(str(tmp_path)).get(name)


def test_a_root_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"cannot be written"):
        Archive(str(tmp_path / "file" / "archive")).put(b"x")


def test_local_folders_need_no_airflow(tmp_path):
    script = (
        "import sys; from hunyuan_ocr.sources.archive import Archive; import hunyuan_ocr.sources.unpack;"
        f"Archive({str(tmp_path)!r}).put(b'x'); sys.exit('airflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=REPOSITORY / "plugins")
