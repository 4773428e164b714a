"""The tokenizer: HunyuanOCR's special tokens and chat template around a byte-level BPE trained on what is said here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def placeholder(number: int) -> str:
    """The model's numbered special token."""
    return f"<｜hy_place▁holder▁no▁{number}｜>"


BEGIN, END_OF_SENTENCE, PAD = "<｜hy_begin▁of▁sentence｜>", "<｜hy_end▁of▁sentence｜>", "<｜hy_▁pad▁｜>"
USER, ASSISTANT, END_OF_TURN = "<｜hy_User｜>", "<｜hy_Assistant｜>", "<｜hy_EOT｜>"
END_OF_DOCUMENT, AFTER_SYSTEM = placeholder(2), placeholder(3)
IMAGE_START, IMAGE_END, IMAGE, IMAGE_NEWLINE = (placeholder(number) for number in (100, 101, 102, 103))
QUAD, QUAD_END, REF, REF_END, FIGURE, FIGURE_END = (placeholder(number) for number in range(110, 116))

#: In the order of the real vocabulary, where they are 120000 and up.
SPECIAL_TOKENS = (
    BEGIN, END_OF_SENTENCE, PAD, USER, ASSISTANT, END_OF_TURN, END_OF_DOCUMENT, AFTER_SYSTEM,
    IMAGE_START, IMAGE_END, IMAGE, IMAGE_NEWLINE, QUAD, QUAD_END, REF, REF_END, FIGURE, FIGURE_END,
)  # fmt: skip

#: The official ``chat_template.jinja`` of HunyuanOCR 1.5. It drops a system text given as a list, as vLLM gives it.
CHAT_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% if messages[0]['content'] is string %}{% set system_message = messages[0]['content'] %}"
    "{% else %}{% set system_message = messages[0]['content']['text'] %}{% endif %}"
    "<｜hy_begin▁of▁sentence｜>{{ system_message }}<｜hy_place▁holder▁no▁3｜>"
    "{% else %}{% set loop_messages = messages %}<｜hy_begin▁of▁sentence｜>{% endif %}"
    "{% for message in loop_messages %}{% if message['role'] == 'user' %}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<｜hy_place▁holder▁no▁100｜><｜hy_place▁holder▁no▁102｜><｜hy_place▁holder▁no▁101｜>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<｜hy_User｜>"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] }}<｜hy_Assistant｜>{% endif %}{% endfor %}"
)

# A pair of corners, or a phrase without other punctuation, stays in one piece and becomes one token when it is said
# here: answers are an eighth as long as they would be in letters, and so is the time they take.
_PIECES = r"\(\d+,\d+\),\(\d+,\d+\)|[\p{L}\p{N}]+(?:[ .,/-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]+|\s+"


def tokenizer_for(texts: Iterable[str], folder: Path, *, size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most ``size`` tokens that says ``texts`` in few of them, written to ``folder``."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_PIECES), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    between = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
    bpe.train_from_iterator((piece for text in texts for piece in between.split(text)), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN,
        eos_token=ASSISTANT,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=32_768,
        extra_special_tokens={
            "image_token": IMAGE,
            "image_start_token": IMAGE_START,
            "image_end_token": IMAGE_END,
            "image_newline_token": IMAGE_NEWLINE,
        },
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    return tokenizer
