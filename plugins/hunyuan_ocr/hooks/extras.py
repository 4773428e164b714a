"""The extra fields of a connection, checked one by one.

A connection made by URI or by an environment variable holds texts where the form would hold numbers and switches; both
mean the same here. What is not understood is refused by name, never guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hunyuan_ocr.exceptions import ConfigurationError


class Extras:
    """The extras of connection ``conn_id``. Each method raises ``ConfigurationError`` naming the wrong field."""

    def __init__(self, conn_id: str, given: Mapping[str, Any], known: Collection[str]) -> None:
        self.conn_id = conn_id
        self._given = given
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise self.wrong(f"extra key {unknown[0]!r} is not known. Use only {', '.join(sorted(known))}.")

    def wrong(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"connection {self.conn_id}: {message}")

    def text(self, name: str) -> str:
        """Empty when it is not filled in."""
        return str(self._given.get(name) or "").strip()

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> Any:
        """One of ``allowed``; not filled in it is ``default``, or the first of them."""
        value = self._given.get(name) or default or allowed[0]
        if value not in allowed:
            raise self.wrong(f"{name} is {value!r}. Use one of {', '.join(allowed)}.")
        return value

    def switch(self, name: str, *, default: bool) -> bool:
        value = self._given.get(name)
        # The text "false" must not mean yes.
        word = str(default if value is None else value).strip().lower()
        if word not in {"true", "false"}:
            raise self.wrong(f"{name} is {value!r}. Use true or false.")
        return word == "true"

    def number(self, name: str, default: float, least: float, most: float, unit: str) -> float:
        """A number from ``least`` to ``most``."""
        try:
            found = float(self._given.get(name) or default)
        except (TypeError, ValueError):
            found = float("nan")
        if not least <= found <= most:
            raise self.wrong(f"{name} is {self._given[name]!r}. Use {unit} between {least:g} and {most:g}.")
        return found
