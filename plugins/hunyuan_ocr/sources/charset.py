"""Text out of mail headers and archive names as they really come, not as the standards want them.

Chinese senders write GBK bytes straight into headers, label GB18030 as ``gb2312`` and cut a character in two between
encoded words; old archivers store names in the sender's code page. Nothing here raises: what cannot be known is
replaced, never lost silently into another header.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re

# What a declared charset really means: GB18030 contains GBK contains GB 2312; windows-1252 contains latin-1.
_REALLY = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "cp936": "gb18030", "gb_2312-80": "gb18030",
           "hz-gb-2312": "hz", "iso-8859-1": "cp1252", "latin-1": "cp1252", "us-ascii": "ascii",
           "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932"}  # fmt: skip
_ENCODED_WORD = re.compile(r"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_ENCODED_RUN = re.compile(rf"{_ENCODED_WORD.pattern}(?:\s*{_ENCODED_WORD.pattern})*")


def decode_text(raw: bytes, charset: str | None = None) -> str:
    """``raw`` as text: by its declared charset if that fits, else UTF-8, else GB18030, else windows-1252."""
    declared = (charset or "").strip().strip("\"'").lower()
    for candidate in (_REALLY.get(declared, declared), "utf-8", "gb18030", "cp1252"):
        if not candidate:
            continue
        try:
            return raw.decode(candidate)
        except (LookupError, UnicodeError, ValueError):
            continue
    return raw.decode("latin-1")


def decode_header_text(value: str) -> str:
    """A header value as a person reads it: unfolded, 8-bit bytes and RFC 2047 encoded words decoded.

    ``value`` comes from the ``email`` package, with undecodable bytes as surrogates.
    """
    text = decode_text(value.encode("utf-8", "surrogateescape")) if not value.isascii() else value
    text = re.sub(r"\r?\n[ \t]+", " ", text)
    text = _ENCODED_RUN.sub(lambda run: _decode_run(run[0]), text)
    return "".join(char for char in text if char == "\t" or (ord(char) >= 32 and ord(char) != 127)).strip()


def _decode_run(run: str) -> str:
    pieces: list[tuple[str, bytes]] = []
    for charset, encoding, body in _ENCODED_WORD.findall(run):
        raw = _decode_word(encoding, body)
        # A multi-byte character may be cut between two words: their bytes belong together.
        if pieces and pieces[-1][0] == charset.lower():
            pieces[-1] = (charset.lower(), pieces[-1][1] + raw)
        else:
            pieces.append((charset.lower(), raw))
    return "".join(decode_text(raw, charset) for charset, raw in pieces)


def _decode_word(encoding: str, body: str) -> bytes:
    packed = body.encode("utf-8", "surrogateescape")
    if encoding in "qQ":
        return quopri.decodestring(packed.replace(b"_", b"=20"), header=False)
    packed = re.sub(rb"[^A-Za-z0-9+/]", b"", packed)
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return base64.b64decode(packed[: len(packed) // 4 * 4])


def decode_zip_name(name: str, *, is_utf8: bool) -> str:
    """The name of a zip entry. ``zipfile`` reads unflagged names as code page 437; most are UTF-8 or GBK."""
    if is_utf8:
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    return decode_text(raw)
