"""`lotroom verify` and `lotroom explain`: `python -m drawing`, which also takes an evidence archive."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from drawing.__main__ import main as drawing_main
from server.commands.shared import language_of
from server.evidence import MAX_FILE as MAX_EVIDENCE
from server.evidence import is_evidence, read_evidence
from server.files import read_bounded
from server.texts import tell

_PASS = {"ignore_unknown_options": True, "help_option_names": []}


@click.command("verify", context_settings=_PASS, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def verify_command(words: tuple[str, ...]) -> None:
    """验证证明或证据包 / verify a proof or an archive: PROOF|ZIP --keys FILE [--roll FILE] [--openings FILE --key FILE] [--receipt FILE]."""
    archives = [Path(each) for each in words if each.endswith(".zip") and Path(each).is_file()]
    if not archives or not is_evidence(archives[0]):
        sys.exit(drawing_main(["verify", *words]))
    content = read_evidence(read_bounded(archives[0], MAX_EVIDENCE))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("proof.json", "keys.json", "roll.bin"):
            if name in content:
                (Path(folder) / name).write_bytes(content[name])
        given = [str(Path(folder) / "proof.json") if each == str(archives[0]) else each for each in words]
        asked = {each.partition("=")[0] for each in words}
        if "--keys" not in asked:
            click.echo(tell("keys_of_archive", language_of(list(words))), err=True)
            given += ["--keys", str(Path(folder) / "keys.json")]
        if "--roll" not in asked and "roll.bin" in content:
            given += ["--roll", str(Path(folder) / "roll.bin")]
        sys.exit(drawing_main(["verify", *given]))


@click.command("explain", context_settings=_PASS, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def explain_command(words: tuple[str, ...]) -> None:
    """逐步讲解证明 / tell a proof step by step: PROOF [--lang zh|en]."""
    sys.exit(drawing_main(["explain", *words]))
