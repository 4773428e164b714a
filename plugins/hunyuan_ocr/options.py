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
    Option(
        "engine",
        "string",
        "rapidocr",
        "What reads the pages that are only pictures: rapidocr (on the CPU, nothing to install), vllm (HunyuanOCR inside "
        "the OCR task, on a GPU worker), openai_server (HunyuanOCR behind vLLM's or any compatible server) or "
        "transformers (HunyuanOCR one page at a time, to debug).",
        "openai_server",
    ),
    Option(
        "engine_conn_id",
        "string",
        "hunyuan_ocr_default",
        "Airflow connection (type HunyuanOCR server) of engine openai_server: addresses, API key, served model.",
    ),
    Option(
        "engine_gate",
        "string",
        "never",
        "What to do with a vLLM that mixes pictures asked at the same time (the start-up probe finds out): never: refuse "
        "it; when_needed: send one picture at a time into its encoder; always: do so without asking.",
    ),
    Option("engine_probe", "boolean", "True", "Ask the engine eight known pages together and one by one before the first real page."),
    Option("engine_in_flight", "integer", "64", "How many questions openai_server has open at once, over all addresses."),
    Option("engine_timeout", "integer", "300", "Seconds one question to openai_server may take, retries included."),
    Option(
        "engine_stall_seconds",
        "integer",
        "600",
        "Without one answer for so long the engine counts as dead: the task fails, and its retry starts a new one.",
    ),
    Option(
        "model",
        "string",
        "tencent/HunyuanOCR",
        "The model engines vllm and transformers load: a folder, or the id of one that hunyuan-ocr model download fetched.",
        "/models/HunyuanOCR",
    ),
    Option(
        "model_revision",
        "string",
        "",
        "Its revision; it is part of every row and cache key. Empty: the revision this version was made for.",
    ),
    Option("model_family", "string", "1.5", "Generation of the model, 1.0 or 1.5: prompts and limits differ."),
    Option(
        "accept_tencent_licence",
        "boolean",
        "False",
        "True: you have read and accept the Tencent Hunyuan Community License. It does not apply in the European Union, "
        "the United Kingdom and South Korea, and neither the model nor its output may be used there. Needed for "
        "hunyuan-ocr model download.",
    ),
    Option("model_megapixels", "float", "2.2", "Pixels of a page as HunyuanOCR first sees it; 2.2 is A4 at 150 dots an inch."),
    Option(
        "model_retry_megapixels",
        "float",
        "3.9",
        "Pixels of a page asked again because what was read was poor; 3.9 is A4 at 200 dots an inch.",
    ),
    Option("page_attempts", "integer", "5", "How many pictures of one page HunyuanOCR is shown at most: more pixels, other rotations."),
    Option("gpu_memory_utilization", "float", "0.9", "Share of the GPU's memory engine vllm takes (vLLM's own setting)."),
    Option("max_model_len", "integer", "16384", "Longest prompt and answer of engine vllm in tokens (vLLM's own setting)."),
    Option("max_num_seqs", "integer", "64", "Questions engine vllm works on at once (vLLM's own setting); 64 fits 24 GB."),
    Option(
        "vllm_options",
        "string",
        "",
        "Further arguments of vLLM's engine as a JSON object.",
        '{"kv_cache_dtype": "fp8"}',
    ),
    Option("render_processes", "integer", "0", "Processes that render pages for HunyuanOCR; 0: one less than there are cores, at most 8."),
    Option("render_seconds", "float", "60", "A page that takes longer to render costs its document: it is set aside."),
    Option("render_megabytes", "integer", "2048", "Memory of one rendering process; a page that needs more is set aside."),
    Option(
        "answer_cache_conn_id",
        "string",
        "",
        "Airflow connection (type Redis) of a Redis that remembers answers beside the journal. Not the Celery broker. "
        "Empty: only the journal.",
        "answer_cache",
    ),
    Option("answer_cache_days", "integer", "30", "How long that Redis keeps an answer."),
    Option(
        "ocr_pool",
        "string",
        "",
        "Airflow pool of the OCR tasks, with as many slots as the engine serves tasks at once. Empty: default_pool for "
        "rapidocr, gpu for the others (create it: airflow pools set gpu 1 HunyuanOCR).",
    ),
    Option(
        "ocr_queue",
        "string",
        "",
        "Queue of the OCR tasks. Empty: gpu for the engines that need the GPU in the task (vllm, transformers), else "
        "the default queue.",
    ),
    Option("ocr_threads", "integer", "0", "CPU threads of RapidOCR in one task; 0 lets the runtime take all cores."),
    Option("max_pages", "integer", "200", "A document with more pages is set aside."),
    Option("max_page_megapixels", "float", "60", "A page or image with more pixels is set aside before it is decoded."),
    Option("render_megapixels", "float", "4.0", "How many pixels a rendered page may have when RapidOCR reads it."),
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
