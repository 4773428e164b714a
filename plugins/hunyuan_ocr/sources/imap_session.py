"""A logged-in IMAP session: settings in, an ``imap_tools`` mailbox out, and every failure sorted by who can act on it.

No message built here holds a password, a token or what a server answered beyond its response code: servers have been
seen to echo the command they refuse.
"""

from __future__ import annotations

import imaplib
import logging
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, UnexpectedCommandStatusError

from hunyuan_ocr import __version__
from hunyuan_ocr.exceptions import SourceRefusedError, SourceUnavailableError

log = logging.getLogger(__name__)

Security = Literal["ssl", "starttls", "none"]
AuthType = Literal["login", "xoauth2"]

_ASK_ADMINISTRATOR = "Ask the mail server's administrator."

# RFC 5530: what passes by itself. Everything else a server says NO to stays NO until somebody acts.
_PASSING = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "THROTTLED"})


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """How to reach a mailbox. ``password`` holds the access token when ``auth_type`` is ``xoauth2``.

    ``timeout`` is in seconds per network operation. ``ca_file`` names a PEM file of extra certificate authorities.
    ``conn_id`` is only for messages.
    """

    host: str
    user: str
    password: str = field(repr=False)
    port: int | None = None
    security: Security = "ssl"
    auth_type: AuthType = "login"
    verify: bool = True
    timeout: float = 30.0
    ca_file: str = ""
    conn_id: str = ""

    @property
    def effective_port(self) -> int:
        """993 for TLS from the start, 143 otherwise, unless another one is set."""
        return self.port or (993 if self.security == "ssl" else 143)

    @property
    def title(self) -> str:
        """How messages name the mailbox."""
        connection = f" (connection {self.conn_id})" if self.conn_id else ""
        return f"mailbox {self.user} on {self.host}:{self.effective_port}{connection}"


def open_session(settings: MailboxSettings) -> BaseMailBox:
    """A connected, logged-in mailbox with no folder selected; end it with ``close_session``."""
    with _unavailable_when_cut_off(settings):
        mailbox = _connect(settings)
        try:
            _log_in(mailbox, settings)
            _introduce(mailbox)
        except BaseException:
            close_session(mailbox)
            raise
        return mailbox


def close_session(mailbox: BaseMailBox) -> None:
    """Log out. A server that hung up first is no trouble."""
    try:
        mailbox.logout()
    except (ImapToolsError, imaplib.IMAP4.error, OSError):
        log.debug("the server closed the session before we did")


def _connect(settings: MailboxSettings) -> BaseMailBox:
    host, port, timeout = settings.host, settings.effective_port, settings.timeout
    try:
        match settings.security:
            case "ssl":
                return MailBox(host, port, timeout=timeout, ssl_context=_tls(settings))
            case "starttls":
                return MailBoxStartTls(host, port, timeout=timeout, ssl_context=_tls(settings))
            case "none":
                return MailBoxUnencrypted(host, port, timeout=timeout)
    except ssl.SSLCertVerificationError as error:
        raise SourceRefusedError(
            f"{settings.title}: the server's certificate is not trusted ({error.verify_message}). Check the host name, "
            "or name your authority's PEM file as ca_file in the connection."
        ) from None
    except ssl.SSLError as error:
        raise SourceRefusedError(
            f"{settings.title}: no TLS with this server on this port ({error.reason or 'handshake failed'}). Set "
            "security to starttls (usually port 143) or ssl (usually port 993) in the connection."
        ) from None
    except (ImapToolsError, ValueError, imaplib.IMAP4.error) as error:
        # imaplib also calls it an abort when the server merely does not offer STARTTLS.
        if isinstance(error, imaplib.IMAP4.abort) and "TLS not supported" not in str(error):
            raise
        raise SourceRefusedError(
            f"{settings.title}: the server refuses STARTTLS here. Set security to ssl (usually port 993) in the "
            "connection."
        ) from None


