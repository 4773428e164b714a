"""Column types that mean the same on every database.

They refuse to lose anything on the way: decimals keep their digits, timestamps their instant, texts their characters.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import DateTime, Dialect, Integer, Numeric, String, Unicode, UnicodeText, types
from sqlalchemy.dialects import mssql, mysql, oracle


class ExactNumeric(types.TypeDecorator[Decimal]):
    """``NUMERIC(precision, scale)``; in SQLite, which has no decimal type, the same number as fixed-point text.

    SQLite would keep a NUMERIC as an 8-byte float and lose cents beyond 15 digits. As text the number is exact, and
    ``SUM``, ``+`` and ``-`` still see a number; comparing and sorting would see a text, so the views give SQLite
    readers ``CAST(... AS NUMERIC)``. Values come back as ``Decimal`` with exactly ``scale`` decimals everywhere.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision=precision, scale=scale, asdecimal=True)
        self.digits = precision
        self.decimals = scale

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(self.digits + 2))
        return dialect.type_descriptor(Numeric(self.digits, self.decimals))

    def fits(self, value: Decimal) -> bool:
        """True when the column holds ``value`` without rounding or overflow."""
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int):
            return False
        significant = value.normalize() if value else value
        exponent = int(significant.as_tuple().exponent) if value else 0
        return -exponent <= self.decimals and significant.adjusted() < self.digits - self.decimals

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not self.fits(value):
            raise ValueError(f"a number does not fit NUMERIC({self.digits}, {self.decimals}) without loss")
        return f"{value:.{self.decimals}f}" if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(f"{Decimal(value):.{self.decimals}f}")


class UtcDateTime(types.TypeDecorator[datetime]):
    """An instant, stored as UTC without a zone (microseconds), given back as an aware datetime in UTC."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        per_dialect: dict[str, types.TypeEngine[Any]] = {
            "mysql": mysql.DATETIME(fsp=6),
            "mariadb": mysql.DATETIME(fsp=6),
            "mssql": mssql.DATETIME2(6),  # type: ignore[no-untyped-call]
            "oracle": oracle.TIMESTAMP(),
        }
        return dialect.type_descriptor(per_dialect.get(dialect.name, DateTime()))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a timestamp without a time zone is not an instant: pass an aware datetime")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def storable_text(value: str) -> str:
    """``value`` without what a database text cannot hold: NUL (PDF text layers have it) and lone surrogates."""
    return value.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


class Words(types.TypeDecorator[str]):
    """Text as people write it, any script, at most ``length`` characters."""

    impl = Unicode
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value)


class LongWords(types.TypeDecorator[str]):
    """Text as people write it, of any length."""

    impl = UnicodeText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(UnicodeText())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable_text(value)


class JsonText(types.TypeDecorator[Any]):
    """JSON in a text column: pipeline tables only, never in the contract with the ERP team."""

    impl = UnicodeText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(UnicodeText())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


def canonical_json(value: Any) -> str:
    """One spelling per value: sorted keys, no spaces, ASCII. What hashes are taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def money() -> ExactNumeric:
    return ExactNumeric(23, 8)


def quantity() -> ExactNumeric:
    return ExactNumeric(28, 10)


def rate() -> ExactNumeric:
    return ExactNumeric(7, 4)


def share() -> ExactNumeric:
    """A confidence from 0 to 1, a page coordinate from 0 to 1000 or a length in pixels, with four decimals."""
    return ExactNumeric(12, 4)


def as_share(value: float | None) -> Decimal | None:
    """``value`` rounded to what ``share()`` keeps."""
    return None if value is None else Decimal(f"{value:.4f}")


def flag() -> Integer:
    """0 or 1: Oracle and older servers have no boolean column."""
    return Integer()
