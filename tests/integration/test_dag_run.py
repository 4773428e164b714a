"""A day's invoices through the real DAG: from a mailbox and an SFTP server into the staging tables, and nothing else.

The same walk twice: with the servers that come from PyPI and SQLite, and with Dovecot, OpenSSH and PostgreSQL.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from demo.deliver import send
from demo.servers import ALERT_ADDRESS, INBOX_FOLDER, INVOICE_ADDRESS, MailServer, SftpServer, airflow_connections
from hunyuan_ocr.sources.archive import Archive
from hunyuan_ocr.staging.repository import Store
from tests.integration.deployment import Deployment, Finished, metadata_of_the_tests
from tests.integration.scenario import (
    LOCKED_PASSWORD,
    Day,
    Drop,
    Inbox,
    StoredMail,
    mails_of,
    make_day,
    old_mail,
)
from tests.sources.conftest import PASSWORD as DOVECOT_PASSWORD
from tests.staging.postgres_server import debian_binaries, running_postgres

HALF = "still_uploading.pdf"
SOURCES = """\
sources:
  - code: invoice_mail
    kind: mailbox
    conn_id: invoice_mailbox
    folder: INBOX
    settle: {{on_accepted: move, on_review: {on_review}}}
  - code: supplier_sftp
    kind: sftp
    conn_id: invoice_sftp
    path: {path}
    stable_seconds: 0.5
