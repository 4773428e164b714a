"""The life of an invoice: which states there are and which steps between them exist.

Pure: nothing here touches a database. Who changes a state goes through ``allowed``; there is no other door.
"""

from __future__ import annotations

from enum import StrEnum

from hunyuan_ocr.exceptions import HunyuanOCRError


class IllegalTransitionError(HunyuanOCRError):
    """A step that the life cycle does not have. The caller's mistake; a retry repeats it."""


class Status(StrEnum):
    """Where an invoice stands. Each has a documented way out (``WAY_OUT``)."""

    RECEIVED = "RECEIVED"
    EXTRACTED = "EXTRACTED"
    VALIDATED = "VALIDATED"
    STAGED = "STAGED"
    REVIEW = "REVIEW"
    DUPLICATE = "DUPLICATE"
    QUARANTINED = "QUARANTINED"
    REJECTED = "REJECTED"
    EXPORTING = "EXPORTING"
    POSTED = "POSTED"
    POST_FAILED = "POST_FAILED"
    REVERSED = "REVERSED"
    SUPERSEDED = "SUPERSEDED"


UNFINISHED = frozenset({Status.RECEIVED, Status.EXTRACTED, Status.VALIDATED})
"""A run that ends with an invoice in one of these has lost it: it must go on."""

FINAL_FOR_RUN = frozenset(Status) - UNFINISHED
"""Where a run may leave an invoice."""

WITHOUT_ACTIVE_KEY = frozenset({Status.DUPLICATE, Status.REJECTED, Status.SUPERSEDED, Status.QUARANTINED})
"""States that do not occupy the business key: another document may be staged under it."""

BEYOND_RECALL = frozenset({Status.EXPORTING, Status.POSTED, Status.REVERSED})
"""The ERP has it or is taking it: reprocessing must not touch it."""

ACCEPTED = frozenset({Status.STAGED, Status.EXPORTING, Status.POSTED, Status.REVERSED, Status.DUPLICATE})
"""States in which nobody needs to look at the source item."""

_STEPS: dict[Status, frozenset[Status]] = {
    Status.RECEIVED: frozenset({Status.EXTRACTED, Status.QUARANTINED}),
    Status.EXTRACTED: frozenset({Status.VALIDATED, Status.QUARANTINED}),
    Status.VALIDATED: frozenset({Status.STAGED, Status.REVIEW, Status.DUPLICATE, Status.QUARANTINED}),
    Status.STAGED: frozenset({Status.EXPORTING}),
    Status.REVIEW: frozenset({Status.VALIDATED, Status.REJECTED, Status.DUPLICATE}),
    Status.DUPLICATE: frozenset(),
    Status.QUARANTINED: frozenset({Status.REJECTED}),
    Status.REJECTED: frozenset(),
    Status.EXPORTING: frozenset({Status.POSTED, Status.POST_FAILED}),
    Status.POSTED: frozenset({Status.REVERSED}),
    Status.POST_FAILED: frozenset({Status.REVIEW, Status.STAGED}),
    Status.REVERSED: frozenset(),
    Status.SUPERSEDED: frozenset(),
}

WAY_OUT: dict[Status, str] = {
    Status.RECEIVED: "The run that collected it reads it; run the interval again if that run died.",
    Status.EXTRACTED: "The run that read it validates it; run the interval again if that run died.",
    Status.VALIDATED: "The run that validated it loads it; run the interval again if that run died.",
    Status.STAGED: "The ERP takes it from v_stg_ready.",
    Status.REVIEW: "Correct and release it, or reject it. Reprocess the interval after a fix of profiles or rules.",
    Status.DUPLICATE: "Nothing to do. Reprocess the interval if it is not a duplicate after all.",
    Status.QUARANTINED: "Do what the reason says, then reprocess the interval, or reject it.",
    Status.REJECTED: "Nothing to do. Reprocess the interval if the rejection was a mistake.",
    Status.EXPORTING: "The export acknowledges or fails; an export that died is marked POST_FAILED.",
    Status.POSTED: "In the ERP. A mistake is undone there, then marked REVERSED.",
    Status.POST_FAILED: "Release it for another export, or send it to review.",
    Status.REVERSED: "Nothing to do: undone in the ERP.",
    Status.SUPERSEDED: "Nothing to do: another document took its place. Reprocess the interval to bring it back.",
}


def allowed(from_status: Status, to_status: Status) -> bool:
    """True when an invoice may go from one state to the other.

    Besides the steps of the table, every invoice that is not with the ERP (``BEYOND_RECALL``) may go back to
    EXTRACTED, which is reprocessing, or be SUPERSEDED. From POSTED only a reversal in the ERP leads on.
    """
    if to_status in _STEPS[from_status]:
        return True
    if from_status in BEYOND_RECALL:
        return False
    return to_status is Status.EXTRACTED or (to_status is Status.SUPERSEDED and from_status is not Status.SUPERSEDED)
