"""Whether a picture can be a page at all, from its header; nothing is decoded."""

from __future__ import annotations

import io
import warnings

_MIN_PAGE_SIDE = 100
"""Pixels. A receipt of 58 mm needs about 200 to be read at all; tracking pixels, bullets and rules have fewer."""

_LOGO_AREA = 150_000
"""Pixels. A5 at 72 dpi has 250,000 and is hardly legible; logos and signature banners stay below."""

_LOGO_BYTES = 10 * 1024


def _size(raw: bytes) -> tuple[int, int] | None:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(raw)) as image:
                return image.size
        except Exception:
            # Pillow raises almost anything on crafted headers; an unknown size decides nothing.
            return None


def cannot_be_a_page(raw: bytes) -> bool:
    """Whether one side is too short for a line of print: a tracking pixel, a bullet, a rule."""
    size = _size(raw)
    return size is not None and min(size) < _MIN_PAGE_SIDE


def is_decoration(raw: bytes) -> bool:
    """Whether a picture is so small that, beside other documents, it is a logo."""
    size = _size(raw)
    return len(raw) < _LOGO_BYTES if size is None else size[0] * size[1] < _LOGO_AREA
