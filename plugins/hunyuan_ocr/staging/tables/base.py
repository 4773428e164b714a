"""The one ``MetaData`` of both stores, and the columns that occur in many tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, MetaData, String

from hunyuan_ocr.staging.column_types import LongWords, Words

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})
"""Names are at most 30 characters and no reserved words of any of the five databases (a test proves it)."""


def id_column(name: str, comment: str, *args: Any, **kwargs: Any) -> Column[str]:
    return Column(name, String(36), *args, comment=comment, **kwargs)


def sha_column(name: str, comment: str, **kwargs: Any) -> Column[str]:
    return Column(name, String(64), comment=comment, **kwargs)


def code_column(name: str, length: int, comment: str, **kwargs: Any) -> Column[str]:
    """A word of ours (ASCII)."""
    return Column(name, String(length), comment=comment, **kwargs)


def words_column(name: str, length: int, comment: str, **kwargs: Any) -> Column[str]:
    """A word of theirs (any script)."""
    return Column(name, Words(length), comment=comment, **kwargs)


def long_column(name: str, comment: str, **kwargs: Any) -> Column[str]:
    """A text of theirs whose length nobody promises."""
    return Column(name, LongWords(), comment=comment, **kwargs)


def one_of(column: str, words: Any, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)
