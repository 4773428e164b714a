"""A mailbox is read by window, without marking anything, and settled once, on every kind of IMAP server."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from hunyuan_ocr.exceptions import SourceRefusedError, SourceUnavailableError
from hunyuan_ocr.model.documents import DocumentRole
from hunyuan_ocr.sources.base import ItemGoneError, ItemRef, Source, Verdict, Window
from hunyuan_ocr.sources.config import MailboxSourceConfig
from hunyuan_ocr.sources.imap_session import MailboxSettings
from hunyuan_ocr.sources.mailbox import MailboxSource
from hunyuan_ocr.sources.unpack import unpack
from tests.sources import mails
from tests.sources.tokens import access_token

DAY = datetime(2026, 10, 5, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
NOON = DAY + timedelta(hours=12)


def source_for(mailbox, **config) -> MailboxSource:
    config = {"code": "ap", "kind": "mailbox", "conn_id": "invoice_mailbox"} | config
    return MailboxSource(MailboxSourceConfig.model_validate(config), mailbox.settings)


def listed(mailbox, window: Window = WINDOW, **config) -> list[ItemRef]:
    with source_for(mailbox, **config) as source:
        return list(source.list_items(window))


def test_a_mailbox_source_keeps_the_promises_of_a_source(mailbox):
    assert isinstance(source_for(mailbox), Source)


def test_the_window_is_half_open_and_exact_to_the_second_in_any_time_zone(mailbox):
    shanghai = timezone(timedelta(hours=8))
    inside = (WINDOW.start, NOON.astimezone(shanghai), WINDOW.end - timedelta(seconds=1))
    outside = (WINDOW.start - timedelta(seconds=1), WINDOW.end, WINDOW.end + timedelta(days=3))
    for moment in (*inside, *outside):
        mailbox.deliver(mails.plain_pdf_mail(moment.isoformat()), moment)
    assert [ref.received_at for ref in listed(mailbox)] == sorted(moment.astimezone(UTC) for moment in inside)


def test_read_mails_are_listed_too_and_deleted_ones_are_not(mailbox):
    mailbox.deliver(mails.plain_pdf_mail("unread"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("read"), NOON, r"\Seen")
    mailbox.deliver(mails.plain_pdf_mail("deleted"), NOON, r"\Deleted")
    assert len(listed(mailbox)) == 2


def test_listing_and_fetching_leave_mails_unread_and_give_their_bytes_untouched(mailbox):
    raw = mails.gbk_mail()
    mailbox.deliver(raw, NOON)
    with source_for(mailbox) as source:
        (ref,) = source.list_items(WINDOW)
        item = source.fetch(ref)
    assert sha256(item.raw).hexdigest() == sha256(raw).hexdigest()
    assert (item.is_mail, item.message_id) == (True, "<gbk@supplier.example>")
    assert (item.sender, item.recipient) == ("zhang@supplier.example", "invoices@buyer.example")
    assert ref.size == len(raw)
    assert r"\Seen" not in mailbox.flags()[0]


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (mails.gbk_mail(), ["增值税发票.pdf"]),
        (mails.octet_stream_mail(), ["invoice.dat"]),
        (mails.inline_pdf_mail(), ["invoice.pdf"]),
        (mails.undisposed_pdf_mail(), ["invoice.pdf"]),
        (mails.nested_mail(), ["invoice.pdf"]),
        (mails.zip_mail(), ["a.pdf", "b.pdf"]),
    ],
    ids=["gbk", "octet-stream", "inline", "no disposition", "nested", "zip"],
)
def test_what_went_in_by_mail_comes_out_as_documents(mailbox, raw, names):
    mailbox.deliver(raw, NOON)
    with source_for(mailbox) as source:
        (ref,) = source.list_items(WINDOW)
        item = source.fetch(ref)
    documents = unpack(item.raw, file_name=item.file_name, is_mail=item.is_mail)
    assert [document.file_name for document in documents if document.role is DocumentRole.PRIMARY] == names
    assert not any(document.problem for document in documents)


def test_filters_look_at_decoded_headers_even_when_they_are_bare_gbk(mailbox):
    mailbox.deliver(mails.gbk_mail(), NOON)
    mailbox.deliver(mails.plain_pdf_mail("other"), NOON)
    by_subject = listed(mailbox, filters={"subject": ["*发票*"]})
    by_sender = listed(mailbox, filters={"from": ["ZHANG@*"], "to": ["*@buyer.example"]})
    assert [ref.external_key for ref in by_subject] == [ref.external_key for ref in by_sender]
    assert len(by_subject) == 1
    assert len(listed(mailbox, filters={"min_size": 10_000})) == 0
    assert len(listed(mailbox, filters={"max_age_days": 0.25})) == 0


def test_an_accepted_mail_moves_once_and_only_it(mailbox):
    mailbox.deliver(mails.plain_pdf_mail("first"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("second"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("someone else's"), NOON, r"\Deleted")
    config = {"settle": {"on_accepted": {"action": "move", "target": "Done"}, "on_review": "leave"}}
    with source_for(mailbox, **config) as source:
        first, second = source.list_items(WINDOW)
        for _ in range(2):
            source.settle(first.external_key, Verdict.ACCEPTED)
        source.settle(second.external_key, Verdict.NEEDS_REVIEW)
        assert [ref.external_key for ref in source.list_items(WINDOW)] == [second.external_key]
        with pytest.raises(ItemGoneError):
            source.fetch(first)
    assert (mailbox.count("Done"), mailbox.count("INBOX")) == (1, 2)


def test_a_target_below_another_folder_is_spelt_the_server_s_way(mailbox):
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    with source_for(mailbox, settle={"on_accepted": {"action": "move", "target": "Invoices/已入账"}}) as source:
        (ref,) = source.list_items(WINDOW)
        source.settle(ref.external_key, Verdict.ACCEPTED)
        assert list(source.list_items(WINDOW)) == []


def test_without_move_a_killed_settle_is_finished_without_a_second_copy(mailbox):
    mailbox.deliver(mails.plain_pdf_mail("killed"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("someone else's"), NOON, r"\Deleted")
    mailbox.client.create("Done")
    mailbox.client.select("INBOX")
    mailbox.client.copy("1", "Done")  # what a killed task had done
    with source_for(mailbox, settle={"on_accepted": {"action": "move", "target": "Done"}}) as source:
        (ref,) = source.list_items(WINDOW)
        client = source._mailbox.client
        client.capabilities = tuple(name for name in client.capabilities if name != "MOVE")
        source.settle(ref.external_key, Verdict.ACCEPTED)
        source.settle(ref.external_key, Verdict.ACCEPTED)
        assert list(source.list_items(WINDOW)) == []
    assert mailbox.count("Done") == 1
    assert mailbox.count("INBOX") >= 1, "a mail somebody else had marked as deleted was expunged along the way"


def test_a_server_that_keeps_no_keywords_is_told_apart_from_one_that_lost_the_mail(mail_devel_server):
    mailbox = mail_devel_server.new_mailbox()
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    with source_for(mailbox) as source:
        (ref,) = source.list_items(WINDOW)
        with pytest.raises(SourceRefusedError, match=r"keeps no keywords like HunyuanAccepted. Set settle to move"):
            source.settle(ref.external_key, Verdict.ACCEPTED)


@pytest.mark.real_server
def test_flags_tell_accepted_from_review_and_expunge_nobody_s_mail(dovecot_server):
    mailbox = dovecot_server.new_mailbox()
    mailbox.deliver(mails.plain_pdf_mail("good"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("bad"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("someone else's"), NOON, r"\Deleted")
    with source_for(mailbox) as source:
        good, bad = source.list_items(WINDOW)
        for _ in range(2):
            source.settle(good.external_key, Verdict.ACCEPTED)
            source.settle(bad.external_key, Verdict.NEEDS_REVIEW)
    flags = mailbox.flags()
    assert "HunyuanAccepted" in flags[0]
    assert "HunyuanReview" in flags[1]
    assert all(r"\Seen" not in each for each in flags)
    assert len(flags) == 3


def test_a_renumbered_folder_is_never_settled_by_its_old_numbers(mailbox):
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    with source_for(mailbox, settle={"on_accepted": {"action": "move", "target": "Done"}}) as source:
        (ref,) = source.list_items(WINDOW)
        folder, uidvalidity, uid = ref.external_key.rsplit(";", 2)
        stale = f"{folder};{int(uidvalidity) + 1};{uid}"
        source.settle(stale, Verdict.ACCEPTED)
        with pytest.raises(ItemGoneError):
            source.fetch(ItemRef("ap", stale, NOON, 1, "mail.eml"))
    assert (mailbox.count("INBOX"), mailbox.count("Done")) == (1, 0)


def test_many_mails_are_listed_in_order_without_their_bodies(mailbox):
    for minute in range(30):
        mailbox.deliver(mails.plain_pdf_mail(f"m{minute}"), NOON + timedelta(minutes=29 - minute))
    moments = [ref.received_at for ref in listed(mailbox)]
    assert moments == sorted(moments)
    assert len(moments) == 30


def test_a_wrong_password_is_refused_with_a_remedy_and_no_secret(mailbox):
    secret = "hunter2-is-not-it"
    settings = mailbox.with_settings(password=secret, conn_id="invoice_mailbox")
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    with pytest.raises(SourceRefusedError) as refusal, MailboxSource(config, settings):
        pass
    message = str(refusal.value)
    assert mailbox.settings.user in message
    assert "Check the login and password of connection invoice_mailbox" in message
    assert secret not in message
    assert secret not in repr(settings)
    assert refusal.value.__cause__ is None


def test_a_missing_folder_is_refused_by_name(mailbox):
    with pytest.raises(SourceRefusedError, match=r"open folder Rechnungen.*sources.yaml"):
        listed(mailbox, folder="Rechnungen")


def test_a_server_without_starttls_says_which_setting_is_wrong(mail_devel_server):
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    with pytest.raises(SourceRefusedError, match=r"refuses STARTTLS here. Set security to ssl"):
        MailboxSource(config, mail_devel_server.new_mailbox().with_settings(security="starttls")).__enter__()


@pytest.mark.real_server
def test_starttls_checks_the_certificate_and_takes_a_named_authority(dovecot_server):
    mailbox = dovecot_server.new_mailbox()
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    with pytest.raises(SourceRefusedError, match=r"certificate is not trusted.*ca_file"):
        MailboxSource(config, mailbox.with_settings(security="starttls")).__enter__()
    with pytest.raises(SourceRefusedError, match=r"certificate is not trusted"):
        wrong_name = {"host": "127.0.0.1", "security": "starttls", "ca_file": str(mailbox.server.certificate)}
        MailboxSource(config, mailbox.with_settings(**wrong_name)).__enter__()
    for trust in ({"ca_file": str(mailbox.server.certificate)}, {"verify": False}):
        with MailboxSource(config, mailbox.with_settings(security="starttls", **trust)) as source:
            assert len(list(source.list_items(WINDOW))) == 1


@pytest.mark.real_server
def test_tls_from_the_start(dovecot_server):
    mailbox = dovecot_server.new_mailbox()
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    tls = {"security": "ssl", "port": dovecot_server.tls_port}
    with pytest.raises(SourceRefusedError, match=r"certificate is not trusted"):
        MailboxSource(config, mailbox.with_settings(**tls)).__enter__()
    with MailboxSource(config, mailbox.with_settings(**tls, ca_file=str(dovecot_server.certificate))) as source:
        assert len(list(source.list_items(WINDOW))) == 1


def test_tls_on_a_plain_port_says_which_setting_is_wrong(mailbox):
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    with pytest.raises(SourceRefusedError, match=r"Set security to starttls"):
        MailboxSource(config, mailbox.with_settings(security="ssl")).__enter__()


def test_a_server_that_does_not_answer_is_worth_a_retry():
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = MailboxSettings(
            host="127.0.0.1", port=silent.getsockname()[1], user="u", password="p", security="none", timeout=1
        )
        with pytest.raises(SourceUnavailableError, match=r"A retry may help"):
            MailboxSource(config, settings).__enter__()
    with pytest.raises(SourceUnavailableError, match=r"A retry may help"):
        MailboxSource(config, settings).__enter__()


def test_an_error_of_the_caller_is_not_mistaken_for_the_server_s(mailbox):
    with pytest.raises(OSError, match=r"disk full"), source_for(mailbox):
        raise OSError("disk full")


def test_the_test_button_logs_in_and_counts(mailbox, monkeypatch):
    from hunyuan_ocr.hooks.mailbox import MailboxHook

    mailbox.deliver(mails.plain_pdf_mail("one"), NOON)
    mailbox.deliver(mails.plain_pdf_mail("two"), NOON)
    conn = {
        "conn_type": "hunyuan_mailbox", "host": "localhost", "port": mailbox.settings.port,
        "login": mailbox.settings.user, "password": mailbox.settings.password, "extra": {"security": "none"},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_INVOICE_MAILBOX", json.dumps(conn))
    assert MailboxHook().test_connection() == (True, "Logged in. Folder INBOX holds 2 mails.")
    monkeypatch.setenv("AIRFLOW_CONN_INVOICE_MAILBOX", json.dumps(conn | {"password": "hunter2-is-not-it"}))
    worked, message = MailboxHook().test_connection()
    assert (worked, "login refused" in message, "hunter2" in message) == (False, True, False)


@pytest.mark.real_server
def test_an_access_token_opens_the_mailbox_and_a_stale_one_says_what_to_renew(dovecot_server):
    mailbox = dovecot_server.new_mailbox()
    mailbox.deliver(mails.plain_pdf_mail(), NOON)
    config = MailboxSourceConfig(code="ap", kind="mailbox", conn_id="invoice_mailbox")
    tls = {"security": "ssl", "port": dovecot_server.tls_port, "ca_file": str(dovecot_server.certificate)}
    token = access_token(mailbox.settings.user)
    with MailboxSource(config, mailbox.with_settings(auth_type="xoauth2", password=token, **tls)) as source:
        assert len(list(source.list_items(WINDOW))) == 1
    stale = access_token(mailbox.settings.user, lifetime=-60)
    settings = mailbox.with_settings(auth_type="xoauth2", password=stale, conn_id="invoice_mailbox", **tls)
    with pytest.raises(SourceRefusedError, match=r"fresh access token .* connection invoice_mailbox") as refusal:
        MailboxSource(config, settings).__enter__()
    assert stale not in str(refusal.value)
