"""One document from its bytes: read the pages, then reconcile. For the command line and the evaluation.

Exact sources (XML, OFD, QR) are no business of this module; give what they say as ``candidates``.
"""

from __future__ import annotations

from collections.abc import Sequence

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.model.evidence import Candidate
from hunyuan_ocr.readers.document import PageReader, read_document


def extract_document(
    raw: bytes,
    media_type: str,
    profiles: Sequence[PromptProfile],
    reader: PageReader | None,
    *,
    candidates: Sequence[Candidate] = (),
    profile_name: str | None = None,
    file_name: str = "",
) -> Extraction:
    """Read a PDF or a picture and reconcile what stands on it.

    ``reader`` looks at pages without a trustworthy text layer; without one such pages are left out. Raises what the
    readers raise (``DocumentError``) and ``ConfigurationError`` for an unknown ``profile_name``.
    """
    readings = read_document(raw, media_type, reader, file_name=file_name)
    return reconcile(readings, profiles=profiles, candidates=candidates, profile_name=profile_name)
