"""JSON as a model writes it: what ``json.loads`` takes, and what it would take had the model been careful.

Trailing commas, single or typographic quotes, full-width punctuation, unquoted keys and values, unescaped quotes in a
string, a missing end. Scalars keep their written form (``77.10`` stays ``77.10``) and objects their repeated keys. It
is not a validator: a text that is no JSON gives what little looks like it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

#: Deeper than any answer; what lies deeper ends the reading.
MAX_DEPTH = 32
_MOST_VALUES = 8


@dataclass(slots=True)
class JsonObject:
    """An object's pairs in their order, repeated keys included."""

    pairs: list[tuple[str, JsonValue]] = field(default_factory=list)


JsonValue = str | bool | None | list["JsonValue"] | JsonObject


@dataclass(frozen=True, slots=True)
class LenientJson:
    """The values found, one after the other. ``is_truncated``: the last one has no end, and only what was finished in
    it is here. ``is_strict``: what was found is valid JSON."""

    values: tuple[JsonValue, ...]
    is_truncated: bool = False
    is_strict: bool = True


_OBJECT_OPENS, _OBJECT_CLOSES, _LIST_OPENS, _LIST_CLOSES = "{｛", "}｝", "[［", "]］"
_OPENS = _OBJECT_OPENS + _LIST_OPENS
_CLOSES = _OBJECT_CLOSES + _LIST_CLOSES
#: An opening quote and what may close it: models mix typographic and straight ones.
_QUOTES = {'"': '"”', "“": '”"', "”": '”"', "＂": '＂"', "'": "'’", "‘": "’'", "’": "’'"}
_ANY_QUOTE = "".join(_QUOTES)

_FIRST_OBJECT = re.compile(f"[{_OBJECT_OPENS}]")
_FIRST_LIST = re.compile(f"[{re.escape(_LIST_OPENS)}]")
_FIRST_ANY = re.compile(f"[{re.escape(_OPENS)}]")
_BETWEEN = re.compile(r"[\s,，、;；]*")
_COLON = re.compile(r"\s{0,50}[:：]")
_BARE_KEY = re.compile(
    rf"[^\s{_ANY_QUOTE}{re.escape(_OPENS + _CLOSES)},，:：][^\n{re.escape(_OPENS + _CLOSES)},，:：]{{0,80}}"
)
_BARE_JUNK = re.compile(rf"[^\s{re.escape(_OPENS + _CLOSES)},，]+")
# A comma that separates pairs is followed by a key, a closing bracket or the end; another is part of a value.
_NEXT_PAIR = (
    rf"\s{{0,50}}(?:[{_ANY_QUOTE}{re.escape(_CLOSES)}]|$"
    rf"|\w[^\n{_ANY_QUOTE}{re.escape(_OPENS + _CLOSES)},，:：]{{0,40}}[:：])"
)
_CLOSES_STRING_IN_OBJECT = re.compile(
    rf"[ \t]{{0,50}}(?:[\n{re.escape(_CLOSES)}]|[,，;；]{_NEXT_PAIR}|$)|\s{{0,50}}[{re.escape(_CLOSES)}]"
)
_CLOSES_STRING_IN_LIST = re.compile(rf"\s{{0,50}}(?:[,，、;；{re.escape(_CLOSES)}]|$)|[ \t]{{0,50}}\n")
_ENDS_BARE_IN_OBJECT = re.compile(rf"[\n{re.escape(_CLOSES)}]|[,，]{_NEXT_PAIR}")
_ENDS_BARE_IN_LIST = re.compile(rf"[\n,，{re.escape(_CLOSES)}]")
_STRING_STOPS = {opening: re.compile(rf"\\.|[{closing}]", re.DOTALL) for opening, closing in _QUOTES.items()}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\"'\\/bfnrt]))")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_STRICT = json.JSONDecoder(
    object_pairs_hook=JsonObject, parse_float=str, parse_int=str, parse_constant=str, strict=False
)


def read_json(text: str) -> LenientJson:
    """The JSON objects of a text, at most 8, or its lists when it has no object; what stands around is skipped.

    Takes time in proportion to the text's length.
    """
    return _read_each(text, _FIRST_OBJECT if _FIRST_OBJECT.search(text) else _FIRST_LIST)


