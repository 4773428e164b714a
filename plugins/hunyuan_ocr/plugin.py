"""The Airflow plugin, registered by entry point only (see ``plugins/.airflowignore``)."""

from __future__ import annotations

from airflow.sdk.plugins_manager import AirflowPlugin


class HunyuanOCRPlugin(AirflowPlugin):
    name = "hunyuan_ocr"
