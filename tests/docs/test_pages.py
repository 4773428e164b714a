"""The pages of docs/ that come from the code say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("generate_docs", REPOSITORY / "docs" / "generate.py")
assert _spec and _spec.loader
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_page_is_what_the_code_says(name: str) -> None:
    written = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    assert written == generate.PAGES[name](), "run make docs"


def test_every_setting_is_read_and_described() -> None:
    from hunyuan_ocr.options import OPTIONS
    from hunyuan_ocr.settings import Settings

    assert {option.name for option in OPTIONS} == set(Settings.__dataclass_fields__)
    assert all(option.description.endswith(".") for option in OPTIONS)
