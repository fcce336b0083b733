"""The main job with commands that the reader could type, each shown before it runs: the first half of `lotroom demo`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import click

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "works.toml"
PEOPLE = 3_000
ANSWERS = "slot,answer,reason\n0,left,出差\n3,left,生病\n"


async def walk(folder: Path, lang: str) -> int:
    """Run all steps in a folder that is there; the exit code of the walk: 0 where everything came out as it should. Cancelled, it ends what runs."""
    library, answers, out = folder / "library.csv", folder / "answers.csv", folder / "draw"
    await asyncio.to_thread(answers.write_text, ANSWERS, "utf-8")
    proof = [str(out / "proof.json"), "--keys", str(out / "keys.json")]
    steps: list[tuple[list[str], tuple[int, ...]]] = [
        (["library", "make", "--count", str(PEOPLE), "--out", str(library)], (0,)),
        (["library", "check", str(library)], (0,)),
        (["draw", "run", str(library), str(EXAMPLE), "--out", str(out), "--answers", str(answers)], (0,)),
        (["explain", str(out / "proof.json")], (0,)),
        (["verify", *proof, "--roll", str(out / "roll.bin")], (0, 3)),  # without witnesses some checks are skipped, and say so
    ]
    for words, good in steps:
        click.echo(click.style("\n$ lotroom " + " ".join(words), bold=True))
        sys.stdout.flush()
        code = await _run([*words, "--lang", lang])
        if code not in good:
            return code or 1
    return 0


async def _run(words: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "server", *words)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
