"""The demo's servers are real ones: they check passwords and host keys, keep bytes and dates, and go when told."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from io import BytesIO
from pathlib import Path

import paramiko
import pytest
from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import MailboxLoginError

from demo.deliver import deliver, mails_for, send, sftp_client, upload_half
from demo.samples import Sample, demo_set
from demo.servers import (
    ALERT_ADDRESS,
    INVOICE_ADDRESS,
    REPOSITORY,
    MailAccount,
    MailServer,
    SftpAccount,
    SftpServer,
    airflow_environment,
)

NINE = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return demo_set(tmp_path_factory.mktemp("samples"), date(2026, 11, 21))


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailAccount]:
    with MailServer(tmp_path / "mail", dates_from_header=True) as account:
        yield account


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpAccount]:
    with SftpServer(tmp_path) as account:
        yield account


def inbox(account: MailAccount, address: str = INVOICE_ADDRESS, password: str | None = None) -> BaseMailBox:
    context = ssl.create_default_context(cafile=str(account.ca_file))
    return MailBox(account.host, account.imaps_port, ssl_context=context).login(address, password or account.password)


def raw_mails(box: BaseMailBox) -> dict[str, bytes]:
    return {uid: box.client.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1] for uid in box.uids()}


def test_what_was_delivered_is_read_back_byte_for_byte_on_its_day(
    samples: list[Sample], mail: MailAccount, sftp: SftpAccount
) -> None:
    delivery = deliver(samples, smtp=mail.smtp_connection(), sftp=sftp.connection(), delivered_at=NINE)

    sent = mails_for(samples, NINE)
    assert delivery.mails == len(sent) >= 8
    with inbox(mail) as box:
        assert sorted(raw_mails(box).values()) == sorted(each.raw for each in sent)
        for uid in box.uids():
            answer = box.client.uid("FETCH", uid, "(INTERNALDATE FLAGS)")[1][0]
            assert b'"21-Nov-2026' in answer and b"FLAGS ()" in answer

    expected = {sample.file: sample for sample in samples if sample.channel == "sftp"}
    with sftp_client(sftp.connection(with_key=True)) as session:
        found = {entry.filename: entry for entry in session.listdir_attr("/inbox")}
        assert set(found) == set(expected)
        for name, entry in found.items():
            assert datetime.fromtimestamp(entry.st_mtime or 0, UTC).date() == date(2026, 11, 21)
            with session.open(f"/inbox/{name}") as file:
                assert file.read() == expected[name].path.read_bytes()


def test_every_shape_of_mail_holds_its_documents(samples: list[Sample]) -> None:
    documents = {sample.file: sample.path.read_bytes() for sample in samples if sample.channel == "mail"}
    carried: list[bytes] = []
    for each in mails_for(samples, NINE):
        assert max(map(len, each.raw.splitlines())) < 998
        for part in message_from_bytes(each.raw, policy=policy.default).walk():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes) and content.startswith(b"PK"):
                with zipfile.ZipFile(BytesIO(content)) as archive:
                    carried += [archive.read(name) for name in archive.namelist()]
            elif isinstance(content, bytes) and part.get_filename() and part.get_content_type() != "image/png":
                carried.append(content)
    assert sorted(carried) == sorted(documents.values())


def test_the_gbk_mail_is_raw_gbk(samples: list[Sample]) -> None:
    chinese = [s for s in samples if s.mail_shape == "gbk" and s.channel == "mail"]
    (each,) = mails_for(chinese, NINE)
    assert chinese[0].file.encode("gbk") in each.raw and not chinese[0].file.isascii()
    with pytest.raises(UnicodeDecodeError):
        each.raw.decode("utf-8")


def test_mails_are_the_same_bytes_every_time(samples: list[Sample]) -> None:
    assert [each.raw for each in mails_for(samples, NINE)] == [each.raw for each in mails_for(samples, NINE)]


def test_imap_speaks_tls_starttls_and_plain_and_refuses_a_wrong_password(mail: MailAccount) -> None:
    context = ssl.create_default_context(cafile=str(mail.ca_file))
    boxes = (
        MailBox(mail.host, mail.imaps_port, ssl_context=context),
        MailBoxStartTls(mail.host, mail.starttls_port, ssl_context=context),
        MailBoxUnencrypted(mail.host, mail.imap_port),
    )
    for box in boxes:
        with box.login(INVOICE_ADDRESS, mail.password) as opened:
            assert opened.uids() == []
    with pytest.raises(MailboxLoginError):
        inbox(mail, password="wrong")
    with pytest.raises(ssl.SSLCertVerificationError):
        MailBox(mail.host, mail.imaps_port, ssl_context=ssl.create_default_context())


def test_smtp_wants_a_login_and_alerts_have_a_mailbox_of_their_own(mail: MailAccount) -> None:
    text = b"Subject: 3 invoices rejected\r\n\r\nSee the report.\r\n"
    with smtplib.SMTP(mail.host, mail.smtp_port) as client, pytest.raises(smtplib.SMTPSenderRefused):
        client.sendmail("airflow@northgate.example", [ALERT_ADDRESS], text)
    with smtplib.SMTP(mail.host, mail.smtp_port) as client:
        client.login("airflow@northgate.example", mail.password)
        client.sendmail("airflow@northgate.example", [ALERT_ADDRESS], text)
    with inbox(mail, ALERT_ADDRESS) as box:
        assert list(raw_mails(box).values()) == [text]
    with inbox(mail) as box:
        assert box.uids() == []


def test_a_mail_server_left_to_itself_stamps_the_moment_of_arrival(tmp_path: Path, samples: list[Sample]) -> None:
    with MailServer(tmp_path) as account:
        send(mails_for(samples, NINE)[:1], account.smtp_connection())
        with inbox(account) as box:
            answer = box.client.uid("FETCH", box.uids()[0], "(INTERNALDATE)")[1][0]
    assert f"{datetime.now(UTC):%b-%Y}".encode() in answer and b"21-Nov-2026 09" not in answer


def test_sftp_refuses_wrong_passwords_and_clients_refuse_wrong_host_keys(sftp: SftpAccount) -> None:
    with pytest.raises(paramiko.AuthenticationException), sftp_client({**sftp.connection(), "password": "wrong"}):
        pass
    other = paramiko.Ed25519Key(data=base64.b64decode(sftp.host_key.split()[1]))
    assert other.get_name() == "ssh-ed25519"
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    stranger = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    impostor = dataclasses.replace(sftp, host_key=stranger)
    with pytest.raises(paramiko.BadHostKeyException), sftp_client(impostor.connection()):
        pass


def test_an_unfinished_upload_stays_under_its_temporary_name(sftp: SftpAccount) -> None:
    with sftp_client(sftp.connection()) as session:
        upload_half(session, "late.pdf", b"%PDF-1.4 half")
        assert session.listdir("/inbox") == ["late.pdf.part"]


def test_airflows_own_hook_takes_the_connection_and_checks_the_host_key(
    sftp: SftpAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.sftp.hooks.sftp import SFTPHook

    for name, with_key in (("by_password", False), ("by_key", True)):
        for variable, value in airflow_environment({name: sftp.connection(with_key=with_key)}).items():
            monkeypatch.setenv(variable, value)
        hook = SFTPHook(ssh_conn_id=name)
        assert hook.list_directory("/inbox") == []
        hook.close_conn()


def test_a_restart_keeps_password_certificate_and_host_key(tmp_path: Path) -> None:
    with SftpServer(tmp_path) as first:
        pass
    with SftpServer(tmp_path) as second:
        assert (second.host_key, second.password) == (first.host_key, first.password)


def test_the_command_keeps_both_up_until_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo.servers", "--root", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        file = tmp_path / "servers.json"
        assert file.stat().st_mode & 0o077 == 0
        connections = json.loads(file.read_text())
        assert set(connections) == {"invoice_mailbox", "invoice_sftp", "invoice_alerts"}
        with sftp_client(connections["invoice_sftp"]) as session:
            assert session.listdir("/") == ["inbox"]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(15) == 0
    with pytest.raises(OSError), sftp_client(connections["invoice_sftp"]):
        pass


def test_servers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo.servers", "--root", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        connections = json.loads((tmp_path / "servers.json").read_text())
        os.kill(process.pid, signal.SIGKILL)
    for connection in connections.values():
        assert wait_until_closed(connection["host"], connection["port"])


def wait_until_closed(host: str, port: int) -> bool:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((host, port)):
                return True
        time.sleep(0.1)
    return False


def test_two_days_deliveries_stand_side_by_side(samples: list[Sample], mail: MailAccount, sftp: SftpAccount) -> None:
    uploads = [sample for sample in samples if sample.channel == "sftp"]
    for day in (20, 21):
        moment = NINE.replace(day=day)
        deliver(
            uploads, smtp=mail.smtp_connection(), sftp=sftp.connection(), delivered_at=moment, file_prefix=f"{day}_"
        )
    with sftp_client(sftp.connection()) as session:
        assert len(session.listdir("/inbox")) == 2 * len(uploads)
