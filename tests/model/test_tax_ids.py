"""Tax numbers are recognised, checked and never corrected behind anybody's back."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc as stdnum_uscc

from hunyuan_ocr.model.invoice import TaxIdType
from hunyuan_ocr.model.parsing.tax_ids import find_tax_ids, gb11714_check_digit, parse_tax_id, uscc_check_digit

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
DIGITS = "0123456789"


@st.composite
def social_credit_codes(draw: st.DrawFn) -> str:
    """With letters in front as rural collectives have them, and a right organisation code inside."""
    department = draw(st.text(alphabet="159ANY", min_size=1, max_size=1)) + draw(
        st.text("12359", min_size=1, max_size=1)
    )
    region = draw(st.text(DIGITS, min_size=6, max_size=6))
    organisation = draw(st.text(ALPHABET, min_size=8, max_size=8))
    first17 = department + region + organisation + gb11714_check_digit(organisation)
    return first17 + uscc_check_digit(first17)


class TestSocialCreditCode:
    @given(social_credit_codes())
    def test_valid_codes_are_valid_with_letters_in_front_too(self, code: str) -> None:
        tax_id = parse_tax_id(code)
        assert tax_id is not None
        assert (tax_id.type, tax_id.country, tax_id.is_valid, tax_id.problems) == (TaxIdType.USCC, "CN", True, ())
        if code[:2].isdigit():
            assert stdnum_uscc.is_valid(code)

    @given(social_credit_codes(), st.integers(0, 17), st.sampled_from(ALPHABET))
    def test_one_wrong_character_is_noticed(self, code: str, position: int, character: str) -> None:
        assume(character != code[position])
        assume(not 2 <= position < 8 or character.isdigit())
        tax_id = parse_tax_id(code[:position] + character + code[position + 1 :], "CN")
        assert tax_id is not None
        assert tax_id.is_valid is not True or tax_id.type is not TaxIdType.USCC

    @given(social_credit_codes(), st.integers(0, 17))
    def test_a_slip_is_only_proposed_as_a_repair(self, code: str, position: int) -> None:
        slips = {"1": "I", "0": "O", "2": "Z", "5": "S"}
        assume(code[position] in slips)
        slipped = code[:position] + slips[code[position]] + code[position + 1 :]
        tax_id = parse_tax_id(slipped)
        assert tax_id is not None
        assert (tax_id.value, tax_id.is_valid, tax_id.repair) == (slipped, False, code)

    def test_no_repair_when_the_checksum_does_not_pass(self) -> None:
        tax_id = parse_tax_id("9144O30071526726XH", "CN")
        assert tax_id is not None
        assert (tax_id.is_valid, tax_id.repair) == (False, None)

    def test_a_wrong_nested_check_is_a_problem_not_a_refusal(self) -> None:
        first17 = "91440300" + "12345678" + ("1" if gb11714_check_digit("12345678") != "1" else "2")
        tax_id = parse_tax_id(first17 + uscc_check_digit(first17))
        assert tax_id is not None
        assert tax_id.is_valid is True
        assert len(tax_id.problems) == 1

    def test_spaces_and_a_country_prefix_fold_away(self) -> None:
        for text in (
            "9111 0000 6000 3734 1L",
            "CN91110000600037341L",
            "９１１１００００６０００３７３４１Ｌ",
            "91110000600037341l",
        ):
            tax_id = parse_tax_id(text)
            assert tax_id is not None
            assert (tax_id.value, tax_id.is_valid) == ("91110000600037341L", True)

    @pytest.mark.parametrize("first17", ["", "9144030071526726", "9144030071526726I", "914403007152672612"])
    def test_the_check_digit_needs_seventeen_characters_of_the_alphabet(self, first17: str) -> None:
        with pytest.raises(ValueError, match="unified social credit code"):
            uscc_check_digit(first17)


class TestOtherChineseNumbers:
    @pytest.mark.parametrize(
        ("text", "kind", "is_valid", "problem_count"),
        [
            ("11010519491231002X", TaxIdType.CN_RIC18, True, 0), ("110105194912310021", TaxIdType.CN_RIC18, False, 1),
            ("440300715267266", TaxIdType.CN15, None, 1), ("44030071526726X", TaxIdType.CN15, None, 0),
            ("110000600037341", TaxIdType.CN15, None, 0), ("11010519491231002X00", TaxIdType.CN20, None, 0),
            ("11010519491231002100", TaxIdType.CN20, None, 1), ("1234567890123", TaxIdType.OTHER, False, 1),
        ],
    )  # fmt: skip
    def test_kinds(self, text: str, kind: TaxIdType, is_valid: bool | None, problem_count: int) -> None:
        tax_id = parse_tax_id(text, "CN")
        assert tax_id is not None
        assert (tax_id.type, tax_id.country, tax_id.is_valid) == (kind, "CN", is_valid)
        assert len(tax_id.problems) == problem_count

    def test_fifteen_bare_digits_are_not_chinese_by_themselves(self) -> None:
        tax_id = parse_tax_id("440300715267266")
        assert tax_id is not None
        assert (tax_id.type, tax_id.country, tax_id.is_valid) == (TaxIdType.OTHER, None, None)


class TestElsewhere:
    @pytest.mark.parametrize(
        ("text", "country", "kind", "found_country", "is_valid"),
        [
            ("DE 136.695.976", None, TaxIdType.EU_VAT, "DE", True),
            ("DE136695978", None, TaxIdType.EU_VAT, "DE", False),
            ("136695976", "DE", TaxIdType.EU_VAT, "DE", True), ("EL094259216", None, TaxIdType.EU_VAT, "GR", True),
            ("094259216", "EL", TaxIdType.EU_VAT, "GR", True), ("XI110305878", None, TaxIdType.EU_VAT, "XI", True),
            ("GB 980 7806 84", None, TaxIdType.GB_VAT, "GB", True), ("980780684", "UK", TaxIdType.GB_VAT, "GB", True),
            ("FRXX999999999", None, TaxIdType.EU_VAT, "FR", False), ("NL123", None, TaxIdType.EU_VAT, "NL", False),
            ("CHE-107.787.577 MWST", None, TaxIdType.OTHER, "CH", True),
            ("NO 995 525 828 MVA", None, TaxIdType.OTHER, "NO", True),
            ("995525828", "NO", TaxIdType.OTHER, "NO", True), ("12-3456789", None, TaxIdType.EIN, "US", None),
            ("123456789", "US", TaxIdType.EIN, "US", None), ("07-1144442", "US", TaxIdType.EIN, "US", False),
            ("27AAPFU0939F1ZV", None, TaxIdType.OTHER, "IN", True),
            ("27AAPFU0939F1ZO", "IN", TaxIdType.OTHER, "IN", False),
            ("83 914 571 673", "AU", TaxIdType.OTHER, "AU", True),
            ("16.727.230/0001-97", "BR", TaxIdType.OTHER, "BR", True),
            ("GODE561231GR8", "MX", TaxIdType.OTHER, "MX", True), ("000123456789", "MY", TaxIdType.OTHER, "MY", None),
            ("S16FC0121D", "SG", TaxIdType.OTHER, "SG", True), ("T7000012050002", None, TaxIdType.OTHER, "JP", True),
            ("12/345/67890", "DE", TaxIdType.OTHER, "DE", None), ("1.234.567-8", "XX", TaxIdType.OTHER, "XX", None),
            ("136695976", None, TaxIdType.OTHER, None, None),
            ("USt-IdNr.: DE 136695976", None, TaxIdType.EU_VAT, "DE", True),
        ],
    )  # fmt: skip
    def test_kinds(
        self, text: str, country: str | None, kind: TaxIdType, found_country: str | None, is_valid: bool | None
    ) -> None:
        tax_id = parse_tax_id(text, country)
        assert tax_id is not None
        assert (tax_id.type, tax_id.country, tax_id.is_valid) == (kind, found_country, is_valid)
        assert tax_id.problems or is_valid is not False
        assert all(tax_id.value not in problem for problem in tax_id.problems)

    def test_a_slip_in_a_european_number_is_only_proposed(self) -> None:
        tax_id = parse_tax_id("DE13669S976")
        assert tax_id is not None
        assert (tax_id.value, tax_id.is_valid, tax_id.repair) == ("DE13669S976", False, "DE136695976")

    @pytest.mark.parametrize(
        "text", ["", "***", "个人", "Invoice 1234", "DE89370400440532013000", "N/A", "Umsatzsteuer"]
    )
    def test_what_is_no_tax_number(self, text: str) -> None:
        assert parse_tax_id(text) is None


class TestFinding:
    def test_by_shape_without_a_label(self) -> None:
        text = (
            "纳税人识别号:91110000600037341L VAT DE 136 695 976 IBAN DE89 3704 0044 0532 0130 00, "
            "EIN 12-3456789 GB980780684"
        )
        assert [(text[m.start : m.end], m.tax_id.type) for m in find_tax_ids(text)] == [
            ("91110000600037341L", TaxIdType.USCC), ("DE 136 695 976", TaxIdType.EU_VAT),
            ("12-3456789", TaxIdType.EIN),
            ("GB980780684", TaxIdType.GB_VAT),
        ]  # fmt: skip

    def test_a_malaysian_number_is_found_but_not_placed_without_any_context(self) -> None:
        (match,) = find_tax_ids("(GST ID:000123456789)")
        assert (match.tax_id.value, match.tax_id.country, match.tax_id.is_valid) == ("000123456789", "MY", None)
        bare = parse_tax_id("000123456789")
        assert bare is not None
        assert (bare.type, bare.country) == (TaxIdType.OTHER, None)

    def test_torn_apart_by_the_reader(self) -> None:
        (match,) = find_tax_ids("税号 " + " ".join("91110000600037341L"))
        assert match.tax_id.value == "91110000600037341L"

    @pytest.mark.parametrize("text", ["AT SOLUTIONS 2000 Ltd", "IT 12", "TOTAL 12345678901234567", "2024-01-05 12:30"])
    def test_ordinary_text_has_none(self, text: str) -> None:
        assert find_tax_ids(text) == []

    @given(st.lists(social_credit_codes(), max_size=3))
    def test_positions_are_right(self, codes: list[str]) -> None:
        text = "".join(f"税号：{code}，" for code in codes)
        assert [text[m.start : m.end] for m in find_tax_ids(text)] == codes

    @given(
        st.text() | st.text(alphabet="0123456789ABDEGKNLTXIOS -./", max_size=60),
        st.none() | st.sampled_from(["CN", "DE", "EL", "UK", "XI", "US", "MY", "MX", "ID", "SG", "JP", "zz", "", "?!"]),
    )
    def test_arbitrary_text_never_raises_and_matches_never_overlap(self, text: str, country: str | None) -> None:
        tax_id = parse_tax_id(text, country)
        assert tax_id is None or tax_id.is_valid is not True or tax_id.repair is None
        end = 0
        for match in find_tax_ids(text):
            assert end <= match.start < match.end <= len(text)
            end = match.end
