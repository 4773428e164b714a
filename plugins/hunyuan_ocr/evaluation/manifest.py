"""The labelled set: which files there are and what is known to be true of each.

Reads a JSON manifest: ``{"files": [{"file": …, "kind": …, "ground_truth": …}, …]}``. ``file`` is relative to the
manifest. ``ground_truth`` is one object, a list of them (several invoices in one file) or absent (nothing verified);
``page_ground_truth`` says what the page shows where that differs from the data embedded in the file. An absent key
means unchecked; an explicit ``null`` means that the document does not have the field. It never judges a reading.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hunyuan_ocr.exceptions import ConfigurationError

Truth = Mapping[str, Any]


class Group(StrEnum):
    """How a document has to be read."""

    TEXT_LAYER = "text layer"
    SCAN_PHOTO = "scan and photo"
    RECEIPT = "receipt picture"
    STRUCTURED = "structured"
    OTHER = "other"


_OTHER_KINDS = ("email", "hostile", "sidecar", "hunyuanocr", "business_rule")
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"}


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """One file of the set.

    ``truths`` holds the sets of invoices either of which is right for the file: what is embedded, and what the page
    shows where that is another one. Each set has one truth an invoice. Empty when nothing is verified.
    """

    file: str
    path: Path
    kind: str
    truths: tuple[tuple[Truth, ...], ...] = ()
    has_text_layer: bool | None = None
    expect: str = ""

    @property
    def group(self) -> Group:
        suffix = self.path.suffix.lower()
        if self.kind.startswith(_OTHER_KINDS):
            return Group.OTHER
        if suffix in {".xml", ".ofd"}:
            return Group.STRUCTURED
        if suffix == ".pdf" and self.has_text_layer is not False:
            return Group.TEXT_LAYER
        if suffix == ".pdf" or suffix in _PICTURE_SUFFIXES:
            return Group.RECEIPT if self.kind.startswith("receipt") else Group.SCAN_PHOTO
        return Group.OTHER


@dataclass(frozen=True, slots=True)
class Manifest:
    """A labelled set."""

    path: Path
    documents: tuple[LabelledDocument, ...]


def load_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises ConfigurationError when it is absent, not JSON or not of the expected shape."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"manifest {path}: cannot be read ({error}). Name a JSON manifest file.") from error
    entries = content.get("files") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError(f'manifest {path}: no list under "files". See the README of the labelled set.')
    return Manifest(path, tuple(_document(entry, number, path) for number, entry in enumerate(entries, start=1)))


def _document(entry: object, number: int, manifest: Path) -> LabelledDocument:
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str) or not isinstance(entry.get("kind"), str):
        raise ConfigurationError(f'manifest {manifest}, entry {number}: needs the texts "file" and "kind".')
    truths = []
    for key in ("ground_truth", "page_ground_truth"):
        given = entry.get(key)
        invoices = given if isinstance(given, list) else [] if given is None else [given]
        if not all(isinstance(invoice, dict) for invoice in invoices):
            raise ConfigurationError(
                f'manifest {manifest}, entry {number}: "{key}" must be an object or a list of them.'
            )
        if invoices:
            truths.append(tuple(invoices))
    return LabelledDocument(
        file=entry["file"],
        path=manifest.parent / entry["file"],
        kind=entry["kind"],
        truths=tuple(truths),
        has_text_layer=entry.get("text_layer"),
        expect=str(entry.get("expect", "")),
    )
