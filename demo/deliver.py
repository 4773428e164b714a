"""Brings samples to the demo's servers the way suppliers do: by SMTP, and by SFTP upload under a temporary name.

One mail per document, except that those of shape ``zip`` travel together. Mails are dated, and files on the SFTP
server carry modification times, from ``delivered_at`` on, so that a run for that interval finds them. A mail server
started with ``dates_from_header`` keeps those dates; another one stamps the moment it takes the mail.

``python -m demo.deliver --servers var/demo/servers.json --samples var/demo/samples --days 3`` fills running servers.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import paramiko

from demo.mails import Attachment, Mail, build
from demo.samples import Sample, demo_set
from demo.servers import INBOX_FOLDER, INVOICE_ADDRESS

_SUBJECTS = {
    "zh": "电子发票，请查收",
    "en": "Invoice",
    "de": "Ihre Rechnung",
    "fr": "Votre facture",
    "es": "Su factura",
}
_HOST_KEYS = {"ssh-ed25519": paramiko.Ed25519Key, "ssh-rsa": paramiko.RSAKey}


@dataclass(frozen=True)
class Delivery:
    """What was delivered: how many mails, and the names of the files on the SFTP server."""

    mails: int
    files: tuple[str, ...]


def mails_for(samples: Sequence[Sample], delivered_at: datetime, recipient: str = INVOICE_ADDRESS) -> list[Mail]:
    """The mails that carry the samples whose channel is mail, two minutes apart from ``delivered_at`` on."""
    by_mail = [sample for sample in samples if sample.channel == "mail"]
    zipped = [sample for sample in by_mail if sample.mail_shape == "zip"]
    loads = [[sample] for sample in by_mail if sample.mail_shape != "zip"] + ([zipped] if zipped else [])
    return [
        build(
            load[0].mail_shape,
            [Attachment(sample.file, sample.path.read_bytes()) for sample in load],
            sender=f"accounts@{load[0].layout.replace('_', '-')}.supplier.example",
            recipient=recipient,
            sent_at=delivered_at + timedelta(minutes=2 * number),
            subject=_SUBJECTS[load[0].lang],
        )
        for number, load in enumerate(loads)
    ]


def send(mails: Sequence[Mail], smtp: dict[str, Any]) -> int:
    """Sends ``mails`` over the SMTP connection (Airflow's form); returns how many."""
    with smtplib.SMTP(smtp["host"], smtp["port"], timeout=30) as client:
        client.login(smtp["login"], smtp["password"])
        for mail in mails:
            client.sendmail(mail.sender, [mail.recipient], mail.raw, mail_options=["BODY=8BITMIME"])
    return len(mails)


@contextmanager
def sftp_client(connection: dict[str, Any]) -> Iterator[paramiko.SFTPClient]:
    """An SFTP session for a connection in Airflow's form; refuses a server that shows another host key."""
    kind, key = connection["extra"]["host_key"].split()
    with paramiko.SSHClient() as client:
        host_key = _HOST_KEYS[kind](data=base64.b64decode(key))
        client.get_host_keys().add(f"[{connection['host']}]:{connection['port']}", kind, host_key)
        client.connect(
            connection["host"],
            connection["port"],
            connection["login"],
            password=connection.get("password"),
            key_filename=connection["extra"].get("key_file"),
            look_for_keys=False,
            allow_agent=False,
            timeout=30,
        )
        with closing(client.open_sftp()) as session:
            yield session


def upload(
    session: paramiko.SFTPClient, name: str, raw: bytes, modified_at: datetime, folder: str = INBOX_FOLDER
) -> str:
    """Uploads under ``name.part`` and renames when complete, as careful senders do; returns the final path."""
    path = f"{folder}/{name}"
    upload_half(session, name, raw, folder)
    session.utime(f"{path}.part", (modified_at.timestamp(), modified_at.timestamp()))
    session.posix_rename(f"{path}.part", path)
    return path


def upload_half(session: paramiko.SFTPClient, name: str, raw: bytes, folder: str = INBOX_FOLDER) -> None:
    """Uploads under ``name.part`` and leaves it there: an upload still running, or one that broke."""
    session.putfo(io.BytesIO(raw), f"{folder}/{name}.part")


def deliver(
    samples: Sequence[Sample],
    *,
    smtp: dict[str, Any],
    sftp: dict[str, Any],
    delivered_at: datetime,
    file_prefix: str = "",
) -> Delivery:
    """Sends and uploads ``samples`` by their channels, first the mails, dated from ``delivered_at`` (with a time zone).

    An upload replaces a file of the same name: give each day's delivery its own ``file_prefix`` to keep them all.
    """
    count = send(mails_for(samples, delivered_at), smtp)
    with sftp_client(sftp) as session:
        files = tuple(
            upload(
                session,
                file_prefix + sample.file,
                sample.path.read_bytes(),
                delivered_at + timedelta(minutes=2 * (count + number)),
            )
            for number, sample in enumerate(sample for sample in samples if sample.channel == "sftp")
        )
    return Delivery(count, files)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.deliver", description=__doc__)
    parser.add_argument("--servers", type=Path, default=Path("var/demo/servers.json"))
    parser.add_argument("--samples", type=Path, default=Path("var/demo/samples"))
    parser.add_argument("--last-day", type=date.fromisoformat, default=datetime.now(UTC).date() - timedelta(days=1))
    parser.add_argument("--days", type=int, default=1, help="deliver a set for each of so many days, up to the last")
    args = parser.parse_args()
    connections = json.loads(args.servers.read_text(encoding="utf-8"))
    for back in reversed(range(args.days)):
        day = args.last_day - timedelta(days=back)
        samples = demo_set(args.samples / day.isoformat(), day, seed=day.toordinal())
        delivery = deliver(
            samples,
            smtp=connections["invoice_alerts"],
            sftp=connections["invoice_sftp"],
            delivered_at=datetime.combine(day, time(9), UTC),
            file_prefix=f"{day:%Y%m%d}_",
        )
        print(f"{day}: {delivery.mails} mails, {len(delivery.files)} files")


if __name__ == "__main__":
    main()
