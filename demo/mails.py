"""Mails as suppliers really send them, around given attachments, the same bytes for the same arguments.

Shapes: ``attachment`` (with a logo in the HTML signature), ``octet_stream`` (a PDF declared as nothing in particular),
``inline`` (a PDF declared inline, as Apple Mail does), ``nested`` (forwarded as a mail inside a mail), ``zip`` (several
invoices in one archive) and ``gbk`` (an 8-bit Chinese mail whose body, subject and file name are raw GBK).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.utils import format_datetime
from mimetypes import guess_type

from PIL import Image, ImageDraw


@dataclass(frozen=True)
class Attachment:
    """One file to send: its name and its bytes."""

    name: str
    raw: bytes


@dataclass(frozen=True)
class Mail:
    """A mail ready for SMTP: the envelope and the bytes."""

    sender: str
    recipient: str
    raw: bytes


def build(
    shape: str, attachments: Sequence[Attachment], *, sender: str, recipient: str, sent_at: datetime, subject: str
) -> Mail:
    """A mail of ``shape`` carrying ``attachments``. ``sent_at`` must know its time zone; it becomes ``Date``."""
    if sent_at.tzinfo is None:
        raise ValueError("sent_at needs a time zone: a mail's Date has one")
    headers = {"From": sender, "To": recipient, "Subject": subject, "Date": format_datetime(sent_at)}
    digest = hashlib.sha256(repr((shape, headers, [(a.name, a.raw) for a in attachments])).encode()).hexdigest()
    headers["Message-ID"] = f"<{digest[:24]}@{sender.partition('@')[2].rstrip('>')}>"
    return Mail(sender, recipient, SHAPES[shape](headers, attachments, digest))


def _message(headers: dict[str, str], body: str) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    for name, value in headers.items():
        message[name] = value
    message.set_content(body)
    return message


def _finished(message: EmailMessage, digest: str) -> bytes:
    # Python draws boundaries at random; ours come from the content.
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        if part.get_content_maintype() == "multipart":
            part.set_boundary(f"=_{digest[:20]}_{number}")
    out = io.BytesIO()
    BytesGenerator(out, policy=policy.SMTP).flatten(message)
    return out.getvalue()


def _attach(message: EmailMessage, attachment: Attachment, *, disposition: str = "attachment", media: str = "") -> None:
    maintype, _, subtype = (media or guess_type(attachment.name)[0] or "application/octet-stream").partition("/")
    message.add_attachment(
        attachment.raw, maintype=maintype, subtype=subtype, filename=attachment.name, disposition=disposition
    )


def _attachment(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    message = _message(headers, "Please find our invoice attached.\n")
    html = '<p>Please find our invoice attached.</p><p>--<br>Accounts<br><img src="cid:logo@signature" alt="logo"></p>'
    message.add_alternative(html, subtype="html")
    message.get_payload()[1].add_related(_logo(), "image", "png", cid="<logo@signature>", filename="image001.png")  # type: ignore[union-attr,index]
    for attachment in attachments:
        _attach(message, attachment)
    return _finished(message, digest)


def _octet_stream(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    message = _message(headers, "Invoice attached.\n")
    for attachment in attachments:
        _attach(message, attachment, media="application/octet-stream")
    return _finished(message, digest)


def _inline(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    message = _message(headers, "Anbei unsere Rechnung.\n")
    for attachment in attachments:
        _attach(message, attachment, disposition="inline")
    return _finished(message, digest)


def _nested(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    inner_headers = {**headers, "From": "till@shop.example", "To": headers["From"], "Subject": "Your purchase"}
    inner_headers["Message-ID"] = f"<inner.{digest[:18]}@shop.example>"
    inner = _message(inner_headers, "Thank you for your purchase.\n")
    for attachment in attachments:
        _attach(inner, attachment)
    outer = _message({**headers, "Subject": f"Fwd: {headers['Subject']}"}, "For the expense report.\n")
    outer.add_attachment(inner)
    return _finished(outer, digest)


def _zip(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for attachment in attachments:
            archive.writestr(zipfile.ZipInfo(attachment.name, (2020, 1, 1, 0, 0, 0)), attachment.raw)
    message = _message(headers, "All invoices of this week in one archive.\n")
    _attach(message, Attachment("invoices.zip", packed.getvalue()), media="application/zip")
    return _finished(message, digest)


def _gbk(headers: dict[str, str], attachments: Sequence[Attachment], digest: str) -> bytes:
    """Written by hand, because no standard library writes what old Chinese mail clients write."""
    boundary = f"----=_{digest[:20]}"
    lines = [f"{name}: {value}".encode("gbk") for name, value in headers.items() if name != "Subject"]
    lines += [
        f"Subject: {headers['Subject']}".encode("gbk"),
        b"MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{boundary}"'.encode(),
        b"",
        f"--{boundary}".encode(),
        b"Content-Type: text/plain; charset=gb2312",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        "您好：附件为本月发票，请查收。谢谢！".encode("gbk"),
        b"",
    ]
    for attachment in attachments:
        name = attachment.name.encode("gbk")
        encoded = base64.b64encode(attachment.raw)
        lines += [
            f"--{boundary}".encode(),
            b'Content-Type: application/octet-stream; name="' + name + b'"',
            b"Content-Transfer-Encoding: base64",
            b'Content-Disposition: attachment; filename="' + name + b'"',
            b"",
            *(encoded[i : i + 76] for i in range(0, len(encoded), 76)),
            b"",
        ]
    return b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


def _logo() -> bytes:
    picture = Image.new("RGB", (150, 40), "#ffffff")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((2, 6, 30, 34), fill="#1f3a5f")
    pen.polygon(((38, 34), (52, 6), (66, 34)), fill="#c05a00")
    pen.line((74, 20, 146, 20), fill="#333333", width=3)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


SHAPES: dict[str, Callable[[dict[str, str], Sequence[Attachment], str], bytes]] = {
    "attachment": _attachment,
    "octet_stream": _octet_stream,
    "inline": _inline,
    "nested": _nested,
    "zip": _zip,
    "gbk": _gbk,
}
