"""The weights come only after the licence was accepted, at an exact revision, whole, and with the licence's notice."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from hunyuan_ocr.engines import download
from hunyuan_ocr.engines.download import download_model, licence_notice, verify
from hunyuan_ocr.engines.spec import Family, ModelSpec
from hunyuan_ocr.exceptions import ConfigurationError, EngineRefusedError, EngineUnavailableError

REVISION = "0123456789abcdef0123456789abcdef01234567"
MODEL = {
    "config.json": b'{"architectures": ["HunYuanVLForConditionalGeneration"]}',
    "model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
    "tokenizer.json": b"{}",
    "preprocessor_config.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "LICENSE": b"the licence",
    "v1.0/model.safetensors": b"the old model",
    "dflash/model.safetensors": b"the draft model",
}


class Hub:
    """The part of the Hugging Face hub's HTTP interface that a download uses, with one model."""

    def __init__(self) -> None:
        self.files = dict(MODEL)
        self.fetched: list[str] = []
        self.status = 200
        self.url = ""

    async def info(self, request: web.Request) -> web.StreamResponse:
        if self.status != 200:
            return web.Response(status=self.status)
        if request.match_info["revision"] != REVISION:
            return web.Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        names = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
        return web.json_response({"id": "tencent/Tiny", "sha": REVISION, "siblings": names})

    async def tree(self, request: web.Request) -> web.StreamResponse:
        return web.json_response([
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for name, content in self.files.items()
        ])

    async def file(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["revision"] != REVISION:
            return web.Response(status=404, headers={"X-Error-Code": "RevisionNotFound"})
        name = request.match_info["name"]
        content = self.files.get(name)
        if content is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": REVISION, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if request.method != "HEAD":
            self.fetched.append(name)
        return web.Response(body=content, headers=headers)

    async def run(self, is_up: threading.Event, is_over: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_get("/api/models/tencent/Tiny/revision/{revision}", self.info)
        app.router.add_get("/api/models/tencent/Tiny/tree/{revision}", self.tree)
        app.router.add_get("/tencent/Tiny/resolve/{revision}/{name:.+}", self.file)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        is_up.set()
        await is_over.wait()
        await runner.cleanup()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
    served = Hub()
    is_up, loop = threading.Event(), asyncio.new_event_loop()
    is_over = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(served.run(is_up, is_over),))
    thread.start()
    assert is_up.wait(10)
    # What HF_ENDPOINT does, which is read once when huggingface_hub is imported.
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    yield served
    loop.call_soon_threadsafe(is_over.set)
    thread.join(10)
    loop.close()


SPEC = ModelSpec("tencent/Tiny", REVISION)


class TestBeforeAnythingIsFetched:
    def test_without_the_licence_accepted_it_refuses_and_names_territory_and_setting(
        self, hub: Hub, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match=r"European Union.*United Kingdom.*South Korea") as refused:
            download_model(SPEC, tmp_path / "model", licence_accepted=False)
        assert "accept_tencent_licence = True" in str(refused.value)
        assert "output or results" in str(refused.value)
        assert hub.fetched == []
        assert not (tmp_path / "model").exists()

    @pytest.mark.parametrize("revision", ["", "main", "0123456"])
    def test_only_an_exact_revision_will_do(self, tmp_path: Path, revision: str) -> None:
        with pytest.raises(ConfigurationError, match="exact revision"):
            download_model(ModelSpec("tencent/Tiny", revision), tmp_path, licence_accepted=True)

    def test_the_notice_for_logs_names_provider_and_territory(self) -> None:
        assert "Tencent" in licence_notice()
        assert "South Korea" in licence_notice()


class TestADownload:
    def test_brings_the_model_without_the_old_one_and_puts_the_notice_beside_it(self, hub: Hub, tmp_path: Path) -> None:
        folder = download_model(SPEC, tmp_path / "model", licence_accepted=True)
        assert folder == tmp_path / "model"
        assert (folder / "model.safetensors").read_bytes() == MODEL["model.safetensors"]
        assert not (folder / "v1.0").exists()
        assert not any(name.startswith(("v1.0/", "dflash/")) for name in hub.fetched)
        notice = (folder / "Notice").read_text(encoding="utf-8")
        assert notice.startswith("Tencent Hunyuan is licensed under the Tencent Hunyuan Community License Agreement")

    def test_of_family_1_0_keeps_everything_of_its_revision(self, hub: Hub, tmp_path: Path) -> None:
        download_model(ModelSpec("tencent/Tiny", REVISION, Family.V1_0), tmp_path / "model", licence_accepted=True)
        assert "v1.0/model.safetensors" in hub.fetched

    def test_without_a_target_lands_in_the_cache(self, hub: Hub, tmp_path: Path) -> None:
        folder = download_model(SPEC, None, licence_accepted=True)
        assert folder.is_relative_to(tmp_path / "cache")
        assert (folder / "Notice").is_file()

    def test_done_twice_fetches_once(self, hub: Hub, tmp_path: Path) -> None:
        download_model(SPEC, tmp_path / "model", licence_accepted=True)
        fetched = len(hub.fetched)
        download_model(SPEC, tmp_path / "model", licence_accepted=True)
        assert len(hub.fetched) == fetched

    @pytest.mark.parametrize(
        ("name", "what"),
        [
            ("model.safetensors", r"\*\.safetensors"),
            ("tokenizer.json", "tokenizer"),
            ("chat_template.jinja", "chat template"),
            ("config.json", r"config\.json"),
        ],
    )
    def test_that_lacks_a_part_is_refused_by_its_name(self, hub: Hub, tmp_path: Path, name: str, what: str) -> None:
        del hub.files[name]
        with pytest.raises(EngineRefusedError, match=what):
            download_model(SPEC, tmp_path / "model", licence_accepted=True)
        assert not (tmp_path / "model" / "Notice").exists()

    def test_with_a_wrong_hash_is_refused(self, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(download.KNOWN_SHA256, REVISION, {"model.safetensors": "0" * 64})
        with pytest.raises(EngineRefusedError, match=r"model\.safetensors has sha256"):
            download_model(SPEC, tmp_path / "model", licence_accepted=True)

    def test_of_an_unknown_revision_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises(EngineRefusedError, match="no model tencent/Tiny at revision ffff"):
            download_model(ModelSpec("tencent/Tiny", "f" * 40), tmp_path / "model", licence_accepted=True)

    def test_of_an_unknown_model_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        with pytest.raises((EngineRefusedError, EngineUnavailableError), match="tencent/Other"):
            download_model(ModelSpec("tencent/Other", REVISION), tmp_path / "model", licence_accepted=True)

    def test_from_a_hub_that_is_not_there_can_be_tried_again_later(
        self, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in (("ENDPOINT", ""), ("HUGGINGFACE_CO_URL_TEMPLATE", "/{repo_id}/{revision}/{filename}")):
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", f"http://127.0.0.1:9{value}")
        # It tries five times, with seconds between.
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        with pytest.raises(EngineUnavailableError, match="HF_ENDPOINT"):
            download_model(SPEC, tmp_path / "model", licence_accepted=True)


class TestAFolder:
    def write(self, folder: Path, names: list[str]) -> None:
        for name in names:
            (folder / name).write_bytes(MODEL.get(name, b"{}"))

    def test_with_an_index_needs_all_its_shards(self, tmp_path: Path) -> None:
        self.write(tmp_path, ["config.json", "tokenizer.json", "preprocessor_config.json", "chat_template.jinja"])
        (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"one")
        index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(EngineRefusedError, match="model-00002-of-00002"):
            verify(tmp_path, SPEC)
        (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"two")
        verify(tmp_path, SPEC)

    def test_may_keep_its_chat_template_in_the_tokenizers_configuration(self, tmp_path: Path) -> None:
        self.write(tmp_path, ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"])
        (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "x"}')
        verify(tmp_path, SPEC)
