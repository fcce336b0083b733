"""What the pages say is so: links lead somewhere, also to headings; `make` targets and `lotroom` commands and their options exist, in prose and in
blocks of commands; no machine's own path is named.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from click import Command, Context, Group

from server.__main__ import cli

HERE = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#: ]*\.md)?#([^)]+)\)")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
# The program in a block: at the beginning of a line, behind sudo, by its whole path, or in a container.
CALL = re.compile(r"(?:^|[^\n]*/bin/|[^\n]* (?:exec|run --rm) lotroom )lotroom ([^\n]*)|^[^\n]* run --rm lotroom ([^\n]*)", re.MULTILINE)
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root|home)/\w")


def below(group: Group) -> dict[str, Command]:
    """The commands of a group by name, loaded."""
    context = Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def commands(group: Group, prefix: str = "") -> set[str]:
    """All commands, `draw run` and the like."""
    found = set()
    for name, command in below(group).items():
        found.add(prefix + name)
        if isinstance(command, Group):
            found |= commands(command, prefix + name + " ")
    return found


def fault_of(words: list[str]) -> str:
    """What is wrong with a command line of ours, as far as its words say; empty where nothing is."""
    command: Command = cli
    while isinstance(command, Group) and words and re.fullmatch(r"[a-z]+", words[0]):
        if words[0] not in below(command):
            return f"no such command: {words[0]}"
        command, words = below(command)[words[0]], words[1:]
    if isinstance(command, Group) or command.context_settings.get("ignore_unknown_options"):  # another parser's business
        return ""
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "-h", "--version"}
    wrong = [word for word in words if re.fullmatch(r"--[a-z][a-z-]*", word) and word not in known]
    return f"no such option of {command.name}: {wrong[0]}" if wrong else ""


def anchors(page: Path) -> set[str]:
    """Of the headings, as pages of a repository have them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


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
        for one, other in (found for block in BLOCK.findall(text) for found in CALL.findall(block)):
            wrong = fault_of(re.split(r"[ =]", (one or other).partition("#")[0].replace("\\", "")))
            faults += [f"{name}: {wrong}"] if wrong else []
        for inline in re.findall(r"`lotroom ([^`]+)`", text):
            wrong = fault_of(re.split(r"[ =\n]+", inline))
            faults += [f"{name}: {wrong}"] if wrong else []
        for link, anchor in ANCHOR.findall(text):
            there = page.parent / link if link else page
            if there.exists() and anchor not in anchors(there):
                faults.append(f"{name}: no such heading: {link}#{anchor}")
        if MACHINE_PATH.search(text):
            faults.append(f"{name}: names a path of one machine")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
