"""Identifiers that pass their checksums and belong to nobody: tax ids, IBANs, invoice numbers.

Check digits come from python-stdnum, and for Chinese codes from the standard (GB 32100-2015, GB 11714-1997) written
out here a second time on purpose: the generator must not vouch for the parsers with their own code.
"""

from __future__ import annotations

from datetime import date
from random import Random

from stdnum import iban, luhn
from stdnum.de import vat as de_vat
from stdnum.es import ccc, cif
from stdnum.fr import tva as fr_tva
from stdnum.gb import vat as gb_vat
from stdnum.iso7064 import mod_11_10

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_GB11714_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def digits(rng: Random, count: int) -> str:
    """``count`` digits, the first one never zero."""
    return str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(count - 1))


def uscc(rng: Random, region: str) -> str:
    """An 18 character unified social credit code of a company (``91``) in ``region`` (six digits)."""
    body = "MA" + "".join(rng.choice(_USCC_ALPHABET) for _ in range(6))
    remainder = sum(_value(c) * w for c, w in zip(body, _GB11714_WEIGHTS, strict=True)) % 11
    organisation = body + {0: "0", 1: "X"}.get(remainder, str(11 - remainder))
    first17 = f"91{region}{organisation}"
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(first17, _USCC_WEIGHTS, strict=True))
    return first17 + _USCC_ALPHABET[(31 - total % 31) % 31]


def _value(character: str) -> int:
    return int(character) if character.isdigit() else ord(character) - ord("A") + 10


def broken(identifier: str) -> str:
    """``identifier`` with one digit wrong, as a typing error leaves it: every checksum used here notices that."""
    for i in range(len(identifier) // 2, len(identifier)):
        if identifier[i].isdigit():
            return f"{identifier[:i]}{(int(identifier[i]) + 1) % 10}{identifier[i + 1 :]}"
    raise ValueError("the identifier has no digit in its second half to spoil")


def vat_id(rng: Random, country: str) -> str:
    """A VAT identification number of ``country`` (DE, FR, ES or GB) with its prefix."""
    if country == "DE":
        body = digits(rng, 8)
        return "DE" + str(de_vat.validate(body + mod_11_10.calc_check_digit(body)))
    if country == "FR":
        body = digits(rng, 8)
        siren = body + luhn.calc_check_digit(body)
        number = f"FR{(12 + 3 * (int(siren) % 97)) % 97:02d}{siren}"
        return "FR" + str(fr_tva.validate(number))
    if country == "ES":
        body = "B" + digits(rng, 7)
        return "ES" + str(cif.validate(body + cif.calc_check_digits(body)[0]))
    if country == "GB":
        body = digits(rng, 7)
        valid = [body + f"{check:02d}" for check in range(97) if gb_vat.is_valid(body + f"{check:02d}")]
        return "GB" + valid[0]
    raise ValueError(f"no VAT ids of {country} here")


def ein(rng: Random) -> str:
    """A United States employer identification number, printed ``12-3456789`` (it has no check digit)."""
    return f"{rng.choice(('20', '26', '45', '46', '81'))}-{digits(rng, 7)}"


def iban_of(rng: Random, country: str) -> str:
    """An IBAN of ``country`` in groups of four, as printed."""
    if country == "GB":
        bban = "NWBK" + digits(rng, 14)
    elif country == "ES":
        bank, number = digits(rng, 8), digits(rng, 10)
        bban = bank + ccc.calc_check_digits(bank + "00" + number) + number
    elif country == "FR":
        bank, account = digits(rng, 10), digits(rng, 11)
        bban = f"{bank}{account}{97 - int(bank + account + '00') % 97:02d}"
    else:
        bban = digits(rng, 18)
    number = country + iban.calc_check_digits(f"{country}00{bban}") + bban
    iban.validate(number)
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def cn_digital_number(rng: Random, issued: date, province: str) -> str:
    """The 20 digit number of a fully digital invoice: year, province, channel, serial."""
    return f"{issued:%y}{province}2" + "".join(str(rng.randint(0, 9)) for _ in range(15))


def cn_invoice_code(rng: Random, issued: date, region: str, *, is_special: bool) -> str:
    """发票代码: 10 digits for a paper 专用发票, 12 for an electronic 普通发票 (ends in 11). ``region`` has 4 digits."""
    if is_special:
        return f"{region}{issued:%y}{rng.randint(1, 4)}130"
    return f"0{region}{issued:%y}00{rng.randint(1, 9)}11"


def crc16_umts(text: str) -> str:
    """CRC-16 with polynomial 0x8005, no reflection, start and final value 0, upper case hex: the QR's last field."""
    crc = 0
    for byte in text.encode("ascii"):
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return f"{crc:04X}"
