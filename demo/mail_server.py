"""A real IMAP and SMTP server on loopback: mail-devel, made to keep mails as a mail server does.

Every address has its own mailbox, filled by the SMTP envelope, all with the same password. Two things differ from
mail-devel's own command: a mail is stored byte for byte as it was sent (mail-devel parses and rewrites it, which turns
an 8-bit GBK mail into another one), and INTERNALDATE may be taken from the mail's ``Date``, so that a demo can deliver
yesterday's mail today. IMAP is served without encryption, with STARTTLS and with TLS.

Run by ``demo.servers``: it ends when its standard input closes, so it cannot outlive the process that started it.
Mails live in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import ssl
import sys
from argparse import Namespace
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from mail_devel.mailbox import TestMailboxDict
from mail_devel.service import Service, imap_context
from proxyprotocol.noop import ProxyProtocolNoop
from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.dict import Config
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage


class MailDrop:
    """The SMTP side: puts each mail unchanged into the mailbox of each of its recipients."""

    def __init__(self, mailboxes: TestMailboxDict, loop: asyncio.AbstractEventLoop, *, dates_from_header: bool) -> None:
        self._mailboxes = mailboxes
        self._loop = loop
        self._dates_from_header = dates_from_header

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd)
        raw = envelope.original_content or b""
        # aiosmtpd runs in a thread with a loop of its own; the mailboxes belong to the loop IMAP runs in.
        stored = asyncio.run_coroutine_threadsafe(self._store(raw, envelope.rcpt_tos), self._loop)
        await asyncio.wrap_future(stored)
        return "250 OK"

    async def _store(self, raw: bytes, recipients: list[str]) -> None:
        message = AppendMessage(literal=raw, when=self._internal_date(raw), flag_set=frozenset())
        for recipient in recipients:
            account = await self._mailboxes.get(recipient)
            inbox = await account.get_mailbox("INBOX")
            await inbox.append(message)

    def _internal_date(self, raw: bytes) -> datetime:
        header = message_from_bytes(raw)["Date"] if self._dates_from_header else None
        return parsedate_to_datetime(str(header)).astimezone(UTC) if header else datetime.now(UTC)


def _secured(service: Service, cert: str, key: str, *, upgrades: bool) -> tuple[IMAPServer, ssl.SSLContext | None]:
    """IMAP behind TLS from the start, or offering STARTTLS and no login before it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    config = service.config
    if upgrades:
        args = Namespace(**{**vars(service.config.args), "tls": True, "cert": cert, "key": key})
        config = Config.from_args(args)
    return IMAPServer(service.backend.login, config), None if upgrades else context


async def _listen(
    stack: AsyncExitStack, server: IMAPServer, host: str, port: int, context: ssl.SSLContext | None
) -> None:
    connected = ProxyProtocolReader(ProxyProtocolNoop()).get_callback(server)
    await stack.enter_async_context(await asyncio.start_server(connected, host=host, port=port, ssl=context))


async def serve(options: Namespace) -> None:
    """Serves until standard input closes; prints READY once every port listens.

    The password comes from the environment variable ``MAIL_PASSWORD``, which mail-devel reads itself.
    """
    arguments = [
        "--host", options.host, "--user", options.user, "--multi-user",
        "--no-http", "--auth-required", "--imap-port", str(options.imap_port), "--smtp-port", str(options.smtp_port),
    ]  # fmt: skip
    service = await Service.init(Service.parse(arguments))
    service.config.args = await imap_context(service.args)
    service.smtp.handler = MailDrop(
        service.mailboxes, asyncio.get_running_loop(), dates_from_header=options.dates_from_header
    )
    async with service.start(), AsyncExitStack() as stack:
        for port, upgrades in ((options.starttls_port, True), (options.imaps_port, False)):
            server, context = _secured(service, options.cert, options.key, upgrades=upgrades)
            await _listen(stack, server, options.host, port, context)
        print("READY", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    service.smtp.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.mail_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--user", required=True)
    for port in ("imap", "starttls", "imaps", "smtp"):
        parser.add_argument(f"--{port}-port", type=int, required=True)
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--dates-from-header", action="store_true", help="INTERNALDATE is the mail's Date")
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
