"""Fetches the model's weights, once, when somebody asked for it and accepted the licence in configuration.

Nothing else in this package downloads a model. What arrives is pinned to a revision, checked for completeness and,
where the hash of a file is known, for its content. The licence's notice is put beside the weights, as it demands.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

from hunyuan_ocr.engines.spec import Family, ModelSpec
from hunyuan_ocr.exceptions import ConfigurationError, EngineRefusedError, EngineUnavailableError

log = logging.getLogger(__name__)

#: Tencent Hunyuan Community License Agreement, preamble and 5(c).
LICENCE_TERRITORY = (
    "The Tencent Hunyuan Community License Agreement does not apply in the European Union, the United Kingdom and "
    "South Korea: there neither the model may be used, nor its output or results."
)
#: The same agreement, 3(d), word for word.
NOTICE = (
    "Tencent Hunyuan is licensed under the Tencent Hunyuan Community License Agreement, Copyright © 2025 Tencent. "
    "All Rights Reserved. The trademark rights of “Tencent Hunyuan” are owned by Tencent or its affiliate.\n"
)
ACCEPT = "[hunyuan_ocr] accept_tencent_licence = True"

#: Of the 1.5 revision 449e7d47, as published by people who measured it.
KNOWN_SHA256 = {
    "449e7d471a8a1ef5bd5d652e4881183d7252cbc7": {
        "model.safetensors": "632a1e082c4dd5a3284cf1ffcdba2fdaa06f435762c58c2f34aff0f3bd6c0249",
        "config.json": "cc34ab90d0b873a1832c06e0f3fe127b47d7f390e8fda19445e4144068ed2af9",
        "tokenizer.json": "3e2ab46bcc5ed8bce013b245c6daecf19fa1d2a18f48a9c88a1f571dcbf7dfd3",
    }
}
#: Not read by any engine here: the old model inside the new one's repository, and the draft model.
_LEFT_OUT = ("v1.0/*", "dflash/*")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def licence_notice() -> str:
    """One line for the log of whoever starts the model."""
    return f"HunyuanOCR is provided by Tencent, not affiliated with this project. {LICENCE_TERRITORY}"


def download_model(spec: ModelSpec, target: Path | None, *, licence_accepted: bool) -> Path:
    """Fetches ``spec`` into ``target`` (default: the Hugging Face cache) and returns the folder. May be repeated: what
    is there and whole is kept.

    Raises ConfigurationError without the licence accepted, without an exact revision, or without room on the disk;
    EngineRefusedError when the repository lacks it or the files are not what they should be; EngineUnavailableError
    when the hub does not answer.
    """
    if not licence_accepted:
        raise ConfigurationError(
            f"The model's licence is not accepted. {LICENCE_TERRITORY} Elsewhere read it at "
            f"https://huggingface.co/{spec.model}, and if your company accepts it, set {ACCEPT}."
        )
    if not _COMMIT.fullmatch(spec.revision):
        raise ConfigurationError(
            f"Model {spec.model} needs an exact revision (40 hexadecimal digits) in [hunyuan_ocr] model_revision, not "
            f"{spec.revision or 'none'}: the content under its name has changed before."
        )
    log.warning("%s", licence_notice())
    folder = _snapshot(spec, target)
    verify(folder, spec)
    (folder / "Notice").write_text(NOTICE, encoding="utf-8")
    log.info("Model %s is complete in %s", spec.key, folder)
    return folder


def verify(folder: Path, spec: ModelSpec) -> None:
    """Checks that all files of a model are there, and those with a known hash whole. Raises EngineRefusedError."""
    missing = [what for what, is_there in _PARTS.items() if not is_there(folder)]
    missing += [name for name in _shards(folder) if not (folder / name).is_file()]
    if missing:
        raise EngineRefusedError(
            f"Model folder {folder} is not complete, it lacks {', '.join(missing)}. "
            "Run hunyuan-ocr model download again."
        )
    for name, expected in KNOWN_SHA256.get(spec.revision, {}).items():
        if (found := _sha256(folder / name)) != expected:
            raise EngineRefusedError(
                f"Model folder {folder}: {name} has sha256 {found[:12]}… instead of {expected[:12]}…: damaged, or not "
                f"of revision {spec.revision[:12]}. Delete it and run hunyuan-ocr model download again."
            )


def _snapshot(spec: ModelSpec, target: Path | None) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise ConfigurationError(
            "huggingface_hub is not installed; pip install huggingface_hub, or install the extra [gpu]."
        ) from error
    left_out = list(_LEFT_OUT) if spec.family is Family.V1_5 else None
    try:
        folder = snapshot_download(spec.model, revision=spec.revision, local_dir=target, ignore_patterns=left_out)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise EngineRefusedError(
            f"The hub has no model {spec.model} at revision {spec.revision} that it shows to us "
            f"({type(error).__name__}). Check [hunyuan_ocr] model and model_revision; a private one needs HF_TOKEN."
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise ConfigurationError(
            "HF_HUB_OFFLINE is set, so nothing can be downloaded; unset it for this command."
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ConfigurationError(
                f"No room for the model on the disk of {target or 'the Hugging Face cache (HF_HOME)'}; it needs about "
                "3 GB (6 GB for 1.0). What has arrived is kept; make room and repeat the command."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ConfigurationError(f"{error.filename or target} cannot be written ({error.strerror}).") from error
        raise _unavailable(spec, error) from error
    except Exception as error:
        raise _unavailable(spec, error) from error
    return Path(folder)


def _unavailable(spec: ModelSpec, error: Exception) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"Model {spec.model} could not be fetched from the hub ({type(error).__name__}). Check the network, a proxy "
        "(HTTPS_PROXY) or a mirror (HF_ENDPOINT), and repeat the command; what has arrived is kept."
    )


def _has_chat_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and "chat_template" in json.loads(config.read_text(encoding="utf-8"))


_PARTS: dict[str, Callable[[Path], bool]] = {
    "config.json": lambda folder: (folder / "config.json").is_file(),
    "*.safetensors": lambda folder: any(folder.glob("*.safetensors")),
    "the tokenizer (tokenizer.json)": lambda folder: (folder / "tokenizer.json").is_file(),
    "the image processor's configuration": lambda folder: any(
        (folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")
    ),
    "the chat template": _has_chat_template,
}


def _shards(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return sorted(set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()))


def _sha256(path: Path) -> str:
    if not path.is_file():
        return "none"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
