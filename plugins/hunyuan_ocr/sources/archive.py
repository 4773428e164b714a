"""The archive of raw bytes: every source item and document, stored once under the SHA-256 of its content.

It is written before any other step, so that nothing is lost whatever fails later. It never overwrites, renames or
deletes, and what it gives back is proven to be what was put in. Local folders are written atomically without Airflow;
any other root goes through Airflow's ``ObjectStoragePath`` (``s3://conn@bucket/prefix``).
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hunyuan_ocr.exceptions import ConfigurationError, CorruptDocumentError, SourceUnavailableError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Archived:
    """Where raw bytes lie: their SHA-256 in lower-case hex, their address, their size in bytes."""

    sha256: str
    uri: str
    size: int


class Archive:
    """A content-addressed store below ``root``: a local path, ``file://`` or any URL Airflow's object storage knows."""

    def __init__(self, root: str) -> None:
        address = urlsplit(root)
        self.root = root
        self._folder: Path | None = None
        if address.scheme == "file":
            self._folder = Path(unquote(address.path)).absolute()
        elif not address.scheme:
            self._folder = Path(root).absolute()

    def put(self, raw: bytes) -> Archived:
        """Store ``raw``, or find it already stored. Survives a crash at any moment: the file is whole or absent."""
        digest = sha256(raw).hexdigest()
        if self._folder is not None:
            path = self._local(digest)
            if not path.is_file() or path.stat().st_size != len(raw):
                self._write(path, raw)
            return Archived(digest, path.as_uri(), len(raw))
        place = self._remote(digest)
        if not place.is_file() or place.stat().st_size != len(raw):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(raw)
        return Archived(digest, str(place), len(raw))

    def get(self, digest: str) -> bytes:
        """The bytes with this SHA-256.

        Raises ``ConfigurationError`` when the archive has none (a wrong root, or a cleaned-up folder),
        ``SourceUnavailableError`` when it does not answer and ``CorruptDocumentError`` when the bytes stored there are
        not the ones that were put in.
        """
        place = self._local(digest) if self._folder is not None else self._remote(digest)
        try:
            raw: bytes = place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise ConfigurationError(
                f"archive {self.root}: no document {digest}. It was stored by an earlier step: check that archive_url "
                "is the same on every worker and that nothing cleans it up."
            ) from None
        except Exception as error:
            raise SourceUnavailableError(
                f"archive {self.root}: {digest} cannot be read now ({type(error).__name__}). A retry may help; if not, "
                "check the permissions of the store."
            ) from error
        if sha256(raw).hexdigest() != digest:
            raise CorruptDocumentError(
                f"archive {self.root}: the bytes stored as {digest} have changed since. Restore the file from a "
                "backup, or remove it and collect the interval again.",
                document=digest,
            )
        return raw

    def has(self, digest: str) -> bool:
        """Whether a document with this SHA-256 is stored."""
        return bool(self._local(digest).is_file() if self._folder is not None else self._remote(digest).is_file())

    def _steps(self, digest: str) -> tuple[str, str, str]:
        if not _SHA256.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a SHA-256 in lower-case hex")
        return digest[:2], digest[2:4], digest

    def _local(self, digest: str) -> Path:
        assert self._folder is not None  # noqa: S101
        return self._folder.joinpath(*self._steps(digest))

    def _remote(self, digest: str) -> ObjectStoragePath:
        from airflow.sdk import ObjectStoragePath

        place = ObjectStoragePath(self.root)
        for step in self._steps(digest):
            place /= step
        return place

    def _write(self, path: Path, raw: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".put-")
        except OSError as error:
            raise ConfigurationError(
                f"archive {self.root}: cannot be written ({error.strerror}). Check that the folder exists, has room "
                "and belongs to the user the tasks run as."
            ) from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        # The rename itself survives a power cut only once the folder is on the disk too.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