def _tls(settings: MailboxSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if settings.ca_file:
            context.load_verify_locations(cafile=settings.ca_file)
    except (OSError, ssl.SSLError):
        raise SourceRefusedError(
            f"{settings.title}: ca_file {settings.ca_file} is not a readable PEM file. Correct it in the connection."
        ) from None
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _log_in(mailbox: BaseMailBox, settings: MailboxSettings) -> None:
    if settings.security == "none" and settings.host not in {"localhost", "127.0.0.1", "::1"}:
        log.warning("%s: the password travels unencrypted (security=none)", settings.title)
    if settings.auth_type == "login" and "LOGINDISABLED" in mailbox.client.capabilities:
        raise SourceRefusedError(
            f"{settings.title}: the server allows no login without encryption. Set security to starttls or ssl in the "
            "connection."
        )
    try:
        if settings.auth_type == "xoauth2":
            mailbox.xoauth2(settings.user, settings.password, initial_folder=None)
        elif settings.user.isascii() and settings.password.isascii():
            mailbox.login(settings.user, settings.password, initial_folder=None)
        else:
            mailbox.login_utf8(settings.user, settings.password, initial_folder=None)
    except imaplib.IMAP4.abort:
        raise
    except (ImapToolsError, imaplib.IMAP4.error) as error:
        code = response_code(error)
        if code in _PASSING:
            raise SourceUnavailableError(f"{settings.title}: no login just now ({code}). A retry may help.") from None
        answer = f" ({code})" if code else ""
        raise SourceRefusedError(f"{settings.title}: login refused{answer}. {_remedy(settings)}") from None


def _introduce(mailbox: BaseMailBox) -> None:
    client = mailbox.client
    # Many servers name MOVE and UIDPLUS only after login, and imaplib remembers what they said before it.
    _, capabilities = client.capability()
    if capabilities and isinstance(capabilities[-1], bytes):
        client.capabilities = tuple(capabilities[-1].decode("ascii", "replace").upper().split())
    if "ID" in client.capabilities:
        # RFC 2971. NetEase (163.com, 126.com) lets nobody open a folder who has not introduced himself.
        try:
            client.xatom("ID", f'("name" "hunyuan-ocr" "version" "{__version__}")')
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            log.debug("the server advertises ID and refuses it")


def _remedy(settings: MailboxSettings) -> str:
    connection = f"connection {settings.conn_id}" if settings.conn_id else "the connection"
    if settings.auth_type == "xoauth2":
        return f"Put a fresh access token into the password of {connection}; it is not renewed here."
    return f"Check the login and password of {connection}, or set auth_type=xoauth2 if the provider demands OAuth."


@contextmanager
def _unavailable_when_cut_off(settings: MailboxSettings) -> Iterator[None]:
    try:
        yield
    except (imaplib.IMAP4.abort, OSError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise SourceUnavailableError(
            f"{settings.title}: no answer, or the connection broke ({detail}). A retry may help; if it does not, check "
            "host, port and firewall."
        ) from error


def response_code(error: Exception) -> str:
    """The bracketed code of a server's answer (RFC 3501 section 7.1), upper case; empty when it gave none."""
    if isinstance(error, UnexpectedCommandStatusError):
        answer = b" ".join(part for part in error.command_result[1] or () if isinstance(part, bytes))
        text = answer.decode("ascii", "replace")
    else:
        text = str(error)
    found = re.search(r"\[([A-Z-]{3,40})[\] ]", text)
    return found[1] if found else ""


@contextmanager
def asking(settings: MailboxSettings, what: str, remedy: str = _ASK_ADMINISTRATOR) -> Iterator[None]:
    """Turn a NO or BAD of the server into an error that says ``what`` it refused and what to do; silence as well."""
    try:
        with _unavailable_when_cut_off(settings):
            yield
    except (ImapToolsError, imaplib.IMAP4.error) as error:
        code = response_code(error)
        message = f"{settings.title}: the server refuses to {what}{f' ({code})' if code else ''}."
        if code in _PASSING:
            raise SourceUnavailableError(f"{message} A retry may help.") from None
        raise SourceRefusedError(f"{message} {remedy}") from None
