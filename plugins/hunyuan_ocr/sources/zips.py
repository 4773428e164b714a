"""The entries of a zip file, read in memory under limits.

Names are only ever labels, yet an archive whose names lead out of it is refused: no honest archiver writes one. Sizes
are counted as they come out, never believed. Raises nothing: what goes wrong is given back as the archive's problem.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass, field

from hunyuan_ocr.exceptions import (
    CorruptDocumentError,
    DocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    UnsupportedDocumentError,
)
from hunyuan_ocr.sources.charset import decode_zip_name

_UTF8_NAME = 0x800  # general purpose bit 11, APPNOTE.TXT 4.4.4
_ENCRYPTED = 0x1 | 0x40
_CHUNK = 64 * 1024
_ALWAYS_ALLOWED = 1024 * 1024
"""Below this size a high ratio is no danger: a mostly white page compresses well."""


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """Sizes in bytes; ``max_ratio`` is the uncompressed size over the compressed one."""

    max_entries: int
    max_entry_size: int
    max_total_size: int
    max_ratio: int


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file inside: its whole name with ``/`` between folders, decoded, and its content."""

    name: str
    raw: bytes = field(repr=False)


def read_zip(raw: bytes, limits: ZipLimits) -> tuple[list[ZipEntry], DocumentError | None]:
    """The files inside, sorted as the archive lists them, and what kept us from reading all of them, if anything.

    A limit that breaks gives no entries at all: an archive made to hurt is not picked over. A damaged or encrypted
    entry leaves the others readable.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, OSError):
        return [], CorruptDocumentError("the zip file is damaged")
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if len(files) > limits.max_entries:
            return [], LimitExceededError(f"the zip file holds {len(files)} files, more than {limits.max_entries}")
        entries: list[ZipEntry] = []
        problems: list[DocumentError] = []
        room = limits.max_total_size
        for number, info in enumerate(files, start=1):
            name = _name_of(info)
            try:
                _refuse_escape(name, number)
                content = _read(archive, info, number, limits, room)
            except LimitExceededError as error:
                return [], error
            except DocumentError as error:
                problems.append(error)
                continue
            room -= len(content)
            entries.append(ZipEntry(name, content))
        return entries, _worst(problems, len(files))


def _name_of(info: zipfile.ZipInfo) -> str:
    return decode_zip_name(info.filename, is_utf8=bool(info.flag_bits & _UTF8_NAME)).replace("\\", "/")


def _refuse_escape(name: str, number: int) -> None:
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        raise CorruptDocumentError(f"the name of file no. {number} in the zip file leads out of it; it was not opened")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, number: int, limits: ZipLimits, room: int) -> bytes:
    if info.flag_bits & _ENCRYPTED:
        raise EncryptedDocumentError("the zip file is protected by a password")
    allowed = max(_ALWAYS_ALLOWED, info.compress_size * limits.max_ratio)
    content = bytearray()
    try:
        with archive.open(info) as stream:
            while chunk := stream.read(_CHUNK):
                content += chunk
                if len(content) > min(limits.max_entry_size, room):
                    raise LimitExceededError(f"file no. {number} in the zip file is larger than the limits allow")
                if len(content) > allowed:
                    raise LimitExceededError(f"file no. {number} in the zip file unfolds like a decompression bomb")
    except NotImplementedError as error:
        raise UnsupportedDocumentError(
            f"file no. {number} in the zip file is packed in a way not known here"
        ) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise CorruptDocumentError(f"file no. {number} in the zip file is damaged") from error
    if len(content) != info.file_size:
        raise CorruptDocumentError(f"file no. {number} in the zip file is not as long as the archive says")
    return bytes(content)


def _worst(problems: list[DocumentError], n_files: int) -> DocumentError | None:
    if not problems:
        return None
    first = problems[0]
    if len(problems) == 1:
        return first
    return type(first)(f"{len(problems)} of {n_files} files in the zip file could not be opened; the first: {first}")
