"""The alert: what it says, that it is really sent, and that a failure to send it is not swallowed."""

from __future__ import annotations

import imaplib
import json
import ssl
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from demo.servers import ALERT_ADDRESS, MailAccount, MailServer
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.intake.report import Attention, Reason, RunReport
from hunyuan_ocr.notifications.alert import render, send_alert
from hunyuan_ocr.settings import Settings

SCRIPT = "<script>alert(1)</script>.pdf"
TEMPLATE = "{{ conn.erp.password }}.pdf"
CONN_ID = "invoice_alerts"


def report_about(*names: str, omitted: int = 0) -> RunReport:
    return RunReport(
        batch_id="batch",
        dag_id="invoice_intake",
        run_id="scheduled__2026-03-01T06:00:00+00:00",
        counts={"invoices": 9, "staged": 9 - len(names), "review": len(names)},
        attention=tuple(
            Attention(name, "invoice_mail", "REVIEW", [Reason("BR-CO-15", "The total is 5 < 6 & more.")])
            for name in names
        ),
        omitted=omitted,
        links={"Airflow run": "https://airflow.example/dags/invoice_intake?a=1&b=2"},
        fingerprint="f",
        is_news=True,
    )


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    def load(**values: str) -> Settings:
        for name, value in {"alert_smtp_conn_id": CONN_ID, **values}.items():
            monkeypatch.setenv(f"AIRFLOW__HUNYUAN_OCR__{name.upper()}", value)
        return Settings.load()

    return load


@pytest.fixture(scope="module")
def mail_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailAccount]:
    with MailServer(tmp_path_factory.mktemp("mail")) as account:
        yield account


@pytest.fixture
def mail(mail_server: MailAccount, monkeypatch: pytest.MonkeyPatch) -> MailAccount:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(mail_server.smtp_connection()))
    return mail_server


def mails_to(address: str, account: MailAccount) -> list[EmailMessage]:
    context = ssl.create_default_context(cafile=str(account.ca_file))
    with imaplib.IMAP4_SSL(account.host, account.imaps_port, ssl_context=context) as client:
        client.login(address, account.password)
        client.select("INBOX", readonly=True)
        found = []
        for number in client.search(None, "ALL")[1][0].split():
            answer: Any = client.fetch(number.decode(), "(BODY.PEEK[])")[1]
            message = message_from_bytes(answer[0][1], policy=policy.default)
            assert isinstance(message, EmailMessage)
            found.append(message)
        return found


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def test_it_names_the_document_the_rule_and_the_reason_in_both_forms() -> None:
    told = render(report_about("rechnung_4711.pdf", omitted=7))
    assert told.subject == "1 of 9 invoices need attention (scheduled__2026-03-01T06:00:00+00:00)"
    for text in (told.text, told.html):
        for part in ("rechnung_4711.pdf", "invoice_mail", "REVIEW", "BR-CO-15", "8 staged, 1 for review", "7 more"):
            assert part in text
    assert "The total is 5 < 6 & more." in told.text
    assert "https://airflow.example/dags/invoice_intake?a=1&b=2" in told.text


def test_names_that_look_like_html_or_like_a_template_stay_names() -> None:
    told = render(report_about(SCRIPT, TEMPLATE))
    assert SCRIPT in told.text and TEMPLATE in told.text
    assert "<script>" not in told.html and "&lt;script&gt;alert(1)&lt;/script&gt;.pdf" in told.html
    assert TEMPLATE in told.html
    assert "5 &lt; 6 &amp; more" in told.html


def test_it_arrives_in_the_recipient_s_mailbox_and_templates_in_names_are_not_rendered(
    mail: MailAccount, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps({"conn_type": "http", "password": "erp-secret"}))
    before = len(mails_to(ALERT_ADDRESS, mail))
    assert send_alert(report_about(SCRIPT, TEMPLATE, "发票.pdf"), {}, settings(alert_to=ALERT_ADDRESS))
    (message,) = mails_to(ALERT_ADDRESS, mail)[before:]
    assert message["Subject"] == "3 of 9 invoices need attention (scheduled__2026-03-01T06:00:00+00:00)"
    html = html_of(message)
    assert TEMPLATE in html and "发票.pdf" in html and "<script>" not in html
    assert "erp-secret" not in message.as_string()


def test_several_recipients_get_it_and_the_sender_can_be_set(
    mail: MailAccount, settings: Callable[..., Settings]
) -> None:
    both = ("clerk@northgate.example", "engineer@northgate.example")
    alert_from = "intake@northgate.example"
    assert send_alert(report_about("a.pdf"), {}, settings(alert_to=", ".join(both), alert_from=alert_from))
    for address in both:
        (message,) = mails_to(address, mail)
        assert message["From"] == alert_from


def test_without_a_recipient_nothing_is_sent(mail: MailAccount, settings: Callable[..., Settings]) -> None:
    before = len(mails_to(ALERT_ADDRESS, mail))
    assert send_alert(report_about("a.pdf"), {}, settings(alert_to="")) is False
    assert len(mails_to(ALERT_ADDRESS, mail)) == before


def test_a_mail_server_that_does_not_answer_fails_the_task(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with MailServer(tmp_path) as account:
        connection = account.smtp_connection()
    connection["extra"] |= {"retry_limit": 1, "timeout": 2}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
    with pytest.raises(OSError):
        send_alert(report_about("a.pdf"), {}, settings(alert_to=ALERT_ADDRESS))


def test_a_refused_login_fails_the_task(
    mail_server: MailAccount, settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = mail_server.smtp_connection() | {"password": "not-this-one"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(wrong))
    before = len(mails_to(ALERT_ADDRESS, mail_server))
    with pytest.raises(Exception, match=r"(?i)auth"):
        send_alert(report_about("a.pdf"), {}, settings(alert_to=ALERT_ADDRESS))
    assert len(mails_to(ALERT_ADDRESS, mail_server)) == before


def test_any_notifier_can_be_named_by_setting(settings: Callable[..., Settings]) -> None:
    from tests.notifications.blackboard import BlackboardNotifier

    BlackboardNotifier.told.clear()
    own = settings(
        alert_notifier="tests.notifications.blackboard.BlackboardNotifier",
        alert_notifier_kwargs='{"text": "{{ invoice_report.subject }} | {{ invoice_report.text }}"}',
    )
    assert send_alert(report_about(TEMPLATE), {}, own)
    (told,) = BlackboardNotifier.told
    assert told.startswith("1 of 9 invoices need attention") and TEMPLATE in told


@pytest.mark.parametrize(
    ("notifier", "kwargs"),
    [
        ("no.such.Notifier", ""),
        ("tests.notifications.blackboard.NoSuchNotifier", ""),
        ("tests.notifications.blackboard.BlackboardNotifier", '{"colour": "red"}'),
        ("nonsense", ""),
    ],
)
def test_a_notifier_that_cannot_be_used_is_a_configuration_error_that_names_the_setting(
    notifier: str, kwargs: str, settings: Callable[..., Settings]
) -> None:
    with pytest.raises(ConfigurationError, match="alert_notifier"):
        send_alert(report_about("a.pdf"), {}, settings(alert_notifier=notifier, alert_notifier_kwargs=kwargs))
