"""What the model answered to a question for fields: per key one value, none, or several.

The official question lists the labels as printed and asks for JSON; the official answer is one fenced object of
strings, in which a missing value is the *string* ``"None"``. Much else occurs. A value is given only when the answer
is unambiguous in form; whether it is true is for other evidence to say.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from hunyuan_ocr.extraction.answer_text import (
    EMPTY,
    OFF_FORMAT,
    REFUSAL,
    TRUNCATED,
    clean_text,
    is_refusal,
    unescaped,
    with_plain_markers,
    without_fence,
    without_preamble,
)
from hunyuan_ocr.extraction.lenient_json import JsonObject, JsonValue, LenientJson, read_json
from hunyuan_ocr.model.parsing.text import fold

#: The model says that there is no value.
NULL = "null"
#: Several values, or a structure, where one value was asked for.
LIST = "list"
#: The printed label came back instead of its value.
LABEL_ECHO = "label_echo"
#: The key occurs more than once, with different values.
DUPLICATE = "duplicate"
#: The key does not occur in the answer.
MISSING = "missing"

_NULL_WORDS = frozenset(
    {
        "", "none", "null", "nil", "n/a", "n.a.", "na", "nan", "undefined", "unknown", "not available", "not found",
        "not applicable", "not answerable", "not visible", "not mentioned", "not provided", "not specified",
        "未知", "无", "空", "不详", "暂无", "没有", "未提供", "未找到", "未显示", "未填写", "不适用",
        "-", "--", "---", "/", "\\",
    }
)  # fmt: skip
_LONGEST_PLAIN_VALUE = 300
_MOST_SAID = 50
_MOST_EXTRA = 200
_NAME_KEYS = ("name", "key", "field", "label")


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """The answer for one key. ``raw`` is the value as the model wrote it (``\\$`` and HTML references resolved), None
    when there is none or no single one; ``problem`` then says why. ``said`` keeps everything said under the key."""

    raw: str | None
    problem: str = ""
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldsAnswer:
    """All answers, one for each key asked for, under the key as asked. ``extra`` are pairs nobody asked for.

    ``problem``: ``empty``, ``refusal``, ``off_format`` (no key found) or ``truncated`` (the pairs that were finished
    are there); empty when the answer is complete.
    """

    values: Mapping[str, FieldAnswer]
    extra: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def parse_fields(text: str, keys: Sequence[str]) -> FieldsAnswer:
    """Reads the answer to a question for ``keys``. Keys are matched by NFKC, case and white space folding.

    Without any JSON, a short answer to a single key is the value itself (the official one-field question).
    """
    said = without_fence(without_preamble(with_plain_markers(text)))
    # The opening brace was lost, or eaten by a runtime that takes it for a template's.
    is_headless = said[:1] in {'"', "'", "“"} and "{" not in said
    answer = read_json("{" + said if is_headless else said)
    found: dict[str, list[JsonValue]] = {_folded(key): [] for key in keys}
    extra: list[tuple[str, str]] = []
    for name, value in _pairs(answer, found):
        if (key := _folded(name)) in found:
            found[key].append(value)
        elif len(extra) < _MOST_EXTRA:
            extra.append((name, next(_scalars(value), "")))
    if len(keys) == 1 and not any(found.values()):
        found[_folded(keys[0])].extend(_bare_values(text, answer))
    values = {key: _judged(key, found[_folded(key)]) for key in keys}
    return FieldsAnswer(values, tuple(extra), _problem(text, answer, values))


def _folded(key: str) -> str:
    return fold(key).replace(" ", "").strip(":*")


def _pairs(answer: LenientJson, asked: Container[str]) -> Iterator[tuple[str, JsonValue]]:
    """Every pair of the answer in its order, those inside lists and unasked objects included; a
    ``{"name": …, "value": …}`` object is the pair it describes."""
    waiting: list[tuple[str, JsonValue]] = [("", value) for value in reversed(answer.values)]
    while waiting:
        name, value = waiting.pop()
        if name and (_folded(name) in asked or not isinstance(value, JsonObject | list)):
            yield name, value
        elif isinstance(value, list):
            waiting.extend(("", item) for item in reversed(value))
        elif isinstance(value, JsonObject):
            described = _described(value, asked)
            waiting.extend([described] if described else reversed(value.pairs))


def _described(value: JsonObject, asked: Container[str]) -> tuple[str, JsonValue] | None:
    by_name = {_folded(name): said for name, said in value.pairs}
    if "value" not in by_name:
        return None
    names = (by_name.get(name) for name in _NAME_KEYS)
    return next(((name, by_name["value"]) for name in names if isinstance(name, str) and _folded(name) in asked), None)


def _bare_values(text: str, answer: LenientJson) -> list[JsonValue]:
    """The answer to a question for one field when it is no object: a list of values, or the value itself."""
    if answer.values:
        first = answer.values[0]
        is_plain_list = isinstance(first, list) and not any(isinstance(item, JsonObject | list) for item in first)
        return [first] if is_plain_list else []
    said = clean_text(text)
    return [said] if said and len(said) <= _LONGEST_PLAIN_VALUE and not is_refusal(text) else []


def _scalars(value: JsonValue) -> Iterator[str]:
    """The scalars of a value in their order, as written."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, JsonObject):
            waiting.extend(inner for _, inner in reversed(current.pairs))
        elif isinstance(current, list):
            waiting.extend(reversed(current))
        elif isinstance(current, str):
            yield unescaped(current).strip()
        else:
            yield {None: "null", True: "true", False: "false"}[current]


def _judged(key: str, values: Sequence[JsonValue]) -> FieldAnswer:
    if not values:
        return FieldAnswer(None, MISSING)
    said = tuple(islice(chain.from_iterable(map(_scalars, values)), _MOST_SAID))
    distinct = {folded: text for text in reversed(said) if (folded := fold(text)) not in _NULL_WORDS}
    if not distinct:
        return FieldAnswer(None, NULL, said)
    if len(distinct) > 1:
        is_repeated = len(values) > 1 and not any(isinstance(value, JsonObject | list) for value in values)
        return FieldAnswer(None, DUPLICATE if is_repeated else LIST, said)
    (value,) = distinct.values()
    if value.endswith((":", "：")) or _folded(value) == _folded(key):
        return FieldAnswer(None, LABEL_ECHO, said)
    return FieldAnswer(value, "", said)


def _problem(text: str, answer: LenientJson, values: Mapping[str, FieldAnswer]) -> str:
    missing = [value.problem == MISSING for value in values.values()]
    if not any(missing) and (values or answer.values):
        # Even if the closing brace is missing, nothing asked for is.
        return ""
    if answer.values and not all(missing):
        return TRUNCATED if answer.is_truncated else ""
    if not clean_text(text):
        return EMPTY
    return REFUSAL if is_refusal(text) else OFF_FORMAT
