"""One source item in, the documents inside it out: attachments, zip entries, mails within mails.

What a part claims to be is not believed: disposition, declared type and name are ignored, content is sniffed. Nothing
is dropped: what cannot be an invoice is listed as ignored with the reason, what cannot be opened is listed with its
problem, and an item that holds nothing usable is itself the document, so that somebody sees it. Nothing is written to
disk, no name from inside is used as a path, and bad content never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

from hunyuan_ocr.exceptions import (
    DocumentError,
    EmptyDocumentError,
    EncryptedDocumentError,
    LimitExceededError,
    UnsupportedDocumentError,
)
from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources import sniff as kinds
from hunyuan_ocr.sources.images import cannot_be_a_page, is_decoration
from hunyuan_ocr.sources.mime import MailPart, leaf_parts, parse_mail
from hunyuan_ocr.sources.sniff import sniff
from hunyuan_ocr.sources.zips import ZipLimits, read_zip

ITSELF = "."
"""The ``part_path`` of a document that is the whole source item."""

_MAX_PART_PATH = 400
_SUFFIXES = {
    kinds.PDF: ".pdf", kinds.PNG: ".png", kinds.JPEG: ".jpg", kinds.TIFF: ".tif", kinds.GIF: ".gif",
    kinds.WEBP: ".webp", kinds.BMP: ".bmp", kinds.HEIC: ".heic", kinds.XML: ".xml", kinds.OFD: ".ofd",
    kinds.ZIP: ".zip", kinds.MAIL: ".eml", kinds.HTML: ".html", kinds.TEXT: ".txt",
}  # fmt: skip
_NEVER_AN_INVOICE = {
    kinds.CALENDAR: "a calendar entry",
    kinds.VCARD: "a business card",
    kinds.TEXT: "plain text",
}
# What may hide an invoice and cannot be opened here: somebody has to look, whatever else came along.
_CLOSED_CONTAINERS = {
    kinds.OUTLOOK_MSG: "an Outlook message (.msg)",
    kinds.TNEF: "an Outlook winmail.dat",
    kinds.PKCS7: "a signed or encrypted envelope (PKCS #7)",
    kinds.RAR: "a RAR archive",
    kinds.SEVEN_ZIP: "a 7z archive",
    kinds.GZIP: "a gzip file",
}
_SIGNATURE_TYPES = frozenset({
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
    "application/pgp-signature",
})
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """How much one source item may unfold to. Sizes are in bytes."""

    max_documents: int = 500
    max_depth: int = 5
    max_document_size: int = 64 * 1024 * 1024
    max_total_size: int = 256 * 1024 * 1024
    max_ratio: int = 200
    max_mail_parts_depth: int = 30


@dataclass(frozen=True, slots=True)
class UnpackedDocument:
    """One file after unpacking. ``part_path`` is the way in (``2/invoices.zip/2024/a.pdf``), unique in the item.

    ``problem`` says why it cannot be used as it is; ``reason`` why it is ignored. ``content_sha256`` is of ``raw``.
    """

    part_path: str
    file_name: str
    media_type: str
    raw: bytes = field(repr=False)
    content_sha256: str
    role: DocumentRole
    problem: DocumentError | None = None
    reason: str = ""


def unpack(
    raw: bytes,
    *,
    file_name: str,
    is_mail: bool,
    limits: UnpackLimits | None = None,
    accepts_name: Callable[[str], bool] | None = None,
) -> list[UnpackedDocument]:
    """The documents of one source item, in the order they stand in it; at least one, and always the same ones.

    ``accepts_name`` is the source's file name filter; what it refuses is listed as ignored. Equal content in two
    places is listed twice, with one ``content_sha256``.
    """
    limits = limits or UnpackLimits()
    kind = kinds.MAIL if is_mail and raw else sniff(raw)
    if kind not in {kinds.MAIL, kinds.ZIP}:
        return [_within_size(_alone(raw, file_name, kind), limits)]
    unpacking = _Unpacking(_document(ITSELF, file_name, kind, raw), limits, accepts_name)
    unpacking.open(raw, kind, file_name, way="", depth=0)
    return unpacking.documents_or_the_item()


def _alone(raw: bytes, file_name: str, kind: str) -> UnpackedDocument:
    """A file that is the whole item is always worked on: there is nothing else somebody could look at."""
    document = _document(ITSELF, file_name or f"document{_SUFFIXES.get(kind, '')}", kind, raw)
    if kind in _NEVER_AN_INVOICE:
        return replace(document, problem=_unsupported(document, f"the file is {_NEVER_AN_INVOICE[kind]}"))
    if kind not in kinds.READABLE and document.problem is None:
        return replace(document, problem=_unsupported(document, f"no reader takes files of type {kind}"))
    return document


def _document(part_path: str, file_name: str, kind: str, raw: bytes) -> UnpackedDocument:
    document = UnpackedDocument(part_path, file_name, kind, raw, sha256(raw).hexdigest(), DocumentRole.PRIMARY)
    if kind == kinds.EMPTY:
        return replace(document, problem=EmptyDocumentError("the file has no bytes", document=file_name))
    if kind == kinds.PGP:
        return replace(document, problem=EncryptedDocumentError("the file is a PGP message", document=file_name))
    if kind in _CLOSED_CONTAINERS:
        return replace(document, problem=_unsupported(document, f"{_CLOSED_CONTAINERS[kind]} cannot be opened"))
    return document


def _within_size(document: UnpackedDocument, limits: UnpackLimits) -> UnpackedDocument:
    if document.problem is not None or len(document.raw) <= limits.max_document_size:
        return document
    message = f"the file has {len(document.raw):,} bytes, more than {limits.max_document_size:,}"
    return replace(document, problem=LimitExceededError(message, document=document.file_name))


def _unsupported(document: UnpackedDocument, message: str) -> UnsupportedDocumentError:
    return UnsupportedDocumentError(message, document=document.file_name)


class _Unpacking:
    """One item being unpacked: what was found so far, and what the limits still allow."""

    def __init__(
        self, item: UnpackedDocument, limits: UnpackLimits, accepts_name: Callable[[str], bool] | None
    ) -> None:
        self._item = item
        self._limits = limits
        self._accepts_name = accepts_name
        self._found: list[UnpackedDocument] = []
        self._paths: set[str] = set()
        self._room = limits.max_total_size
        self._is_full = False

    def open(self, raw: bytes, kind: str, file_name: str, *, way: str, depth: int) -> None:
        """Add what is inside a mail or a zip; ``way`` is its own part path with a slash, or empty."""
        if depth >= self._limits.max_depth:
            message = f"archives and mails are nested more than {self._limits.max_depth} deep"
            self._add_container(raw, kind, file_name, way, LimitExceededError(message, document=file_name))
        elif kind == kinds.MAIL:
            self._open_mail(raw, file_name, way, depth)
        else:
            self._open_zip(raw, file_name, way, depth)

    def documents_or_the_item(self) -> list[UnpackedDocument]:
        documents = _without_decoration(self._found)
        if any(document.role is DocumentRole.PRIMARY for document in documents):
            return documents
        inside = "attachment" if self._item.media_type == kinds.MAIL else "file inside"
        problem = _unsupported(self._item, f"no {inside} that could be an invoice")
        return [replace(self._item, problem=problem), *documents]

    def _open_mail(self, raw: bytes, file_name: str, way: str, depth: int) -> None:
        try:
            parts = list(leaf_parts(parse_mail(raw), self._limits.max_mail_parts_depth))
        except RecursionError:
            error = LimitExceededError("the parts of the mail are nested too deep to be read", document=file_name)
            self._add_container(raw, kinds.MAIL, file_name, way, error)
            return
        for part in parts:
            if part.is_mail:
                name = _clean_name(part.file_name) or "message.eml"
                self._open_nested(part.raw, kinds.MAIL, name, f"{way}{part.number}/{name}", depth)
            else:
                self._add_mail_part(part, way, depth)

    def _open_zip(self, raw: bytes, file_name: str, way: str, depth: int) -> None:
        limits = ZipLimits(
            max_entries=max(0, self._limits.max_documents - len(self._found)),
            max_entry_size=min(self._limits.max_document_size, self._room),
            max_total_size=self._room,
            max_ratio=self._limits.max_ratio,
        )
        entries, problem = read_zip(raw, limits)
        for entry in entries:
            name = _clean_name(entry.name.rsplit("/", 1)[-1])
            self._add(entry.raw, name, f"{way}{_clean_path(entry.name)}", depth, _litter(entry.name))
        if problem is not None:
            problem.document = file_name
            self._add_container(raw, kinds.ZIP, file_name, way, problem)

    def _add_mail_part(self, part: MailPart, way: str, depth: int) -> None:
        kind = sniff(part.raw)
        is_attached = bool(part.file_name) or part.disposition == "attachment"
        ignored = ""
        if part.declared_type in _SIGNATURE_TYPES:
            ignored = "a digital signature"
        elif not is_attached and _is_body_text(part.declared_type, kind):
            ignored = "the text of the mail"
        elif part.declared_type in {"message/delivery-status", "message/disposition-notification"}:
            ignored = "a delivery report"
        name = _clean_name(part.file_name) or f"part-{part.number}{_SUFFIXES.get(kind, '.bin')}"
        self._add(part.raw, name, f"{way}{part.number}/{name}", depth, ignored)

    def _add(self, raw: bytes, name: str, part_path: str, depth: int, ignored: str) -> None:
        kind = sniff(raw)
        if not ignored and kind in {kinds.MAIL, kinds.ZIP}:
            self._open_nested(raw, kind, name, part_path, depth)
            return
        if not ignored and kind in _NEVER_AN_INVOICE:
            ignored = _NEVER_AN_INVOICE[kind]
        if not ignored and self._accepts_name is not None and not self._accepts_name(name):
            ignored = "its name does not pass the source's file name filter"
        if not ignored and kind in kinds.IMAGES and cannot_be_a_page(raw):
            ignored = "too small to be a page"
        document = _document(part_path, name, kind, raw)
        if ignored:
            document = replace(document, role=DocumentRole.IGNORED, problem=None, reason=ignored)
        self._append(document)

    def _open_nested(self, raw: bytes, kind: str, name: str, part_path: str, depth: int) -> None:
        before = len(self._found)
        self.open(raw, kind, name, way=f"{part_path}/", depth=depth + 1)
        if len(self._found) == before:
            document = _document(part_path, name, kind, raw)
            self._append(replace(document, role=DocumentRole.IGNORED, reason="it holds nothing"))

    def _add_container(self, raw: bytes, kind: str, name: str, way: str, problem: DocumentError) -> None:
        self._append(replace(_document(way.rstrip("/") or ITSELF, name, kind, raw), problem=problem))

    def _append(self, document: UnpackedDocument) -> None:
        if self._is_full:
            return
        if len(self._found) >= self._limits.max_documents or len(document.raw) > self._room:
            self._is_full = True
            message = "the item holds more documents or bytes than the limits allow; the rest was not opened"
            document = replace(self._item, problem=LimitExceededError(message, document=self._item.file_name))
        else:
            self._room -= len(document.raw)
            document = _within_size(document, self._limits) if document.role is DocumentRole.PRIMARY else document
        self._found.append(replace(document, part_path=self._unique(document.part_path)))

    def _unique(self, part_path: str) -> str:
        if len(part_path) > _MAX_PART_PATH:
            half = (_MAX_PART_PATH - 20) // 2
            part_path = f"{part_path[:half]}~{sha256(part_path.encode()).hexdigest()[:16]}~{part_path[-half:]}"
        candidate, number = part_path, 1
        while candidate in self._paths:
            number += 1
            candidate = f"{part_path}#{number}"
        self._paths.add(candidate)
        return candidate


def _without_decoration(found: list[UnpackedDocument]) -> list[UnpackedDocument]:
    """Ignore logos, and files no reader takes, beside documents that can be read; alone they are worked on."""
    looks_whole = [
        document.role is DocumentRole.PRIMARY
        and document.problem is None
        and document.media_type in kinds.READABLE
        and not (document.media_type in kinds.IMAGES and is_decoration(document.raw))
        for document in found
    ]
    result = []
    for document, is_whole in zip(found, looks_whole, strict=True):
        if document.role is DocumentRole.PRIMARY and document.problem is None and not is_whole:
            reason = ""
            if any(looks_whole):
                reason = "a small picture beside other documents, like a logo"
                if document.media_type not in kinds.IMAGES:
                    reason = f"no reader takes files of type {document.media_type}, and other documents came along"
                document = replace(document, role=DocumentRole.IGNORED, reason=reason)
            elif document.media_type not in kinds.IMAGES:
                problem = _unsupported(document, f"no reader takes files of type {document.media_type}")
                document = replace(document, problem=problem)
        result.append(document)
    return result


def _is_body_text(declared_type: str, kind: str) -> bool:
    if kind in {kinds.TEXT, kinds.HTML, kinds.EMPTY}:
        return True
    # Body text that quotes a mail or holds XHTML is still body text; a PDF that calls itself text is not.
    return declared_type in {"text/plain", "text/html"} and kind in {kinds.XML, kinds.MAIL, kinds.UNKNOWN}


def _litter(name: str) -> str:
    is_litter = name.startswith(_LITTER[0]) or name.rsplit("/", 1)[-1] in _LITTER[1:]
    return "left behind by the sender's operating system" if is_litter else ""


def _clean_name(name: str) -> str:
    """A file name that is one step of a part path: no separators, no control characters, at most 200 characters."""
    name = "".join("_" if char in "/\\" else char for char in name if char.isprintable()).strip()
    if len(name) > 200:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[:180]}{dot}{suffix}" if dot and len(suffix) <= 10 else name[:200]
    return name


def _clean_path(path: str) -> str:
    return "/".join(step for step in map(_clean_name, path.split("/")) if step)
