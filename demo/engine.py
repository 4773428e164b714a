"""Which engine the demo reads pictures with: RapidOCR, or what ``make demo ENGINE=… URL=…`` names.

``URL`` is the address of an OpenAI-compatible server that serves HunyuanOCR, ``API_KEY`` its key, ``MODEL`` the name it
serves the model under (engine openai_server) or the folder of the weights (engines vllm and transformers).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONN_ID = "hunyuan_ocr_default"


@dataclass(frozen=True)
class DemoEngine:
    """Settings and connections the demo's Airflow gets for its engine."""

    name: str
    environment: Mapping[str, str]
    connections: Mapping[str, Mapping[str, Any]]


def chosen_engine(given: Mapping[str, str] = os.environ) -> DemoEngine:
    """What was asked for on the command line. Exits with a sentence when it does not fit together."""
    name = given.get("ENGINE") or "rapidocr"
    url, model = given.get("URL", ""), given.get("MODEL", "")
    if name == "openai_server" and not url:
        raise SystemExit(
            "ENGINE=openai_server needs the address of a server: make demo ENGINE=openai_server URL=http://host:8000"
        )
    if name == "rapidocr":
        return DemoEngine(name, {}, {})
    settings = {"AIRFLOW__HUNYUAN_OCR__ENGINE": name}
    if name != "openai_server":
        own_model = {"AIRFLOW__HUNYUAN_OCR__MODEL": model} if model else {}
        return DemoEngine(name, settings | own_model, {})
    connection: dict[str, Any] = {
        "conn_type": "hunyuan_ocr",
        "password": given.get("API_KEY") or None,
        "extra": {"base_urls": url, **({"served_model": model} if model else {})},
    }
    return DemoEngine(name, settings, {CONN_ID: connection})
