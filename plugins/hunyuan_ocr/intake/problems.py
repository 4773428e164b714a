"""Sets one document aside so that the others go on: in quarantine, with a reason and what to do."""

from __future__ import annotations

import logging
import traceback

from hunyuan_ocr.exceptions import DocumentError, HunyuanOCRError
from hunyuan_ocr.staging.repository import Store

log = logging.getLogger(__name__)


class ReaderFailedError(DocumentError):
    """A reader failed in a way it should not have. The data engineer looks; reprocessing helps once it is mended."""

    reason_code = "READER_FAILED"
    remedy = "A data engineer should look at the task's log; reprocess the document once the fault is mended."


def set_aside(store: Store, invoice_id: str, error: Exception, file_name: str) -> None:
    """Quarantine an invoice because of what went wrong while its document was read.

    The log names the invoice by its id and the error by its kind; what it says stands in the store. An error that is
    not one of the document's, but nobody foresaw, quarantines too; its text may quote what stands on the page, so
    that only where it happened is logged.
    """
    if isinstance(error, HunyuanOCRError) and not isinstance(error, DocumentError):
        raise error
    if not isinstance(error, DocumentError):
        frames = reversed(traceback.extract_tb(error.__traceback__)[-4:])
        where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
        log.error("invoice %s: unexpected %s at %s", invoice_id, type(error).__name__, where)
        error = ReaderFailedError(f"{file_name}: the reader failed ({type(error).__name__}).", document=file_name)
    log.warning("invoice %s set aside: %s", invoice_id, error.reason_code)
    store.quarantine(invoice_id, error.reason_code, told(error))


def told(error: DocumentError) -> str:
    """What was wrong with a document and what to do, as the clerk reads it."""
    return f"{str(error).rstrip('.')}. {error.remedy}"
