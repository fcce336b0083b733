"""The verification page: the JavaScript verifier and its page joined into one file that opens from a disk without a network, and is served as it is.

The linker knows one narrow style of modules and refuses everything else by name:

* `import { a, b as c } from "./file.js";` at the beginning of a line, maybe over several lines; no default, star or bare imports;
* `export function|async function|class|const name` and `export { a, b as c };`; no default, no `export … from`, no `export let`;
* no dynamic import (but in comments, where types are named), no import.meta, no await at the top, no circles of imports.

Each module becomes one function that gives back its exports, in the order in which they need each other; the output is the same for the same input.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import web

STATIC = Path(web.__file__).resolve().parent / "static"
ENTRY = STATIC / "js" / "verify_page" / "main.js"

NAMES = r"\{([^{}]*)\}"
IMPORT = re.compile(rf'^import {NAMES} from "(\.[^"]+\.js)";\n', re.MULTILINE)
EXPORT_LIST = re.compile(rf"^export {NAMES};\n?", re.MULTILINE)
EXPORT_ITEM = re.compile(r"^export ((?:async )?function\*? |class |const )([A-Za-z_$][\w$]*)", re.MULTILINE)
LEFT_OVER = re.compile(r"^\s*(?:import\b(?! *\())|^\s*export\b|\bimport\.meta\b|^await\b", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)


class NotLinkable(Exception):
    """A module that is not of the style above."""


def renamed(names: str, form: str) -> list[str]:
    """`a, b as c` as entries of a destructuring pattern (form "in") or of an object (form "out")."""
    made = []
    for each in filter(None, (part.strip() for part in names.split(","))):
        match = re.fullmatch(r"([\w$]+)(?: as ([\w$]+))?", each)
        if not match:
            raise NotLinkable(f"not a name to import or export: {each}")
        inner, outer = match[1], match[2] or match[1]
        made.append(inner if inner == outer else f"{inner}: {outer}" if form == "in" else f"{outer}: {inner}")
    return made


class Linker:
    """Modules in the order in which they need each other."""

    def __init__(self) -> None:
        self.order: list[tuple[Path, str]] = []
        self.names: dict[Path, str] = {}
        self.open: list[Path] = []

    def add(self, path: Path) -> str:
        """Add a module after all that it imports; return the name of its exports."""
        if path in self.names:
            return self.names[path]
        if path in self.open:
            raise NotLinkable("imports in a circle: " + " -> ".join(each.name for each in [*self.open, path]))
        self.open.append(path)
        source = path.read_text("utf-8")
        head = []
        for match in IMPORT.finditer(source):
            module = self.add((path.parent / match[2]).resolve())
            head.append(f"const {{ {', '.join(renamed(match[1], 'in'))} }} = {module};")
        body = IMPORT.sub("", source)
        exports = [entry for match in EXPORT_LIST.finditer(body) for entry in renamed(match[1], "out")]
        body = EXPORT_LIST.sub("", body)
        exports += [match[2] for match in EXPORT_ITEM.finditer(body)]
        body = EXPORT_ITEM.sub(r"\1\2", body)
        left = LEFT_OVER.search(COMMENT.sub("", body))
        if left:
            raise NotLinkable(f"{path.name}: {left[0].strip()} … is not of the style that the linker knows")
        if re.search(r"(?<![\w.])import\s*\(", COMMENT.sub("", body)):
            raise NotLinkable(f"{path.name}: dynamic import")
        name = f"m{len(self.order)}"
        text = "\n".join([f"const {name} = (() => {{", *head, body.strip(), f"return {{ {', '.join(exports)} }};", "})();"])
        self.order.append((path, text))
        self.names[path] = name
        self.open.pop()
        return name

    def program(self) -> str:
        """All of it."""
        parts = [f"// {path.relative_to(STATIC).as_posix()}\n{text}" for path, text in self.order]
        return '"use strict";\n' + "\n".join(parts) + "\n"


def csp_hash(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def verifier_page(version: str, entry: Path = ENTRY) -> str:
    """The whole file."""
    linker = Linker()
    linker.add(entry)
    program = linker.program()
    style = (STATIC / "css" / "verify.css").read_text("utf-8")
    for mark in ("</script", "<!--", "<script"):
        if mark in program.lower():
            raise NotLinkable(f"the program holds {mark}, which would end it inside a page")
    made = (STATIC / "verify.html").read_text("utf-8")
    for mark, value in {
        "@VERSION@": version,
        "@SCRIPT_HASH@": csp_hash(program),
        "@STYLE_HASH@": csp_hash(style),
        "@STYLE@": style,
        "@SCRIPT@": program,
    }.items():
        before, found, after = made.partition(mark)
        if not found:
            raise NotLinkable(f"verify.html lacks {mark}")
        made = before + value + after
    return made
