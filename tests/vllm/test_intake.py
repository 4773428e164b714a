"""From pixels to staging rows: scans in a folder, the intake DAG, HunyuanOCR's architecture in the real vLLM."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hunyuan_ocr.staging.repository import Store
from tests.integration.deployment import Deployment, Finished, metadata_of_the_tests
from tests.vllm.serving import CONTEXT, KV_CACHE_BYTES, tiny_server
from tests.vllm.tiny.pages import KnownInvoice, deliver, known_invoices

SOURCES = "sources:\n- {code: scans, kind: folder, path: inbox, stable_seconds: 0}\n"
_IN_PROCESS = {
    "dtype": "float32",
    "enforce_eager": True,
    "kv_cache_memory_bytes": KV_CACHE_BYTES,
    "max_num_batched_tokens": 4096,
}
#: What the evaluation manifest calls it, and the column of stg_invoice that holds it.
_COLUMNS = {
    "invoice_number": "invoice_number",
    "issue_date": "issue_date",
    "due_date": "due_date",
    "currency": "currency",
    "net_amount": "total_without_tax",
    "tax_amount": "total_tax",
    "total_amount": "total_with_tax",
    "seller_name": "seller_name",
    "seller_tax_id": "seller_tax_id",
    "buyer_tax_id": "buyer_tax_id",
    "order_number": "purchase_order_ref",
}


@dataclass(frozen=True)
class Intake:
    """A deployment with the four scans in its folder, and the DAG run over them."""

    deployment: Deployment
    run: Finished

    def rows(self, sql: str) -> list[dict[str, Any]]:
        url = f"sqlite:///{self.deployment.home / 'hunyuan_ocr.db'}"
        with Store.open(url) as store, store.reading() as connection:
            return [dict(row) for row in connection.execute(text(sql)).mappings()]


@pytest.fixture(scope="module", params=["vllm", "openai_server"])
def intake(
    request: pytest.FixtureRequest, checkpoint: Path, airflow_database: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    root = tmp_path_factory.mktemp(f"intake_{request.param}")
    with _engine(request.param, checkpoint) as (settings, connections):
        deployment = Deployment(root, connections, settings)
        deployment.prepare(SOURCES, metadata_of_the_tests())
        deliver(deployment.home / "inbox")
        yield Intake(deployment, deployment.run_dag())
    shutil.rmtree(root, ignore_errors=True)


def in_process_settings(checkpoint: Path) -> dict[str, str]:
    """The settings of a deployment that runs vLLM in its OCR task, on a machine without a GPU."""
    return {
        "engine": "vllm",
        "alert_to": "",
        "model": str(checkpoint),
        "max_model_len": str(CONTEXT),
        "max_num_seqs": "32",
        "vllm_options": json.dumps(_IN_PROCESS),
    }


@contextmanager
def _engine(name: str, checkpoint: Path) -> Iterator[tuple[dict[str, str], Mapping[str, Mapping[str, Any]]]]:
    """The settings and connections with which a deployment reaches the tiny checkpoint."""
    if name == "vllm":
        yield in_process_settings(checkpoint), {}
        return
    with tiny_server(checkpoint) as server:
        connection = {
            "conn_type": "hunyuan_ocr",
            "host": server.url,
            "password": server.api_key,
            "extra": {"served_model": server.model},
        }
        yield {"engine": name, "alert_to": ""}, {"hunyuan_ocr_default": connection}


def test_the_run_is_green(intake: Intake) -> None:
    assert intake.run.code == 0, intake.run.log[-4000:]


@pytest.mark.parametrize("invoice", known_invoices(), ids=lambda invoice: invoice.name)
def test_what_is_on_the_page_is_in_the_staging_row(intake: Intake, invoice: KnownInvoice) -> None:
    name, _ = invoice.scan()
    (row,) = [row for row in intake.rows("SELECT * FROM stg_invoice") if row["file_name"].endswith(name)]
    assert row["status"] == "STAGED"
    truth = invoice.expected_staging()
    expected = {_COLUMNS[key]: value for key, value in truth.items() if key in _COLUMNS}
    assert {column: _plain(row[column], value) for column, value in expected.items()} == expected
    (lines,) = intake.rows(f"SELECT count(*) AS n FROM stg_invoice_line WHERE invoice_id = '{row['invoice_id']}'")
    assert lines["n"] == truth["line_count"]


def test_the_pages_were_read_by_the_model_and_every_answer_is_on_record(intake: Intake) -> None:
    readers = {row["reader"] for row in intake.rows("SELECT DISTINCT reader FROM page_reading")}
    assert readers == {"hunyuan"}
    answers = intake.rows("SELECT task, finish_reason, is_kept, count(*) AS n FROM page_answer GROUP BY 1, 2, 3")
    assert {(row["task"], row["finish_reason"], row["n"]) for row in answers} >= {
        ("spotting", "stop", len(known_invoices())),
        ("fields", "stop", len(known_invoices())),
    }


def _plain(found: object, expected: str) -> str:
    """A column's value as the manifest writes it: amounts with the digits expected, if they are the same amount."""
    if isinstance(found, str) and found != expected:
        try:
            same = Decimal(found) == Decimal(expected)
        except ArithmeticError:
            same = False
        return expected if same else found
    if isinstance(found, int | float | Decimal):
        return expected if Decimal(str(found)) == Decimal(expected) else str(found)
    return str(found)
