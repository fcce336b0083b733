"""The Python verifier in the contract's batch mode: `python -m tests.conformance.python_verifier --batch`.

`--blind CHECK` makes it deliberately wrong: it never fails that check. The suite must notice.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from drawing.verify import Files, verify
from tests.conformance.cases import KINDS


def answer(question: dict[str, str], blind: str = "") -> dict[str, object]:
    """What the verifier says about the files of one line."""
    given = {kind: Path(question[kind]).read_bytes() for kind in KINDS if kind in question}
    report = verify(Files(**given))
    failed = [check for check in report.failed if check != blind]
    code = report.exit_code if failed or not report.failed else 3
    return {"exit_code": code, "failed": failed, "id": question["id"], "skipped": list(report.skipped)}


def main() -> None:
    """One answer per line, at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", action="store_true", required=True)
    parser.add_argument("--blind", default="", metavar="CHECK")
    arguments = parser.parse_args()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), arguments.blind), sort_keys=True), flush=True)


if __name__ == "__main__":
    main()
