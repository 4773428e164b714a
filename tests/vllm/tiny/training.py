"""Teaches the tiny checkpoint its lessons by heart, and examines it."""

from __future__ import annotations

import io
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from hunyuan_ocr.engines.base import Picture
from hunyuan_ocr.engines.probe import messages_of
from tests.vllm.tiny.lessons import Lesson, Page
from tests.vllm.tiny.vocabulary import ASSISTANT

#: How much more it costs to err where the answer cannot be told from what was said so far, only from the page.
_DECISIVE = 8.0


@dataclass(frozen=True)
class Course:
    """How the lessons are taught: until ``known_after`` steps in a row have a loss below ``known_loss``."""

    steps: int = 600
    batch: int = 12
    rate: float = 2.5e-3
    known_loss: float = 0.004
    known_after: int = 25
    seed: int = 0


#: What the model is given, the tokens it shall answer, and how much each weighs.
_Example = tuple[dict[str, Any], list[int], list[float]]


class Classroom:
    """The lessons as tensors. Pictures are processed once; a lesson shows one of its page's copies at random."""

    def __init__(self, processor: Any, lessons: Sequence[Lesson]) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.lessons = lessons
        self._answers = [self._tokens(lesson.answer + ASSISTANT) for lesson in lessons]
        self._decisive = _decisive_places(self._answers)
        self._seen: dict[str, list[dict[str, Any]]] = {}

    def inputs(self, lesson: Lesson, copy: int = 0) -> dict[str, Any]:
        """What the model is given: the question laid out by the chat template, and the page."""
        import torch

        picture = self._pictures(lesson.page)[copy]
        processor = self.processor
        text = processor.apply_chat_template(messages_of(lesson.prompt.text), tokenize=False)
        text = text.replace(
            processor.image_token, processor.replace_image_token({"image_grid_thw": picture["image_grid_thw"]}, 0)
        )
        tokens = torch.tensor([self._tokens(text)])
        return picture | {
            "input_ids": tokens,
            "attention_mask": torch.ones_like(tokens),
            "mm_token_type_ids": (tokens == processor.image_token_id).int(),
        }

    def batches(self, size: int, rng: Random) -> Iterator[list[_Example]]:
        """Endless: every lesson once before any comes twice."""
        endless = itertools.chain.from_iterable(
            rng.sample(range(len(self.lessons)), len(self.lessons)) for _ in itertools.count()
        )
        while True:
            batch = []
            for number in itertools.islice(endless, size):
                lesson = self.lessons[number]
                copy = rng.randrange(len(lesson.page.pictures))
                batch.append((self.inputs(lesson, copy), self._answers[number], self._decisive[number]))
            yield batch

    @cached_property
    def longest_answer(self) -> int:
        """In tokens."""
        return max(map(len, self._answers))

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _pictures(self, page: Page) -> list[dict[str, Any]]:
        if page.name not in self._seen:
            self._seen[page.name] = [self._pixels(picture) for picture in page.pictures]
        return self._seen[page.name]

    def _pixels(self, picture: Picture) -> dict[str, Any]:
        from PIL import Image

        image = Image.open(io.BytesIO(picture.data)).convert("RGB")
        return dict(self.processor.image_processor([image], return_tensors="pt"))


