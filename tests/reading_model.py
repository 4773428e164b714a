"""A model that really reads: it answers as HunyuanOCR does, from the pixels, with RapidOCR's eyes.

Behind ``model_stub`` it makes a server through which the whole intake can be walked without weights: spotting answers
with boxes of the picture as it was sent, field answers as JSON of strings, ``None`` for what is not there. Like the
model it knows no more than the picture. ``python -m tests.reading_model --port 8000`` serves it for ``make demo``.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import io
import json
import threading
from functools import lru_cache

from PIL import Image

from hunyuan_ocr.extraction.prompts import load_profiles
from hunyuan_ocr.extraction.questions import paths_of_keys
from hunyuan_ocr.extraction.reconcile import reconcile
from hunyuan_ocr.model.geometry import Box, Reading
from hunyuan_ocr.readers.pages import PageImage
from hunyuan_ocr.readers.rapid import RapidReader
from hunyuan_ocr.settings import shipped_prompts_dir
from tests.model_stub import ModelStub
from tests.stub_settings import StubSettings

_SPOTTING = "检测并识别"
_FIELDS = "的字段内容"


class ReadingModel:
    """``model(picture, prompt)`` is the answer. Calls from several threads take turns."""

    def __init__(self) -> None:
        self._reader = RapidReader(threads=2)
        self._profiles = load_profiles(shipped_prompts_dir())
        self._turn = threading.Lock()
        self._seen = lru_cache(maxsize=64)(self._look)

    def __call__(self, picture: bytes, prompt: str) -> str:
        with self._turn:
            reading = self._seen(picture)
        if _SPOTTING in prompt:
            return "".join(
                f"<ref>{span.text}</ref><quad>{_corners(_as_sent(span.box, reading.rotation))}</quad>"
                for span in reading.spans
            )
        if _FIELDS in prompt:
            keys = ast.literal_eval(prompt[prompt.index("[") : prompt.rindex("]") + 1])
            return "```json\n" + json.dumps(self._fields(reading, keys), ensure_ascii=False, indent=4) + "\n```"
        return reading.text

    def _look(self, picture: bytes) -> Reading:
        with Image.open(io.BytesIO(picture)) as image:
            return self._reader.read(PageImage(1, image.convert("RGB")))

    def _fields(self, reading: Reading, keys: list[str]) -> dict[str, str]:
        extraction = reconcile([reading], profiles=self._profiles)
        printed = {value.field_path: value.chosen.value_raw for value in extraction.field_values if value.chosen}
        (profile,) = (one for one in self._profiles if one.code == extraction.profile)
        paths = paths_of_keys(profile, keys)
        return {key: next((printed[path] for path in paths.get(key, ()) if path in printed), "None") for key in keys}


def _as_sent(box: Box, turn: int) -> Box:
    """The box on the picture before RapidOCR turned it ``turn`` degrees clockwise to read it."""
    match turn:
        case 90:
            return Box(box.y0, 1000 - box.x1, box.y1, 1000 - box.x0)
        case 180:
            return Box(1000 - box.x1, 1000 - box.y1, 1000 - box.x0, 1000 - box.y0)
        case 270:
            return Box(1000 - box.y1, box.x0, 1000 - box.y0, box.x1)
        case _:
            return box


def _corners(box: Box) -> str:
    return f"({box.x0:.0f},{box.y0:.0f}),({box.x1:.0f},{box.y1:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="A server that reads pages with RapidOCR and answers like HunyuanOCR.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", default="")
    given = parser.parse_args()

    async def serve() -> None:
        stub = await ModelStub(StubSettings(model="tencent/HunyuanOCR", api_key=given.api_key), ReadingModel()).start(
            given.port
        )
        print(stub.url, flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
