"""What Airflow reads about this provider before it imports any of it. Imports nothing but the standard library."""

from __future__ import annotations

from typing import Any

import hunyuan_ocr
from hunyuan_ocr.hooks.connection_forms import connection_types
from hunyuan_ocr.options import OPTIONS, SECTION

_INTEGRATION = "HunyuanOCR invoice intake"


def get_provider_info() -> dict[str, Any]:
    """The provider's description in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-hunyuan-ocr",
        "name": "HunyuanOCR",
        "description": "Collects invoices from mailboxes and SFTP, reads and validates them, loads ERP staging tables.",
        "versions": [hunyuan_ocr.__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://github.com/Tencent-Hunyuan/HunyuanOCR",
                "tags": ["software"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"hunyuan_ocr.operators.{name}" for name in ("intake", "ocr", "decorators")],
            }
        ],
        "task-decorators": [
            {"name": "hunyuan_ocr", "class-name": "hunyuan_ocr.operators.decorators.hunyuan_ocr_task"},
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": ["hunyuan_ocr.hooks.mailbox", "hunyuan_ocr.hooks.engine"],
            }
        ],
        "connection-types": connection_types(),
        "config": {
            SECTION: {
                "description": "Invoice intake with HunyuanOCR.",
                "options": {
                    option.name: {
                        "description": option.description,
                        "version_added": "0.1.0",
                        "type": option.type,
                        "example": option.example,
                        "default": option.default,
                    }
                    for option in OPTIONS
                },
            }
        },
    }
