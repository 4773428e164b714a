"""A mailbox folder as a source of invoices, over IMAP.

A mail is chosen by the moment the server received it (INTERNALDATE), never by ``\\Seen``: people read the mailbox too.
Listing and fetching open the folder read-only and peek, so mails stay unread. Only ``settle`` changes anything, and
only the one mail it was asked about: mails that somebody else marked as deleted are never expunged along the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from types import TracebackType
from typing import Any, Self

from imap_tools import BaseMailBox
from imap_tools.errors import UnexpectedCommandStatusError
from imap_tools.utils import check_command_status, encode_folder

from hunyuan_ocr.exceptions import SourceRefusedError
from hunyuan_ocr.sources.base import FetchedItem, ItemGoneError, ItemRef, Verdict, Window, is_too_old
from hunyuan_ocr.sources.config import MailboxSourceConfig, MailSettleAction, matches_any
from hunyuan_ocr.sources.imap_session import MailboxSettings, asking, close_session, open_session
from hunyuan_ocr.sources.mime import MailHeaders, read_headers

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EARLIEST, _LATEST = date(1970, 1, 2), date(9999, 12, 28)
_AT_ONCE = 500
"""Mails per FETCH of envelopes: an answer of some 100 kB."""

_INTERNALDATE = re.compile(
    rb'INTERNALDATE "\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"'
)
_HEADERS = "BODY.PEEK[HEADER.FIELDS (FROM TO CC DELIVERED-TO SUBJECT MESSAGE-ID)]"


class MailboxSource:
    """``list_items``, ``fetch`` and ``settle`` for one folder. The external key is ``folder;uidvalidity;uid``.

    When the server renumbers the folder (a new UIDVALIDITY), mails come again under new keys; whoever keeps the ledger
    knows them by their content.
    """

    def __init__(self, config: MailboxSourceConfig, settings: MailboxSettings) -> None:
        self._config = config
        self._settings = settings
        self._mailbox: BaseMailBox | None = None
        self._delimiter: str | None = None

    @property
    def code(self) -> str:
        return self._config.code

    def __enter__(self) -> Self:
        self._mailbox = open_session(self._settings)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            close_session(mailbox)

    def list_items(self, window: Window) -> Iterator[ItemRef]:
        """The mails received within ``window``, oldest first: one search, and one FETCH of envelopes per 500 mails."""
        uidvalidity = self._select(self._config.folder, readonly=True)
        # SEARCH compares dates in the server's own time zone, which nobody tells us: ask for a day more on each side.
        since = max(window.start.astimezone(UTC).date(), _EARLIEST) - timedelta(days=1)
        before = min(window.end.astimezone(UTC).date(), _LATEST) + timedelta(days=2)
        criteria = f"UNDELETED SINCE {_imap_date(since)} BEFORE {_imap_date(before)}"
        with asking(self._settings, f"search folder {self._config.folder}"):
            uids = self._client_mailbox.uids(criteria, charset=None)
        envelopes = [envelope for envelope in self._envelopes(uids) if self._is_wanted(envelope, window)]
        for envelope in sorted(envelopes, key=lambda envelope: (envelope.received_at, envelope.uid)):
            yield ItemRef(
                source_code=self.code,
                external_key=f"{self._config.folder};{uidvalidity};{envelope.uid}",
                received_at=envelope.received_at,
                size=envelope.size,
                name=f"mail-{envelope.uid}.eml",
            )

    def fetch(self, ref: ItemRef) -> FetchedItem:
        """The mail exactly as the server keeps it."""
        folder, uidvalidity, uid = _split_key(ref.external_key)
        gone = ItemGoneError(f"{self._settings.title}: mail {uid} is no longer in folder {folder}.")
        if self._select(folder, readonly=True) != uidvalidity:
            raise gone
        with asking(self._settings, f"give mail {uid} of folder {folder}"):
            answer = _answer(self._client.uid("FETCH", str(uid), "(UID BODY.PEEK[])"))
        for response in _responses(answer):
            if response.number(b"UID") == uid and response.literals:
                raw = response.literals[0]
                headers = read_headers(raw)
                return FetchedItem(
                    ref=ref,
                    raw=raw,
                    is_mail=True,
                    file_name=ref.name,
                    sender=next(iter(headers.senders), None),
                    recipient=next(iter(headers.recipients), None),
                    message_id=headers.message_id,
                )
        raise gone

    def settle(self, external_key: str, verdict: Verdict) -> None:
        """Move or flag the mail. A mail that is gone, or a folder renumbered since, is left as it is."""
        action = self._config.settle.on_accepted if verdict is Verdict.ACCEPTED else self._config.settle.on_review
        folder, uidvalidity, uid = _split_key(external_key)
        if action.action == "leave" or self._select(folder, readonly=False) != uidvalidity or not self._has(uid):
            return
        if action.action == "flag":
            self._flag(folder, uid, action)
        else:
            self._move(folder, uid, action.target)

    # -- what the server is asked -------------------------------------------------------------------------------

    @property
    def _client_mailbox(self) -> BaseMailBox:
        if self._mailbox is None:
            raise RuntimeError(f"source {self.code} is not open: use it in a with statement")
        return self._mailbox

    @property
    def _client(self) -> Any:
        return self._client_mailbox.client

    def _server_name(self, folder: str) -> str:
        """``Invoices/Done`` in the server's own spelling: some separate folders with a dot."""
        if "/" not in folder:
            return folder
        if self._delimiter is None:
            with asking(self._settings, "list its folders"):
                roots = self._client_mailbox.folder.list("", "")
            self._delimiter = next((root.delim for root in roots if root.delim not in {"", "NIL"}), "/")
        return folder.replace("/", self._delimiter)

    def _select(self, folder: str, *, readonly: bool) -> int:
        remedy = f"Correct the folder of source {self.code} in sources.yaml, or give the login access to it."
        with asking(self._settings, f"open folder {folder}", remedy):
            self._client_mailbox.folder.set(self._server_name(folder), readonly)
        code, given = self._client.response("UIDVALIDITY")
        if code is None or not given or given[-1] is None:
            raise SourceRefusedError(
                f"{self._settings.title}: folder {folder} has no UIDVALIDITY: the server keeps no lasting mail numbers "
                "there. Let the mails be delivered to another folder."
            )
        return int(given[-1])

    def _envelopes(self, uids: list[str]) -> Iterator[_Envelope]:
        wanted = f"(UID INTERNALDATE RFC822.SIZE{' ' + _HEADERS if self._config.filters.looks_at_headers else ''})"
        for at in range(0, len(uids), _AT_ONCE):
            chunk = ",".join(uids[at : at + _AT_ONCE])
            with asking(self._settings, "describe its mails"):
                answer = _answer(self._client.uid("FETCH", chunk, wanted))
            for response in _responses(answer):
                uid, received_at = response.number(b"UID"), response.received_at()
                if uid is not None and received_at is not None:
                    header = response.literals[0] if response.literals else b""
                    yield _Envelope(uid, received_at, response.number(b"RFC822.SIZE") or 0, read_headers(header))

    def _is_wanted(self, envelope: _Envelope, window: Window) -> bool:
        filters, headers = self._config.filters, envelope.headers
        if envelope.received_at not in window or envelope.size < filters.min_size:
            return False
        if is_too_old(envelope.received_at, window, filters.max_age_days):
            return False
        return (
            _has_match(headers.senders, filters.from_)
            and _has_match(headers.recipients, filters.to)
            and _has_match((headers.subject,), filters.subject)
        )

    def _has(self, uid: int) -> bool:
        with asking(self._settings, "search a mail by its number"):
            return str(uid) in self._client_mailbox.uids(f"UID {uid} UNDELETED", charset=None)

    def _flag(self, folder: str, uid: int, action: MailSettleAction) -> None:
        _, given = self._client.response("PERMANENTFLAGS")
        lasting = (given[-1] or b"").decode("ascii", "replace") if given else ""
        # RFC 3501 section 7.1: no PERMANENTFLAGS at all means every flag lasts.
        if lasting and "\\*" not in lasting and action.target.lower() not in lasting.lower():
            raise SourceRefusedError(
                f"{self._settings.title}: folder {folder} keeps no keywords like {action.target}. Set settle to "
                f"move or leave for source {self.code} in sources.yaml."
            )
        with asking(self._settings, f"flag a mail in folder {folder}", "Give the login write access to the folder."):
            _answer(self._client.uid("STORE", str(uid), "+FLAGS.SILENT", f"({action.target})"))

    def _move(self, folder: str, uid: int, target: str) -> None:
        destination = self._server_name(target)
        self._create_if_missing(destination)
        can_move = "MOVE" in self._client.capabilities
        # Without MOVE, a task killed between the two steps has copied already: look before copying again.
        is_copied = not can_move and self._is_in(destination, self._message_id(uid))
        self._select(folder, readonly=False)
        remedy = f"Give the login write access to {folder} and {target}."
        with asking(self._settings, f"move a mail from {folder} to {target}", remedy):
            if can_move:
                _answer(self._client.uid("MOVE", str(uid), encode_folder(destination)))
                return
            if not is_copied:
                _answer(self._client.uid("COPY", str(uid), encode_folder(destination)))
            _answer(self._client.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
            # A plain EXPUNGE would also remove what other people marked; without UIDPLUS the mail stays, marked.
            if "UIDPLUS" in self._client.capabilities:
                _answer(self._client.uid("EXPUNGE", str(uid)))

    def _create_if_missing(self, destination: str) -> None:
        folders = self._client_mailbox.folder
        remedy = f"Create folder {destination} by hand, or name another one for source {self.code} in sources.yaml."
        with asking(self._settings, f"create folder {destination}", remedy):
            if folders.exists(destination):
                return
            try:
                folders.create(destination)
            except UnexpectedCommandStatusError:
                if not folders.exists(destination):  # another task may have created it a moment ago
                    raise

    def _message_id(self, uid: int) -> str | None:
        with asking(self._settings, "give the headers of a mail"):
            answer = _answer(self._client.uid("FETCH", str(uid), f"(UID {_HEADERS})"))
        literals = [literal for response in _responses(answer) for literal in response.literals]
        return read_headers(literals[0]).message_id if literals else None

    def _is_in(self, destination: str, message_id: str | None) -> bool:
        if not message_id or not message_id.isascii() or '"' in message_id or "\\" in message_id:
            return False
        with asking(self._settings, f"search folder {destination}"):
            self._client_mailbox.folder.set(destination, readonly=True)
            return bool(self._client_mailbox.uids(f'HEADER MESSAGE-ID "{message_id}"', charset=None))


def count_mails(settings: MailboxSettings, folder: str) -> int:
    """Log in, open ``folder`` read-only and say how many mails it holds."""
    mailbox = open_session(settings)
    try:
        with asking(settings, f"open folder {folder}", "Correct its name, or give the login access to it."):
            _, counts = mailbox.folder.set(folder, readonly=True)
            return int(counts[0])
    finally:
        close_session(mailbox)


@dataclass(frozen=True, slots=True)
class _Envelope:
    uid: int
    received_at: datetime
    size: int
    headers: MailHeaders


@dataclass(frozen=True, slots=True)
class _Response:
    """One untagged FETCH answer: the text between its literals, and the literals."""

    text: bytes
    literals: tuple[bytes, ...]

    def number(self, name: bytes) -> int | None:
        found = re.search(rb"\b" + re.escape(name) + rb" (\d+)", self.text)
        return int(found[1]) if found else None

    def received_at(self) -> datetime | None:
        found = _INTERNALDATE.search(self.text)
        if found is None:
            return None
        day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = (
            part.decode() for part in found.groups()
        )
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes)) * (-1 if sign == "-" else 1)
        month_no = _MONTHS.index(month.title()) + 1
        local = datetime(int(year), month_no, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
        return local.astimezone(UTC)


def _responses(answer: Iterable[bytes | tuple[bytes, bytes] | None]) -> Iterator[_Response]:
    """The answers in what imaplib gives back: text, or pairs of text and literal, an answer spread over several."""
    text, literals = b"", list[bytes]()
    for piece in answer:
        head = piece[0] if isinstance(piece, tuple) else piece
        if head is None:
            continue
        if re.match(rb"\d+ \(", head) and text:
            yield _Response(text, tuple(literals))
            text, literals = b"", []
        text += head
        if isinstance(piece, tuple):
            literals.append(piece[1])
    if text:
        yield _Response(text, tuple(literals))


def _answer(result: tuple[str, list[Any]]) -> list[Any]:
    check_command_status(result, UnexpectedCommandStatusError)
    return result[1]


def _split_key(external_key: str) -> tuple[str, int, int]:
    folder, uidvalidity, uid = external_key.rsplit(";", 2)
    return folder, int(uidvalidity), int(uid)


def _imap_date(day: date) -> str:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}"


def _has_match(values: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    return not globs or any(matches_any(value, globs) for value in values)
