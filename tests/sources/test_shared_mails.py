"""Real mails and hostile archives: none makes unpacking raise, and each attachment known to be there is found."""

from __future__ import annotations

import json

import pytest

from hunyuan_ocr.exceptions import CorruptDocumentError, EncryptedDocumentError
from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.unpack import unpack
from tests.shared_documents import shared_data_dir

pytestmark = pytest.mark.shared_documents


def _entries(prefix: str) -> list[dict]:
    folder = shared_data_dir()
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    return [
        entry | {"raw": (folder / entry["file"]).read_bytes()} for entry in files if entry["file"].startswith(prefix)
    ]


def test_every_known_attachment_of_every_mail_is_found():
    missing = []
    for entry in _entries("mail/"):
        if entry["kind"] != "email" or not entry["file"].endswith(".eml"):
            continue
        documents = unpack(entry["raw"], file_name=entry["file"], is_mail=True)
        assert any(document.role is DocumentRole.PRIMARY for document in documents)
        # An attached mail is a step of the way in; its own parts stand for it.
        steps = {tuple(document.part_path.split("/")[: at + 2]) for document in documents for at in range(0, 6, 2)}
        found = [step[-1] for step in steps if len(step) % 2 == 0]
        for expected in entry.get("ground_truth", {}).get("attachments", []):
            if expected["filename"] in found:
                found.remove(expected["filename"])
            else:
                missing.append((entry["file"], expected["filename"], found))
    assert missing == []


def test_hostile_files_are_refused_or_kept_and_never_raise():
    problems = {
        entry["file"]: unpack(entry["raw"], file_name=entry["file"], is_mail=False) for entry in _entries("hostile/")
    }
    for file, documents in problems.items():
        if file.endswith(".zip"):
            expected = EncryptedDocumentError if "encryption" in file else CorruptDocumentError
            assert any(isinstance(document.problem, expected) for document in documents), file
        else:
            # Whether a PDF, picture or XML can be read is for its reader to say: it has to get there.
            assert [(document.role, document.problem) for document in documents] == [(DocumentRole.PRIMARY, None)], file
