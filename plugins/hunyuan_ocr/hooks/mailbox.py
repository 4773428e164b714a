"""The Airflow connection of a mailbox: checked settings for ``sources.mailbox``, and a Test button that logs in.

Opens nothing when constructed. Fetches no mail: that is the source's work.
"""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import BaseHook

from hunyuan_ocr.exceptions import HunyuanOCRError
from hunyuan_ocr.hooks.connection_forms import MAILBOX_CONN_TYPE
from hunyuan_ocr.hooks.extras import Extras
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
        extras = Extras(self.conn_id, connection.extra_dejson, _EXTRAS)
        for name, value in (("host", connection.host), ("login", connection.login), ("password", connection.password)):
            if not value:
                raise extras.wrong(f"{name} is empty. Fill it in.")
        return MailboxSettings(
            host=str(connection.host).strip(),
            user=str(connection.login),
            password=str(connection.password),
            port=connection.port,
            security=extras.choice("security", get_args(Security)),
            auth_type=extras.choice("auth_type", get_args(AuthType)),
            verify=extras.switch("verify", default=True),
            timeout=extras.number("timeout", 30, 1, 600, "seconds"),
            ca_file=extras.text("ca_file"),
            conn_id=self.conn_id,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Log in, open the folder and count its mails: what Airflow's Test button calls."""
        try:
            folder = str(self.get_connection(self.conn_id).extra_dejson.get("folder") or "INBOX")
            return True, f"Logged in. Folder {folder} holds {count_mails(self.settings(), folder)} mails."
        except HunyuanOCRError as error:
            return False, str(error)
