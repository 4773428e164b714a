"""A line of a letterhead or a footer gives the company's name, without what is printed around it."""

from __future__ import annotations

import pytest

from hunyuan_ocr.extraction.names import NameJudge

JUDGE = NameJudge(["ltd", "limited", "gmbh", "s.l.", "sdn bhd", "sdn. bhd."])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Fernrohr24 ist eine Marke der Optik Handels GmbH", "Optik Handels GmbH"),
        ("Oakline is a trading name of J Oak & Sons Ltd", "J Oak & Sons Ltd"),
        ("Aceites del Sur, S.L. CIF B12345674", "Aceites del Sur, S.L"),
        ("Fenland Supply Limited. Company No. 01234567. VAT Reg. GB 123 4567 89", "Fenland Supply Limited"),
        ("LAUTAN WEB SDN. BHD. 201501023417 (1148744-A)", "LAUTAN WEB SDN. BHD"),
    ],
)
def test_what_trails_or_leads_a_name_is_not_part_of_it(line: str, name: str) -> None:
    found = JUDGE.clean(line)
    assert found is not None
    assert found.rstrip(".") == name
