"""Every setting of the provider: name, type, default and what it does. Imports nothing but the standard library.

Airflow reads this list through ``get_provider_info`` (so that the settings show up in ``airflow config list`` and can be
set as ``AIRFLOW__HUNYUAN_OCR__NAME``), ``settings.py`` reads their values, and ``docs/settings.md`` is generated from it.
"""

from __future__ import annotations

from typing import NamedTuple

SECTION = "hunyuan_ocr"


class Option(NamedTuple):
    """One key of the ``[hunyuan_ocr]`` section; ``default`` is text as in ``airflow.cfg``."""

    name: str
    type: str
    default: str
    description: str
    example: str | None = None


OPTIONS: tuple[Option, ...] = (
    Option(
        "home",
        "string",
        "",
        "Folder for everything the embedded default keeps: database, archive, reports. Empty: AIRFLOW_HOME/hunyuan_ocr.",
        "/var/lib/hunyuan_ocr",
    ),
    Option(
        "database_conn_id",
        "string",
        "",
        "Airflow connection of the database that holds the pipeline store and the staging tables. Empty: a SQLite file "
        "in the home folder.",
        "invoice_staging_db",
    ),
    Option(
        "archive_url",
        "string",
        "",
        "Where the raw bytes are archived: file://, s3://conn@bucket/prefix or any other ObjectStoragePath. Empty: "
        "the folder 'archive' in the home folder.",
        "s3://aws_default@invoices/archive",
    ),
    Option(
        "sources_file",
        "string",
        "",
        "YAML file that declares the mailboxes, SFTP servers and folders to collect from. Empty: sources.yaml in the "
        "home folder.",
        "/etc/hunyuan_ocr/sources.yaml",
    ),
    Option(
        "prompts_dir",
        "string",
        "",
        "Folder with the prompt profiles, one YAML file per kind of document. Empty: those that come with the provider.",
        "/opt/airflow/prompts",
    ),
    Option(
        "data_docs_dir",
        "string",
        "",
        "Folder where the Great Expectations Data Docs of every run are kept. Empty: 'data_docs' in the home folder.",
    ),
    Option(
        "data_docs_url",
        "string",
        "",
        "Where people open that folder, when a web server publishes it; links in alerts start with it. Empty: file:// links.",
        "https://reports.example.com/invoices",
    ),
    Option("schedule", "string", "0 6 * * *", "When the daily intake ends its interval (cron)."),
    Option("timezone", "string", "UTC", "Time zone of that schedule.", "Asia/Shanghai"),
    Option("start_date", "string", "2026-01-01", "First day a backfill may reach back to (ISO 8601)."),
    Option(
        "backlog_days",
        "integer",
        "7",
        "A scheduled or manual run also collects mails that arrived up to so many days before its interval and were never "
        "collected, for example while Airflow was down. Files still lying in an inbox folder are taken whatever their age.",
    ),
    Option("shard_items", "integer", "250", "At most so many source items (mails, files) in one shard, that is one task."),
    Option("shard_megabytes", "integer", "512", "At most so many megabytes of source items in one shard."),
    Option("ocr_pool", "string", "default_pool", "Airflow pool of the OCR tasks; give it as many slots as the worker runs."),
    Option("ocr_queue", "string", "default", "Queue of the OCR tasks, for example 'gpu' with a Celery worker of its own."),
    Option("ocr_threads", "integer", "0", "CPU threads of RapidOCR in one task; 0 lets the runtime take all cores."),
    Option("max_pages", "integer", "200", "A document with more pages is set aside."),
    Option("max_page_megapixels", "float", "60", "A page or image with more pixels is set aside before it is decoded."),
    Option("render_megapixels", "float", "4.0", "How many pixels a rendered page may have when it is read by OCR."),
    Option("max_document_megabytes", "integer", "100", "A document larger than this is set aside unread."),
    Option("max_unpacked_megabytes", "integer", "500", "An archive that unpacks to more than this is set aside."),
    Option("max_unpacked_files", "integer", "1000", "An archive or mail with more files than this is set aside."),
    Option(
        "min_confidence",
        "float",
        "0.5",
        "Mandatory values below this confidence send the invoice to review (rule EV-2).",
    ),
    Option(
        "warnings_to_review",
        "string",
        "",
        "Rules of severity 'warn' whose failure sends an invoice to review too: rule ids separated by commas, or '*' for all.",
        "CN-TAX-3,DATE-2",
    ),
    Option("reject_ratio", "float", "0.5", "The run ends red when more than this share of its invoices was rejected."),
    Option("alert_to", "string", "", "Who gets one message per run with rejections; addresses separated by commas. Empty: nobody."),
    Option("alert_from", "string", "", "Sender of those messages. Empty: the sender of the SMTP connection."),
    Option("alert_smtp_conn_id", "string", "smtp_default", "Airflow connection that sends them."),
    Option(
        "alert_notifier",
        "string",
        "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        "Class of the notifier that sends the alert: any Airflow notifier.",
        "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier",
    ),
    Option(
        "alert_notifier_kwargs",
        "string",
        "",
        "Arguments of another notifier than SMTP as JSON; its templates may use invoice_report.subject, .text and .html.",
        '{"slack_webhook_conn_id": "slack", "text": "{{ invoice_report.text }}"}',
    ),
)  # fmt: skip
