"""A mail's headers and leaf parts, however badly it is written.

Built on the ``email`` package with the ``compat32`` policy, because the newer policy replaces 8-bit bytes in headers
before anybody can find out what they are. Never raises on bad content; opens no attachment.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import getaddresses

from hunyuan_ocr.sources.charset import decode_header_text, decode_text
from hunyuan_ocr.sources.sniff import MAIL, sniff


@dataclass(frozen=True, slots=True)
class MailHeaders:
    """What a mail says about itself, decoded. Addresses are bare and in lower case."""

    message_id: str | None
    senders: tuple[str, ...]
    recipients: tuple[str, ...]
    subject: str


@dataclass(frozen=True, slots=True)
class MailPart:
    """A leaf of a mail: ``number`` as in IMAP (``1.2``), its content with the transfer encoding undone."""

    number: str
    file_name: str
    declared_type: str
    disposition: str
    raw: bytes
    is_mail: bool = False


def parse_mail(raw: bytes) -> Message:
    """The mail as a tree of parts. UTF-16 files, which no mail may be but some exports are, are read as well."""
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raw = raw.decode("utf-16", "replace").encode()
    return BytesParser(policy=compat32).parsebytes(raw)


def read_headers(raw_header: bytes) -> MailHeaders:
    """The headers that identify a mail and that filters look at, from its raw header block or the whole mail."""
    message = BytesParser(policy=compat32).parsebytes(raw_header, headersonly=True)
    return MailHeaders(
        message_id=header_text(message, "message-id") or None,
        senders=_addresses(message, "from"),
        recipients=_addresses(message, "to", "cc", "delivered-to"),
        subject=header_text(message, "subject"),
    )


def header_text(part: Message, name: str) -> str:
    """The first header of this name, decoded; empty when there is none."""
    return next((decode_header_text(value) for value in _raw_values(part, name)), "")


def _raw_values(part: Message, name: str) -> list[str]:
    return [str(value) for key, value in part.raw_items() if key.lower() == name]


def _addresses(message: Message, *names: str) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        for value in _raw_values(message, name):
            # The address is ASCII whatever the display name is: parse first, so that a decoded comma cannot split it.
            ascii_value = value.encode("utf-8", "surrogateescape").decode("ascii", "replace")
            found += [address.lower() for _, address in getaddresses([ascii_value]) if "@" in address]
    return tuple(dict.fromkeys(found))


def leaf_parts(message: Message, max_depth: int) -> Iterator[MailPart]:
    """The leaves in the order they stand in the mail. Attached mails are leaves too (``is_mail``)."""
    yield from _leaves(message, "", max_depth)


def _leaves(part: Message, number: str, depth: int) -> Iterator[MailPart]:
    if part.get_content_type() == MAIL or part.get_content_type() == "message/global":
        yield _leaf(part, number or "1", _attached_mail(part), is_mail=True)
        return
    children = part.get_payload() if part.is_multipart() else None
    if children is None and part.get_content_maintype() == "multipart":
        children = _parts_by_the_boundary_in_the_body(part)
    if isinstance(children, list) and depth > 0:
        for index, child in enumerate(children, start=1):
            if isinstance(child, Message):
                yield from _leaves(child, f"{number}.{index}" if number else str(index), depth - 1)
        return
    raw = _content(part)
    yield _leaf(part, number or "1", raw)
    if part.get_content_maintype() == "text":
        for index, (name, uuencoded) in enumerate(_uuencoded_files(raw), start=1):
            yield MailPart(f"{number or '1'}.uu{index}", name, "application/octet-stream", "attachment", uuencoded)


def _leaf(part: Message, number: str, raw: bytes, *, is_mail: bool = False) -> MailPart:
    return MailPart(
        number=number,
        file_name=_file_name(part),
        declared_type=part.get_content_type(),
        disposition=header_text(part, "content-disposition").partition(";")[0].strip().lower(),
        raw=raw,
        is_mail=is_mail,
    )


def _content(part: Message) -> bytes:
    if part.is_multipart():  # message/partial, message/delivery-status, or multipart beyond the depth limit
        return _as_bytes(part)
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attached_mail(part: Message) -> bytes:
    children = part.get_payload()
    if not isinstance(children, list) or not children or not isinstance(children[0], Message):
        return _content(part)
    raw = _as_bytes(children[0])
    # RFC 2046 section 5.2.1 forbids it, but mails are attached encoded; the parser then sees odd text or odd parts.
    encoding = header_text(part, "content-transfer-encoding").lower()
    if (encoding == "base64" and sniff(raw) != MAIL) or (encoding == "quoted-printable" and b"=3D" in raw):
        shell = Message()
        shell["Content-Transfer-Encoding"] = encoding
        shell.set_payload(raw.decode("ascii", "surrogateescape").lstrip())
        decoded = shell.get_payload(decode=True)
        return decoded if isinstance(decoded, bytes) else raw
    return raw


def _as_bytes(part: Message) -> bytes:
    try:
        return part.as_bytes(policy=compat32)
    except (UnicodeError, LookupError, ValueError, AttributeError, TypeError):
        return str(part.get_payload()).encode("utf-8", "surrogateescape")


def _file_name(part: Message) -> str:
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        for value in _raw_values(part, header):
            name = _parameter(value, parameter)
            if name:
                return name
    return header_text(part, "content-description") if part.get_content_type() == MAIL else ""


def _parameter(value: str, name: str) -> str:
    text = decode_text(value.encode("utf-8", "surrogateescape")) if not value.isascii() else value
    carrier = Message()
    carrier["X"] = re.sub(r"\r?\n(?=[ \t])", "", text).replace("\r", " ").replace("\n", " ")
    try:
        found = carrier.get_param(name, header="X")
    except (ValueError, LookupError, TypeError):
        return ""
    if isinstance(found, tuple):  # RFC 2231: charset, language, percent-decoded bytes as latin-1
        charset, _, piece = found
        try:
            return decode_header_text(decode_text(piece.encode("latin-1"), charset))
        except UnicodeEncodeError:
            return decode_header_text(piece)
    return decode_header_text(found) if isinstance(found, str) else ""


def _parts_by_the_boundary_in_the_body(part: Message) -> list[Message] | None:
    """The parts of a multipart whose declared boundary is missing or wrong: the body shows which one it uses."""
    text = part.get_payload()
    if not isinstance(text, str):
        return None
    body = text.encode("utf-8", "surrogateescape")
    used = re.search(rb"^--([^\r\n]{1,200}?)[ \t]*\r?\n(?:[ \t]*\r?\n|Content-[A-Za-z-]+[ \t]*:)", body, re.MULTILINE)
    if used is None:
        return None
    boundary = used[1].decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode("latin-1")
    children = BytesParser(policy=compat32).parsebytes(head + body).get_payload()
    return [child for child in children if isinstance(child, Message)] if isinstance(children, list) else None


def _uuencoded_files(body: bytes) -> Iterator[tuple[str, bytes]]:
    for block in re.finditer(rb"^begin [0-7]{3,4} ([^\r\n]+)\r?\n(.*?)^end[ \t]*\r?$", body, re.MULTILINE | re.DOTALL):
        decoded = bytearray()
        for line in block[2].splitlines():
            try:
                decoded += binascii.a2b_uu(line)
            except binascii.Error:
                # Some encoders pad the line; the first character says how many bytes count.
                length = ((line[0] - 32) & 63) * 4 // 3 + 2 if line else 0
                try:
                    decoded += binascii.a2b_uu(line[:length])
                except binascii.Error:
                    break
        yield decode_text(block[1]), bytes(decoded)
