"""RapidOCR on the CPU: the reader for scans and photos where there is no GPU.

Uses only the models its wheel carries and never reaches for the network: a missing model file is an error, not a
download. Turns a page that lies on its side or its head and straightens the boxes of a tilted one, so that what is
printed on one line has one height. It does not correct what was read.
"""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hunyuan_ocr.exceptions import ConfigurationError
from hunyuan_ocr.model.geometry import Box, Reader, Reading
from hunyuan_ocr.readers.pages import PageImage, PixelBudget
from hunyuan_ocr.readers.text_lines import Piece, spans_of

if TYPE_CHECKING:
    from PIL import Image

DETECTION_MODEL = "PP-OCRv6_det_small"
RECOGNITION_MODEL = "PP-OCRv6_rec_small"

# Text is *found* on a copy with this longest side and *read* from the full page image. Measured on scans and photos
# of invoices: 1600 finds what the full 3.7 megapixels find, in a third of the time; 1280 loses and merges lines.
_DETECTION_SIDE = 1600

_DOUBTFUL_CONFIDENCE = 0.8
_TALL = 1.5
_LONG = 3.0
_EM_OF_BOX = 0.65  # RapidOCR's boxes are wider than the print by design (unclip ratio 1.6)
_LEAST_SKEW = 0.15  # degrees; below it a line 1000 units long climbs less than 3
_MOST_SKEW = 20.0


@dataclass(frozen=True, slots=True)
class _Line:
    """One text line: its corners in pixels (clockwise from the text's upper left), text and confidence."""

    corners: tuple[tuple[float, float], ...]
    text: str
    confidence: float

    @property
    def is_tall(self) -> bool:
        xs, ys = zip(*self.corners, strict=True)
        return bool(max(ys) - min(ys) > _TALL * (max(xs) - min(xs)))


class RapidReader:
    """Reads page images. ``threads`` is the number of CPU threads of one call, ``None`` for all.

    Instances are cheap; the engine behind them is created at the first page and lives once in a process. Calls from
    several threads take turns.
    """

    def __init__(self, *, threads: int | None = None, budget: PixelBudget | None = None) -> None:
        self.threads = threads
        self.budget = budget or PixelBudget()

    @property
    def engine_key(self) -> str:
        """Names all that changes an answer: program, models and pixel budget. Part of the result cache's key."""
        return f"{_version()}/{DETECTION_MODEL}+{RECOGNITION_MODEL}@{_DETECTION_SIDE}/{self.budget.key}"

    def read(self, page_image: PageImage) -> Reading:
        """The page's spans in page units of the upright, straightened page.

        Raises ConfigurationError when the installed RapidOCR lacks its model files.
        """
        image, lines, turn = self._upright(page_image.image)
        tilt = _tilt(lines)
        pieces = []
        for line in lines:
            box = _straight_box(line, tilt, image.width / 2, image.height / 2)
            pieces.append(Piece(line.text, box, _EM_OF_BOX * box.height, confidence=line.confidence))
        return Reading(
            page_no=page_image.page_no,
            reader=Reader.RAPIDOCR,
            reader_version=self.engine_key,
            spans=spans_of(pieces, image.width, image.height),
            width=image.width,
            height=image.height,
            rotation=(page_image.rotation + turn) % 360,
        )

    def _upright(self, image: Image.Image) -> tuple[Image.Image, list[_Line], int]:
        """The picture turned so that its text reads best, its lines, and the clockwise turn (0, 90, 180 or 270)."""
        best = (image, self._lines(image), 0)
        for turn in _turns_worth_trying(best[1]):
            turned = image.rotate(-turn, expand=True)
            lines = self._lines(turned)
            if _legibility(lines) > _legibility(best[1]):
                best = (turned, lines, turn)
                if not _turns_worth_trying(lines):
                    break
        return best

    def _lines(self, image: Image.Image) -> list[_Line]:
        import numpy as np

        pixels = np.ascontiguousarray(np.asarray(image)[:, :, ::-1])  # OpenCV's blue, green, red
        with _ENGINE_LOCK:
            answer = _engine(os.getpid(), self.threads)(pixels)
        if answer.boxes is None or answer.txts is None:
            return []
        return [
            _Line(tuple((float(x), float(y)) for x, y in corners), text.strip(), float(score))
            for corners, text, score in zip(answer.boxes, answer.txts, answer.scores, strict=True)
            if text.strip()
        ]


