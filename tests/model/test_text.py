"""Text compares the way people compare it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.model.parsing.text import fold, plain, squeeze


def test_width_case_and_spaces_fold_away() -> None:
    assert fold("ＡＢＣ\u00a0 Gmbh\n") == fold("abc GMBH")
    assert fold("北京 某某 （公司）") == fold("北京某某(公司)")
    assert fold("Straße") == fold("STRASSE")


def test_squeeze_keeps_case_and_single_spaces() -> None:
    assert squeeze("  Ａ \t b\u200b ") == "A b"


def test_plain_maps_width_minus_and_apostrophe_but_no_superscripts() -> None:
    assert plain("￥１，２３４．５６\u2212\u2019²①") == "¥1,234.56-'²①"


@given(st.text())
def test_plain_keeps_every_position_and_fold_is_stable(text: str) -> None:
    assert len(plain(text)) == len(text)
    assert plain(plain(text)) == plain(text)
    assert fold(fold(text)) == fold(text)
    assert squeeze(squeeze(text)) == squeeze(text)
