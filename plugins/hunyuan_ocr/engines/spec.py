"""Which model, at which revision, of which family: pinned together with the versions that run it.

The id ``tencent/HunyuanOCR`` has changed its content before (1.0 until July 2026, 1.5 since) and has no tags, so a
revision is always named and is part of every cache key and row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hunyuan_ocr.exceptions import ConfigurationError


class Family(StrEnum):
    """The generations of the model; prompts, penalties and pixel limits differ."""

    V1_0 = "1.0"
    V1_5 = "1.5"


MODEL_ID = "tencent/HunyuanOCR"
#: 1.0 was last published at the first revision; 1.5 as measured by several people is the second.
REVISIONS = {
    Family.V1_0: "f6af82ee007fe6091b29fb3bb287b491ead41c82",
    Family.V1_5: "449e7d471a8a1ef5bd5d652e4881183d7252cbc7",
}
#: The most pixels the model's own image processor keeps.
MAX_PIXELS = {Family.V1_0: 4_194_304, Family.V1_5: 16_777_216}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the engines load or address it.

    ``model`` is a Hugging Face id, a local folder, or the name a server serves it under; ``revision`` may be empty
    only for a local folder, whose content is then hashed by the engine that loads it.
    """

    model: str = MODEL_ID
    revision: str = REVISIONS[Family.V1_5]
    family: Family = Family.V1_5

    @classmethod
    def of(cls, model: str, revision: str, family: str) -> ModelSpec:
        """From settings; empty values mean the pinned default. Raises ConfigurationError for an unknown family."""
        try:
            known = Family(family or Family.V1_5)
        except ValueError:
            raise ConfigurationError(
                f"Model family {family} is not known; [hunyuan_ocr] model_family must be one of {', '.join(Family)}."
            ) from None
        name = model or MODEL_ID
        return cls(name, revision or (REVISIONS[known] if name == MODEL_ID else ""), known)

    @property
    def key(self) -> str:
        return f"{self.model.rstrip('/').rsplit('/', 1)[-1]}@{self.revision[:12] or 'local'}"
