"""Cut the font of printed records out of a font collection that a system has, and write it with its licence: a developer's tool, run by hand.

The simplified Chinese face of Noto Sans CJK with all of the Unified Ideographs block and its extension A, which is what names and places need; no
other languages' forms, no hints. Users need neither this tool nor fontTools: what it writes is committed.

    python tools/make_font.py NotoSansCJK-Regular.ttc COPYRIGHT
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "server" / "printing" / "fonts"
FAMILY = "Noto Sans CJK SC"
RANGES = (
    *((0x20, 0x7E), (0xA0, 0xFF), (0x2010, 0x2027), (0x2030, 0x205E), (0x2100, 0x214F), (0x2190, 0x21FF), (0x2460, 0x24FF)),
    *((0x2500, 0x257F), (0x25A0, 0x25FF), (0x2610, 0x2612), (0x3000, 0x303F), (0x3200, 0x32FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF)),
)


def main(source: Path, licence: Path) -> None:
    """Write the font and its licence."""
    from fontTools import subset
    from fontTools.ttLib import TTCollection

    collection = TTCollection(source)
    font = next(each for each in collection.fonts if each["name"].getDebugName(1) == FAMILY)
    options = subset.Options()
    options.layout_features = []  # the face itself has the Chinese forms
    options.drop_tables += ["BASE", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    options.hinting = False
    options.notdef_outline = True
    options.recalc_timestamp = False
    options.desubroutinize = False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[point for first, last in RANGES for point in range(first, last + 1)])
    cutter.subset(font)
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / "NotoSansCJKsc-Regular.otf"
    font.save(target)
    points = sorted(font.getBestCmap())
    starts = [point for point in points if point - 1 not in font.getBestCmap()]
    ends = [point for point in points if point + 1 not in font.getBestCmap()]
    (FOLDER / "covered.txt").write_text("".join(f"{first:x}-{last:x}\n" for first, last in zip(starts, ends, strict=True)), "ascii")
    (FOLDER / "LICENSE.txt").write_text(
        licence.read_text("utf-8"), "utf-8"
    )  # the text of the SIL Open Font License 1.1, with the copyright line
    print(target.name, target.stat().st_size, sha256(target.read_bytes()).hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
