"""Makes the tiny checkpoint, once: it is kept in the environment under a name that changes with all it is made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from tests.vllm.tiny import architecture, training, vocabulary
from tests.vllm.tiny.lessons import Lesson, all_lessons

_VOCABULARY_SIZE = 4096
_REPETITIONS = 3


def tiny_checkpoint(say: Callable[[str], object] = print) -> Path:
    """The folder of the trained checkpoint; made in a few minutes when it is not there.

    Kept in the environment, or in the folder ``TINY_CHECKPOINTS`` names.
    """
    lessons = all_lessons()
    folder = Path(os.environ.get("TINY_CHECKPOINTS", sys.prefix)) / f"tiny-{_fingerprint(lessons)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tiny-") as unfinished:
            make(Path(unfinished), lessons, say=say)
            shutil.copytree(unfinished, folder)
    return folder


def make(
    folder: Path,
    lessons: tuple[Lesson, ...],
    *,
    sizes: architecture.Sizes = architecture.Sizes(),  # noqa: B008 - frozen
    course: training.Course = training.Course(),  # noqa: B008 - frozen
    say: Callable[[str], object] = print,
) -> None:
    """Teach a new checkpoint and write it to ``folder``. Raises AssertionError when it has not learnt everything."""
    import torch

    torch.set_num_threads(1)  # the steps are so small that two threads mostly wait for each other
    texts = [text for lesson in lessons for text in (lesson.prompt.text, lesson.answer)]
    tokenizer = vocabulary.tokenizer_for(texts, folder, size=_VOCABULARY_SIZE)
    processor = architecture.new_processor(tokenizer)
    model = architecture.new_model(tokenizer, sizes, course.seed)
    classroom = training.Classroom(processor, lessons)
    say(
        f"teaching {len(lessons)} answers of at most {classroom.longest_answer} tokens to "
        f"{sum(weight.numel() for weight in model.parameters()):,} parameters"
    )
    training.teach(model, classroom, course, say)
    for _ in range(_REPETITIONS):
        unknown = training.examine(model, classroom)
        architecture.write(folder, model, processor)
        if not unknown:
            return
        say(f"not yet known: {', '.join(unknown)}")
        training.teach(model, classroom, replace(course, steps=course.steps // 5, rate=course.rate / 4), say)
    unknown = training.examine(model, classroom)
    assert not unknown, f"not learnt: {', '.join(unknown)}"
    architecture.write(folder, model, processor)


def _fingerprint(lessons: tuple[Lesson, ...]) -> str:
    made_from = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        made_from.update(source.read_bytes())
    for package in ("torch", "transformers", "tokenizers"):
        made_from.update(version(package).encode())
    for lesson in lessons:
        made_from.update(repr((lesson.prompt, lesson.answer)).encode())
        for picture in lesson.page.pictures:
            made_from.update(picture.data)
    return made_from.hexdigest()[:16]


if __name__ == "__main__":
    print(tiny_checkpoint())
