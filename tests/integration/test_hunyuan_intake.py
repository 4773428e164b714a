"""An intake whose pictures are read by HunyuanOCR behind a server: from a scan in the inbox to staging rows.

The server speaks as vLLM does and really reads the pictures, with RapidOCR's eyes in place of the model's.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import RetryAction
from PIL import Image
from sqlalchemy import create_engine, text

from demo.samples.recipes import Recipe, Sample, make
from hunyuan_ocr import exceptions
from hunyuan_ocr.exceptions import EngineRefusedError
from hunyuan_ocr.intake.hunyuan import ReadingStoppedError
from hunyuan_ocr.operators.ocr import ChoosePagesOperator, HunyuanOCROperator, engine_retries
from tests.engines.redis_server import PASSWORD, RedisServer
from tests.integration.intake_steps import DAY, run_of, run_steps
from tests.model_stub import ModelStub, running
from tests.operators.test_intake_operators import context
from tests.reading_model import ReadingModel
from tests.stub_settings import StubSettings

MODEL, KEY = "tencent/HunyuanOCR", "key-of-the-server"
_RECIPES = (
    Recipe("fapiao_scan", "cn_vat_special", "scan", container="jpeg", line_count=2),
    Recipe("till_receipt", "receipt_gb", "scan", container="jpeg"),
    Recipe("with_a_text_layer", "de_din", line_count=2),
)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelStub]:
    with running(StubSettings(model=MODEL, api_key=KEY), answer=ReadingModel()) as stub:
        yield stub


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    folder = tmp_path_factory.mktemp("documents")
    return {recipe.name: make(folder, recipe, 2026, date(2026, 3, 1)) for recipe in _RECIPES}


@pytest.fixture
def home(samples: dict[str, Sample], tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for sample in samples.values():
        shutil.copy(sample.path, inbox)
    Image.new("RGB", (1200, 1600), "white").save(inbox / "blank.png")
    for number, path in enumerate(sorted(inbox.iterdir())):
        arrived = DAY.start.timestamp() + 60 * number
        os.utime(path, (arrived, arrived))
    return tmp_path


@pytest.fixture(autouse=True)
def reads_by_server(server: ModelStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ENGINE", "openai_server")
    # Sixteen pages more for eyes that take a second each; the probe has tests of its own.
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ENGINE_PROBE", "False")
    connect(monkeypatch, server)


def connect(monkeypatch: pytest.MonkeyPatch, server: ModelStub, *, key: str = KEY, model: str = MODEL) -> None:
    extra = {"base_urls": server.url, "served_model": model}
    connection = {"conn_type": "hunyuan_ocr", "password": key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_HUNYUAN_OCR_DEFAULT", json.dumps(connection))


def rows(home: Path, sql: str) -> Rows:
    with create_engine(f"sqlite:///{home / 'hunyuan_ocr.db'}").connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(sql))]


def test_scans_travel_from_their_pixels_to_staging_rows(
    home: Path, samples: dict[str, Sample], server: ModelStub
) -> None:
    run_steps(home, run_of())
    staged = {row["file_name"]: row for row in rows(home, "select * from v_stg_ready")}
    for name, sample in samples.items():
        truth = sample.ground_truth or {}
        row = staged[sample.path.name]
        assert row["invoice_number"] == truth["invoice_number"], name
        assert float(row["total_with_tax"]) == float(truth["total_amount"]), name
    # What has no text is visible with a reason.
    (blank,) = rows(home, "select * from v_attention where file_name = 'blank.png'")
    assert "NO_TEXT" in blank["reason"] and "blank.png" in blank["reason"]
    # Every question about a picture stands in the journal: who was asked, what for, in which words.
    answers = rows(home, "select a.*, d.file_name from page_answer a join document d using (content_sha256)")
    assert {row["file_name"] for row in answers} == {"fapiao_scan.jpg", "till_receipt.jpg", "blank.png"}
    assert {(row["file_name"], row["task"]) for row in answers} >= {
        ("fapiao_scan.jpg", "spotting"),
        ("fapiao_scan.jpg", "fields"),
    }
    for row in answers:
        assert row["engine_key"].startswith("HunyuanOCR@449e7d471a8a+vllm=")
        assert len(row["prompt_sha256"]) == len(row["answer_key"]) == 64
        assert row["picture_width"] * row["picture_height"] <= 3_900_000

    asked = server.questions
    again = run_of(run_id="manual__again", run_type="manual", reprocess=True)
    run_steps(home, again)
    assert server.questions == asked, "what was read once is not asked again"
    assert {row["file_name"] for row in rows(home, "select * from v_stg_ready")} == set(staged)


@pytest.mark.real_server
def test_a_redis_remembers_answers_beside_the_journal(
    home: Path, server: ModelStub, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        connection = {"conn_type": "redis", "host": "127.0.0.1", "port": redis.port, "password": PASSWORD}
        monkeypatch.setenv("AIRFLOW_CONN_ANSWERS", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ANSWER_CACHE_CONN_ID", "answers")
        elsewhere = tmp_path_factory.mktemp("another_deployment")
        shutil.copytree(home / "inbox", elsewhere / "inbox")
        run_steps(home, run_of())
        asked = server.questions
        run_steps(elsewhere, run_of())
        # But for the blank page: an answer without a word is not remembered.
        assert server.questions - asked <= 2
        assert len(rows(elsewhere, "select * from v_stg_ready")) == 3
    finally:
        redis.kill()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"key": "another-key"}, "API key"), ({"model": "some/other-model"}, "tencent/HunyuanOCR")],
    ids=["key", "model"],
)
def test_a_wrong_key_or_model_name_fails_at_once_with_what_to_mend(
    home: Path, server: ModelStub, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], said: str
) -> None:
    connect(monkeypatch, server, **wrong)
    with pytest.raises(EngineRefusedError, match=said) as refused:
        run_steps(home, run_of())
    assert "hunyuan_ocr_default" in str(refused.value) and "another-key" not in str(refused.value)
    decision = engine_retries().evaluate(refused.value, try_number=1, max_tries=3)
    assert decision.action is RetryAction.FAIL
    # Nothing is lost: mended, the same run goes on.
    connect(monkeypatch, server)
    run_steps(home, run_of())
    assert len(rows(home, "select * from v_stg_ready")) == 3


@pytest.mark.parametrize(
    ("error", "minutes"), [("EngineUnavailableError", 5), ("EngineDiedError", 0.5), ("EngineOutOfMemoryError", 10)]
)
def test_what_may_pass_is_tried_again_after_a_while(error: str, minutes: float) -> None:
    decision = engine_retries().evaluate(getattr(exceptions, error)("it happens"), try_number=1, max_tries=3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None and decision.retry_delay.total_seconds() == 60 * minutes


def test_a_killed_task_stops_and_the_next_try_reads_the_rest(
    home: Path, server: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def stop_here(step: str) -> None:
        if step == "prepare":
            raise KilledError

    with pytest.raises(KilledError):
        run_steps(home, run_of(), after=stop_here)
    given = context("scheduled", reject_ratio=1.0)
    given["dag_run"].run_id = run_of().run_id
    (shard_no,) = ChoosePagesOperator(task_id="pages").execute(given)
    task = HunyuanOCROperator(task_id="ocr", shard_no=shard_no)
    asked = server.questions

    def kill_when_pages_are_asked_about() -> None:
        while server.questions < asked + 1:
            time.sleep(0.01)
        task.on_kill()

    killer = threading.Thread(target=kill_when_pages_are_asked_about)
    killer.start()
    try:
        with pytest.raises(ReadingStoppedError, match="kept"):
            task.execute(given)
    finally:
        killer.join()
    run_steps(home, run_of())
    assert len(rows(home, "select * from v_stg_ready")) == 3


def test_the_task_runs_where_its_engine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {}
    for engine in ("rapidocr", "openai_server", "vllm"):
        task = HunyuanOCROperator(task_id="ocr", shard_no=1, engine=engine)
        places[engine] = (task.pool, task.queue)
    assert places == {
        "rapidocr": ("default_pool", "default"),
        "openai_server": ("gpu", "default"),
        "vllm": ("gpu", "gpu"),
    }
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__OCR_POOL", "two_gpus")
    assert HunyuanOCROperator(task_id="ocr", shard_no=1, engine="vllm").pool == "two_gpus"
    assert HunyuanOCROperator(task_id="ocr", shard_no=1, engine="vllm", pool="own").pool == "own"
