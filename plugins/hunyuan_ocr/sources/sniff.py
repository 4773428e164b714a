"""What a file is, told from its bytes alone.

Declared types and file names are not asked: suppliers send invoices as ``application/octet-stream``, ``.pdf`` files
that are HTML error pages and ``.zip`` files that are OFD. Only headers are looked at; nothing is decoded or executed.
"""

from __future__ import annotations

import io
import re
import zipfile

PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"
GIF = "image/gif"
WEBP = "image/webp"
BMP = "image/bmp"
HEIC = "image/heic"
XML = "application/xml"
OFD = "application/ofd"
ZIP = "application/zip"
MAIL = "message/rfc822"
OUTLOOK_MSG = "application/vnd.ms-outlook"
OLE = "application/x-ole-storage"
OFFICE = "application/vnd.openxmlformats-officedocument"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
TNEF = "application/vnd.ms-tnef"
PKCS7 = "application/pkcs7-mime"
PGP = "application/pgp-encrypted"
RAR = "application/vnd.rar"
SEVEN_ZIP = "application/x-7z-compressed"
GZIP = "application/gzip"
CALENDAR = "text/calendar"
VCARD = "text/vcard"
HTML = "text/html"
TEXT = "text/plain"
EMPTY = "application/x-empty"
UNKNOWN = "application/octet-stream"

IMAGES = frozenset({PNG, JPEG, TIFF, GIF, WEBP, BMP, HEIC})
"""What a camera, a scanner or a fax server makes."""

READABLE = IMAGES | {PDF, XML, OFD}
"""What an invoice may come as."""

_SIGNATURES = (
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"Rar!\x1a\x07", RAR),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x1f\x8b\x08", GZIP),
    (b"\x78\x9f\x3e\x22", TNEF),
    (b"-----BEGIN PGP MESSAGE", PGP),
    (b"-----BEGIN PKCS7", PKCS7),
)
# ISO/IEC 23008-12 annex B and C: the brands of still images coded with HEVC, and of the container they share.
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_OID_SIGNED_OR_ENVELOPED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"  # PKCS #7: 1.2.840.113549.1.7.x
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_HEADER_LINE = re.compile(rb"([!-9;-~]{1,64})[ \t]*:")
_MAIL_HEADERS = frozenset(
    b"from to cc subject date message-id received return-path delivered-to mime-version content-type sender reply-to "
    b"x-mailer dkim-signature".split()
)


def sniff(raw: bytes) -> str:
    """The media type of ``raw`` by its content; ``application/octet-stream`` when nothing fits."""
    if not raw:
        return EMPTY
    for signature, media_type in _SIGNATURES:
        if raw.startswith(signature):
            return media_type
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return WEBP
    if raw[:2] == b"BM" and len(raw) > 26 and int.from_bytes(raw[14:18], "little") in {12, 40, 52, 56, 64, 108, 124}:
        return BMP
    if raw[4:8] == b"ftyp" and _heif_brands(raw) & _HEIF_BRANDS:
        return HEIC
    if raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return OUTLOOK_MSG if "__properties_version1.0".encode("utf-16-le") in raw else OLE
    if raw[:2] == b"PK":
        return _kind_of_zip(raw)
    if raw[:1] == b"\x30" and _OID_SIGNED_OR_ENVELOPED in raw[:64]:
        return PKCS7
    kind = _kind_of_text(raw)
    # PDF readers accept up to 1024 bytes of anything before the header (ISO 32000-1, annex H, note 13). Asked last: a
    # container that does not compress shows the header of the PDF inside it just as early.
    return PDF if kind in {TEXT, UNKNOWN} and re.search(rb"%PDF-\d", raw[:1024]) else kind


def _heif_brands(raw: bytes) -> set[bytes]:
    box = raw[8 : min(int.from_bytes(raw[:4], "big"), 256)]
    return {box[:4], *(box[at : at + 4] for at in range(8, len(box), 4))}


def _kind_of_zip(raw: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = {name.replace("\\", "/").lstrip("/") for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError, OverflowError, OSError):
        # A damaged archive is still one; whoever opens it says what is wrong with it.
        return ZIP if raw[:4] in {b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"} else UNKNOWN
    if any(name.upper() == "OFD.XML" for name in names):
        return OFD
    if "[Content_Types].xml" in names:
        return OFFICE
    if "mimetype" in names and "META-INF/manifest.xml" in names:
        return OPEN_DOCUMENT
    return ZIP


def _kind_of_text(raw: bytes) -> str:
    head = raw[:4096]
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            head = head[len(mark) :].decode(encoding, "ignore").encode()
            break
    else:
        if b"\x00" in head:
            return UNKNOWN
    head = head.lstrip()
    lowered = head[:1024].lower()
    if lowered.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return HTML
    if lowered.startswith((b"<?xml", b"<")) and re.match(rb"<[?!a-z_]", lowered):
        return HTML if b"<html" in lowered else _markup(head)
    if lowered.startswith(b"begin:vcalendar"):
        return CALENDAR
    if lowered.startswith(b"begin:vcard"):
        return VCARD
    if _looks_like_mail(head):
        return MAIL
    control = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in head)
    return TEXT if control <= len(head) // 100 else UNKNOWN


def _markup(head: bytes) -> str:
    # A fragment like "<p>Dear customer" is HTML without its frame; XML has a declaration, a namespace or one root.
    if head[:5].lower() == b"<?xml" or b"xmlns" in head or b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        return XML
    name = re.match(rb"<\s*([A-Za-z_][\w.:-]*)", head)
    return HTML if name and name[1].lower() in _HTML_TAGS else XML if name else TEXT


_HTML_TAGS = frozenset(b"p div span table tr td b i u a br font center h1 h2 h3 ul ol li img style script meta".split())


def _looks_like_mail(head: bytes) -> bool:
    lines = head.splitlines()
    if lines and lines[0].startswith(b"From ") and b"@" in lines[0]:
        lines = lines[1:]
    known = 0
    for line in lines:
        if line[:1] in {b" ", b"\t"}:
            continue
        header = _HEADER_LINE.match(line)
        if header is None:
            break
        known += header[1].lower() in _MAIL_HEADERS
    return known >= 2
