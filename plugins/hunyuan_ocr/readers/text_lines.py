"""From single glyphs to spans: which glyphs belong to one printed piece of text, and in what order.

Pure geometry on glyph boxes; knows nothing of PDF. It joins the words of a line and keeps table cells, columns and
far-apart pieces separate, because label geometry depends on a span never reaching across a column gap. It does not
guess words: a letter-spaced Latin heading stays letter-spaced.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hunyuan_ocr.model.geometry import Box, Span

# Gaps in multiples of the font size (em). A printed space is 0.25 to 0.35 em, 0.6 em in typewriter faces, and
# justified lines stretch it; table columns are rarely closer than 1 em.
_WORD_GAP = 0.17
_LEAST_SPACE = 0.05
_SPAN_GAP = 0.7
_SPAN_GAP_WITH_SPACE = 0.9
_LETTER_SPACED_GAP = 2.5
_WIDE_PAIR_GAP = 7.0
_STACK_PITCH = 2.2
_SAME_BASELINE = 0.3
_SIZE_RATIO = 1.6

_CJK = re.compile(r"[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uffe6]")
_IDEOGRAPH = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
# Labels that Chinese invoice forms stretch to the width of their cell.
_WIDE_PAIRS = frozenset({"名称", "合计", "小计", "金额", "税额", "单价", "数量", "单位", "备注", "税率"})
_LABEL_END = re.compile(r"[\u4e00-\u9fff] ?[：:]")
_UNITS = frozenset(
    "个台套件只支枝瓶盒箱包袋张本把条双对根块片米吨升次月日年天份册页辆架部项批吨克间人卷桶罐颗粒株组副幅"
)
_IDEOGRAPH_PAIR = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2}")
# Glyph maps of real invoices that name the shape and not the character: ligatures, Kangxi radicals, compatibility
# ideographs. Full-width forms stay: they are what is printed.
_SHAPE_NAMES = re.compile(r"[\ufb00-\ufb06\u2f00-\u2fdf\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Glyph:
    """One printed character. ``box`` is in points from the upper left corner of the upright page; ``baseline_x`` and
    ``baseline_y`` are the glyph's origin there; ``turn`` is the direction the text runs in, clockwise from left to
    right: 0, 90 (downwards), 180 or 270 (upwards) degrees."""

    text: str
    box: Box
    baseline_x: float
    baseline_y: float
    turn: int = 0

    @property
    def size(self) -> float:
        """The font size in points, as far as the box tells."""
        return max(self.box.height if self.turn in {0, 180} else self.box.width, 0.1)

    @property
    def along(self) -> tuple[float, float]:
        """Where the glyph begins and ends along the direction its line runs in."""
        box = self.box
        return {
            0: (box.x0, box.x1), 90: (box.y0, box.y1), 180: (-box.x1, -box.x0), 270: (-box.y1, -box.y0),
        }[self.turn]  # fmt: skip

    @property
    def across(self) -> float:
        """The baseline's place across the lines, growing from one line to the next."""
        return {0: self.baseline_y, 90: -self.baseline_x, 180: -self.baseline_y, 270: self.baseline_x}[self.turn]


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn vertical line, from ``y0`` down to ``y1``: text does not continue across it."""

    x: float
    y0: float
    y1: float


@dataclass(slots=True)
class Piece:
    """A span in the making: a run of text with its box in points or pixels, and the font size there."""

    text: str
    box: Box
    size: float
    turn: int = 0
    confidence: float = 1.0

    def absorb(self, other: Piece) -> None:
        self.text += other.text
        self.box = self.box.union(other.box)
        self.confidence = min(self.confidence, other.confidence)


def unique_glyphs(glyphs: Iterable[Glyph]) -> list[Glyph]:
    """The glyphs without those drawn again at (almost) the same place, which is how bold print is often faked."""
    kept: list[Glyph] = []
    seen: dict[tuple[str, int, int], list[Glyph]] = {}
    for glyph in glyphs:
        reach = min(1.5, 0.15 * glyph.size)
        column, row = int(glyph.box.x0 // 4), int(glyph.box.y0 // 4)
        near = itertools.chain.from_iterable(
            seen.get((glyph.text, column + dx, row + dy), ()) for dx in (-1, 0, 1) for dy in (-1, 0, 1)
        )
        if any(
            abs(other.box.x0 - glyph.box.x0) <= reach and abs(other.box.y0 - glyph.box.y0) <= reach for other in near
        ):
            continue
        seen.setdefault((glyph.text, column, row), []).append(glyph)
        kept.append(glyph)
    return kept


def pieces_of(glyphs: Sequence[Glyph], rules: Sequence[Rule] = ()) -> list[Piece]:
    """The runs of text that glyphs form: a piece ends at a wide gap or at a drawn vertical line."""
    return [
        piece
        for turn in (0, 90, 180, 270)
        for line in _lines([glyph for glyph in glyphs if glyph.turn == turn])
        for piece in _pieces(line, rules if turn == 0 else ())
    ]


def spans_of(pieces: Iterable[Piece], width: float, height: float, rules: Sequence[Rule] = ()) -> tuple[Span, ...]:
    """The spans of a page of ``width`` by ``height``, in page units, row by row from the top, each from the left.

    Labels that are printed wide or from top to bottom, as on Chinese forms, become one span each.
    """
    rows = _rows(_joined_stacks(list(pieces)))
    return tuple(
        Span(piece.text, _in_page_units(piece.box, width, height), round(piece.confidence, 4))
        for row in rows
        for piece in _joined_letter_spacing(row, rules)
    )


def _rows(pieces: list[Piece]) -> list[list[Piece]]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda each: each.box.center_y):
        if rows:
            first = rows[-1][0].box
            if piece.box.center_y - first.center_y <= 0.4 * min(first.height, piece.box.height):
                rows[-1].append(piece)
                continue
        rows.append([piece])
    for row in rows:
        row.sort(key=lambda each: each.box.x0)
    return rows


def _lines(glyphs: list[Glyph]) -> list[list[Glyph]]:
    lines: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda each: each.across):
        # A few lines back: a seal in small print over a heading shares its baseline, but not its line.
        own = next((line for line in reversed(lines[-6:]) if _is_on_line(glyph, line[0])), None)
        if own is None:
            lines.append([glyph])
        else:
            own.append(glyph)
    for line in lines:
        line.sort(key=lambda each: each.along)
    return lines


def _is_on_line(glyph: Glyph, first: Glyph) -> bool:
    small, large = sorted((glyph.size, first.size))
    return glyph.across - first.across <= _SAME_BASELINE * small and large <= _SIZE_RATIO * small


def _pieces(line: list[Glyph], rules: Sequence[Rule]) -> list[Piece]:
    pieces: list[Piece] = []
    end, after_space = 0.0, False
    for glyph in line:
        if glyph.text.isspace():
            after_space = True
            continue
        text = _characters(glyph.text)
        last = pieces[-1] if pieces else None
        gap = glyph.along[0] - end
        if last is None or _ends_before(last, glyph, gap, after_space, rules):
            pieces.append(Piece(text, glyph.box, glyph.size, glyph.turn))
            end = glyph.along[1]
        else:
            em = min(last.size, glyph.size)
            is_spaced = gap > (_LEAST_SPACE if after_space else _WORD_GAP) * em
            # A space between ideographs is letter-spacing unless it is wide.
            if is_spaced and not (_CJK.match(last.text[-1]) and _CJK.match(text) and gap < 0.4 * em):
                last.text += " "
            last.text += text
            last.box = last.box.union(glyph.box)
            last.size = max(last.size, glyph.size)
            end = max(end, glyph.along[1])
        after_space = False
    return pieces


def _ends_before(last: Piece, glyph: Glyph, gap: float, after_space: bool, rules: Sequence[Rule]) -> bool:
    em = min(last.size, glyph.size)
    if gap > (_SPAN_GAP_WITH_SPACE if after_space else _SPAN_GAP) * em:
        return True
    return gap > 0 and _is_ruled_off(last.box, glyph.box, rules)


def _is_ruled_off(left: Box, right: Box, rules: Sequence[Rule]) -> bool:
    """Whether a drawn vertical line passes between two neighbours on one line."""
    middle = max(left.y0, right.y0) * 0.5 + min(left.y1, right.y1) * 0.5
    slack = 0.1 * min(left.height, right.height)
    return any(rule.y0 <= middle <= rule.y1 and left.x1 - slack <= rule.x <= right.x0 + slack for rule in rules)


def _is_letter_spaced(text: str) -> bool:
    """Whether no two ideographs of the text touch: ``名``, ``称：``, ``址、电``."""
    return bool(_IDEOGRAPH.search(text)) and not _IDEOGRAPH_PAIR.search(text) and not re.search(r"[0-9A-Za-z]", text)


def _joined_letter_spacing(row: list[Piece], rules: Sequence[Rule]) -> list[Piece]:
    """Put labels printed wide (``名    称：``) together again: known pairs first, then ideographs at even distances."""
    pairs: list[Piece] = []
    for piece in row:
        if pairs and _completes_pair(pairs[-1], piece, rules):
            pairs[-1].absorb(piece)
        else:
            pairs.append(piece)
    joined: list[Piece] = []
    pitch: float | None = None
    for piece in pairs:
        last = joined[-1] if joined else None
        if last is None or not _continues(last, piece, pitch, rules):
            joined.append(piece)
            pitch = None
            continue
        if pitch is None:
            pitch = piece.box.x0 - last.box.x1
        last.absorb(piece)
    return joined


def _completes_pair(last: Piece, piece: Piece, rules: Sequence[Rule]) -> bool:
    if last.text + piece.text[:1] not in _WIDE_PAIRS or re.match(r"\w", piece.text[1:]):
        return False
    return _is_near(last, piece, _WIDE_PAIR_GAP, rules)


def _continues(last: Piece, piece: Piece, pitch: float | None, rules: Sequence[Rule]) -> bool:
    if pitch is None and not _is_letter_spaced(last.text):
        return False
    if not (_is_letter_spaced(piece.text) or _LABEL_END.match(piece.text)):
        return False
    is_even = pitch is None or abs(piece.box.x0 - last.box.x1 - pitch) <= 0.4 * min(last.size, piece.size)
    return is_even and _is_near(last, piece, _LETTER_SPACED_GAP, rules)


def _is_near(last: Piece, piece: Piece, reach: float, rules: Sequence[Rule]) -> bool:
    gap, em = piece.box.x0 - last.box.x1, min(last.size, piece.size)
    upright = not (last.turn or piece.turn)
    return upright and -0.2 * em <= gap <= reach * em and not _is_ruled_off(last.box, piece.box, rules)


def _joined_stacks(pieces: list[Piece]) -> list[Piece]:
    """Put labels printed from top to bottom (``购/买/方``) together: different single ideographs below each other.

    A column of units (``台/个/套``) looks the same, so a stack of nothing but units stays apart.
    """
    single = sorted(
        (piece for piece in pieces if len(piece.text) == 1 and _IDEOGRAPH.match(piece.text)),
        key=lambda piece: piece.box.y0,
    )
    stacks: list[list[Piece]] = []
    for piece in single:
        above = next((stack for stack in stacks if _is_stacked(stack[-1], piece)), None)
        if above is None:
            stacks.append([piece])
        else:
            above.append(piece)
    gone: set[int] = set()
    for stack in stacks:
        text = "".join(piece.text for piece in stack)
        units = sum(character in _UNITS for character in text)
        if len(set(text)) == len(text) > 1 and units < (1 if len(text) == 2 else len(text)):
            for piece in stack[1:]:
                stack[0].absorb(piece)
                gone.add(id(piece))
    return [piece for piece in pieces if id(piece) not in gone]


def _is_stacked(upper: Piece, lower: Piece) -> bool:
    em = max(upper.size, lower.size)
    drop = lower.box.center_y - upper.box.center_y
    pitch = _WIDE_PAIR_GAP if upper.text + lower.text in _WIDE_PAIRS else _STACK_PITCH
    return abs(lower.box.center_x - upper.box.center_x) <= 0.4 * em and 0.7 * em <= drop <= pitch * em


def _characters(text: str) -> str:
    text = _SHAPE_NAMES.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return text.replace("\u00ad", "-")


def _in_page_units(box: Box, width: float, height: float) -> Box:
    """A box in points or pixels of a page of ``width`` by ``height``, in page units and clipped to the page."""

    def unit(value: float, whole: float) -> float:
        return round(min(1000.0, max(0.0, value / whole * 1000)), 2)

    return Box(unit(box.x0, width), unit(box.y0, height), unit(box.x1, width), unit(box.y1, height))
