"""A paper as PDF/A-2, by a child process: it takes the paper's JSON on standard input and gives the file on standard output.

The font is ours and the only one; the system's are not looked at. With the same paper the file has the same bytes. A process of its own keeps
the font, and the names of a record, out of the web process's memory. With a code the file is sealed: AES-256, opened by the code alone, and no PDF/A.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from drawing.errors import Refused
from server.printing.paper import Paper

HERE = Path(__file__).resolve().parent
FONTS = HERE / "fonts"
SECONDS = 60.0
MOST_PAPER = 16 << 20
MOST_AT_A_TIME = 2
STANDARD: Literal["a-2a"] = "a-2a"
_room: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


@cache
def _covered() -> frozenset[int]:
    """The characters that the font has."""
    lines = (FONTS / "covered.txt").read_text("ascii").split()
    return frozenset(point for line in lines for first, last in [line.split("-")] for point in range(int(first, 16), int(last, 16) + 1))


def printable(value: Any) -> Any:
    """The same with each character that the font lacks as its code point: a rare name must not keep a record from being printed."""
    if isinstance(value, str):
        known = _covered()
        return "".join(each if ord(each) in known or each == "\n" else f"〓[U+{ord(each):04X}]" for each in value)
    if isinstance(value, dict):
        return {name: each if name == "svg" else printable(each) for name, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list | tuple) else value


def typeset(value: dict[str, object], at: int) -> bytes:
    """The PDF. Raises typst.TypstError for a template that is wrong."""
    import typst

    made = typst.Compiler(
        HERE / "page.typ",
        root=HERE,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(printable(value), ensure_ascii=False, sort_keys=True)},
    ).compile(format="pdf", pdf_standards=[STANDARD], timestamp=at)
    assert isinstance(made, bytes)
    return made


def sealed(data: bytes, code: str) -> bytes:
    """The file as a sealed letter: it opens with the code. PDF 2.0, revision 6 of the standard handler (ISO 32000-2, 7.6.4)."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(data)))
    writer.encrypt(code, algorithm="AES-256")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


async def pdf(paper: Paper, code: str = "") -> bytes:
    """The paper, two at a time; with a code sealed. Raises Refused("not_printed")."""
    given = json.dumps({"at": paper.at, "code": code, "paper": paper.value()}, ensure_ascii=False).encode()
    if len(given) > MOST_PAPER:
        raise Refused("not_printed", "paper", why="too long")
    room = _room.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST_AT_A_TIME))
    async with room:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "server.printing.typeset",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(child.communicate(given), SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            child.kill()
            await child.wait()
            raise Refused("not_printed", "paper", why="timeout") from None
    if child.returncode or not out.startswith(b"%PDF"):
        raise Refused("not_printed", "paper", why=err.decode("utf-8", "replace").strip().rpartition("\n")[2][:120])
    return out


def main() -> None:
    """The process."""
    given = json.loads(sys.stdin.buffer.read(MOST_PAPER + 1))
    made = typeset(given["paper"], int(given["at"]))
    sys.stdout.buffer.write(sealed(made, given["code"]) if given["code"] else made)


if __name__ == "__main__":
    main()
