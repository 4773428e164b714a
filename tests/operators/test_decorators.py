"""``@task.hunyuan_ocr``: a list of documents in, a file of results and a small manifest out."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from demo.samples.recipes import Recipe, Sample, make
from hunyuan_ocr.operators.decorators import HunyuanOCRDecoratedOperator, hunyuan_ocr_task
from tests.model_stub import running
from tests.stub_settings import StubSettings

Context = Any


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def sample(home: Path) -> Sample:
    (home / "in box").mkdir()
    return make(home / "in box", Recipe("Rechnung", "de_boxed", line_count=2), 7, date(2026, 3, 1))


@pytest.fixture
def invoice(sample: Sample) -> Path:
    return sample.path


def context(try_number: int = 1, map_index: int = -1, run_id: str = "scheduled__2026-03-01T06:00:00+00:00") -> Context:
    task = SimpleNamespace(dag_id="mine", run_id=run_id, task_id="read", map_index=map_index, try_number=try_number)
    return {"ti": task, "run_id": run_id}


def task(*documents: object, **arguments: Any) -> HunyuanOCRDecoratedOperator:
    """The operator the decorator makes of a function that lists these documents."""

    def read() -> list[object]:
        return list(documents)

    with DAG("mine", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = hunyuan_ocr_task(read, **arguments)().operator
    assert isinstance(operator, HunyuanOCRDecoratedOperator)
    return operator


def results(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    raw = Path(unquote(urlsplit(manifest["results"]).path)).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == manifest["sha256"]
    return [json.loads(line) for line in raw.splitlines()]


def test_a_document_is_read_into_a_canonical_invoice(sample: Sample) -> None:
    manifest = task(sample.path).execute(context())
    (line,) = results(manifest)
    assert sample.ground_truth
    assert line["invoice"]["invoice_number"] == sample.ground_truth["invoice_number"]
    assert line["document"] == str(sample.path)
    assert line["content_sha256"] == hashlib.sha256(sample.path.read_bytes()).hexdigest()
    assert line["profile"]
    assert (manifest["documents"], manifest["pages"], manifest["set_aside"]) == (1, sample.pages, 0)
    assert len(json.dumps(manifest)) < 1024


def test_a_picture_is_read_by_rapidocr(home: Path) -> None:
    scan = make(home, Recipe("till", "receipt_gb", "scan", container="jpeg"), 7, date(2026, 3, 1))
    (line,) = results(task(scan.path, engine="rapidocr").execute(context()))
    assert (line["pages"], line["profile"]) == (1, "receipt")


def test_a_picture_is_read_by_the_model_behind_a_connection(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = make(home, Recipe("till", "receipt_gb", "scan", container="jpeg"), 7, date(2026, 3, 1))
    spotted = "Invoice No. INV-4711(100,100),(600,130)"
    with running(StubSettings(api_key="korrekt-pferd")) as stub:
        stub.answer = lambda picture, prompt: spotted
        server = {"conn_type": "hunyuan_ocr", "host": stub.url, "password": "korrekt-pferd"}
        monkeypatch.setenv("AIRFLOW_CONN_MODEL", json.dumps(server | {"extra": {"served_model": stub.settings.model}}))
        monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ENGINE_PROBE", "False")
        manifest = task(scan.path, engine="openai_server", conn_id="model").execute(context())
        asked = stub.questions
    (line,) = results(manifest)
    assert asked > 0
    assert (line["pages"], manifest["set_aside"]) == (1, 0)
    assert line["invoice"], "and what a model alone says is reviewed"
    assert line["review_reasons"]


def test_a_server_that_refuses_the_key_fails_without_a_retry(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = make(home, Recipe("till", "receipt_gb", "scan", container="jpeg"), 7, date(2026, 3, 1))
    with running(StubSettings(api_key="korrekt-pferd")) as stub:
        server = {"conn_type": "hunyuan_ocr", "host": stub.url, "password": "another"}
        monkeypatch.setenv("AIRFLOW_CONN_MODEL", json.dumps(server))
        with pytest.raises(AirflowFailException, match=r"refused the API key.*connection model") as refusal:
            task(scan.path, engine="openai_server", conn_id="model").execute(context())
    assert "another" not in str(refusal.value)


def test_documents_are_named_by_path_text_file_address_or_object_storage(invoice: Path) -> None:
    names = [invoice, invoice.as_uri(), ObjectStoragePath(f"file://{invoice}"), str(invoice), str(invoice)]
    lines = results(task(*names).execute(context()))
    assert [line["document"] for line in lines] == [str(invoice), invoice.as_uri(), f"file://{invoice}"]
    assert len({json.dumps(line["invoice"]) for line in lines}) == 1


def test_documents_and_results_may_lie_in_object_storage(invoice: Path) -> None:
    # The real ObjectStoragePath on a file system that is not the local one: fsspec's own in-memory store.
    attach("memory", fs=MemoryFileSystem())
    kept = ObjectStoragePath("memory://bucket/in/Rechnung.pdf")
    kept.write_bytes(invoice.read_bytes())
    manifest = task(str(kept), output_dir="memory://bucket/out").execute(context())
    assert manifest["results"].startswith("memory://bucket/out/")
    raw = ObjectStoragePath(manifest["results"]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == manifest["sha256"]
    assert json.loads(raw)["document"] == "memory://bucket/in/Rechnung.pdf"


def test_what_cannot_be_read_is_set_aside_in_its_place_and_the_others_go_on(invoice: Path, home: Path) -> None:
    (home / "empty.pdf").write_bytes(b"")
    (home / "cut.pdf").write_bytes(invoice.read_bytes()[:300])
    (home / "note.txt").write_text("hello")
    listed = [home / "gone.pdf", home / "empty.pdf", invoice, home / "cut.pdf", home / "note.txt", home]
    manifest = task(*listed).execute(context())
    lines = results(manifest)
    assert [line["document"] for line in lines] == [str(path) for path in listed]
    codes = [line.get("reason_code") for line in lines]
    assert codes == ["MISSING", "EMPTY", None, "CORRUPT", "UNSUPPORTED", "MISSING"]
    assert all(line["problem"] for line in lines if "reason_code" in line)
    assert (manifest["documents"], manifest["set_aside"]) == (6, 5)


def test_a_document_larger_than_allowed_is_set_aside_unread(invoice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__MAX_DOCUMENT_MEGABYTES", "1")
    with invoice.open("ab") as file:
        file.truncate(1_000_001)
    (line,) = results(task(invoice).execute(context()))
    assert line["reason_code"] == "LIMIT"


def test_a_reader_that_fails_as_nobody_foresaw_costs_that_document_only(
    invoice: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hunyuan_ocr.readers import document

    def failing(raw: bytes, *args: object, **kwargs: object) -> object:
        raise KeyError("what stands on the page")

    scan = make(home, Recipe("till", "receipt_gb", "scan", container="jpeg"), 7, date(2026, 3, 1)).path
    monkeypatch.setattr(document, "picture_page_count", failing)
    bad, good = results(task(scan, invoice).execute(context()))
    assert bad["reason_code"] == "READER_FAILED"
    assert "what stands on the page" not in json.dumps(bad)
    assert "invoice" in good


def test_a_retry_writes_the_same_file_and_another_task_another(invoice: Path) -> None:
    first = task(invoice).execute(context())
    before = Path(unquote(urlsplit(first["results"]).path)).stat().st_ino
    again = task(invoice).execute(context(try_number=2))
    assert again == first
    assert Path(unquote(urlsplit(first["results"]).path)).stat().st_ino != before, "replaced, not added to"
    others = [
        task(invoice).execute(context(map_index=0)),
        task(invoice).execute(context(map_index=1)),
        task(invoice).execute(context(run_id="scheduled__2026-03-01T06_00_00_00_00")),
    ]
    assert len({manifest["results"] for manifest in (first, *others)}) == 4


def test_no_documents_make_an_empty_file(home: Path) -> None:
    manifest = task().execute(context())
    assert results(manifest) == []
    assert manifest["documents"] == 0


def test_the_function_gets_its_arguments_and_the_context(invoice: Path) -> None:
    seen: list[object] = []

    def read(folder: str, pattern: str = "*", run_id: str | None = None) -> list[Path]:
        seen.extend([pattern, run_id])
        return sorted(Path(folder).glob(pattern))

    with DAG("mine", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = hunyuan_ocr_task(read)(str(invoice.parent), pattern="*.pdf").operator
    assert operator.execute(context())["documents"] == 1
    assert seen == ["*.pdf", context()["run_id"]]


@pytest.mark.parametrize("listed", ["a.pdf", None, 3, [b"%PDF-"], [None]])
def test_a_function_that_returns_anything_else_fails_without_a_retry(home: Path, listed: object) -> None:
    with DAG("mine", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = hunyuan_ocr_task(lambda: listed, task_id="read")().operator
    with pytest.raises(AirflowFailException, match="function of task read"):
        operator.execute(context())


def test_an_object_storage_airflow_does_not_know_fails_without_a_retry(home: Path) -> None:
    with pytest.raises(AirflowFailException, match="Airflow knows no object storage nowhere://"):
        task("nowhere://bucket/a.pdf").execute(context())


def test_an_unknown_profile_or_engine_fails_without_a_retry(invoice: Path) -> None:
    with pytest.raises(AirflowFailException, match="no_such"):
        task(invoice, prompt_profile="no_such").execute(context())
    with pytest.raises(AirflowFailException, match="tesseract"):
        task(invoice, engine="tesseract")


def test_a_folder_that_cannot_be_written_fails_with_what_to_check(invoice: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"results folder .* cannot be written"):
        task(invoice, output_dir=str(invoice)).execute(context())


def test_the_task_runs_where_the_engine_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (task().pool, task().queue) == ("default_pool", "default")
    assert (task(engine="vllm").pool, task(engine="vllm").queue) == ("gpu", "gpu")
    assert task(engine="vllm", pool="mine").pool == "mine"

    def read(folder: str) -> list[str]:
        return []

    with DAG("mine", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = hunyuan_ocr_task(read, engine="vllm").expand(folder=["a", "b"]).operator
    assert (mapped.pool, mapped.queue) == ("gpu", "gpu")


def test_a_dag_with_it_survives_serialization(home: Path) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("mine", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        hunyuan_ocr_task(lambda: [], task_id="read", output_dir="{{ params.folder }}")()
    kept = DagSerialization.serialize_dag(dag)
    assert DagSerialization.deserialize_dag(kept).task_ids == ["read"]
