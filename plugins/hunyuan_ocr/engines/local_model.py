"""The model's folder on this machine: where it is, what it holds, and a fingerprint of a folder without a revision.

Never downloads: weights come only by ``engines.download``, after the licence was accepted.
"""

from __future__ import annotations

import hashlib
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.engines.spec import MAX_PIXELS, ModelSpec
from hunyuan_ocr.exceptions import EngineRefusedError, PageRefusedError

_SAMPLES = 16
_SAMPLE_BYTES = 1 << 20


def model_folder(spec: ModelSpec) -> Path:
    """The folder of ``spec``: itself when it is one, else its snapshot in the Hugging Face cache.

    Raises EngineRefusedError when it is not on this machine or is not a model of this architecture.
    """
    folder = Path(spec.model).expanduser()
    if not folder.is_dir():
        if folder.is_absolute() or spec.model.startswith(("~", ".")):
            raise EngineRefusedError(f"Model folder {spec.model} does not exist on this machine; check model.")
        folder = _cached_snapshot(spec)
    config = _json(folder / "config.json")
    architectures = config.get("architectures", [])
    if "HunYuanVLForConditionalGeneration" not in architectures:
        found = ", ".join(map(str, architectures)) or "no architecture"
        raise EngineRefusedError(
            f"Model folder {folder} holds {found}, not HunYuanVLForConditionalGeneration; check model and revision."
        )
    if not list(folder.glob("*.safetensors")):
        raise EngineRefusedError(
            f"Model folder {folder} has no *.safetensors: the download is not complete, repeat it."
        )
    return folder


def model_key(spec: ModelSpec) -> str:
    """Name and revision for the engine's key; a folder without a revision is known by its content instead."""
    if spec.revision:
        return spec.key
    folder = model_folder(spec)
    return f"{folder.resolve().name}@{fingerprint(folder)[:12]}"


def fingerprint(folder: Path) -> str:
    """64 hexadecimal digits over the small files of a model and over samples of its weights.

    Of each weights file its size, its header and sixteen megabytes spread over it count: enough to tell two trainings
    apart, without reading gigabytes at every start.
    """
    stamps = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _model_files(folder))
    return _fingerprint(folder, stamps)


def pixel_limits(spec: ModelSpec, folder: Path) -> tuple[int, int]:
    """The least and the most pixels the model's own image processor works with."""
    for name in ("processor_config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            continue
        config = _json(folder / name)
        config = config.get("image_processor", config)
        size = config.get("size") or {}
        least = size.get("shortest_edge", config.get("min_pixels"))
        most = size.get("longest_edge", config.get("max_pixels"))
        if least and most:
            return int(least), int(most)
    return 512 * 512, MAX_PIXELS[spec.family]


def decoded(picture: Picture) -> Any:
    """The picture in RGB, for an engine in this process. Raises PageRefusedError when it is no picture, or not of the
    size it was announced with."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture.data), formats=("JPEG", "PNG")) as image:
            if image.size == (picture.width, picture.height):
                return image.convert("RGB")
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PageRefusedError(f"A page image cannot be decoded ({type(error).__name__}).") from error
    raise PageRefusedError(f"A page image is {width}x{height} and was announced as {picture.width}x{picture.height}.")


def _cached_snapshot(spec: ModelSpec) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(spec.model, revision=spec.revision or None, local_files_only=True))
    except Exception as error:
        raise EngineRefusedError(
            f"Model {spec.model} at revision {spec.revision or '(none)'} is not on this machine. Run hunyuan-ocr model "
            "download on the worker (after accepting the licence in configuration), or set model to its folder."
        ) from error


def _model_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jinja", ".safetensors", ".txt"))


@lru_cache(maxsize=8)
def _fingerprint(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, size, _ in stamps:
        digest.update(f"{name}\n{size}\n".encode())
        with (folder / name).open("rb") as file:
            if size <= _SAMPLES * _SAMPLE_BYTES:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _json(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineRefusedError(
            f"Model folder {path.parent}: {path.name} cannot be read ({type(error).__name__}); the download is not "
            "complete, repeat it."
        ) from error
    if not isinstance(loaded, dict):
        raise EngineRefusedError(f"Model folder {path.parent}: {path.name} is not an object; the file is damaged.")
    return loaded