_ENGINE_LOCK = threading.Lock()


@cache
def _engine(process_id: int, threads: int | None) -> Any:
    # Keyed by process: an onnxruntime session that went through a fork waits for threads that did not come along.
    from rapidocr import RapidOCR

    detection, recognition = bundled_models()
    params: dict[str, Any] = {
        "Global.log_level": "critical",
        "Global.max_side_len": 1_000_000,  # the pixel budget has already decided
        # The per-line direction classifier turns some upright amounts on their head; _upright turns whole pages.
        "Global.use_cls": False,
        "Det.model_path": str(detection),
        "Det.limit_type": "max",
        "Det.limit_side_len": _DETECTION_SIDE,
        "Rec.model_path": str(recognition),
    }
    if threads is not None:
        params["EngineConfig.onnxruntime.intra_op_num_threads"] = max(1, min(threads, os.cpu_count() or 1))
        params["EngineConfig.onnxruntime.inter_op_num_threads"] = 1
    return RapidOCR(params=params)


def bundled_models() -> tuple[Path, Path]:
    """The detection and recognition model files inside the installed RapidOCR package.

    Handing RapidOCR their paths is what keeps it from downloading. Raises ConfigurationError when one is missing.
    """
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    detection, recognition = (folder / f"{name}.onnx" for name in (DETECTION_MODEL, RECOGNITION_MODEL))
    for path in (detection, recognition):
        if not path.is_file():
            raise ConfigurationError(
                f"{_version()} lacks its model {path.name}. Reinstall the rapidocr wheel of the constraints file; "
                "models are never downloaded at run time."
            )
    return detection, recognition


def _version() -> str:
    from importlib.metadata import version

    return f"rapidocr/{version('rapidocr')}"


def _turns_worth_trying(lines: list[_Line]) -> tuple[int, ...]:
    """In which other positions (degrees clockwise) the page may read better, likeliest first; none when it is fine."""
    telling = [line for line in lines if len(line.text) > 1]
    if not telling:
        return ()
    confidence = _confidence(telling)
    if sum(line.is_tall for line in telling) > 0.5 * len(telling):
        # RapidOCR reads tall lines after turning them counter-clockwise: when that went well, so will the page.
        return (270, 90) if confidence >= _DOUBTFUL_CONFIDENCE else (90, 270)
    return (180,) if confidence < _DOUBTFUL_CONFIDENCE else ()


def _confidence(lines: list[_Line]) -> float:
    letters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / letters if letters else 0.0


def _legibility(lines: list[_Line]) -> float:
    return sum((line.confidence - 0.5) * len(line.text) for line in lines if not line.is_tall)


def _tilt(lines: list[_Line]) -> float:
    """The page's skew in degrees, positive when lines climb down to the right: the length-weighted median."""
    slopes = []
    for line in lines:
        (x0, y0), (x1, y1), _, (x3, y3) = line.corners
        length, height = math.hypot(x1 - x0, y1 - y0), math.hypot(x3 - x0, y3 - y0)
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        if length >= _LONG * height and abs(angle) <= _MOST_SKEW:
            slopes.append((angle, length))
    if not slopes:
        return 0.0
    slopes.sort()
    half, passed = sum(length for _, length in slopes) / 2, 0.0
    for angle, length in slopes:
        passed += length
        if passed >= half:
            return angle if abs(angle) >= _LEAST_SKEW else 0.0
    return 0.0


def _straight_box(line: _Line, tilt: float, center_x: float, center_y: float) -> Box:
    cosine, sine = math.cos(math.radians(-tilt)), math.sin(math.radians(-tilt))
    xs, ys = [], []
    for x, y in line.corners:
        dx, dy = x - center_x, y - center_y
        xs.append(center_x + dx * cosine - dy * sine)
        ys.append(center_y + dx * sine + dy * cosine)
    return Box(min(xs), min(ys), max(xs), max(ys))
