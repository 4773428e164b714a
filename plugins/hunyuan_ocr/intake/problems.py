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
    """Quarantine an invoice because of what went wrong while its document was read; its reason stands in the store."""
    problem = as_problem(error, f"invoice {invoice_id}", file_name)
    log.warning("invoice %s set aside: %s", invoice_id, problem.reason_code)
    store.quarantine(invoice_id, problem.reason_code, told(problem))


def leave_packed(store: Store, item_id: str, error: Exception, file_name: str) -> None:
    """Note why a source item could not be unpacked; it stays where it is, the run counts it as lost and ends red."""
    problem = as_problem(error, f"item {item_id}", file_name)
    log.warning("item %s not unpacked: %s", item_id, problem.reason_code)
    store.record_item_error(item_id, told(problem))


def as_problem(error: Exception, named: str, file_name: str) -> DocumentError:
    """An error as one of the document. What is not the document's fault but ours or a server's is raised again.

    The text of an error that nobody foresaw may quote what stands on the page, so that only where it happened is
    logged.
    """
    if isinstance(error, DocumentError):
        return error
    if isinstance(error, HunyuanOCRError):
        raise error
    frames = reversed(traceback.extract_tb(error.__traceback__)[-4:])
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    log.error("%s: unexpected %s at %s", named, type(error).__name__, where)
    return ReaderFailedError(f"{file_name}: the reader failed ({type(error).__name__}).", document=file_name)


def told(error: DocumentError) -> str:
    """What was wrong with a document and what to do, as the clerk reads it."""
    return f"{str(error).rstrip('.')}. {error.remedy}"
