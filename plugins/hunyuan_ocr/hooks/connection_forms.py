"""The connection forms Airflow shows, as provider-info entries. Imports nothing: Airflow reads it before our hooks."""

from __future__ import annotations

from typing import Any

MAILBOX_CONN_TYPE = "hunyuan_mailbox"
MAILBOX_HOOK_CLASS = "hunyuan_ocr.hooks.mailbox.MailboxHook"
ENGINE_CONN_TYPE = "hunyuan_ocr"
ENGINE_HOOK_CLASS = "hunyuan_ocr.hooks.engine.HunyuanOCRHook"


def connection_types() -> list[dict[str, Any]]:
    """The value of ``connection-types`` in the provider info (schema: Airflow's ``provider_info.schema.json``)."""
    return [_mailbox(), _engine()]


def _mailbox() -> dict[str, Any]:
    return {
        "connection-type": MAILBOX_CONN_TYPE,
        "hook-class-name": MAILBOX_HOOK_CLASS,
        "hook-name": "Invoice mailbox (IMAP)",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"login": "User", "password": "Password or access token"},
            "placeholders": {
                "host": "imap.example.com",
                "login": "invoices@example.com",
                "port": "993 for ssl, 143 for starttls and none",
            },
        },
        "conn-fields": {
            "security": {
                "label": "Security",
                "description": "ssl: TLS from the start. starttls: TLS after connecting. none: only on loopback.",
                "schema": {"type": "string", "default": "ssl", "enum": ["ssl", "starttls", "none"]},
            },
            "auth_type": {
                "label": "Login with",
                "description": "login: a password. xoauth2: the password field holds an OAuth 2.0 access token, "
                "which is not renewed.",
                "schema": {"type": "string", "default": "login", "enum": ["login", "xoauth2"]},
            },
            "verify": {
                "label": "Check the server's certificate",
                "schema": {"type": "boolean", "default": True},
            },
            "ca_file": {
                "label": "Certificate authorities",
                "description": "Path of a PEM file on the worker, for servers with a certificate of your own "
                "authority.",
                "schema": {"type": ["string", "null"], "default": None},
            },
            "timeout": {
                "label": "Timeout in seconds",
                "description": "For each network operation.",
                "schema": {"type": "number", "default": 30, "minimum": 1, "maximum": 600},
            },
            "folder": {
                "label": "Folder to test",
                "description": "The Test button opens it; sources.yaml says which folder is collected.",
                "schema": {"type": "string", "default": "INBOX"},
            },
        },
    }


def _engine() -> dict[str, Any]:
    return {
        "connection-type": ENGINE_CONN_TYPE,
        "hook-class-name": ENGINE_HOOK_CLASS,
        "hook-name": "HunyuanOCR server",
        "ui-field-behaviour": {
            "hidden-fields": ["login"],
            "relabeling": {"host": "Server", "password": "API key", "schema": "http or https"},
            "placeholders": {
                "host": "gpu-1.example.com, or http://gpu-1.example.com:8000",
                "port": "8000 for http, 443 for https",
                "schema": "http",
                "password": "what vllm serve was given as --api-key",
            },
        },
        "conn-fields": {
            "base_urls": {
                "label": "Further servers",
                "description": "Addresses of servers with the same model, one a line or separated by commas: "
                "http://gpu-2.example.com:8000. Each page goes to the one with the fewest under way.",
                "schema": {"type": ["string", "null"], "default": None, "format": "multiline"},
            },
            "served_model": {
                "label": "Served model",
                "description": "The name the servers know the model by (vllm serve --served-model-name). "
                "Empty: the setting model.",
                "schema": {"type": ["string", "null"], "default": None},
            },
            "verify": {
                "label": "Check the servers' certificates",
                "description": "Without it anybody on the way can read the invoices.",
                "schema": {"type": "boolean", "default": True},
            },
            "ca_file": {
                "label": "Certificate authorities",
                "description": "Path of a PEM file on the worker, for servers with a certificate of your own "
                "authority.",
                "schema": {"type": ["string", "null"], "default": None},
            },
            "connect_timeout": {
                "label": "Seconds to connect",
                "description": "A server that takes no connection within this time counts as down.",
                "schema": {"type": "number", "default": 10, "minimum": 0.5, "maximum": 120},
            },
        },
    }
