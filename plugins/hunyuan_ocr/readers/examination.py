"""The words between the reader that asks a model about a page and whoever decides what to ask and when to stop.

Nouns only: what is asked, and the verdict on what came back. It decides nothing and knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hunyuan_ocr.engines.base import Prompt
from hunyuan_ocr.model.answers import Task


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """One question about a page picture.

    ``profile`` is the code of the prompt profile the question was made from, empty for one that needs none; ``keys``
    are the labels asked for, in order (fields only). Both are recorded with the answer (``model.answers.PageAnswer``).
    """

    task: Task
    prompt: Prompt
    profile: str = ""
    keys: tuple[str, ...] = ()


class Remedy(StrEnum):
    """What may help a page that was read badly: a larger picture, or the page turned.

    Rotations are absolute, as ``Reading.rotation`` is: degrees clockwise the *stored* page is to be turned. So one that
    was tried already is told by its number.
    """

    MORE_PIXELS = "more_pixels"
    ROTATE_0 = "0"
    ROTATE_90 = "90"
    ROTATE_180 = "180"
    ROTATE_270 = "270"

    @property
    def rotation(self) -> int | None:
        """Degrees clockwise, or ``None`` when the page is not to be turned."""
        return None if self is Remedy.MORE_PIXELS else int(self.value)

    @classmethod
    def turned(cls, degrees: int) -> Remedy:
        """The rotation by ``degrees``, a multiple of 90; full turns are taken off."""
        return cls(str(degrees % 360))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether what was read from one picture of a page will do.

    ``score`` is 0 or more and compares pictures of the *same* page: the highest is kept. ``is_good`` ends the attempts.
    ``reason`` says in a few words, without text of the page, what is wrong; empty when nothing is. ``wants`` are the
    remedies worth trying, best first; empty means that no further picture is worth its price: a page without text is
    not good and wants nothing more.
    """

    score: float
    is_good: bool
    reason: str = ""
    wants: tuple[Remedy, ...] = ()