def read_json_list(text: str) -> LenientJson:
    """As ``read_json``, from the first bracket of either kind."""
    return _read_each(text, _FIRST_ANY)


def _read_each(text: str, first: re.Pattern[str]) -> LenientJson:
    values: list[JsonValue] = []
    is_strict, position = True, 0
    while len(values) < _MOST_VALUES and (found := first.search(text, position)):
        try:
            value, position = _STRICT.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            reader = _Reader(text, found.start())
            is_strict, value, position = False, reader.read(), reader.position
            if reader.is_truncated:
                return LenientJson((*values, value), is_truncated=True, is_strict=False)
        values.append(value)
    return LenientJson(tuple(values), is_strict=is_strict)


class _Reader:
    """One value from its opening bracket on. It never looks at a character more than a bounded number of times."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.is_truncated = False
        self._key: str | None = None
        self._stack: list[tuple[JsonObject | list[JsonValue], str | None]] = []

    def read(self) -> JsonValue:
        root = self._open(self.text[self.position])
        while self._stack and not self.is_truncated:
            self._skip(_BETWEEN)
            if self.position >= len(self.text):
                self.is_truncated = True
            elif (character := self.text[self.position]) in _CLOSES:
                self._close()
            elif self._key is None and isinstance(self._stack[-1][0], JsonObject) and character not in _OPENS:
                self._read_key(character)
            elif character in _OPENS:
                if len(self._stack) >= MAX_DEPTH:
                    self.is_truncated = True
                else:
                    self._open(character)
            else:
                self._read_scalar(character)
        return root

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        if matched := pattern.match(self.text, self.position):
            self.position = matched.end()
        return matched is not None

    def _add(self, value: JsonValue) -> None:
        container = self._stack[-1][0]
        if isinstance(container, JsonObject):
            container.pairs.append((self._key or "", value))
            self._key = None
        else:
            container.append(value)

    def _open(self, bracket: str) -> JsonObject | list[JsonValue]:
        container: JsonObject | list[JsonValue] = JsonObject() if bracket in _OBJECT_OPENS else []
        if self._stack:
            self._add(container)
        self._stack.append((container, None))
        self.position += 1
        return container

    def _close(self) -> None:
        if self._key is not None:
            self._add("")
        self._stack.pop()
        self.position += 1

    def _read_key(self, character: str) -> None:
        start = self.position
        if character in _QUOTES:
            key = self._string(_COLON)
        else:
            key = matched[0].strip() if (matched := _BARE_KEY.match(self.text, start)) else None
            self.position = matched.end() if matched else start
        if key is not None and self._skip(_COLON):
            self._key = key
        elif character in _QUOTES and key is None:
            self.is_truncated = True
        else:
            # A word without a colon says nothing about any key.
            self.position = start
            if not self._skip(_BARE_JUNK):
                self.position += 1

    def _read_scalar(self, character: str) -> None:
        in_object = isinstance(self._stack[-1][0], JsonObject)
        if character in _QUOTES:
            value = self._string(_CLOSES_STRING_IN_OBJECT if in_object else _CLOSES_STRING_IN_LIST)
        else:
            end = (_ENDS_BARE_IN_OBJECT if in_object else _ENDS_BARE_IN_LIST).search(self.text, self.position)
            value = self.text[self.position : end.start()].strip() if end else None
            self.position = end.start() if end else len(self.text)
        if value is None:
            self.is_truncated = True
        else:
            self._add(value)

    def _string(self, closes: re.Pattern[str]) -> str | None:
        """The string whose opening quote is here; None when it has no end. A quote counts as the closing one only
        when what follows fits, so that unescaped quotes inside stay inside."""
        stops = _STRING_STOPS[self.text[self.position]]
        start = position = self.position + 1
        while stop := stops.search(self.text, position):
            position = stop.end()
            if stop[0][0] != "\\" and closes.match(self.text, position):
                self.position = position
                return _decoded(self.text[start : stop.start()])
        self.position = len(self.text)
        return None


def _decoded(string: str) -> str:
    if "\\" not in string:
        return string
    decoded = _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]), string
    )
    # Characters beyond the basic plane are escaped in two halves.
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
