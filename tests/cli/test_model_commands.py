"""The commands around HunyuanOCR: check a server, read and score through it, fetch the weights. No model here: the
server reads with RapidOCR's eyes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from demo.samples.recipes import Recipe, Sample, make
from tests.cli.test_commands import run
from tests.model_stub import ModelStub, running
from tests.reading_model import ReadingModel
from tests.stub_settings import StubSettings

KEY = "key-of-the-server"
Monkey, Capture = pytest.MonkeyPatch, pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelStub]:
    with running(StubSettings(model="tencent/HunyuanOCR", api_key=KEY), answer=ReadingModel()) as stub:
        yield stub


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    recipe = Recipe("till_receipt", "receipt_gb", "scan", container="jpeg")
    return make(tmp_path_factory.mktemp("scan"), recipe, 2026, date(2026, 3, 1))


@pytest.fixture(autouse=True)
def key(monkeypatch: Monkey) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__ENGINE_PROBE", "False")


def test_check_says_what_answers(server: ModelStub, monkeypatch: Monkey, capsys: Capture) -> None:
    monkeypatch.delenv("AIRFLOW__HUNYUAN_OCR__ENGINE_PROBE")
    code, out, _ = run(monkeypatch, capsys, "model", "check", "--url", server.url)
    assert code == 0 and "vllm=0.33.0 answers" in out


@pytest.mark.parametrize(
    ("environment", "options", "said"),
    [({"API_KEY": "another"}, [], "API_KEY"), ({}, ["--served-model", "other"], "tencent/HunyuanOCR")],
)
def test_check_says_what_to_mend(
    server: ModelStub,
    monkeypatch: Monkey,
    capsys: Capture,
    environment: dict[str, str],
    options: list[str],
    said: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, _, err = run(monkeypatch, capsys, "model", "check", "--url", server.url, *options)
    assert code == 1 and said in err and "Traceback" not in err
    assert "another" not in err


def test_read_through_a_server(server: ModelStub, scan: Sample, monkeypatch: Monkey, capsys: Capture) -> None:
    code, out, _ = run(monkeypatch, capsys, "read", "--url", server.url, scan.path, "--json")
    said = json.loads(out)
    assert code == 0 and scan.ground_truth
    assert said["invoice"]["total_with_tax"] == scan.ground_truth["total_amount"]
    assert server.seen[-1].body["model"] == "tencent/HunyuanOCR"


def test_a_profile_that_keeps_text_prints_it(
    server: ModelStub, scan: Sample, monkeypatch: Monkey, capsys: Capture
) -> None:
    code, out, _ = run(monkeypatch, capsys, "read", "--url", server.url, "--profile", "translate_en", scan.path)
    assert code == 0 and scan.ground_truth
    assert scan.ground_truth["total_amount"] in out
    code, _, err = run(monkeypatch, capsys, "read", "--engine", "rapidocr", "--profile", "translate_en", scan.path)
    assert code == 1 and "needs HunyuanOCR" in err


def test_eval_through_a_server(
    server: ModelStub, scan: Sample, tmp_path: Path, monkeypatch: Monkey, capsys: Capture
) -> None:
    manifest = {"files": [{"file": str(scan.path), "kind": scan.kind, "ground_truth": scan.ground_truth}]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    code, out, _ = run(monkeypatch, capsys, "eval", "--url", server.url, tmp_path / "manifest.json", "--json")
    assert code == 0
    assert json.loads(out)["total"]["wrong"] == 0


def test_an_address_is_for_a_server_only(monkeypatch: Monkey, capsys: Capture) -> None:
    code, _, err = run(monkeypatch, capsys, "model", "check", "--engine", "vllm", "--url", "http://127.0.0.1:1")
    assert code == 1 and "--url" in err


def test_weights_are_not_fetched_before_the_licence_is_accepted(
    tmp_path: Path, monkeypatch: Monkey, capsys: Capture
) -> None:
    code, _, err = run(monkeypatch, capsys, "model", "download", "--to", tmp_path / "weights")
    assert code == 1
    for said in ("accept_tencent_licence", "European Union", "United Kingdom", "South Korea"):
        assert said in err
    assert not (tmp_path / "weights").exists()
