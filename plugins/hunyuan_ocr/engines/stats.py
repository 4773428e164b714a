"""What an engine has done so far, for a progress line and for metrics. Counts only; no texts, no addresses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class EngineStats:
    """Grows while the engine lives. ``requests`` counts every sending, ``answers`` the questions answered."""

    requests: int = 0
    answers: int = 0
    refused_pages: int = 0
    failed_questions: int = 0
    #: Sent again because of (``status_503``, ``reset``, ``cut_at_gate`` …).
    retries: Counter[str] = field(default_factory=Counter)
    #: Asked a second time beside a slow first, and how often the second was the one that answered.
    doubled: int = 0
    doubled_won: int = 0
    ejections: int = 0
    preemptions: int = 0
    #: Questions that have a place now; those that wait for one are not counted.
    in_flight: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_gated: bool = False
