"""Damaged and malicious files end in a reading or in a DocumentError, soon, and never take the process along."""

from __future__ import annotations

import random
import time

import pytest

from hunyuan_ocr.exceptions import DocumentError, EncryptedDocumentError, LimitExceededError
from hunyuan_ocr.readers.document import read_document
from hunyuan_ocr.readers.rapid import RapidReader
from tests.readers.paper import invoice_picture, pdf_of, saved, texts
from tests.shared_documents import shared_data_dir

MEDIA_TYPES = {
    ".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff", ".gif": "image/gif",
    ".xml": "application/xml", ".zip": "application/zip",
}  # fmt: skip


def outcome_of(raw: bytes, media_type: str, name: str) -> object:
    started = time.monotonic()
    try:
        return read_document(raw, media_type, RapidReader(threads=2), file_name=name)
    except DocumentError as error:
        assert error.document == name and name in str(error)
        return type(error)
    finally:
        assert time.monotonic() - started < 20


@pytest.mark.shared_documents
def test_every_collected_hostile_file_ends_well():
    outcomes = {
        path.name: outcome_of(path.read_bytes(), MEDIA_TYPES[path.suffix], path.name)
        for path in sorted((shared_data_dir() / "hostile").iterdir())
    }
    assert outcomes["encrypted_libreoffice.pdf"] is EncryptedDocumentError
    assert outcomes["decompression_bomb.gif"] is LimitExceededError
    assert isinstance(outcomes["bad-PageLabels.pdf"], list) and isinstance(outcomes["hopper_bad_exif.jpg"], list)


@pytest.mark.parametrize("seed", range(12))
def test_a_file_with_random_damage_ends_well(seed):
    chance = random.Random(seed)
    kind, raw = chance.choice([
        ("application/pdf", pdf_of(texts((50, 700, "Invoice 4711"), (50, 650, "Total 12.00")))),
        ("image/png", saved(invoice_picture().resize((310, 438)), "PNG")),
        ("image/tiff", saved(invoice_picture().resize((310, 438)), "TIFF", compression="tiff_lzw")),
        ("image/jpeg", saved(invoice_picture().resize((310, 438)), "JPEG")),
    ])
    damaged = bytearray(raw)
    for _ in range(chance.randint(1, 40)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    outcome_of(bytes(damaged[: chance.randint(len(damaged) // 2, len(damaged))]), kind, "damaged")
