"""`lotroom library`: make a library of fictional people, write the template, check a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from drawing.errors import Refused
from server.commands.shared import FILE, absent, as_json, language
from server.library import demo
from server.library.read_sheet import read_library
from server.library.write_sheet import write_rejects, write_template
from server.refusals import say
from server.texts import tell


@click.group()
def library() -> None:
    """专家库文件 / expert library files."""


@library.command("make")
@click.option("--count", type=click.IntRange(1, 1_000_000), required=True, help="人数 / people")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=FILE, required=True, help=".xlsx / .csv")
@language
def library_make(count: int, seed: int, out: Path, lang: str) -> None:
    """生成演示专家库（虚构人员）/ make a demo library of fictional people."""
    absent(out)
    demo.make_library(count, seed, out)
    click.echo(tell("library_written", lang, path=out, count=count))


@library.command("template")
@click.option("--out", type=FILE, required=True, help=".xlsx / .csv")
@language
def library_template(out: Path, lang: str) -> None:
    """下载导入模板 / write the import template."""
    absent(out)
    write_template(out)
    click.echo(tell("template_written", lang, path=out))


@library.command("check")
@click.argument("file", type=FILE)
@click.option("--rejects", type=FILE, help="有误的行写入此文件 / write bad rows here")
@as_json
@language
def library_check(file: Path, rejects: Path | None, as_json: bool, lang: str) -> None:
    """检查专家库文件 / check a library file."""
    if rejects is not None:
        absent(rejects)
    found = read_library(file)
    texts = {id(error): say(Refused(error.code, "", **dict(error.params)), lang) for error in found.errors}
    if rejects is not None and found.rejects:
        reasons: dict[int, tuple[str, str]] = {}
        for error in found.errors:
            before = reasons.get(error.row, ("", ""))
            reasons[error.row] = (before[0] + f"{error.column} [{error.code}] ", before[1] + texts[id(error)] + " ")
        write_rejects(rejects, found.rejects, reasons)
    if as_json:
        errors = [{"row": e.row, "column": e.column, "code": e.code, "value": e.value, "text": texts[id(e)]} for e in found.errors]
        notices = [{"row": e.row, "column": e.column, "code": e.code} for e in found.notices]
        value = {"rows": found.rows_read, "good": len(found.records), "bad": len(found.rejects), "errors": errors, "notices": notices}
        click.echo(json.dumps({**value, "sha256": found.digest.hex()}, ensure_ascii=False))
    else:
        for error in found.errors[:50]:
            click.echo(tell("row_error", lang, row=error.row, column=error.column, value=error.value, text=texts[id(error)]))
        if len(found.errors) > 50:
            click.echo(tell("more_errors", lang, count=len(found.errors) - 50))
        click.echo(tell("library_read", lang, rows=found.rows_read, good=len(found.records), bad=len(found.rejects)))
        if rejects is not None and found.rejects:
            click.echo(tell("rejects_written", lang, path=rejects))
    sys.exit(1 if found.rejects else 0)
