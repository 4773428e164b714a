"""Every field rule, and what they say about one invoice.

``run_rules`` gives one finding for every rule, also for those that passed or did not apply, so that a later reader can
see what was looked at. It is pure: the same invoice and facts give the same findings, without I/O.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hunyuan_ocr.model.findings import Finding, Severity
from hunyuan_ocr.model.invoice import Invoice
from hunyuan_ocr.validation.rules import (
    arithmetic,
    chinese_amounts,
    chinese_numbers,
    currency,
    dates,
    evidence,
    identifiers,
    mandatory,
    payment,
    rates,
)
from hunyuan_ocr.validation.rules.base import InvoiceFacts, Rule, RulePolicy

__all__ = [
    "REGISTRY",
    "RULESET_VERSION",
    "CatalogueEntry",
    "InvoiceFacts",
    "Rule",
    "RulePolicy",
    "rules_catalogue",
    "run_rules",
]

# In the order a clerk reads them: what is it, can it be read, who, when, how much.
_ROOMS = (
    mandatory,
    evidence,
    identifiers,
    chinese_numbers,
    dates,
    currency,
    arithmetic,
    rates,
    chinese_amounts,
    payment,
)


def _registry() -> dict[str, Rule]:
    registry: dict[str, Rule] = {}
    for room in _ROOMS:
        for rule in room.RULES:
            if rule.id in registry:
                raise ValueError(f"two rules are called {rule.id}: findings could not be told apart")
            registry[rule.id] = rule
    return registry


REGISTRY: dict[str, Rule] = _registry()


def _version() -> str:
    told = "\n".join(
        f"{rule.id} {rule.version} {','.join(rule.severities)} {rule.explains_en}" for rule in REGISTRY.values()
    )
    return hashlib.sha256(told.encode()).hexdigest()[:12]


# Changes whenever a rule is added, removed, re-versioned, re-worded or changes severity.
RULESET_VERSION = _version()


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One rule as documentation and the command line show it."""

    id: str
    version: int
    severity: Severity
    severities: tuple[Severity, ...]
    explains_en: str
    explains_zh: str
    needs: tuple[str, ...]
    origin: str


def rules_catalogue() -> list[CatalogueEntry]:
    """All rules in the order they are judged."""
    return [
        CatalogueEntry(
            rule.id,
            rule.version,
            rule.severity,
            rule.severities,
            rule.explains_en,
            rule.explains_zh,
            rule.needs,
            rule.origin,
        )
        for rule in REGISTRY.values()
    ]


def run_rules(invoice: Invoice, facts: InvoiceFacts) -> tuple[Finding, ...]:
    """One finding for every rule of the registry, in its order."""
    return tuple(rule.judge(invoice, facts) for rule in REGISTRY.values())
