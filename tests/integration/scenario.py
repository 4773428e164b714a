"""The documents of a day as suppliers send them, and the places they are sent to.

``Inbox`` and ``Drop`` are what a person with another mail program or SFTP client sees; a test compares it before and
after a run.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from demo.deliver import mails_for, sftp_client, upload, upload_half
from demo.mails import Mail
from demo.samples import Sample
from demo.samples.faults import WRONG_TOTAL
from demo.samples.recipes import Recipe, draw, facts_of, make

LOCKED_PASSWORD = "not-for-the-pipeline"
_SEED = 2026
_GOOD = (
    Recipe("plain_invoice", "cn_digital_special", line_count=3),
    Recipe("电子发票_办公", "cn_vat_general", mail_shape="gbk"),
    Recipe("octet_stream_rechnung", "de_din", mail_shape="octet_stream"),
    Recipe("inline_rechnung", "de_din", mail_shape="inline"),
    Recipe("forwarded_invoice", "cn_digital_general", mail_shape="nested"),
    Recipe("es_factura", "es_boxed", mail_shape="zip"),
    Recipe("cn_in_the_same_zip", "cn_digital_general", mail_shape="zip"),
    Recipe("uploaded_invoice", "cn_digital_special", channel="sftp", line_count=2),
    Recipe("uploaded_scan", "cn_vat_special", "scan", channel="sftp", container="jpeg", line_count=2),
)
_WRONG = Recipe("total_does_not_add_up", "de_boxed", fault=WRONG_TOTAL, line_count=4)
#: Keys of a ground truth whose values also stand in file names, settings or the clock.
_NOT_SECRET = {"doc_type", "currency", "issue_date", "line_count"}


@dataclass(frozen=True)
class Day:
    """What arrives on one day. ``good`` must be staged; the rest must not, each for its own reason."""

    good: tuple[Sample, ...]
    wrong_total: Sample
    locked: Sample
    empty: Sample
    same_bytes: Sample

    @property
    def all(self) -> tuple[Sample, ...]:
        return (*self.good, self.wrong_total, self.locked, self.empty, self.same_bytes)

    @property
    def field_values(self) -> set[str]:
        """What stands on the invoices: names, numbers, tax ids and amounts of at least five characters."""
        return {
            str(value)
            for sample in self.all
            for key, value in (sample.ground_truth or {}).items()
            if key not in _NOT_SECRET and len(str(value)) >= 5
        }


def make_day(folder: Path, today: date) -> Day:
    good = tuple(make(folder, recipe, _SEED, today) for recipe in _GOOD)
    wrong = make(folder, _WRONG, _SEED, today)
    locked = folder / "locked_invoice.pdf"
    recipe = Recipe("locked_invoice", "us_letter")
    locked.write_bytes(draw(recipe, facts_of(recipe, _SEED, today), _SEED, password=LOCKED_PASSWORD))
    empty = folder / "empty_invoice.pdf"
    empty.write_bytes(b"")
    again = folder / "plain_invoice_again.pdf"
    again.write_bytes(good[0].path.read_bytes())
    return Day(
        good=good,
        wrong_total=wrong,
        locked=replace(wrong, path=locked, ground_truth=None, channel="sftp"),
        empty=replace(wrong, path=empty, ground_truth=None, channel="sftp"),
        same_bytes=replace(good[0], path=again, channel="sftp"),
    )


@dataclass(frozen=True)
class StoredMail:
    """A mail as it lies in a folder of a mailbox."""

    subject: str
    flags: frozenset[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass(frozen=True)
class Inbox:
    """A mailbox behind TLS, looked at without changing anything."""

    host: str
    port: int
    user: str
    password: str
    ca_file: Path

    @contextmanager
    def _client(self) -> Any:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context) as client:
            client.login(self.user, self.password)
            yield client

    def mails(self, folder: str = "INBOX") -> list[StoredMail]:
        with self._client() as client:
            status, _ = client.select(folder, readonly=True)
            if status != "OK":
                return []
            return [self._mail(client, number) for number in client.search(None, "ALL")[1][0].split()]

    def append(self, raw: bytes, at: datetime) -> None:
        with self._client() as client:
            status, answer = client.append("INBOX", "", imaplib.Time2Internaldate(at), raw)
            assert status == "OK", answer

    def _mail(self, client: imaplib.IMAP4, number: bytes) -> StoredMail:
        answer: Any = client.fetch(number.decode(), "(FLAGS BODY.PEEK[])")[1]
        flags = {flag.decode() for line in answer for flag in imaplib.ParseFlags(_text(line))}
        (raw,) = (part[1] for part in answer if isinstance(part, tuple))
        # Whether a server counts a mail as recent says only whether another session has seen it.
        subject = str(message_from_bytes(raw, policy=policy.default)["Subject"])
        return StoredMail(subject, frozenset(flags - {"\\Recent"}), raw)


def _text(line: Any) -> bytes:
    return line[0] if isinstance(line, tuple) else line


@dataclass(frozen=True)
class Drop:
    """A folder of an SFTP server."""

    connection: dict[str, Any]
    path: str

    def files(self, folder: str = "") -> dict[str, bytes]:
        """Name → bytes of the files in the folder or in a folder below it."""
        with sftp_client(self.connection) as session:
            path = f"{self.path}/{folder}".rstrip("/")
            try:
                entries = session.listdir_attr(path)
            except FileNotFoundError:
                return {}
            found = {}
            for entry in entries:
                if not (entry.st_mode or 0) & 0o040000:
                    with session.open(f"{path}/{entry.filename}", "rb") as stream:
                        found[entry.filename] = stream.read()
            return found

    def upload(self, samples: Sequence[Sample], at: datetime) -> None:
        with sftp_client(self.connection) as session:
            for number, sample in enumerate(samples):
                moment = at + timedelta(minutes=2 * number)
                upload(session, sample.file, sample.path.read_bytes(), moment, self.path)

    def upload_half(self, name: str, raw: bytes) -> None:
        with sftp_client(self.connection) as session:
            upload_half(session, name, raw, self.path)


def mails_of(day: Day, recipient: str, at: datetime) -> list[Mail]:
    return mails_for(day.all, at, recipient)


def old_mail(recipient: str, at: datetime) -> Mail:
    """A mail of long ago that nobody has read, without any invoice."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = "boss@northgate.example", recipient, "Long ago"
    message["Date"] = at.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    message["Message-ID"] = "<long.ago@northgate.example>"
    message.set_content("Nothing to do with invoices.\n")
    return Mail("boss@northgate.example", recipient, message.as_bytes())
