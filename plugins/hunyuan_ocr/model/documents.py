"""The role of a document: one file after unpacking."""

from __future__ import annotations

from enum import StrEnum


class DocumentRole(StrEnum):
    """PRIMARY makes an invoice; the others say why a document makes none.

    A rendition is another file of the same invoice, a duplicate has the same bytes as another document, an attachment
    accompanies an invoice, and an ignored document cannot be one.
    """

    PRIMARY = "PRIMARY"
    RENDITION = "RENDITION"
    DUPLICATE = "DUPLICATE"
    ATTACHMENT = "ATTACHMENT"
    IGNORED = "IGNORED"
