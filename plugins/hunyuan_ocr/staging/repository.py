"""The one door to both stores: ``Store``.

Every write is idempotent, one transaction, and safe to kill at any point. The parts live in their own modules; this
one only joins them and opens the database.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from hunyuan_ocr.staging.database import make_engine
from hunyuan_ocr.staging.events import Lifecycle
from hunyuan_ocr.staging.invoices import Invoices
from hunyuan_ocr.staging.journal import Journal
from hunyuan_ocr.staging.ledger import Ledger
from hunyuan_ocr.staging.reports import Reports
from hunyuan_ocr.staging.schema import ensure_current
from hunyuan_ocr.staging.staging_load import Loader


class Store(Ledger, Journal, Invoices, Loader, Reports, Lifecycle):
    """Pipeline store and staging tables in one database. Share it between threads, not between processes."""

    @classmethod
    def open(cls, url: str, *, actor: str = "pipeline") -> Self:
        """Open the database, create or upgrade its tables when needed, and return the store.

        ``actor`` is who the events name. Raises ``ConfigurationError`` for a URL that cannot be used or a database
        of a newer version.
        """
        engine = make_engine(url)
        try:
            ensure_current(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, actor=actor)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
