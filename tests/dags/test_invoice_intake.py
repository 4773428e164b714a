"""The DAG file: it parses fast and clean, can be scheduled, backfilled and triggered with its form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

DAG_ID = "invoice_intake"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(REPOSITORY / "dags"))
    assert bag.import_errors == {}
    assert set(bag.dags) == {DAG_ID}
    return bag.dags[DAG_ID]


def test_is_described_and_owned(dag) -> None:
    assert dag.doc_md and dag.tags
    assert {task.owner for task in dag.tasks} == {"finance"}


def test_survives_serialization_unchanged(dag) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    first, second = DagSerialization.serialize_dag(dag), DagSerialization.serialize_dag(dag)
    assert first == second
    assert DagSerialization.deserialize_dag(first).task_ids == dag.task_ids


def test_can_be_backfilled(dag) -> None:
    from airflow.serialization.encoders import coerce_to_core_timetable

    assert coerce_to_core_timetable(dag.timetable).periodic
    assert not dag.catchup


def test_every_interval_has_a_length(dag) -> None:
    import pendulum
    from airflow.serialization.encoders import coerce_to_core_timetable

    interval = coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(
        run_after=pendulum.datetime(2026, 3, 2, 12, tz="UTC")
    )
    assert (interval.end - interval.start).total_seconds() == 24 * 3600


def test_form_defaults_are_valid_and_wrong_input_is_refused(dag) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    assert dag.params.validate()["reprocess"] is False
    dag.params.get_param("window_start").resolve("2026-03-01T00:00:00+00:00")
    with pytest.raises(ParamValidationError):
        dag.params.get_param("reject_ratio").resolve(1.5)
    with pytest.raises(ParamValidationError):
        dag.params.get_param("sources").resolve("mail")


def test_the_ocr_task_has_a_pool_and_a_queue_from_the_settings(dag) -> None:
    ocr = dag.get_task("ocr")
    assert (ocr.pool, ocr.queue) == ("default_pool", "default")


def test_the_gate_is_the_only_leaf_so_it_decides_the_colour_of_the_run(dag) -> None:
    assert [task.task_id for task in dag.leaves] == ["gate"]


def test_parses_in_under_two_seconds_beyond_airflow_and_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import time, sys\n"
        "import airflow.sdk, airflow.providers.standard.operators.branch\n"
        "started = time.perf_counter()\n"
        f"sys.path.insert(0, {str(REPOSITORY / 'dags')!r})\n"
        "import invoice_intake\n"
        "print(time.perf_counter() - started)\n"
        "print(sorted({'torch', 'vllm', 'great_expectations', 'pandas', 'rapidocr', 'onnxruntime', 'pdfplumber', "
        "'cv2', 'sqlalchemy.orm', 'PIL'} & set(sys.modules) - before))\n"
    ).replace("started = ", "before = set(sys.modules)\nstarted = ")
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    output = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=120
    ).stdout.splitlines()
    assert float(output[-2]) < 2.0
    assert output[-1] == "[]"
