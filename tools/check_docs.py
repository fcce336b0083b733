"""What the pages say is so: links lead somewhere, `make` targets and `lotroom` commands exist, no machine's own path is named."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from click import Group

from server.__main__ import cli

HERE = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root|home)/\w")


def commands(group: Group, prefix: str = "") -> set[str]:
    """All commands, `draw run` and the like."""
    found = set()
    for name, command in group.commands.items():
        found.add(prefix + name)
        if isinstance(command, Group):
            found |= commands(command, prefix + name + " ")
    return found


def main() -> int:
    """Print what does not hold; 1 where something does not."""
    faults = []
    targets = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text("utf-8"), re.MULTILINE))
    known = commands(cli)
    for page in [*HERE.glob("*.md"), *(HERE / "docs").rglob("*.md")]:
        text = page.read_text("utf-8")
        name = page.relative_to(HERE)
        faults += [f"{name}: no such file: {link}" for link in LINK.findall(text) if not (page.parent / link).exists()]
        faults += [f"{name}: no such target: make {each}" for each in re.findall(r"`make ([a-z-]+)", text) if each not in targets]
        for words in re.findall(r"`lotroom ([a-z]+(?: [a-z]+)?)", text):
            if words not in known and words.split()[0] not in known:
                faults.append(f"{name}: no such command: lotroom {words}")
        if MACHINE_PATH.search(text):
            faults.append(f"{name}: names a path of one machine")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
