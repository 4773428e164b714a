"""The commands a person types: what they print, and how they say that something is wrong."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pytest

from demo.samples import Sample, demo_set
from hunyuan_ocr.cli import main


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    made = demo_set(tmp_path_factory.mktemp("samples"), date(2026, 3, 1))
    return {sample.path.stem: sample for sample in made}


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["hunyuan-ocr", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    output = capsys.readouterr()
    return int(ended.value.code or 0), output.out, output.err


def test_read_prints_the_invoice_with_its_evidence(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = samples["de_rechnung"]
    assert sample.ground_truth
    code, out, _ = run(monkeypatch, capsys, "read", sample.path)
    assert code == 0
    for key in ("invoice_number", "issue_date", "total_amount", "seller_tax_id"):
        assert sample.ground_truth[key] in out
    assert "page 1 (" in out


def test_read_as_json_gives_value_box_and_label(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(monkeypatch, capsys, "read", samples["fr_facture"].path, "--json")
    said = json.loads(out)
    number = next(entry for entry in said["evidence"] if entry["field"] == "invoice_number")
    assert code == 0
    assert said["invoice"]["invoice_number"] == number["value"]
    assert len(number["box"]) == 4
    assert number["label"]


def test_what_cannot_be_read_is_one_sentence_with_a_remedy(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(monkeypatch, capsys, "read", samples["locked_invoice"].path)
    assert (code, out) == (1, "")
    assert "password" in err
    assert "unprotected copy" in err
    assert "Traceback" not in err


def test_an_unknown_profile_names_the_known_ones(
    samples: dict[str, Sample], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(monkeypatch, capsys, "read", samples["de_rechnung"].path, "--profile", "klingon")
    assert code == 1
    assert "invoice_de" in err


def test_eval_scores_a_manifest(
    samples: dict[str, Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = samples["de_rechnung"].path.parent
    wanted = [samples[name] for name in ("de_rechnung", "fr_facture", "locked_invoice")]
    manifest = folder / "three.json"
    manifest.write_text(json.dumps({"files": [sample.manifest_entry(folder) for sample in wanted]}), encoding="utf-8")
    code, out, _ = run(monkeypatch, capsys, "eval", manifest)
    assert code == 0
    assert "3 documents, 1 not read" in out
    code, out, _ = run(monkeypatch, capsys, "eval", manifest, "--json")
    assert code == 0
    assert len(json.loads(out)["documents"]) == 3


def test_prompts_lists_the_profiles(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(monkeypatch, capsys, "prompts")
    assert code == 0
    assert {"cn_vat_invoice", "invoice_en", "receipt"} <= set(out.split())


def test_db_upgrade_creates_the_embedded_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__HUNYUAN_OCR__HOME", str(tmp_path))
    code, out, _ = run(monkeypatch, capsys, "db", "upgrade")
    assert code == 0
    assert "is at schema" in out
    assert (tmp_path / "hunyuan_ocr.db").is_file()
