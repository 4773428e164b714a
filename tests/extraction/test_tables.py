"""Line items: columns by their headings, rows by their amounts, until the totals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Reading
from hunyuan_ocr.model.invoice import Line, LineKind

_HEAD = "INVOICE\nInvoice No: 7-A\nInvoice Date: 14 May 2024\n\n"


@pytest.fixture
def lines_of(profiles: tuple[PromptProfile, ...], draw: Callable[..., Reading]) -> Callable[..., tuple[Line, ...]]:
    def read(*tables: str, head: str = _HEAD) -> tuple[Line, ...]:
        pages = [draw((head if n == 1 else "") + table, page_no=n) for n, table in enumerate(tables, 1)]
        return reconcile(pages, profiles=profiles).invoice.lines

    return read


def test_every_column_goes_to_its_field(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    (line,) = lines_of("""
Description          Qty     Unit      Unit Price     VAT %     Amount
Steel pipe 20 mm     3       pcs       12.50          20        37.50

                                       Total                    37.50
""")
    assert (line.name, line.quantity, line.unit_text) == ("Steel pipe 20 mm", Decimal(3), "pcs")
    assert (line.unit_price, line.tax_rate, line.net_amount) == (Decimal("12.50"), Decimal(20), Decimal("37.50"))


def test_a_description_of_several_lines_is_one_item(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    lines = lines_of("""
Description          Qty     Price      Amount
Steel pipe           3       12.50      37.50
galvanised, 2 m
Valve                1       20.00      20.00

                     Total              57.50
""")
    assert [(line.name, line.description) for line in lines] == [("Steel pipe", "galvanised, 2 m"), ("Valve", None)]


def test_the_table_goes_on_over_the_page(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    lines = lines_of(
        "Description          Qty     Price      Amount\nSteel pipe           3       12.50      37.50",
        "Valve                1       20.00      20.00\n\n                     Total              57.50",
    )
    assert [line.net_amount for line in lines] == [Decimal("37.50"), Decimal("20.00")]


def test_an_item_may_begin_with_the_word_total(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    lines = lines_of("""
Description             Qty     Price      Amount
Total station rental    2       50.00      100.00
Tripod                  1       10.00      10.00

                        Total              110.00
""")
    assert len(lines) == 2


def test_section_subtotals_do_not_end_the_table(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    lines = lines_of("""
Description             Qty     Price      Amount
Chair                   1       70.00      70.00
                        Subtotal           70.00
Desk                    1       30.00      30.00
                        Subtotal           30.00

                        Total              100.00
""")
    assert [line.name for line in lines] == ["Chair", "Desk"]


def test_a_discount_printed_under_its_item_is_a_discount_line(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    lines = lines_of("""
Pos    Description       Qty     Price      Amount
1      Carpet            3       4.00       12.00
       less Discount                        -2.00
2      Water             2       5.00       10.00

       Subtotal                             20.00
       VAT 20%                               4.00
       Total                                24.00
""")
    assert [(line.kind, line.net_amount) for line in lines] == [
        (LineKind.ITEM, Decimal("12.00")),
        (LineKind.DISCOUNT, Decimal("-2.00")),
        (LineKind.ITEM, Decimal("10.00")),
    ]


def test_chinese_lines_keep_class_rate_words_and_masks(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    (line,) = lines_of(
        """
货物或应税劳务、服务名称   规格型号   单位   数量   单价     金额      税率    税额
*蔬菜*有机白菜             箱装       箱     10     30.00    300.00    免税    ***

合        计                                                 ¥300.00           ***
价税合计（大写）     ⊗叁佰圆整                               （小写）¥300.00
""",
        head="上海增值税普通发票      发票代码：031001900304\n发票号码：48114255\n开票日期：2019年06月20日\n\n",
    )
    assert (line.cn_tax_class, line.name) == ("蔬菜", "有机白菜")
    assert (line.cn_rate_text, line.tax_rate, line.tax_amount) == ("免税", None, None)


def test_receipt_lines_are_given_only_when_they_add_up(lines_of: Callable[..., tuple[Line, ...]]) -> None:
    head = "KEDAI MAJU SDN BHD\nReceipt No: 77-1\n20/06/2018 13:05\nCashier: A\n\n"
    good = "TEA            3.00\nRICE           4.50\nTOTAL          7.50\nCASH          10.00\nCHANGE         2.50"
    torn = good.replace("4.50", "####")
    assert [line.name for line in lines_of(good, head=head)] == ["TEA", "RICE"]
    assert lines_of(torn, head=head) == ()
