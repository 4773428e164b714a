"""Mails and files as suppliers really send them, written byte by byte so that no library tidies them up."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def pdf(mark: str) -> bytes:
    """A PDF unlike every other one."""
    return PDF + f"% {mark}\n".encode()


def png(width: int, height: int) -> bytes:
    """A real, white picture of this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\x00" + b"\xff" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def zipped(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def gbk_named_zip(name: str, content: bytes) -> bytes:
    """A zip as Windows makes it in China: the name in GBK, nothing saying so."""
    raw_name = name.encode("gbk")
    crc, packed = zlib.crc32(content), content
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0x21, crc, len(packed), len(content), len(raw_name), 0)
    central = struct.pack(
        "<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 0, 0, 0x21, crc, len(packed), len(content), len(raw_name),
        0, 0, 0, 0, 0, 0,
    )  # fmt: skip
    body = local + raw_name + packed
    directory = central + raw_name
    return body + directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(directory), len(body), 0)


def attachment(content: bytes, *, disposition: bytes | None, content_type: bytes) -> bytes:
    lines = [b"Content-Type: " + content_type, b"Content-Transfer-Encoding: base64"]
    if disposition is not None:
        lines.append(b"Content-Disposition: " + disposition)
    return b"\r\n".join(lines) + b"\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


def mail(
    *parts: bytes,
    subject: bytes = b"Invoice",
    sender: bytes = b"Billing <billing@supplier.example>",
    message_id: str = "1@supplier.example",
    boundary: bytes = b"frontier",
    body: bytes = b"Please find our invoice attached.",
    body_type: bytes = b"text/plain; charset=utf-8",
) -> bytes:
    head = (
        b"From: " + sender + b"\r\nTo: invoices@buyer.example\r\nSubject: " + subject + b"\r\n"
        b"Date: Mon, 05 Oct 2026 10:00:00 +0800\r\nMessage-ID: <" + message_id.encode() + b">\r\nMIME-Version: 1.0\r\n"
    )
    if not parts:
        return head + b"Content-Type: " + body_type + b"\r\n\r\n" + body + b"\r\n"
    text = b"Content-Type: " + body_type + b"\r\n\r\n" + body + b"\r\n"
    return (
        head
        + b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'
        + b"".join(b"--" + boundary + b"\r\n" + part for part in (text, *parts))
        + b"--" + boundary + b"--\r\n"
    )  # fmt: skip


def plain_pdf_mail(mark: str = "plain", **headers: str) -> bytes:
    part = attachment(pdf(mark), disposition=b'attachment; filename="invoice.pdf"', content_type=b"application/pdf")
    return mail(part, message_id=headers.get("message_id", f"{mark}@supplier.example"))


def octet_stream_mail() -> bytes:
    part = attachment(
        pdf("octets"), disposition=b'attachment; filename="invoice.dat"', content_type=b"application/octet-stream"
    )
    return mail(part, message_id="octets@supplier.example")


def inline_pdf_mail() -> bytes:
    part = attachment(pdf("inline"), disposition=b'inline; filename="invoice.pdf"', content_type=b"application/pdf")
    return mail(part, message_id="inline@supplier.example")


def undisposed_pdf_mail() -> bytes:
    part = attachment(pdf("undisposed"), disposition=None, content_type=b'application/pdf; name="invoice.pdf"')
    return mail(part, message_id="undisposed@supplier.example")


def gbk_mail() -> bytes:
    """Headers, body and file name in bare GBK bytes, as older Chinese mailers write them."""
    part = attachment(
        pdf("gbk"),
        disposition='attachment; filename="增值税发票.pdf"'.encode("gbk"),
        content_type=b"application/octet-stream",
    )
    return mail(
        part,
        subject="发票：请查收".encode("gbk"),
        sender="张三 <zhang@supplier.example>".encode("gbk"),
        message_id="gbk@supplier.example",
        body="您好，附件为发票。".encode("gbk"),
        body_type=b"text/plain; charset=gb2312",
    )


def nested_mail() -> bytes:
    inner = inline_pdf_mail()
    part = b"Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n" + inner
    return mail(part, message_id="nested@supplier.example", boundary=b"outer")


def zip_mail() -> bytes:
    files = {"2026/a.pdf": pdf("zip a"), "2026/b.pdf": pdf("zip b")}
    part = attachment(
        zipped(files), disposition=b'attachment; filename="invoices.zip"', content_type=b"application/x-zip-compressed"
    )
    return mail(part, message_id="zip@supplier.example")
