"""An SFTP folder gives its finished files, once, and only to who knows the server's key."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hunyuan_ocr.exceptions import ConfigurationError, SourceRefusedError, SourceUnavailableError
from hunyuan_ocr.sources.base import ItemGoneError, Source, Verdict, Window
from hunyuan_ocr.sources.config import SftpSourceConfig
from hunyuan_ocr.sources.sftp import SftpSource
from tests.sources import mails

DAY = datetime(2026, 10, 5, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
NOON = DAY + timedelta(hours=12)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    folder = tmp_path / "upload"
    folder.mkdir()
    return folder


@pytest.fixture
def connect(monkeypatch, sftp_server, upload):
    """A source on ``upload`` through an Airflow connection; ``extra`` and ``config`` change one or the other."""

    def build(*, connection: dict | None = None, extra: dict | None = None, **config) -> SftpSource:
        conn = sftp_server.connection(**(extra or {})) | (connection or {})
        conn["extra"] = json.dumps({key: value for key, value in conn["extra"].items() if value is not None})
        monkeypatch.setenv("AIRFLOW_CONN_INVOICE_SFTP", json.dumps(conn))
        defaults = {"code": "sftp", "kind": "sftp", "conn_id": "invoice_sftp", "path": str(upload)}
        return SftpSource(SftpSourceConfig.model_validate(defaults | {"stable_seconds": 0.3} | config))

    return build


def put(folder: Path, name: str, content: bytes = mails.PDF, at: datetime = NOON) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def names(source: SftpSource, window: Window = WINDOW) -> list[str]:
    return [ref.external_key.rsplit(";", 2)[0] for ref in source.list_items(window)]


def test_an_sftp_source_keeps_the_promises_of_a_source(connect):
    assert isinstance(connect(), Source)


def test_files_come_by_their_server_time_in_utc_whatever_this_machine_s_zone(connect, upload, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        put(upload, "first.pdf", at=WINDOW.start)
        put(upload, "last.pdf", at=WINDOW.end - timedelta(seconds=1))
        put(upload, "before.pdf", at=WINDOW.start - timedelta(seconds=1))
        put(upload, "after.pdf", at=WINDOW.end)
        with connect() as source:
            refs = list(source.list_items(WINDOW))
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert [(ref.name, ref.received_at) for ref in refs] == [
        ("first.pdf", WINDOW.start),
        ("last.pdf", WINDOW.end - timedelta(seconds=1)),
    ]


def test_a_file_comes_back_byte_for_byte_and_an_empty_one_is_not_hidden(connect, upload):
    content = os.urandom(300_000)
    put(upload, "scan.tif", content)
    put(upload, "empty.pdf", b"", at=NOON + timedelta(seconds=1))
    with connect() as source:
        items = [source.fetch(ref) for ref in source.list_items(WINDOW)]
    assert [(item.file_name, item.raw, item.is_mail) for item in items] == [
        ("scan.tif", content, False),
        ("empty.pdf", b"", False),
    ]


def test_unfinished_hidden_and_foreign_things_are_passed_over(connect, upload):
    for name in ("a.pdf.part", "b.tmp", "c.filepart", "d.pdf.crdownload", ".hidden.pdf", "~$e.pdf"):
        put(upload, name)
    put(upload, "sub/below.pdf")
    (upload / "link.pdf").symlink_to(upload / "b.tmp")
    put(upload, "whole.pdf")
    with connect() as source:
        assert names(source) == ["whole.pdf"]
    with connect(recursive=True) as source:
        assert names(source) == ["sub/below.pdf", "whole.pdf"]


def test_a_file_that_grows_between_two_looks_waits_for_the_next_run(connect, upload):
    now = datetime.now(UTC)
    window = Window(now - timedelta(hours=1), now + timedelta(hours=1))
    growing = put(upload, "growing.pdf", at=now - timedelta(seconds=5))
    put(upload, "whole.pdf", at=now - timedelta(minutes=5))
    done = threading.Event()

    def keep_writing() -> None:
        with growing.open("ab") as file:
            while not done.wait(0.05):
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        with connect(stable_seconds=0.5) as source:
            assert names(source, window) == ["whole.pdf"]
    finally:
        done.set()
        writer.join()
    with connect() as source:
        assert sorted(names(source, window)) == ["growing.pdf", "whole.pdf"]


def test_a_file_from_the_future_is_left_for_its_own_day(connect, upload):
    tomorrow = datetime.now(UTC) + timedelta(hours=20)
    put(upload, "clock-ahead.pdf", at=tomorrow)
    with connect() as source:
        assert names(source, Window(DAY, tomorrow + timedelta(hours=1))) == []


def test_with_a_done_marker_only_announced_files_come_and_the_marker_follows(connect, upload):
    put(upload, "announced.pdf")
    put(upload, "announced.pdf.done", b"")
    put(upload, "still-coming.pdf")
    with connect(done_marker=".done") as source:
        (ref,) = source.list_items(WINDOW)
        assert ref.name == "announced.pdf"
        source.settle(ref.external_key, Verdict.ACCEPTED)
    assert sorted(str(path.relative_to(upload)) for path in upload.rglob("*") if path.is_file()) == [
        "processed/announced.pdf",
        "processed/announced.pdf.done",
        "still-coming.pdf",
    ]


def test_filters_choose_by_name_size_and_age(connect, upload):
    put(upload, "Invoice.PDF")
    put(upload, "invoice-draft.pdf")
    put(upload, "tiny.pdf", b"x")
    put(upload, "old.pdf", at=WINDOW.start + timedelta(hours=1))
    put(upload, "notes.txt")
    filters = {
        "file_names": {"include": ["*.pdf"], "exclude": ["*draft*"]},
        "min_size": 10,
        "max_age_days": 0.75,
    }
    with connect(filters=filters) as source:
        assert names(source) == ["Invoice.PDF"]


def test_settling_moves_once_below_the_folder_and_never_overwrites(connect, upload):
    put(upload, "sub/a.pdf", mails.pdf("new"))
    put(upload, "b.pdf")
    put(upload, "processed/sub/a.pdf", mails.pdf("earlier"))
    with connect(recursive=True) as source:
        refs = {ref.name: ref for ref in source.list_items(WINDOW)}
        for _ in range(2):
            source.settle(refs["a.pdf"].external_key, Verdict.ACCEPTED)
            source.settle(refs["b.pdf"].external_key, Verdict.NEEDS_REVIEW)
        assert names(source) == []
        with pytest.raises(ItemGoneError):
            source.fetch(refs["a.pdf"])
    assert (upload / "processed/sub/a.pdf").read_bytes() == mails.pdf("earlier")
    assert (upload / f"processed/sub/a-{int(NOON.timestamp())}.pdf").read_bytes() == mails.pdf("new")
    assert (upload / "review/b.pdf").is_file()


def test_renamed_in_place_files_are_not_listed_again(connect, upload):
    put(upload, "a.pdf")
    put(upload, "b.pdf")
    with connect(settle={"on_accepted": "rename", "on_review": "leave"}) as source:
        a, b = source.list_items(WINDOW)
        source.settle(a.external_key, Verdict.ACCEPTED)
        source.settle(b.external_key, Verdict.NEEDS_REVIEW)
        assert names(source) == ["b.pdf"]
    assert (upload / "a.pdf.processed").is_file()


def test_a_file_replaced_since_it_was_listed_is_another_item(connect, upload):
    put(upload, "a.pdf", b"%PDF-1.4 first")
    with connect() as source:
        (ref,) = source.list_items(WINDOW)
        put(upload, "a.pdf", b"%PDF-1.4 second", at=NOON + timedelta(seconds=10))
        with pytest.raises(ItemGoneError):
            source.fetch(ref)
        source.settle(ref.external_key, Verdict.ACCEPTED)
        assert names(source) == ["a.pdf"], "the replacement must stay for its own settling"


def test_chinese_names_in_utf8_and_in_gbk_are_both_collected_and_settled(connect, upload):
    put(upload, "发票一.pdf", mails.pdf("utf-8"))
    gbk = os.fsencode(upload) + b"/" + "增值税发票二.pdf".encode("gbk")
    with open(gbk, "wb") as file:  # noqa: PTH123  (a path of bytes)
        file.write(mails.pdf("gbk"))
    os.utime(gbk, (NOON.timestamp() + 1, NOON.timestamp() + 1))
    with connect() as source:
        refs = list(source.list_items(WINDOW))
        assert [ref.name for ref in refs] == ["发票一.pdf", "增值税发票二.pdf"]
        assert [source.fetch(ref).raw for ref in refs] == [mails.pdf("utf-8"), mails.pdf("gbk")]
        for ref in refs:
            source.settle(ref.external_key, Verdict.ACCEPTED)
        assert names(source) == []
    assert {path.name for path in (upload / "processed").iterdir()} == {"发票一.pdf", "增值税发票二.pdf"}


# OpenSSH checks the passwords of real system users only.
@pytest.mark.parametrize("sftp_server", ["asyncssh_server"], indirect=True)
def test_a_password_is_as_good_as_a_key(connect, upload):
    put(upload, "a.pdf")
    with connect(connection={"password": "korrekt-horse-battery"}, extra={"private_key": None}) as source:
        assert names(source) == ["a.pdf"]


def test_a_wrong_password_is_refused_without_showing_it(connect):
    secret = "hunter2-is-not-it"
    with pytest.raises(SourceRefusedError, match=r"login refused.*connection invoice_sftp") as refusal:
        connect(connection={"password": secret}, extra={"private_key": None}).__enter__()
    assert secret not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_another_host_key_than_the_known_one_is_refused(connect, ssh_keys):
    other = " ".join((ssh_keys / "other.pub").read_text().split()[:2])
    with pytest.raises(SourceRefusedError, match=r"another host key.*Ask its owner"):
        connect(extra={"host_key": other}).__enter__()


def test_an_unknown_host_is_refused_before_anything_is_sent(connect, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"no host_key.*ssh-keyscan.*no_host_key_check=true"):
        connect(extra={"host_key": None}).__enter__()
    with pytest.raises(ConfigurationError, match=r"allow_host_key_change"):
        connect(extra={"host_key": None, "allow_host_key_change": "true"}).__enter__()


def test_known_hosts_or_an_explicit_wish_open_the_door(connect, monkeypatch, tmp_path, sftp_server, upload):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(upload, "a.pdf")
    with connect(extra={"host_key": None, "no_host_key_check": "true"}) as source:
        assert names(source) == ["a.pdf"]
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{sftp_server.port} {sftp_server.host_key}\n")
    with connect(extra={"host_key": None}) as source:
        assert names(source) == ["a.pdf"]


def test_a_missing_folder_is_refused_and_a_missing_server_is_worth_a_retry(connect, upload):
    with (
        connect(path=f"{upload}/nowhere") as source,
        pytest.raises(SourceRefusedError, match=r"nowhere.*sources\.yaml"),
    ):
        names(source)
    unreachable = connect(connection={"port": 1}, extra={"no_host_key_check": "true", "host_key": None})
    with pytest.raises(SourceUnavailableError, match=r"A retry may help"):
        unreachable.__enter__()


def test_a_missing_connection_or_key_file_is_a_matter_of_configuration(connect, monkeypatch):
    with pytest.raises(ConfigurationError, match=r"key_file /nowhere/key"):
        connect(extra={"private_key": None, "key_file": "/nowhere/key"}).__enter__()
    monkeypatch.delenv("AIRFLOW_CONN_INVOICE_SFTP")
    config = SftpSourceConfig(code="sftp", kind="sftp", conn_id="no_such_connection", path="/")
    with pytest.raises(ConfigurationError, match=r"no_such_connection"):
        SftpSource(config).__enter__()


def test_an_error_of_the_caller_is_not_mistaken_for_the_server_s(connect):
    with pytest.raises(OSError, match=r"disk full"), connect():
        raise OSError("disk full")
