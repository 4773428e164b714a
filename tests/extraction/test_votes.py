"""What a vision model's answers are worth: votes that agree or not, tables, a person's own keys. Never a value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hunyuan_ocr.extraction.prompts import PromptProfile
from hunyuan_ocr.extraction.reconcile import Extraction, reconcile
from hunyuan_ocr.extraction.votes import Votes, votes_of
from hunyuan_ocr.model.answers import PageAnswer, Task
from hunyuan_ocr.model.evidence import Candidate, FieldState, FieldValue, Source
from hunyuan_ocr.model.geometry import Reader, Reading

Draw = Callable[..., Reading]
Profiles = tuple[PromptProfile, ...]

_PAGE = """
Pennine Lifts Ltd                                   INVOICE
Unit 4, Mill Lane, Leeds LS1 4AP
VAT No: GB 980 7806 84                              Invoice Number   2093481
                                                    Invoice Date     13 April 2024
                                                    PO Number        PO-77120
Invoice to:                                         Telephone        0113 496 0042
Harrow Estates plc
19 Bond Street
London W1S 1AA

Description                  Qty    Price      Amount
Lift service                 1      800.00     800.00

                             Net Total         £800.00
                             VAT 20%           £160.00
                             Total             £960.00
"""


def _answer(
    said: dict[str, object] | str,
    *,
    keys: Sequence[str] = (),
    profile: str = "invoice_en",
    task: Task = Task.FIELDS,
    page_no: int = 1,
    is_kept: bool = True,
) -> PageAnswer:
    text = said if isinstance(said, str) else "```json\n" + json.dumps(said, ensure_ascii=False) + "\n```"
    asked = tuple(keys) or (tuple(said) if isinstance(said, dict) else ())
    return PageAnswer(
        page_no, 1, task, text, "engine@1", "0" * 64, "1" * 64, 1664, 2336, profile=profile, keys=asked, is_kept=is_kept
    )


def _field(extraction: Extraction, path: str) -> FieldValue:
    return next(value for value in extraction.field_values if value.field_path == path)


def _codes(extraction: Extraction) -> set[str]:
    return {reason.split(":")[0] for reason in extraction.review_reasons}


def _raws(votes: Votes) -> dict[str, str]:
    return {candidate.field_path: candidate.value_raw for candidate in votes.candidates}


@pytest.fixture
def page(draw: Draw) -> Reading:
    return draw(_PAGE, reader=Reader.HUNYUAN)


@pytest.fixture
def ask(page: Reading, profiles: Profiles) -> Callable[..., Extraction]:
    """Reconciles the page with these answers to the field question."""
    return lambda said: reconcile([page], profiles=profiles, profile_name="invoice_en", answers=[_answer(said)])


class TestReadingAnswers:
    def test_a_label_goes_back_to_its_field(self, page: Reading, profiles: Profiles) -> None:
        votes = votes_of([_answer({"Invoice Number": "2093481", "Total": "£960.00"})], profiles, [page])
        assert _raws(votes) == {"invoice_number": "2093481", "total_with_tax": "£960.00"}
        total = next(vote for vote in votes.candidates if vote.field_path == "total_with_tax")
        assert (total.source, total.value_norm, total.label, total.page_no) == (Source.VLM, "960.00", "Total", 1)
        assert total.reader_version == "engine@1"

    @pytest.mark.parametrize("nothing", ["None", None, "", "N/A", "未知"])
    def test_no_value_is_no_vote(self, nothing: str | None, page: Reading, profiles: Profiles) -> None:
        assert votes_of([_answer({"Invoice Number": nothing})], profiles, [page]) == Votes()

    @pytest.mark.parametrize("echo", ["Invoice Number", "Invoice No.:", "Due Date", "Anything:"])
    def test_a_label_is_no_vote_but_noted(self, echo: str, page: Reading, profiles: Profiles) -> None:
        votes = votes_of([_answer({"Invoice Number": echo})], profiles, [page])
        assert votes.candidates == ()
        assert votes.notes["invoice_number"][0].startswith("LABEL_ECHO")

    def test_several_values_are_no_vote_but_noted(self, page: Reading, profiles: Profiles) -> None:
        votes = votes_of([_answer({"Total": ["960.00", "0.00"]})], profiles, [page])
        assert votes.candidates == ()
        assert votes.notes["total_with_tax"][0].startswith("MODEL_SEVERAL")

    def test_a_label_of_both_parties_votes_for_neither(self, page: Reading, profiles: Profiles) -> None:
        votes = votes_of([_answer({"名称": "某某有限公司"}, profile="cn_vat_invoice")], profiles, [page])
        assert votes.candidates == ()
        assert {path for path, notes in votes.notes.items() if "MODEL_AMBIGUOUS_KEY" in notes[0]} == {
            "seller.name",
            "buyer.name",
        }

    def test_only_kept_field_answers_of_a_known_profile_count(self, page: Reading, profiles: Profiles) -> None:
        said: dict[str, object] = {"Invoice Number": "2093481"}
        answers = [
            _answer(said, is_kept=False),
            _answer(said, profile="gone"),
            _answer("Invoice Number", keys=["Invoice Number"], task=Task.SPOTTING),
        ]
        assert votes_of(answers, profiles, [page]) == Votes()

    def test_the_pages_own_notation_settles_an_open_answer(self, draw: Draw, profiles: Profiles) -> None:
        german = draw(
            "RECHNUNG\nRechnungsnummer: 77\nRechnungsdatum: 05.11.2020\nNettobetrag 1.000,00\nEndbetrag 1.234,00"
        )
        votes = votes_of(
            [_answer({"Rechnungsbetrag": "1.234", "Rechnungsdatum": "05/11/2020"}, profile="invoice_de")],
            profiles,
            [german],
        )
        assert {vote.field_path: vote.value_norm for vote in votes.candidates} == {
            "total_with_tax": "1234",
            "issue_date": "2020-11-05",
        }


class TestAgreement:
    @pytest.mark.parametrize(
        ("key", "path", "said"),
        [
            ("Invoice Date", "issue_date", "2024-04-13"),
            ("Invoice Date", "issue_date", "13/04/2024"),
            ("Total", "total_with_tax", "960"),
            ("Total", "total_with_tax", "£ 960.00"),
            ("VAT Number", "seller.tax_id", "GB980780684"),
            ("Invoice Number", "invoice_number", "No. 2093481"),
            ("PO Number", "purchase_order_ref", "po 77120"),
        ],
    )
    def test_the_same_value_in_another_spelling_raises_confidence(
        self, key: str, path: str, said: str, ask: Callable[..., Extraction]
    ) -> None:
        before, after = ask({}), ask({key: said})
        assert _field(after, path).confidence > _field(before, path).confidence
        assert "page and model agree" in _field(after, path).reason
        assert not after.review_reasons

    def test_the_models_own_eyes_count_less_than_anothers(self, draw: Draw, profiles: Profiles) -> None:
        def confidence(reader: Reader) -> float:
            extraction = reconcile(
                [draw(_PAGE, reader=reader)], profiles=profiles, answers=[_answer({"Invoice Number": "2093481"})]
            )
            return _field(extraction, "invoice_number").confidence

        assert confidence(Reader.RAPIDOCR) > confidence(Reader.HUNYUAN)

    def test_a_date_either_way_round_agrees_with_the_one_printed(self, draw: Draw, profiles: Profiles) -> None:
        drawn = draw(_PAGE.replace("13 April 2024", "5 November 2020"), reader=Reader.HUNYUAN)
        for said in ("05/11/20", "11/05/2020"):
            extraction = reconcile([drawn], profiles=profiles, answers=[_answer({"Invoice Date": said})])
            assert extraction.invoice.issue_date == date(2020, 11, 5)
            assert not extraction.review_reasons

    def test_a_name_cut_short_or_broken_over_lines_is_no_contradiction(self, draw: Draw, profiles: Profiles) -> None:
        drawn = draw(_CHINESE, reader=Reader.HUNYUAN)
        for said in ("星河某某科技\n有限公司", "星河某某科技", "星河某某科技有限公司。"):
            answer = _answer({"销售方的名称": said}, profile="cn_vat_invoice")
            extraction = reconcile([drawn], profiles=profiles, answers=[answer])
            assert extraction.invoice.seller.name == "星河某某科技有限公司"
            assert not any("seller.name" in reason for reason in extraction.review_reasons)

    def test_one_page_that_agrees_settles_what_another_page_says(self, page: Reading, profiles: Profiles) -> None:
        answers = [_answer({"Invoice Number": "2093481"}), _answer({"Invoice Number": "2093499"}, page_no=2)]
        assert not reconcile([page], profiles=profiles, answers=answers).review_reasons


_CHINESE = """
                         电子发票（普通发票）
                                                        发票号码：26312000000012345678
                                                        开票日期：2026年08月27日
