"""`lotroom demo`: the main job with commands that the reader could type, each shown before it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

EXAMPLE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "works.toml"
PEOPLE = 3_000
ANSWERS = "slot,answer,reason\n0,left,出差\n3,left,生病\n"


def run_demo(folder: Path, lang: str) -> int:
    """Run all steps in a folder; the exit code of the demo: 0 where everything came out as it should."""
    folder.mkdir(parents=True, exist_ok=True)
    library, answers, out = folder / "library.csv", folder / "answers.csv", folder / "draw"
    answers.write_text(ANSWERS, "utf-8")
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
        done = subprocess.run([sys.executable, "-m", "server", *words, "--lang", lang], check=False)
        if done.returncode not in good:
            return done.returncode or 1
    return 0
