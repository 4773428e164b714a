"""Ids made of what a thing is, so that a repeated, killed or backfilled run finds the rows it made before.

UUIDv5 as text of 36 characters. No id depends on time, on chance or on the order of work.
"""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "staging.hunyuan-ocr")


def _id(kind: str, *parts: str) -> str:
    # The length prefix keeps ("a", "bc") and ("ab", "c") apart.
    name = kind + "".join(f"|{len(part)}:{part}" for part in parts)
    return str(uuid.uuid5(_NAMESPACE, name))


def item_id(source_code: str, external_key: str) -> str:
    return _id("item", source_code, external_key)


def document_id(item: str, part_path: str) -> str:
    return _id("document", item, part_path)


def invoice_id(content_sha256: str) -> str:
    """One invoice per distinct bytes, whatever they are called and wherever they came from."""
    return _id("invoice", content_sha256)


def batch_id(dag_id: str, run_id: str) -> str:
    return _id("batch", dag_id, run_id)


def rejection_id(invoice: str, rule_id: str, field_path: str, occurrence: int) -> str:
    """``occurrence`` counts, from 0, the rejections of one rule on the same fields."""
    return _id("rejection", invoice, rule_id, field_path, str(occurrence))


def event_id(entity: str, entity_id: str, seq: int) -> str:
    return _id("event", entity, entity_id, str(seq))
