"""What can go wrong, sorted by who can act on it and whether trying again helps."""

from __future__ import annotations


class HunyuanOCRError(Exception):
    """Base of all errors of this package; never raised itself."""


class ConfigurationError(HunyuanOCRError):
    """A setting, a connection or a file of ours is wrong. The data engineer mends it; a retry repeats it."""


class SourceUnavailableError(HunyuanOCRError):
    """A mailbox or server did not answer, or answered with a passing fault. Nobody need act yet; a retry helps."""


class SourceRefusedError(HunyuanOCRError):
    """A mailbox or server refused us (login, host key, missing folder). The data engineer acts; a retry repeats it."""


class EngineRefusedError(ConfigurationError):
    """The engine will not do: wrong key, model name or versions, or it failed its probe. A retry repeats it."""


class EngineUnavailableError(HunyuanOCRError):
    """The engine's server does not answer, is overloaded or starting. Nobody need act yet; a retry helps."""


class EngineDiedError(HunyuanOCRError):
    """The engine's process is gone or makes no progress. A retry starts it anew; finished pages are kept."""


class EngineOutOfMemoryError(EngineDiedError):
    """The GPU (or this machine) has no room for the model or the batch. The data engineer gives it more or asks less;
    a later retry helps when another process held the memory."""


class DocumentError(HunyuanOCRError):
    """One document cannot be used. The clerk or the sender acts; a retry repeats it; other documents go on.

    ``reason_code`` is stable and goes to the invoice's state; ``remedy`` tells the clerk what to do.
    """

    reason_code = "UNREADABLE"
    remedy = "Ask the sender for a readable copy."

    def __init__(self, message: str, *, document: str = "", page_no: int | None = None) -> None:
        super().__init__(message)
        self.document = document
        self.page_no = page_no


class EncryptedDocumentError(DocumentError):
    """The file is protected by a password we do not have."""

    reason_code = "ENCRYPTED"
    remedy = "Ask the sender for the password or an unprotected copy, then send it again."


class EmptyDocumentError(DocumentError):
    """The file has no bytes."""

    reason_code = "EMPTY"
    remedy = "The file is empty: ask the sender to send it again."


class CorruptDocumentError(DocumentError):
    """The file is damaged or is not what it claims to be."""

    reason_code = "CORRUPT"


class UnsupportedDocumentError(DocumentError):
    """A kind of file no reader of ours takes."""

    reason_code = "UNSUPPORTED"
    remedy = "Ask the sender for a PDF, an image or an e-invoice."


class LimitExceededError(DocumentError):
    """The file breaks a size, pixel, depth or time limit (perhaps on purpose)."""

    reason_code = "LIMIT"
    remedy = "The file is larger or deeper than the limits allow; a data engineer can raise them in the settings."


class PageRefusedError(DocumentError):
    """The engine refused a page's picture or question (too long, impossible shape). A retry repeats it."""

    reason_code = "PAGE_REFUSED"
    remedy = "Look at the page: the model cannot take it as it is. Type the invoice in, or ask for another copy."


class StaleStateError(HunyuanOCRError):
    """Somebody else changed the invoice since it was read. Nobody need act; a retry reads it again and helps."""


class RunRejectedError(HunyuanOCRError):
    """The gate's verdict: documents were lost or too many were rejected. The data engineer and the clerk look."""
