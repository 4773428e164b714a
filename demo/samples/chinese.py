"""Facts for Chinese VAT invoices: fully digital ones (数电票) and the older ones with an invoice code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from random import Random

from demo.samples import ids
from demo.samples.capital import capital_amount
from demo.samples.facts import DocType, InvoiceFacts, LineFacts, PartyFacts, cents


@dataclass(frozen=True)
class _Place:
    province: str
    region: str
    city: str
    road: str


_PLACES = (
    _Place("31", "310115", "上海市", "浦东新区临沙路"),
    _Place("44", "440305", "深圳市", "南山区科汇三道"),
    _Place("33", "330106", "杭州市", "西湖区文澜东街"),
    _Place("11", "110108", "北京市", "海淀区学知里"),
    _Place("51", "510104", "成都市", "锦江区书云巷"),
    _Place("32", "320594", "苏州市", "工业园区星洲北路"),
)
_NAMES = ("云杉渡", "澜桥", "青禾屿", "北岸石", "明烛", "拓野", "松间月", "禾木川")
_TRADES = (
    ("办公用品", (
        ("*纸制品*复印纸", "A4 80g", "箱", "128.5", "13"),
        ("*文具*中性笔", "0.5mm", "盒", "18.9", "13"),
        ("*计算机外部设备*激光打印机", "L2300", "台", "1326.55", "13"),
        ("*家具*人体工学椅", "", "把", "566.37", "13"),
    )),
    ("信息技术", (
        ("*信息技术服务*软件维护费", "", "项", "4716.98", "6"),
        ("*软件*进销存管理系统", "V3.2", "套", "8849.56", "13"),
        ("*信息技术服务*云服务器租用费", "4核8G", "月", "283.02", "6"),
        ("*信息技术服务*数据标注服务", "", "人天", "471.7", "6"),
    )),
    ("物流", (
        ("*物流辅助服务*仓储服务费", "", "月", "3301.89", "6"),
        ("*运输服务*国内道路货物运输", "", "次", "688.07", "9"),
        ("*物流辅助服务*装卸搬运费", "", "吨", "42.45", "6"),
    )),
    ("机电设备", (
        ("*电线电缆*铜芯电缆", "YJV 3*25", "米", "76.11", "13"),
        ("*通用设备*离心水泵", "ISG50", "台", "2035.4", "13"),
        ("*劳务*设备安装调试", "", "次", "1415.93", "13"),
        ("*金属制品*不锈钢法兰", "DN80", "个", "61.95", "13"),
    )),
)  # fmt: skip
_TAX_FREE = ("*蔬菜*土豆", "", "吨", "2860")
_LEGAL_FORMS = ("有限公司", "科技有限公司", "贸易有限公司", "服务有限公司")
_BANKS = ("禾丰银行", "江淮示例银行", "通域银行")
_CLERKS = ("林一鸣", "周知夏", "何予安", "沈若谷", "唐书禾", "苏明远")
_CIPHER = "0123456789<>+-*/"


def buyer() -> PartyFacts:
    """Our own Chinese company: the same on every sample."""
    return PartyFacts(
        name="北港示例仪器（上海）有限公司",
        tax_id=ids.uscc(Random("buyer CN"), "310115"),
        address=("上海市浦东新区示例路21号",),
        country="CN",
        phone="021-50000021",
        bank_name="禾丰银行上海示例支行",
        account="3100660010000002107",
    )


def invoice(
    rng: Random,
    issued: date,
    doc_type: DocType,
    *,
    line_count: int | None = None,
    has_discount: bool = False,
    is_tax_free: bool = False,
) -> InvoiceFacts:
    """A correct Chinese VAT invoice issued on ``issued``.

    ``has_discount`` adds a discount row (折扣行, negative, named as the item above it). ``is_tax_free`` makes it a
    免税 invoice: rate text 免税, tax printed as ``***`` by the layouts and null in the facts.
    """
    place = rng.choice(_PLACES)
    trade, goods = rng.choice(_TRADES)
    seller = _seller(rng, place, "农产品" if is_tax_free else trade)
    is_digital = doc_type in (DocType.CN_DIGITAL_GENERAL, DocType.CN_DIGITAL_SPECIAL)
    is_special = doc_type in (DocType.CN_DIGITAL_SPECIAL, DocType.CN_VAT_SPECIAL)

    lines: list[LineFacts] = []
    wanted = line_count or rng.randint(1, min(4, len(goods)))
    pool = [(*_TAX_FREE, "免税")] if is_tax_free else list(goods)
    while len(pool) < wanted:
        pool += pool
    for name, specification, unit, price, rate in rng.sample(pool, wanted):
        lines.append(_line(rng, name, specification, unit, Decimal(price), rate))
        if has_discount and len(lines) == 1:
            lines.append(_discount(lines[0]))

    facts = InvoiceFacts(
        doc_type=doc_type,
        lang="zh",
        currency="CNY",
        number=ids.cn_digital_number(rng, issued, place.province)
        if is_digital
        else f"{rng.randint(1, 99_999_999):08d}",
        code=None if is_digital else ids.cn_invoice_code(rng, issued, f"{place.province}00", is_special=is_special),
        issue_date=issued,
        seller=seller,
        buyer=buyer(),
        lines=tuple(lines),
        net=Decimal(0),
        tax=Decimal(0),
        total=Decimal(0),
        drawer=rng.choice(_CLERKS),
        payee=None if is_digital else rng.choice(_CLERKS),
        reviewer=None if is_digital else rng.choice(_CLERKS),
        check_code=ids.digits(rng, 20) if doc_type is DocType.CN_VAT_GENERAL else None,
        machine_number=None if is_digital else ids.digits(rng, 12),
        cipher=() if is_digital else tuple("".join(rng.choice(_CIPHER) for _ in range(27)) for _ in range(4)),
        note=f"订单号：{ids.digits(rng, 12)}" if rng.random() < 0.5 else "",
    ).with_totals()
    return replace(facts, amount_in_words=capital_amount(facts.total))


def _line(rng: Random, name: str, specification: str, unit: str, price: Decimal, rate: str) -> LineFacts:
    quantity = Decimal(rng.randint(1, 12))
    net = cents(price * quantity)
    if rate == "免税":
        return LineFacts(name, net, quantity, price, unit, specification, rate_text=rate)
    percent = Decimal(rate)
    return LineFacts(name, net, quantity, price, unit, specification, percent, f"{rate}%", cents(net * percent / 100))


def _discount(line: LineFacts) -> LineFacts:
    net = -cents(line.net * Decimal("0.1"))
    rate = line.rate or Decimal(0)
    tax = cents(net * rate / 100) if line.tax is not None else None
    return LineFacts(line.name, net, rate=line.rate, rate_text=line.rate_text, tax=tax, is_discount=True)


def _seller(rng: Random, place: _Place, trade: str) -> PartyFacts:
    city = place.city.removesuffix("市")
    name = f"{city}{rng.choice(_NAMES)}{trade}{rng.choice(_LEGAL_FORMS)}"
    return PartyFacts(
        name=name,
        tax_id=ids.uscc(rng, place.region),
        address=(f"{place.city}{place.road}{rng.randint(1, 999)}号",),
        country="CN",
        phone=f"0{rng.randint(20, 29)}-{ids.digits(rng, 8)}",
        bank_name=f"{rng.choice(_BANKS)}{city}{rng.choice(('分行', '城东支行', '高新支行'))}",
        account=ids.digits(rng, 19),
    )


def qr_text(facts: InvoiceFacts) -> str:
    """What the QR code in the corner says, with its CRC: type, code, number, amount, date, check code.

    The amount is the total on fully digital invoices and the net amount on older ones.
    """
    kinds = {
        DocType.CN_DIGITAL_SPECIAL: "31",
        DocType.CN_DIGITAL_GENERAL: "32",
        DocType.CN_VAT_SPECIAL: "01",
        DocType.CN_VAT_GENERAL: "10",
    }
    amount = facts.net if facts.code else facts.total
    body = (
        f"01,{kinds[facts.doc_type]},{facts.code or ''},{facts.number},{amount},"
        f"{facts.issue_date:%Y%m%d},{facts.check_code or ''},"
    )
    return body + ids.crc16_umts(body)
