"""Sends the report of a run with any Airflow notifier; SMTP unless a setting names another.

The report's texts reach the notifier as template variables (``invoice_report.subject``, ``.text``, ``.html``), never as
templates themselves: a file name such as ``{{ conn.erp.password }}`` stays a file name.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hunyuan_ocr.intake.report import RunReport
    from hunyuan_ocr.settings import Settings

SMTP_NOTIFIER = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"


@dataclass(frozen=True)
class RenderedReport:
    """A run's report as a notifier's templates see it."""

    subject: str
    text: str
    html: str


def render(report: RunReport) -> RenderedReport:
    """The report as a subject line, plain text and HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("hunyuan_ocr.notifications"),
        autoescape=select_autoescape(["html.jinja2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = {kind: environment.get_template(f"alert.{kind}.jinja2").render(report=report) for kind in ("txt", "html")}
    return RenderedReport(subject=report.subject, text=texts["txt"], html=texts["html"])


def send_alert(report: RunReport, context: Context, settings: Settings) -> bool:
    """Send the report; returns False when nobody is to be told.

    :raises ConfigurationError: when the notifier does not exist or refuses its arguments. What the notifier itself
        raises comes through, so that the task fails and tries again instead of swallowing the alert.
    """
    is_smtp = settings.alert_notifier == SMTP_NOTIFIER
    if is_smtp and not settings.alert_to and "to" not in settings.alert_notifier_kwargs:
        return False
    kwargs: dict[str, Any] = dict(settings.alert_notifier_kwargs)
    if is_smtp:
        kwargs = {
            "to": list(settings.alert_to),
            "from_email": settings.alert_from or None,
            "subject": "{{ invoice_report.subject }}",
            "html_content": "{{ invoice_report.html }}",
            "smtp_conn_id": settings.alert_smtp_conn_id,
        } | kwargs
    notifier = _notifier(settings.alert_notifier, kwargs)
    told: Any = {**context, "invoice_report": render(report)}
    # Not notifier(context): that swallows what goes wrong, and nobody would learn that the alert was never sent.
    notifier.render_template_fields(told)
    notifier.notify(told)
    return True


def _notifier(path: str, kwargs: dict[str, Any]) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)(**kwargs)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"[hunyuan_ocr] alert_notifier {path} cannot be used with its alert_notifier_kwargs: {error}"
        ) from error
