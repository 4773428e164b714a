"""The Airflow connection of a mailbox: checked settings for ``sources.mailbox``, and a Test button that logs in.

Opens nothing when constructed. Fetches no mail: that is the source's work.
"""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import BaseHook

from hunyuan_ocr.exceptions import ConfigurationError, HunyuanOCRError
from hunyuan_ocr.hooks.connection_forms import MAILBOX_CONN_TYPE
from hunyuan_ocr.sources.imap_session import AuthType, MailboxSettings, Security
from hunyuan_ocr.sources.mailbox import count_mails

_EXTRAS = {"security", "auth_type", "verify", "ca_file", "timeout", "folder"}


class MailboxHook(BaseHook):
    """Turns a ``hunyuan_mailbox`` connection into ``MailboxSettings``."""

    conn_name_attr = "conn_id"
    default_conn_name = "invoice_mailbox"
    conn_type = MAILBOX_CONN_TYPE
    hook_name = "Invoice mailbox (IMAP)"

    def __init__(self, conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def get_conn(self) -> MailboxSettings:
        """The settings: a mailbox session belongs to the source that opens it."""
        return self.settings()

    def settings(self) -> MailboxSettings:
        """The connection as settings. Raises ``ConfigurationError`` naming the field that is wrong."""
        connection = self.get_connection(self.conn_id)
        extra = dict(connection.extra_dejson)
        unknown = sorted(set(extra) - _EXTRAS)
        if unknown:
            raise self._wrong(f"extra key {unknown[0]!r} is not known. Use only {', '.join(sorted(_EXTRAS))}.")
        for name, value in (("host", connection.host), ("login", connection.login), ("password", connection.password)):
            if not value:
                raise self._wrong(f"{name} is empty. Fill it in.")
        return MailboxSettings(
            host=str(connection.host).strip(),
            user=str(connection.login),
            password=str(connection.password),
            port=connection.port,
            security=self._choice(extra, "security", Security),
            auth_type=self._choice(extra, "auth_type", AuthType),
            verify=self._switch(extra, "verify"),
            timeout=self._seconds(extra),
            ca_file=str(extra.get("ca_file") or ""),
            conn_id=self.conn_id,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Log in, open the folder and count its mails: what Airflow's Test button calls."""
        try:
            folder = str(self.get_connection(self.conn_id).extra_dejson.get("folder") or "INBOX")
            return True, f"Logged in. Folder {folder} holds {count_mails(self.settings(), folder)} mails."
        except HunyuanOCRError as error:
            return False, str(error)

    def _wrong(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"connection {self.conn_id}: {message}")

    def _choice(self, extra: dict[str, Any], name: str, choices: Any) -> Any:
        allowed = get_args(choices)
        value = extra.get(name) or allowed[0]
        if value not in allowed:
            raise self._wrong(f"{name} is {value!r}. Use one of {', '.join(allowed)}.")
        return value

    def _switch(self, extra: dict[str, Any], name: str) -> bool:
        # A connection made by URI or by an environment variable holds texts, where "false" must not mean yes.
        value = str(extra.get(name, True)).strip().lower()
        if value not in {"true", "false"}:
            raise self._wrong(f"{name} is {extra[name]!r}. Use true or false.")
        return value == "true"

    def _seconds(self, extra: dict[str, Any]) -> float:
        try:
            seconds = float(extra.get("timeout") or 30)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 1 <= seconds <= 600:
            raise self._wrong(f"timeout is {extra['timeout']!r}. Use seconds between 1 and 600.")
        return seconds
