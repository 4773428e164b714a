"""Makes ``DroidSansFallbackSubset.ttf``: the Chinese characters the sample invoices can print, small enough to commit.

Run it once when the set of characters changes; it needs fontTools, which nothing else here needs::

    python demo/fonts/make_subset.py /usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf

The source font is in Debian's package ``fonts-droid-fallback`` (Apache-2.0, see ``LICENSE-DroidSansFallback.txt``).
It refuses fonts that lack a character the generator uses: a box instead of a character would be a false sample.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = Path(__file__).resolve().parent
TARGET = HERE / "DroidSansFallbackSubset.ttf"


def gb2312_rows(first: int, last: int) -> set[str]:
    """The characters of GB 2312 rows ``first`` to ``last`` (16-55 is level 1, sorted by pronunciation)."""
    found = set()
    for row in range(first, last + 1):
        for cell in range(1, 95):
            try:
                found.add(bytes((row + 0xA0, cell + 0xA0)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return found


def characters_in_sources() -> set[str]:
    """Every character beyond ASCII and Latin that the generator's own sources hold."""
    return {
        character
        for source in HERE.parent.rglob("*.py")
        for character in source.read_text(encoding="utf-8")
        if ord(character) >= 0x2E80
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    source: Path = parser.parse_args().source

    has = set(map(chr, TTFont(source).getBestCmap()))
    used = characters_in_sources()
    if missing := used - has:
        raise SystemExit(f"{source} lacks {''.join(sorted(missing))}: use another source font or other characters")
    wanted = (gb2312_rows(16, 55) | gb2312_rows(1, 1) | gb2312_rows(3, 3) | used) & has

    options = subset.Options()
    options.hinting = False
    options.layout_features = []
    options.drop_tables += ["vhea", "vmtx", "GDEF", "GPOS", "GSUB"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 7, 13]
    options.recalc_timestamp = False
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=sorted(map(ord, wanted)))
    subsetter.subset(font)
    subset.save_font(font, str(TARGET), options)
    print(f"{TARGET}: {len(wanted)} characters, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
