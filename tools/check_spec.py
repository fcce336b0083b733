"""Every MUST of docs/spec has a test id, every id is claimed by a test (`spec: draw-3.1`), and no test claims an unknown one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
ID = re.compile(r"\[id: ([a-z]+-[0-9.]+)\]")
CLAIM = re.compile(r"spec: ((?:[a-z]+-[0-9.]+[, ]*)+)")


def blocks(text: str) -> list[str]:
    """Paragraphs, list items and table rows, each as one string."""
    out: list[str] = []
    for line in text.splitlines():
        if not out or not line.strip() or line.startswith(("- ", "|", "#", "```")) or re.match(r"[0-9]+\. ", line) or not out[-1].strip():
            out.append(line)
        else:
            out[-1] += " " + line.strip()
    return out


def main() -> int:
    """Print the coverage; 1 where something is missing."""
    faults, ids = [], {}
    for page in sorted((HERE / "docs" / "spec").glob("*.md")):
        for number, block in enumerate(blocks(page.read_text("utf-8")), 1):
            if re.search(r"\bMUST\b", block) and not ID.search(block):
                faults.append(f"{page.name}: a MUST without id: {block.strip()[:90]}")
            for each in ID.findall(block):
                if each in ids:
                    faults.append(f"{page.name}: {each} is there twice")
                ids[each] = f"{page.name}, block {number}"
    claimed: dict[str, str] = {}
    for test in sorted((HERE / "tests").rglob("*.py")):
        for group in CLAIM.findall(test.read_text("utf-8")):
            for each in re.split(r"[, ]+", group.strip(" ,.")):
                claimed[each.rstrip(".")] = str(test.relative_to(HERE))
    faults += [f"{where}: {each} is claimed by no test" for each, where in ids.items() if each not in claimed]
    faults += [f"{where}: {each} is no id of the spec" for each, where in claimed.items() if each and each not in ids]
    for fault in faults:
        print(fault)
    print(f"spec: {len(ids)} rules, {len(set(ids) & set(claimed))} claimed by tests")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