def teach(model: Any, classroom: Classroom, course: Course, say: Callable[[str], object]) -> None:
    """Train until the lessons are known by heart, or the course is over."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=course.rate, weight_decay=0.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, course.rate, total_steps=course.steps, pct_start=0.1)
    batches = classroom.batches(course.batch, Random(course.seed))
    started, known = time.monotonic(), 0
    model.train()
    for step in range(course.steps):
        optimizer.zero_grad()
        loss = _learn(model, next(batches), classroom.tokenizer.pad_token_id)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        known = known + 1 if loss < course.known_loss else 0
        if step % 50 == 0 or known == course.known_after:
            say(f"step {step}: loss {loss:.4f}, {time.monotonic() - started:.0f} s")
        if known == course.known_after:
            break
    model.eval()


def examine(model: Any, classroom: Classroom) -> list[str]:
    """The lessons that are not answered word for word; every page as the product sends it at first."""
    return [lesson.name for lesson in classroom.lessons if recite(model, classroom, lesson) != lesson.text]


def recite(model: Any, classroom: Classroom, lesson: Lesson, copy: int = 0) -> str:
    """The model's own answer to the question of a lesson, generated as the prompt's sampling says."""
    import torch

    inputs, sampling = classroom.inputs(lesson, copy), lesson.prompt.sampling
    with torch.inference_mode():
        said = model.generate(
            **inputs,
            max_new_tokens=min(sampling.max_tokens, classroom.longest_answer + 20),
            do_sample=False,
            repetition_penalty=sampling.repetition_penalty,
        )
    tokens = said[0, inputs["input_ids"].shape[1] :]
    text = str(classroom.tokenizer.decode(tokens, skip_special_tokens=sampling.skip_special_tokens))
    return text.removesuffix(ASSISTANT)


def _learn(model: Any, batch: list[_Example], pad: int) -> float:
    """The batch's loss; its gradients are left in the model. Long answers and short ones are gone through apart, or
    most of the work would be padding."""
    total = sum(sum(weights) for _, _, weights in batch)
    by_length = sorted(batch, key=lambda example: len(example[1]))
    middle = len(batch) * 2 // 3
    loss = 0.0
    for part in (by_length[:middle], by_length[middle:]):
        share = _weighted_losses(model, part, pad) / total
        share.backward()
        loss += share.item()
    return loss


def _weighted_losses(model: Any, batch: list[_Example], pad: int) -> Any:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    asked = [inputs["input_ids"][0] for inputs, _, _ in batch]
    rows = [torch.cat([question, torch.tensor(answer)]) for question, (_, answer, _) in zip(asked, batch, strict=True)]
    tokens = pad_sequence(rows, batch_first=True, padding_value=pad)
    lengths = torch.tensor([len(row) for row in rows])[:, None]
    pictures = pad_sequence([inputs["mm_token_type_ids"][0] for inputs, _, _ in batch], batch_first=True)
    kinds = torch.zeros_like(tokens, dtype=pictures.dtype)
    kinds[:, : pictures.shape[1]] = pictures
    seen = model.model(
        input_ids=tokens,
        attention_mask=(torch.arange(tokens.shape[1]) < lengths).long(),
        mm_token_type_ids=kinds,
        pixel_values=torch.cat([inputs["pixel_values"] for inputs, _, _ in batch]),
        image_grid_thw=torch.cat([inputs["image_grid_thw"] for inputs, _, _ in batch]),
        use_cache=False,
    ).last_hidden_state
    # Words are only predicted where an answer is: questions and image tokens would be most of the work.
    places = [
        seen[row, len(question) - 1 : len(question) - 1 + len(answer)]
        for row, (question, (_, answer, _)) in enumerate(zip(asked, batch, strict=True))
    ]
    right = torch.tensor([token for _, answer, _ in batch for token in answer])
    weights = torch.tensor([weight for _, _, decisive in batch for weight in decisive])
    losses = torch.nn.functional.cross_entropy(model.lm_head(torch.cat(places)), right, reduction="none")
    return (losses * weights).sum()


def _decisive_places(answers: Sequence[Sequence[int]]) -> list[list[float]]:
    """The weight of every token: high where another answer begins alike and then goes on otherwise."""
    followers = {(answer[:place], answer[place]) for answer in map(tuple, answers) for place in range(len(answer))}
    choices = Counter(begin for begin, _ in followers)
    return [
        [_DECISIVE if choices[tuple(answer[:place])] > 1 else 1.0 for place in range(len(answer))] for answer in answers
    ]
