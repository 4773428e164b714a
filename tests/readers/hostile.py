"""Files that are made to hurt whoever draws them."""

from __future__ import annotations

import struct
import zlib


def endless_pdf(*, levels: int = 8, per_level: int = 10) -> bytes:
    """A PDF of two kilobytes whose one page draws a form that draws ten forms that draw ten forms …"""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /XObject << /F 5 0 R >> >> >>",
        _stream(b"", b"/F Do"),
    ]
    for level in range(levels):
        inner = b"/Resources << /XObject << /F %d 0 R >> >>" % (6 + level)
        form = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] " + inner
        objects.append(_stream(form, b"/F Do\n" * per_level))
    objects.append(_stream(b"/Type /XObject /Subtype /Form /BBox [0 0 595 842]", b"1 0 0 rg 10 10 500 700 re f\n" * 50))
    return _pdf(objects)


def bomb_png(side: int = 30_000) -> bytes:
    """A PNG of a few kilobytes that claims ``side`` times ``side`` pixels."""
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = b"\0" * (side // 8 + 2)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body) for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(row * 64)), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def _pdf(objects: list[bytes]) -> bytes:
    body, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return b"%sxref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        body,
        size,
        table,
        size,
        len(body),
    )
