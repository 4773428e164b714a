"""The mailbox connection: a form Airflow accepts, checked settings, a Test button that tells the truth."""

from __future__ import annotations

import importlib
import importlib.resources
import json

import pytest

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.hooks.connection_forms import connection_types
from hunyuan_ocr.hooks.mailbox import MailboxHook
from hunyuan_ocr.hooks.source_factory import open_source
from hunyuan_ocr.sources.config import FolderSourceConfig, MailboxSourceConfig, SftpSourceConfig
from hunyuan_ocr.sources.folder import FolderSource
from hunyuan_ocr.sources.mailbox import MailboxSource
from hunyuan_ocr.sources.sftp import SftpSource

SECRET = "korrekt-pferd-batterie"


@pytest.fixture
def connection(monkeypatch):
    def build(**changes: object) -> None:
        conn = {"conn_type": "hunyuan_mailbox", "host": "imap.example", "login": "me@example", "password": SECRET}
        monkeypatch.setenv("AIRFLOW_CONN_INVOICE_MAILBOX", json.dumps(conn | changes))

    return build


def test_the_form_is_valid_provider_info_and_names_our_hook():

    import jsonschema

    schema = json.loads(importlib.resources.files("airflow").joinpath("provider_info.schema.json").read_text())
    form = next(each for each in connection_types() if each["connection-type"] == "hunyuan_mailbox")
    jsonschema.validate(
        {"name": "x", "description": "x", "package-name": "x", "versions": ["1"], "connection-types": [form]}, schema
    )
    module, _, name = form["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (form["connection-type"], form["hook-name"])


def test_the_form_asks_for_everything_the_hook_reads(connection):
    form = next(each for each in connection_types() if each["connection-type"] == "hunyuan_mailbox")
    extra = {name: field["schema"]["default"] for name, field in form["conn-fields"].items()}
    connection(extra=extra)
    settings = MailboxHook().settings()
    assert (settings.security, settings.auth_type, settings.verify, settings.timeout) == ("ssl", "login", True, 30)
    assert settings.effective_port == 993


def test_settings_given_as_texts_mean_what_they_say(connection):
    extra = {"security": "starttls", "auth_type": "xoauth2", "verify": "false", "timeout": "5"}
    connection(extra=extra, port=1143)
    settings = MailboxHook("invoice_mailbox").settings()
    assert (settings.security, settings.auth_type, settings.verify) == ("starttls", "xoauth2", False)
    assert (settings.timeout, settings.effective_port) == (5.0, 1143)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": ""}, "host is empty"),
        ({"login": None}, "login is empty"),
        ({"password": None}, "password is empty"),
        ({"extra": {"security": "tls"}}, "security is 'tls'. Use one of ssl, starttls, none"),
        ({"extra": {"auth_type": "oauth"}}, "auth_type is 'oauth'. Use one of login, xoauth2"),
        ({"extra": {"verify": "no"}}, "verify is 'no'. Use true or false"),
        ({"extra": {"timeout": "soon"}}, "timeout is 'soon'"),
        ({"extra": {"verfy": True}}, "extra key 'verfy' is not known"),
    ],
)
def test_a_wrong_field_is_named_with_its_remedy(connection, changes, complaint):
    connection(**changes)
    with pytest.raises(ConfigurationError, match=r"connection invoice_mailbox: ") as refusal:
        MailboxHook().settings()
    assert complaint in str(refusal.value)
    assert MailboxHook().test_connection() == (False, str(refusal.value))


def test_the_test_button_says_why_it_failed_without_the_secret(connection):
    connection(host="127.0.0.1", port=1, extra={"security": "none"})
    worked, message = MailboxHook().test_connection()
    assert not worked
    assert "no answer" in message
    assert SECRET not in message


def test_each_kind_of_source_is_built_from_its_connection(connection, tmp_path):
    connection()
    mailbox = MailboxSourceConfig(code="m", kind="mailbox", conn_id="invoice_mailbox")
    sftp = SftpSourceConfig(code="s", kind="sftp", conn_id="invoice_sftp", path="/upload")
    folder = FolderSourceConfig(code="f", kind="folder", path=str(tmp_path))
    assert isinstance(open_source(mailbox), MailboxSource)
    assert isinstance(open_source(sftp), SftpSource)
    assert isinstance(open_source(folder), FolderSource)
    assert [open_source(config).code for config in (mailbox, sftp, folder)] == ["m", "s", "f"]
