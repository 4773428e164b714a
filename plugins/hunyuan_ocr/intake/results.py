"""Documents by address, and what was read on them as one file of results.

For tasks that read documents of a DAG's own choosing, beside the intake: nothing here enters the ledger, the journal or
the staging tables. A results file holds what stands on invoices: keep it where the archive may be kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from hunyuan_ocr.exceptions import ConfigurationError, DocumentError, LimitExceededError, SourceUnavailableError
from hunyuan_ocr.intake.problems import told
from hunyuan_ocr.sources.sniff import sniff

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from hunyuan_ocr.extraction.reconcile import Extraction


class MissingDocumentError(DocumentError):
    """There is nothing at a document's address. Whoever made the list looks; a retry repeats it."""

    reason_code = "MISSING"
    remedy = "Check the address, and that nothing moved or deleted the file before this task."


class NamedDocument(NamedTuple):
    """A document to read; ``name`` is its address as it was given."""

    name: str
    raw: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class DocumentResult:
    """What was read on a document, or why it was set aside: one of ``extraction``, ``text`` and ``problem`` is given.

    ``text`` is that of a profile that makes no invoices (translation, parsing).
    """

    name: str
    pages: int = 0
    extraction: Extraction | None = None
    text: str | None = None
    problem: DocumentError | None = None


@dataclass(frozen=True, slots=True)
class ResultsFile:
    """Where the results are and what they add up to; ``sha256`` is of the file's bytes."""

    uri: str
    sha256: str
    documents: int
    pages: int
    set_aside: int


def fetch_document(address: str, max_bytes: int) -> NamedDocument:
    """The document at a local path or any address Airflow's object storage knows (``s3://conn@bucket/key``).

    Raises ``MissingDocumentError``, ``LimitExceededError`` for one of more than ``max_bytes``, and
    ``SourceUnavailableError`` when the storage does not answer; ``ConfigurationError`` for one Airflow does not know.
    """
    place = _place(address)
    try:
        with place.open("rb") as file:
            raw: bytes = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise MissingDocumentError(f"{address}: there is no such file", document=address) from None
    except Exception as error:
        raise SourceUnavailableError(
            f"{address} cannot be read now ({type(error).__name__}). A retry may help; if not, check the permissions "
            "and the connection of its storage."
        ) from error
    if len(raw) > max_bytes:
        raise LimitExceededError(f"{address} has more than {max_bytes // 1_000_000} MB", document=address)
    return NamedDocument(address, raw, sniff(raw))


def write_results(
    results: Iterable[DocumentResult], names: Sequence[str], hashes: Mapping[str, str], folder: str, file_name: str
) -> ResultsFile:
    """Write one line of JSON per document, in the order of ``names`` whatever order they were read in.

    ``hashes`` gives the SHA-256 of each document's bytes and may fill up while ``results`` are consumed. The file is
    whole or not there, and replaces one of the same name. Raises ``ConfigurationError`` when it cannot be written.
    """
    places: dict[str, tuple[int, int]] = {}
    pages = set_aside = 0
    with tempfile.TemporaryFile() as spool:
        for result in results:
            line = _line(result, hashes.get(result.name))
            places[result.name] = (spool.tell(), len(line))
            spool.write(line)
            pages += result.pages
            set_aside += result.problem is not None
        digest = hashlib.sha256()
        with _new_file(folder, file_name) as (file, uri):
            for name in names:
                start, length = places[name]
                spool.seek(start)
                line = spool.read(length)
                digest.update(line)
                file.write(line)
    return ResultsFile(uri, digest.hexdigest(), len(names), pages, set_aside)


def _line(result: DocumentResult, content_sha256: str | None) -> bytes:
    entry: dict[str, object] = {"document": result.name, "content_sha256": content_sha256, "pages": result.pages}
    if result.extraction is not None:
        entry |= {
            "profile": result.extraction.profile,
            "review_reasons": list(result.extraction.review_reasons),
            "invoice": result.extraction.invoice.model_dump(mode="json", exclude_none=True),
        }
    if result.text is not None:
        entry["text"] = result.text
    if result.problem is not None:
        entry |= {"reason_code": result.problem.reason_code, "problem": told(result.problem)}
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _place(address: str) -> Path | ObjectStoragePath:
    parts = urlsplit(address)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" not in address:
        return Path(address)
    from airflow.sdk import ObjectStoragePath

    try:
        place = ObjectStoragePath(address)
        place.fs  # noqa: B018 - the first look is what finds the file system
    except ValueError:
        raise ConfigurationError(
            f"Airflow knows no object storage {parts.scheme}://. Install the provider that brings it (s3: "
            "apache-airflow-providers-amazon[s3fs], gs: apache-airflow-providers-google)."
        ) from None
    return place


@contextmanager
def _new_file(folder: str, file_name: str) -> Iterator[tuple[IO[bytes], str]]:
    """A file to write and its address; it appears under its name when the block ends well."""
    root = _place(folder)
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not isinstance(root, Path):
            place = root / file_name
            with place.open("wb") as remote:  # type: ignore[no-untyped-call]
                yield remote, str(place)
            return
        path = root.absolute() / file_name
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".results-")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, path.as_uri()
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"results folder {folder} cannot be written ({error.strerror or type(error).__name__}). Check that it "
            "exists or can be made, has room and belongs to the user the tasks run as."
        ) from error
