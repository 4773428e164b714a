"""The only place that reads configuration: section ``[hunyuan_ocr]`` of Airflow's, with the defaults of ``options``.

Nothing here opens a connection or creates a folder; reading a setting never fails for a reason that is not the
setting's own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from hunyuan_ocr.engines.spec import ModelSpec
from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.options import OPTIONS, SECTION

MEGA = 1_000_000


class EngineName(StrEnum):
    """What can read a page image."""

    RAPIDOCR = "rapidocr"
    VLLM = "vllm"
    OPENAI_SERVER = "openai_server"
    TRANSFORMERS = "transformers"

    @classmethod
    def of(cls, name: str) -> EngineName:
        """Raises ConfigurationError for a name that is none."""
        try:
            return cls(name)
        except ValueError:
            raise ConfigurationError(
                f"There is no engine {name!r}: [{SECTION}] engine must be one of {', '.join(cls)}."
            ) from None

    @property
    def is_model(self) -> bool:
        """Whether HunyuanOCR answers; RapidOCR needs no questions, no probe and no GPU."""
        return self is not EngineName.RAPIDOCR

    @property
    def default_pool(self) -> str:
        return "gpu" if self.is_model else "default_pool"

    @property
    def default_queue(self) -> str:
        """The queue of workers that have what the engine needs; a server's clients run anywhere."""
        return "gpu" if self in {EngineName.VLLM, EngineName.TRANSFORMERS} else "default"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings with their types; see ``options.py`` for what each does. Sizes are in the unit of the name."""

    home: Path
    database_conn_id: str
    archive_url: str
    sources_file: Path
    prompts_dir: Path
    data_docs_dir: Path
    data_docs_url: str
    schedule: str
    timezone: str
    start_date: str
    backlog_days: int
    shard_items: int
    shard_megabytes: int
    engine: EngineName
    engine_conn_id: str
    engine_gate: str
    engine_probe: bool
    engine_in_flight: int
    engine_timeout: int
    engine_stall_seconds: int
    model: str
    model_revision: str
    model_family: str
    accept_tencent_licence: bool
    model_megapixels: float
    model_retry_megapixels: float
    page_attempts: int
    gpu_memory_utilization: float
    max_model_len: int
    max_num_seqs: int
    vllm_options: dict[str, Any]
    render_processes: int
    render_seconds: float
    render_megabytes: int
    answer_cache_conn_id: str
    answer_cache_days: int
    ocr_pool: str
    ocr_queue: str
    ocr_threads: int
    max_pages: int
    max_page_megapixels: float
    render_megapixels: float
    max_document_megabytes: int
    max_unpacked_megabytes: int
    max_unpacked_files: int
    min_confidence: float
    warnings_to_review: frozenset[str]
    reject_ratio: float
    alert_to: tuple[str, ...]
    alert_from: str
    alert_smtp_conn_id: str
    alert_notifier: str
    alert_notifier_kwargs: dict[str, Any]

    @classmethod
    def load(cls) -> Self:
        """The settings as they are now.

        :raises ConfigurationError: when a value is not of its type; the message names the key and where to set it.
        """
        raw = {option.name: _value_of(option.name, option.default) for option in OPTIONS}
        home = Path(raw["home"]).expanduser() if raw["home"] else _airflow_home() / "hunyuan_ocr"
        typed: dict[str, Any] = {option.name: _typed(option.name, option.type, raw[option.name]) for option in OPTIONS}
        typed |= {
            "home": home,
            "archive_url": raw["archive_url"] or (home / "archive").absolute().as_uri(),
            "sources_file": Path(raw["sources_file"] or home / "sources.yaml").expanduser(),
            "prompts_dir": Path(raw["prompts_dir"]).expanduser() if raw["prompts_dir"] else shipped_prompts_dir(),
            "data_docs_dir": Path(raw["data_docs_dir"] or home / "data_docs").expanduser(),
            "warnings_to_review": frozenset(_listed(raw["warnings_to_review"])),
            "alert_to": tuple(_listed(raw["alert_to"])),
            "engine": EngineName.of(raw["engine"]),
            "engine_gate": _one_of("engine_gate", raw["engine_gate"], ("never", "when_needed", "always")),
            "vllm_options": _json_object("vllm_options", raw["vllm_options"]),
            "alert_notifier_kwargs": _json_object("alert_notifier_kwargs", raw["alert_notifier_kwargs"]),
        }
        assert {f.name for f in fields(cls)} == set(typed), "options.py and Settings name different settings"  # noqa: S101
        return cls(**typed)

    @property
    def model_spec(self) -> ModelSpec:
        """The model, revision and family. Raises ConfigurationError for an unknown family."""
        return ModelSpec.of(self.model, self.model_revision, self.model_family)

    @property
    def sqlite_url(self) -> str:
        """The embedded default database."""
        return f"sqlite:///{(self.home / 'hunyuan_ocr.db').absolute()}"


def shipped_prompts_dir() -> Path:
    """The prompt profiles of the wheel, or those of the repository in an editable install."""
    package = Path(__file__).resolve().parent
    shipped = package / "_prompts"
    return shipped if shipped.is_dir() else package.parents[1] / "prompts"


def _airflow_home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()


def _value_of(name: str, default: str) -> str:
    # The environment wins in Airflow too; asking it first spares the command line the seconds Airflow takes to import.
    environment = os.environ.get(f"AIRFLOW__{SECTION.upper()}__{name.upper()}")
    if environment is not None:
        return environment.strip()
    configured = "AIRFLOW_CONFIG" in os.environ or (_airflow_home() / "airflow.cfg").is_file()
    if not configured and "airflow" not in sys.modules:
        return default
    from airflow.configuration import conf

    return str(conf.get(SECTION, name, fallback=default)).strip()


def _typed(name: str, kind: str, text: str) -> Any:
    converters: dict[str, Callable[[str], Any]] = {"integer": int, "float": float, "string": str, "boolean": _truth}
    try:
        return converters[kind](text)
    except ValueError:
        wanted = {"integer": "a whole number", "float": "a number", "boolean": "True or False"}[kind]
        raise ConfigurationError(
            f"[{SECTION}] {name} must be {wanted}: correct it in "
            f"airflow.cfg or in the environment variable AIRFLOW__{SECTION.upper()}__{name.upper()}."
        ) from None


def _truth(text: str) -> bool:
    known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}  # as Airflow reads them
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


def _one_of(name: str, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise ConfigurationError(f"[{SECTION}] {name} must be one of {', '.join(choices)}.")
    return text


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _json_object(name: str, text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ConfigurationError(f'[{SECTION}] {name} must be a JSON object such as {{"text": "…"}}.')
    return value