名称：青山某某商贸有限公司                               名称：星河某某科技有限公司

项目名称      数 量      单 价      金 额      税 额
*纸制品*笔记本    1      100.00     100.00     13.00
合 计                               ¥100.00    ¥13.00
价税合计（大写）  壹佰壹拾叁圆整          （小写）¥113.00
"""


class TestContradiction:
    def test_digits_that_drifted_go_to_review(self, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"Invoice Number": "2093487"})
        assert extraction.invoice.invoice_number == "2093481"
        assert _codes(extraction) == {"MODEL_DIGITS_DRIFTED"}
        assert "2093487" in {other.value_norm for other in _field(extraction, "invoice_number").others}
        assert not any("2093487" in reason for reason in extraction.review_reasons)

    def test_an_answer_that_is_nowhere_on_the_page_goes_to_review(self, ask: Callable[..., Extraction]) -> None:
        assert _codes(ask({"Invoice Number": "INV-000006"})) == {"MODEL_INVENTED"}

    def test_an_answer_from_elsewhere_goes_to_review(self, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"Invoice Number": "0113 496 0042"})
        assert _codes(extraction) == {"MODEL_WRONG_SLOT"}
        assert extraction.invoice.invoice_number == "2093481"

    @pytest.mark.parametrize("said", ["800.00", "£990.00", "1.00", "777.77"])
    def test_what_the_sums_prove_is_staged_whatever_the_model_says(
        self, said: str, ask: Callable[..., Extraction]
    ) -> None:
        extraction = ask({"Total": said})
        total = _field(extraction, "total_with_tax")
        assert extraction.invoice.total_with_tax == Decimal("960.00")
        assert not extraction.review_reasons
        assert "MODEL_" in total.reason
        assert total.confidence < _field(ask({"Total": "960.00"}), "total_with_tax").confidence

    def test_what_check_digits_prove_is_staged(self, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"VAT Number": "GB 980 7806 94"})
        assert not extraction.review_reasons
        assert "MODEL_DIGITS_DRIFTED" in _field(extraction, "seller.tax_id").reason

    def test_the_value_of_another_field_on_which_both_agree_is_only_noted(self, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"Invoice Number": "PO-77120", "PO Number": "PO-77120"})
        assert extraction.invoice.invoice_number == "2093481"
        assert not extraction.review_reasons
        assert "MODEL_WRONG_SLOT" in _field(extraction, "invoice_number").reason

    def test_two_answers_that_changed_places_go_to_review(self, ask: Callable[..., Extraction]) -> None:
        assert "MODEL_WRONG_SLOT" in _codes(ask({"Invoice Number": "PO-77120", "PO Number": "2093481"}))

    def test_swapped_parties_go_to_review(self, draw: Draw, profiles: Profiles) -> None:
        said: dict[str, object] = {"销售方的名称": "青山某某商贸有限公司", "购买方的名称": "星河某某科技有限公司"}
        answer = _answer(said, profile="cn_vat_invoice")
        extraction = reconcile([draw(_CHINESE, reader=Reader.HUNYUAN)], profiles=profiles, answers=[answer])
        assert extraction.invoice.seller.name == "星河某某科技有限公司"
        assert "MODEL_SWAPPED_PARTIES" in _codes(extraction)

    def test_the_sister_company_is_not_nearly_this_one(self, draw: Draw, profiles: Profiles) -> None:
        drawn = draw(_CHINESE.replace("青山某某商贸有限公司", "星河某某科贸有限公司"), reader=Reader.HUNYUAN)
        answer = _answer({"销售方的名称": "星河某某科贸有限公司"}, profile="cn_vat_invoice")
        assert "MODEL_SWAPPED_PARTIES" in _codes(reconcile([drawn], profiles=profiles, answers=[answer]))

    @pytest.mark.parametrize("said", ["08/01/2025", "XXX", "2001 Ford Truck F150"])
    def test_what_cannot_be_an_amount_says_nothing_against_one(self, said: str, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"Total": said})
        assert not extraction.review_reasons
        assert "MODEL_WRONG_TYPE" in _field(extraction, "total_with_tax").reason

    def test_a_lesser_field_is_only_noted_unless_its_digits_drifted(self, ask: Callable[..., Extraction]) -> None:
        assert not ask({"PO Number": "0113 496 0042"}).review_reasons
        assert _codes(ask({"PO Number": "PO-77121"})) == {"MODEL_DIGITS_DRIFTED"}

    def test_an_invention_where_nothing_is_printed_is_kept_aside(self, ask: Callable[..., Extraction]) -> None:
        extraction = ask({"Due Date": "2024-05-13"})
        due = _field(extraction, "due_date")
        assert extraction.invoice.due_date is None
        assert (due.chosen, due.others[0].value_raw) == (None, "2024-05-13")
        assert "MODEL_INVENTED" in due.reason
        assert not extraction.review_reasons

    def test_a_model_does_not_quarrel_with_exact_data(self, page: Reading, profiles: Profiles) -> None:
        exact = Candidate("invoice_number", "2093481", "2093481", Source.XML, 1.0)
        answers = [_answer({"Invoice Number": "77"})]
        extraction = reconcile([page], profiles=profiles, candidates=[exact], answers=answers)
        assert extraction.invoice.invoice_number == "2093481"
        assert not extraction.review_reasons


class TestOnlyTheModelsEyes:
    def test_without_a_vote_or_a_proof_confidence_is_lower(self, draw: Draw, profiles: Profiles) -> None:
        def confidence(reader: Reader, path: str) -> float:
            return _field(reconcile([draw(_PAGE, reader=reader)], profiles=profiles), path).confidence

        assert confidence(Reader.HUNYUAN, "invoice_number") < confidence(Reader.RAPIDOCR, "invoice_number")
        assert confidence(Reader.HUNYUAN, "total_with_tax") == confidence(Reader.RAPIDOCR, "total_with_tax")
        assert confidence(Reader.HUNYUAN, "seller.tax_id") == confidence(Reader.RAPIDOCR, "seller.tax_id")

    def test_a_tax_id_that_fails_its_check_goes_to_review(self, draw: Draw, profiles: Profiles) -> None:
        drawn = draw(_PAGE.replace("7806 84", "7806 94"), reader=Reader.HUNYUAN)
        assert "TAX_ID_UNSURE" in _codes(reconcile([drawn], profiles=profiles))

    def test_a_total_a_cent_off_goes_to_review(self, draw: Draw, profiles: Profiles) -> None:
        drawn = draw(_PAGE.replace("960.00", "960.01"), reader=Reader.HUNYUAN)
        extraction = reconcile([drawn], profiles=profiles, answers=[_answer({"Total": "960.01"})])
        assert "TOTALS_A_CENT_OFF" in _codes(extraction)


class TestPersonsOwnKeys:
    def test_a_value_beside_its_label_is_given(self, ask: Callable[..., Extraction]) -> None:
        value = _field(ask({"Telephone": "0113 496 0042"}), "extra.Telephone")
        assert value.state is FieldState.PRESENT
        assert value.chosen is not None
        assert (value.chosen.source, value.chosen.label, value.chosen.page_no) == (Source.VLM, "Telephone", 1)
        assert value.chosen.box is not None

    @pytest.mark.parametrize(("said", "code"), [("19 Bond Street", "MODEL_WRONG_SLOT"), ("555 0199", "MODEL_INVENTED")])
    def test_a_value_that_stands_elsewhere_or_nowhere_is_kept_aside(
        self, said: str, code: str, ask: Callable[..., Extraction]
    ) -> None:
        extraction = ask({"Telephone": said})
        value = _field(extraction, "extra.Telephone")
        assert (value.chosen, value.others[0].value_raw) == (None, said)
        assert value.reason.startswith(code)
        assert not extraction.review_reasons

    def test_a_key_without_a_value_says_so(self, ask: Callable[..., Extraction]) -> None:
        value = _field(ask({"Fax": "None"}), "extra.Fax")
        assert (value.state, value.others, value.reason) == (FieldState.ABSENT, (), "the model found no value")


_SAID = st.one_of(
    st.text(max_size=40),
    st.sampled_from([
        "None",
        "£960.00",
        "1.234",
        "05/11/20",
        "[]",
        "{}",
        "\\",
        "Total",
        "∞",
        "１２３",
        "壹佰圆整",
        "GB",
    ]),
    st.none(),
    st.lists(st.text(max_size=5), max_size=3),
)
_KEYS = ["Invoice Number", "Invoice Date", "Total", "VAT Number", "Customer VAT", "PO Number", "Fax", "名称"]


@given(
    said=st.dictionaries(st.sampled_from(_KEYS), _SAID),
    table=st.text(alphabet="<>tdr/ableQy123.0 AmountQ", max_size=200),
    profile=st.sampled_from(["invoice_en", "cn_vat_invoice", "receipt", "no_such"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_model_answers_reconcile_does_not_fail(
    said: dict[str, object], table: str, profile: str, page: Reading, profiles: Profiles
) -> None:
    answers = [_answer(said, keys=_KEYS, profile=profile), _answer(table, task=Task.TABLE)]
    extraction = reconcile([page], profiles=profiles, profile_name="invoice_en", answers=answers)
    assert extraction.invoice.total_with_tax in (None, Decimal("960.00"))
    assert extraction.invoice.invoice_number in (None, "2093481")
