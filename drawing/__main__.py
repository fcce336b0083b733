"""`python -m drawing verify|explain`: the only module of the library that opens files. Exit codes: 0 good, 1 failed, 2 bad use, 3 skipped."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from drawing.canonical import loads, unhex
from drawing.errors import Refused
from drawing.explain import explain, report_json, report_text
from drawing.keys import MAX_FILE as MAX_KEYS
from drawing.keys import parse_keys
from drawing.openings import MAX_FILE as MAX_OPENINGS
from drawing.proof import MAX_PROOF
from drawing.roll import MAX_ROLL
from drawing.sealed import unseal
from drawing.texts import say
from drawing.verify import Files, verify


def read_file(path: str, most: int) -> bytes:
    """A file of at most `most` bytes. Raises Refused."""
    try:
        place = Path(path)
        if not place.is_file():
            raise Refused("no_such_file", path)
        if place.stat().st_size > most:
            raise Refused("too_long", place.name, most=most)
        return place.read_bytes()
    except OSError as wrong:
        raise Refused("cannot_read", path, why=wrong.strerror or "") from None


def box_secret(path: str) -> bytes:
    """The X25519 secret of a supervisor's key file. Raises Refused."""
    value = loads(read_file(path, 65_535).removesuffix(b"\n"), place="key", text=True)
    box = value.get("box") if isinstance(value, dict) and value.get("v") == "lotroom-key/1" else None
    if not isinstance(box, str) or not box:
        raise Refused("key_opens_nothing", path)
    return unhex(box, 32, "key.box")


def gather(arguments: argparse.Namespace) -> Files:
    """The files that were named. A proof, roll or receipt that is too large is read as far as the limit and fails there."""
    openings, fault = None, None
    if arguments.openings:
        if not arguments.key:
            raise Refused("key_needed", "--openings")
        secret = box_secret(arguments.key)
        try:
            openings = unseal(read_file(arguments.openings, MAX_OPENINGS), secret)
        except Refused as wrong:
            if wrong.code in ("no_such_file", "cannot_read"):
                raise
            fault = wrong
    return Files(
        proof=read_file(arguments.proof, MAX_PROOF),
        keys=read_file(arguments.keys, MAX_KEYS),
        roll=read_file(arguments.roll, MAX_ROLL) if arguments.roll else None,
        openings=openings,
        openings_fault=fault,
        receipt=read_file(arguments.receipt, 8 << 20) if arguments.receipt else None,
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="drawing",
        description="验证抽取证明 / Verify a draw. 0 = 全部通过 passed, 1 = 有不通过 failed, 2 = 用法 bad use, 3 = 有未检查 skipped",
    )
    commands = top.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="验证证明 / verify a proof")
    check.add_argument("proof", metavar="PROOF")
    check.add_argument("--keys", required=True, metavar="FILE", help="另外取得的密钥清单 / key list obtained elsewhere")
    check.add_argument("--roll", metavar="FILE", help="无名名册 / nameless roll")
    check.add_argument("--openings", metavar="FILE", help="密封的开启材料 / sealed openings (with --key)")
    check.add_argument("--key", metavar="FILE", help="监督人密钥 / supervisor's key file")
    check.add_argument("--receipt", metavar="FILE", help="专家回执 / expert's receipt")
    check.add_argument("--json", action="store_true", help="机器可读 / machine-readable")
    check.add_argument("--lang", choices=("zh", "en"), default="zh")
    tell = commands.add_parser("explain", help="逐步讲解证明 / tell a proof step by step")
    tell.add_argument("proof", metavar="PROOF")
    tell.add_argument("--keys", metavar="FILE", help="密钥清单，用于显示信标轮次的时间 / key list: when the beacon's rounds are due")
    tell.add_argument("--lang", choices=("zh", "en"), default="zh")
    tell.add_argument("--json", action="store_true", help="机器可读 / machine-readable")
    return top


def main(words: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = parser().parse_args(words)
    try:
        if arguments.command == "explain":
            keys = parse_keys(read_file(arguments.keys, MAX_KEYS)) if arguments.keys else None
            steps = explain(read_file(arguments.proof, MAX_PROOF), arguments.lang, keys)
            print(json.dumps(steps, ensure_ascii=False, indent=1) if arguments.json else "\n".join(steps))
            return 0
        report = verify(gather(arguments))
    except Refused as wrong:
        print(say(wrong, arguments.lang), file=sys.stderr)
        return 1 if wrong.code not in ("no_such_file", "cannot_read", "key_needed", "key_opens_nothing") else 2
    print(
        json.dumps(report_json(report, arguments.lang), ensure_ascii=False, indent=1)
        if arguments.json
        else report_text(report, arguments.lang)
    )
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