"""


@dataclass(frozen=True)
class Site:
    """A deployment with its mailbox, its SFTP folder, the mailbox alerts go to, its database and its secrets."""

    deployment: Deployment
    inbox: Inbox
    drop: Drop
    alerts: Inbox
    store_url: str
    secrets: frozenset[str]
    #: What is done with a mail for review; mail-devel keeps no keywords, so that it cannot flag one.
    on_review: str


@dataclass(frozen=True)
class Seen:
    """What a person sees after a run."""

    inbox: list[StoredMail]
    accepted: list[StoredMail]
    for_review: list[StoredMail]
    files: dict[str, dict[str, bytes]]
    alerts: list[StoredMail]
    staging: str


@dataclass(frozen=True)
class Walk:
    """A day delivered, the DAG run over it, and run again."""

    site: Site
    day: Day
    delivered: list[bytes]
    first: Finished
    after_first: Seen
    second: Finished
    after_second: Seen

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with Store.open(self.site.store_url) as store, store.reading() as connection:
            return [dict(row) for row in connection.execute(text(sql)).mappings()]


def servers_from_pypi(root: Path, stack: ExitStack, request: pytest.FixtureRequest) -> Site:
    mail = stack.enter_context(MailServer(root / "mail", dates_from_header=True))
    sftp = stack.enter_context(SftpServer(root))
    deployment = Deployment(root, airflow_connections(mail, sftp))
    return Site(
        deployment=deployment,
        inbox=Inbox(mail.host, mail.imaps_port, INVOICE_ADDRESS, mail.password, mail.ca_file),
        drop=Drop(sftp.connection(), INBOX_FOLDER),
        alerts=Inbox(mail.host, mail.imaps_port, ALERT_ADDRESS, mail.password, mail.ca_file),
        store_url=f"sqlite:///{deployment.home / 'hunyuan_ocr.db'}",
        secrets=frozenset({mail.password, sftp.password}),
        on_review="move",
    )


def servers_from_debian(root: Path, stack: ExitStack, request: pytest.FixtureRequest) -> Site:
    """Dovecot, OpenSSH and PostgreSQL. Dovecot sends no mail, so that alerts still go through mail-devel."""
    dovecot = request.getfixturevalue("dovecot_server")
    openssh = request.getfixturevalue("openssh_server")
    keys: Path = request.getfixturevalue("ssh_keys")
    postgres = stack.enter_context(running_postgres(debian_binaries()))
    smtp = stack.enter_context(MailServer(root / "mail", dates_from_header=True))
    mailbox = dovecot.new_mailbox().settings
    folder = root / "uploads"
    folder.mkdir()
    sftp = {
        "conn_type": "sftp", "host": "127.0.0.1", "port": openssh.port, "login": openssh.user,
        "extra": {"host_key": openssh.host_key, "key_file": str(keys / "client"), "look_for_keys": "false"},
    }  # fmt: skip
    connections = {
        "invoice_mailbox": {
            "conn_type": "hunyuan_mailbox", "host": "localhost", "port": dovecot.tls_port, "login": mailbox.user,
            "password": DOVECOT_PASSWORD, "extra": {"security": "ssl", "ca_file": str(dovecot.certificate)},
        },
        "invoice_sftp": sftp,
        "invoice_alerts": smtp.smtp_connection(),
        "staging_db": {
            "conn_type": "postgres", "login": postgres.username, "password": "staging-secret",
            "schema": postgres.database, "extra": {"host": postgres.query["host"]},
        },
    }  # fmt: skip
    return Site(
        deployment=Deployment(root, connections, {"database_conn_id": "staging_db"}),
        inbox=Inbox("localhost", dovecot.tls_port, mailbox.user, DOVECOT_PASSWORD, dovecot.certificate),
        drop=Drop(sftp, str(folder)),
        alerts=Inbox(smtp.host, smtp.imaps_port, ALERT_ADDRESS, smtp.password, smtp.ca_file),
        store_url=postgres.render_as_string(hide_password=False),
        secrets=frozenset({DOVECOT_PASSWORD, smtp.password, "staging-secret"}),
        on_review="flag",
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(servers_from_pypi, id="servers_from_pypi"),
        pytest.param(servers_from_debian, id="servers_from_debian", marks=pytest.mark.real_server),
    ],
)
def walk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, airflow_database: None
) -> Iterator[Walk]:
    root = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        site: Site = request.param(root, stack, request)
        now = datetime.now(UTC)
        day = make_day(tmp_path_factory.mktemp("samples"), now.date())
        delivered = deliver(site, day, now)
        site.deployment.prepare(SOURCES.format(path=site.drop.path, on_review=site.on_review), metadata_of_the_tests())
        first = site.deployment.run_dag()
        after_first = look(site)
        second = site.deployment.run_dag()
        yield Walk(site, day, delivered, first, after_first, second, look(site))


def deliver(site: Site, day: Day, now: datetime) -> list[bytes]:
    """Bring everything to the servers; the raw bytes of the mails as the mailbox holds them."""
    arrived = now - timedelta(hours=2)
    mails = mails_of(day, site.inbox.user, arrived)
    ancient, long_ago = old_mail(site.inbox.user, now - timedelta(days=60)), now - timedelta(days=60)
    smtp = site.deployment.connections["invoice_alerts"]
    if site.inbox.port == site.alerts.port:
        send([ancient, *mails], smtp)
    else:
        site.inbox.append(ancient.raw, long_ago)
        for number, mail in enumerate(mails):
            site.inbox.append(mail.raw, arrived + timedelta(minutes=number))
    by_sftp = [sample for sample in day.all if sample.channel == "sftp"]
    site.drop.upload(by_sftp, arrived + timedelta(minutes=30))
    site.drop.upload_half(HALF, day.good[0].path.read_bytes()[:5000])
    return [mail.raw for mail in mails]


def look(site: Site) -> Seen:
    with Store.open(site.store_url) as store:
        staging = store.dump_staging()
    return Seen(
        inbox=site.inbox.mails(),
        accepted=site.inbox.mails("HunyuanAccepted"),
        for_review=site.inbox.mails("HunyuanReview"),
        files={folder: site.drop.files(folder) for folder in ("", "processed", "review")},
        alerts=site.alerts.mails(),
        staging=staging,
    )


def test_the_run_is_green(walk: Walk) -> None:
    assert walk.first.code == 0, walk.first.log[-4000:]
    assert walk.second.code == 0, walk.second.log[-4000:]


def test_every_good_document_is_staged_with_its_number_and_total_however_it_came(walk: Walk) -> None:
    rows = walk.rows("select file_name, invoice_number, total_with_tax, currency from v_stg_ready")
    staged = {row["file_name"]: (row["invoice_number"], Decimal(str(row["total_with_tax"]))) for row in rows}
    wanted = {
        sample.file: (sample.ground_truth["invoice_number"], Decimal(sample.ground_truth["total_amount"]))
        for sample in walk.day.good
        if sample.ground_truth
    }
    assert staged == wanted


def test_what_is_not_staged_says_why_and_what_to_do(walk: Walk) -> None:
    rows = walk.rows("select file_name, doc_state, reason, needs_action, what_to_do from v_attention")
    states = {row["file_name"]: row for row in rows if row["doc_state"] != "IGNORED"}
    assert {name: row["doc_state"] for name, row in states.items()} == {
        walk.day.wrong_total.file: "REVIEW",
        walk.day.locked.file: "QUARANTINED",
        walk.day.empty.file: "QUARANTINED",
        walk.day.same_bytes.file: "DUPLICATE",
    }
    locked, empty = states[walk.day.locked.file], states[walk.day.empty.file]
    assert locked["reason"].startswith("ENCRYPTED: ") and "password" in locked["reason"]
    assert empty["reason"].startswith("EMPTY: ") and "send it again" in empty["reason"]
    assert all(states[sample.file]["needs_action"] for sample in (walk.day.wrong_total, walk.day.locked))
    assert all(row["what_to_do"] for row in rows)
    rejected = walk.rows("select file_name, rule_id, message_en from stg_rejection where resolved_at is null")
    assert {row["file_name"] for row in rejected} == {walk.day.wrong_total.file}
    assert set(walk.day.wrong_total.expect["rule_ids"]) & {row["rule_id"] for row in rejected}
    assert all(row["message_en"] for row in rejected)


def test_the_archive_keeps_every_byte_that_arrived(walk: Walk) -> None:
    archive = Archive((walk.site.deployment.home / "archive").as_uri())
    documents = [sample.path.read_bytes() for sample in walk.day.all]
    for raw in [*walk.delivered, *documents]:
        assert archive.get(hashlib.sha256(raw).hexdigest()) == raw


def test_settled_mails_are_moved_or_flagged_and_the_others_are_as_they_were(walk: Walk) -> None:
    seen = walk.after_first
    long_ago, for_review = ("Long ago", frozenset[str]()), ("Ihre Rechnung", frozenset[str]())
    flagged = ("Ihre Rechnung", frozenset({"HunyuanReview"}))
    if walk.site.on_review == "flag":
        assert {(mail.subject, mail.flags) for mail in seen.inbox} == {long_ago, flagged}
        assert seen.for_review == []
    else:
        assert {(mail.subject, mail.flags) for mail in seen.inbox} == {long_ago}
        assert {(mail.subject, mail.flags) for mail in seen.for_review} == {for_review}
    everywhere = [*seen.inbox, *seen.accepted, *seen.for_review]
    assert not [mail for mail in everywhere if "\\Seen" in mail.flags]
    assert len(seen.accepted) == len(walk.delivered) - 1
    assert Counter(mail.raw for mail in everywhere if mail.subject != "Long ago") == Counter(walk.delivered)


def test_settled_files_are_moved_and_the_half_uploaded_one_is_left_alone(walk: Walk) -> None:
    by_sftp = {sample.file: sample.path.read_bytes() for sample in walk.day.all if sample.channel == "sftp"}
    to_review = {walk.day.locked.file, walk.day.empty.file}
    assert walk.after_first.files == {
        "": {f"{HALF}.part": walk.day.good[0].path.read_bytes()[:5000]},
        "processed": {name: raw for name, raw in by_sftp.items() if name not in to_review},
        "review": {name: by_sftp[name] for name in to_review},
    }


def test_one_alert_names_what_was_rejected_and_why(walk: Walk) -> None:
    (alert,) = walk.after_first.alerts
    assert alert.subject.startswith("3 of ")
    body = alert.message.get_body(("html", "plain"))
    assert body is not None
    told = body.get_content()
    for sample in (walk.day.wrong_total, walk.day.locked, walk.day.empty):
        assert sample.file in told
    assert "ENCRYPTED" in told and "EMPTY" in told
    assert any(rule_id in told for rule_id in walk.day.wrong_total.expect["rule_ids"])
    assert not [sample.file for sample in walk.day.good if sample.file in told]
    assert_tells_none_of(alert.raw.decode("utf-8", "replace") + told, walk.site.secrets | {LOCKED_PASSWORD})


def test_the_log_holds_no_field_value_no_secret_and_no_noise(walk: Walk) -> None:
    log = walk.first.log + walk.second.log
    assert "collected from invoice_mail" in log and "validated: " in log, "this is the log of the tasks"
    staged = sum(value in walk.after_first.staging for value in walk.day.field_values)
    assert staged > 20, "these are the values that would stand in the log if any did"
    assert_tells_none_of(log, walk.day.field_values)
    assert_tells_none_of(log, walk.site.secrets | {LOCKED_PASSWORD})
    noise = re.findall(
        r".*(?:Skipping registering|Loading 'datasources'|Calculating Metrics|Created temporary directory|"
        r"great_expectations\.\w+\.).*",
        log,
    )
    assert noise == []
    assert "Traceback" not in log


def test_xcom_carries_ids_and_counts_only(walk: Walk) -> None:
    values = walk.site.deployment.query("select task_id, key, value from xcom")
    assert {task for task, _, _ in values} >= {
        "sources",
        "collect",
        "shards",
        "prepare",
        "ocr",
        "load",
        "report",
        "gate",
    }
    for task, key, value in values:
        assert len(str(value).encode()) <= 1000, (task, key)
        assert_tells_none_of(str(value), walk.day.field_values | walk.site.secrets)


def test_a_second_run_changes_nothing_and_alerts_nobody(walk: Walk) -> None:
    assert walk.after_first.staging.count('["stg_invoice", ') == len(walk.day.good)
    assert walk.after_second == walk.after_first


def assert_tells_none_of(told: str, forbidden: frozenset[str] | set[str]) -> None:
    """None of the values stands in the text, as a whole word or number, with or without the separators of thousands."""
    assert forbidden
    found = [
        value
        for value in sorted(forbidden)
        if re.search(rf"(?<![\d.:]){re.escape(value)}(?!\d)", told)
        or (value.isdecimal() and re.search(rf"(?<!\d){value}(?!\d)", told))
    ]
    assert found == []
