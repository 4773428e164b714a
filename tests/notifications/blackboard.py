"""A notifier of somebody's own: it writes what it is told on a blackboard."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.sdk import BaseNotifier


class BlackboardNotifier(BaseNotifier):
    """Keeps the rendered texts."""

    template_fields = ("text",)
    told: ClassVar[list[str]] = []

    def __init__(self, *, text: str = "") -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.told.append(self.text)
