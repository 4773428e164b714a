"""The raw text of a vision model, freed of what is not said but wrapped around it; and what is wrong with it.

Markers, fences, phrases of politeness, loops and refusals are known here. What the text means is not: spotting,
fields and tables have modules of their own. Nothing here raises, whatever the text, and every function takes time in
proportion to its length.
"""

from __future__ import annotations

import html
import re

from hunyuan_ocr.model.parsing.text import fold, plain

TRUNCATED = "truncated"
REPETITION = "repetition"
EMPTY = "empty"
REFUSAL = "refusal"
OFF_FORMAT = "off_format"

# The reserved tokens that the model's vocabulary uses as markers (placeholder numbers of tencent/HunyuanOCR, 1.0 and
# 1.5 alike). A runtime that keeps special tokens may print either the token's name or the marker's.
_MARKERS = {
    "110": "<quad>",
    "111": "</quad>",
    "112": "<ref>",
    "113": "</ref>",
    "114": "<pFig>",
    "115": "</pFig>",
}
_TOKEN = re.compile(r"<[｜|]hy_([^<>｜|]{1,48})[｜|]>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BREAK = re.compile(r"<br\s{0,3}/?>", re.IGNORECASE)
# Orientation and layout markup that some runtimes answer with; what stands inside is not text of the page.
_LAYOUT = re.compile(r"<(dir|layout|poly)>[^<>]*(?:</\1>)?|</?hy-meta>|<image>", re.IGNORECASE)
_FIGURE = re.compile(r"<pFig>[^<>]*</pFig>(?:\s{0,3}<quad>[^<>]*</quad>)?")
_QUAD = re.compile(r"<quad>[^<>]*</quad>")
_OTHER_MARKER = re.compile(r"</?(?:ref|quad|pFig)>")
_POINT = re.compile(r"[(（][\d.]{1,7}[,，]\s?[\d.]{1,7}[)）][,，]?")
_FENCE = re.compile(r"```[A-Za-z0-9_+-]{0,20}")
_PREAMBLE = re.compile(
    r"(?:(?:好的|当然)[，,。!！]?\s{0,3})?"
    r"(?:以下(?:是|为)[^\n:：]{0,20}(?:图|文字|文本|结果|内容)[^\n:：]{0,20}"
    r"|(?:图片|图像|图|文字|文本|文档)?中?的?(?:文字|文本|内容)?(?:识别|提取|解析|翻译)(?:出)?的?(?:文字|文本)?(?:结果|内容)(?:如下|为|是)?"
    r"|(?:sure[,.!]?\s{0,3})?here (?:is|are)[^\n:：]{0,60}"
    r"|the (?:extracted|recognized) (?:text|content)[^\n:：]{0,40})[:：]\s{0,20}",
    re.IGNORECASE,
)
_TRANSLATED = re.compile(r"翻译成\S{1,4}为[:：]?[ \t]{0,8}\n")
_REFUSAL = re.compile(
    r"(?:(?:抱歉|对不起|很抱歉)[,。!]?.{0,60}(?:无法|不能|没有).{0,60}"
    r"|.{0,10}(?:图片|图像|图|画面|页面)(?:中|里|上)?(?:没有|无|未包含|不包含|未发现)(?:任何|可识别的?)?(?:文字|文本|内容).{0,10}"
    r"|(?:无法|不能)(?:识别|提取|辨认|读取|回答).{0,40}|(?:未|没有)(?:检测|识别|发现)(?:到|出)?.{0,6}(?:文字|文本|内容).{0,10}"
    r"|not answerable|unanswerable|unable to (?:recognize|read|extract|answer).{0,80}"
    r"|no (?:readable |visible )?text(?: was| is)?(?: found| detected| present| visible)?(?: in (?:the|this) image)?"
    r"|there is no (?:readable |visible )?text.{0,60}"
    r"|(?:i'm sorry|i am sorry|sorry, (?:i|but)|i (?:cannot|can't|am unable to|'m unable to)|as an ai).{0,160})"
    r"[.。!]*",
    re.DOTALL,
)
_LONGEST_REFUSAL = 240

# An answer loops when a pattern of at most so many characters fills its tail so many times over so many characters.
# Pages repeat honestly (empty cells, dotted lines), hence high counts, and higher ones for patterns without a letter
# or digit. The model's own client stops at 8 repetitions of at most 256 characters, once it has 4000 of them.
_TAIL = 8_000
_LONGEST_PATTERN = 256
_FEWEST_REPEATS = 12
_SHORTEST_LOOP = 120
_SHORTEST_BLANK_LOOP = 1_000


def with_plain_markers(text: str) -> str:
    """The text with its special tokens by their readable names (``<ref>``, ``<quad>``, ``<pFig>``) and others gone."""
    return _TOKEN.sub(lambda match: _MARKERS.get(match[1].rpartition("▁")[2], ""), text)


def unescaped(text: str) -> str:
    r"""The printed form of a piece of answer: HTML character references resolved, ``\$`` as ``$``, ``<br>`` a newline.

    A reference counts only with its semicolon: ``AT&T`` and ``R&D&copy`` are printed like that.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" in text:
        text = _BREAK.sub("\n", text)
    return text.replace("\\$", "$")


def without_fence(text: str) -> str:
    """The text inside a Markdown fence that opens it, or the text itself; the closing fence may be missing."""
    text = text.strip()
    opening = _FENCE.match(text)
    if opening is None:
        return text
    return text[opening.end() :].strip().removesuffix("```").strip()


def without_preamble(text: str) -> str:
    """The text without a phrase that only announces the answer ("识别结果如下：", "Here is the extracted text:")."""
    text = text.lstrip()
    for preamble in (_PREAMBLE, _TRANSLATED):
        if announced := preamble.match(text):
            text = text[announced.end() :]
    return text


def without_layout(text: str) -> str:
    """The text without orientation, layout and polygon markup."""
    return _LAYOUT.sub("", text)


def clean_text(text: str) -> str:
    """What the model read, as plain text or Markdown: no special tokens, boxes, figures, fences or preambles."""
    said = without_layout(with_plain_markers(text))
    said = _OTHER_MARKER.sub("", _QUAD.sub("", _FIGURE.sub("", said)))
    for _ in range(2):
        said = without_fence(without_preamble(said))
    return unescaped(said).strip()


def has_looping_tail(text: str) -> bool:
    """Does the text end in a pattern that repeats itself, as greedy decoding does when it is lost?

    Looks at the last 8000 characters, in linear time: the failure function of the reversed tail gives the shortest
    period of every suffix.
    """
    tail = text.rstrip()[-_TAIL:][::-1]
    borders = [0] * len(tail)
    for index in range(1, len(tail)):
        border = borders[index - 1]
        while border and tail[index] != tail[border]:
            border = borders[border - 1]
        borders[index] = border = border + (tail[index] == tail[border])
        length, period = index + 1, index + 1 - border
        if period > _LONGEST_PATTERN or length < max(_SHORTEST_LOOP, _FEWEST_REPEATS * period):
            continue
        if length >= _SHORTEST_BLANK_LOOP or any(character.isalnum() for character in tail[:period]):
            return True
    return False


def is_refusal(text: str) -> bool:
    """Does the text say that there is nothing to read, or that the model will not?"""
    said = clean_text(text)
    return len(said) <= _LONGEST_REFUSAL and _REFUSAL.fullmatch(fold(plain(said))) is not None


def problem_of(text: str, finish_reason: str) -> str:
    """What is wrong with an answer whatever it was asked for; empty when nothing is.

    ``finish_reason`` is that of ``engines.base.FinishReason``. ``repetition`` (the engine saw it, or the tail loops)
    comes before ``truncated``, because a loop that was cut is a loop; then ``empty`` (nothing but markers and boxes:
    not the same as a blank page) and ``refusal``.
    """
    if finish_reason == REPETITION or has_looping_tail(text):
        return REPETITION
    if finish_reason == "length":
        return TRUNCATED
    if not _POINT.sub("", clean_text(text)).strip():
        return EMPTY
    return REFUSAL if is_refusal(text) else ""
