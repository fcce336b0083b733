"""`lotroom chances` and `lotroom lottery`: how likely everybody is to be drawn, and drawing from a lottery file."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from drawing.canonical import unhex
from drawing.errors import Refused
from drawing.lottery import MAX_FILE as MAX_LOTTERY
from drawing.lottery import METHOD as LEXIMIN
from drawing.lottery import draw as draw_lottery
from drawing.lottery import lottery_bytes, parse_lottery
from server.chances import assembly_rows, chance_words, lines, of_library, of_lottery
from server.chart import chart
from server.commands import shared
from server.commands.shared import FILE, absent, as_json, language, read_good, silent
from server.files import read_bounded, write_new
from server.leximin import make_lottery
from server.library.write_sheet import write_table
from server.quotas import read_assembly
from server.request import read_request
from server.texts import tell


@click.command("chances")
@click.argument("library_file", metavar="[LIBRARY", type=FILE, required=False)
@click.argument("request_file", metavar="REQUEST]", type=FILE, required=False)
@click.option("--respondents", type=FILE, help="名单 csv / respondents, one row a person")
@click.option("--categories", type=FILE, help="配额 csv / quotas: feature, value, min, max")
@click.option("--panel", type=click.IntRange(1, 100_000), help="抽取人数 / people to draw")
@click.option(
    "--method", type=click.Choice(["fair/1", "uniform/1", "leximin/1"]), help="抽取方法 / default: the request's; leximin/1 for csv files"
)
@click.option("--csv", "csv_out", type=FILE, help="机会明细（内含证件号码，保密）/ one row per expert (private)")
@click.option("--svg", "svg_out", type=FILE, help="图 / chart")
@click.option("--lottery", "lottery_out", type=FILE, help="leximin/1 的抽签文件 / the lottery file of leximin/1")
@as_json
@language
def chances_command(
    library_file: Path | None,
    request_file: Path | None,
    respondents: Path | None,
    categories: Path | None,
    panel: int | None,
    method: str | None,
    csv_out: Path | None,
    svg_out: Path | None,
    lottery_out: Path | None,
    as_json: bool,
    lang: str,
) -> None:
    """每人被抽中的机会，不抽取 / how likely everybody is to be drawn, without drawing.

    LIBRARY REQUEST, or --respondents R.csv --categories C.csv --panel K.
    """
    begun = time.perf_counter()
    for path in (csv_out, svg_out, lottery_out):
        if path is not None:
            absent(path)
    if library_file is not None and request_file is not None and not (respondents or categories or panel or lottery_out):
        found = read_good(library_file, silent)
        standing = of_library(found.records, read_request(request_file, shared.clock()), method or "")
        report, private = standing.report, True
        titles, rows = ("证件号码", "numerator", "denominator", "chance", "type", "target"), standing.rows()
    elif respondents is not None and categories is not None and panel is not None and library_file is None:
        if method not in (None, LEXIMIN):
            raise Refused("method_does_not_apply", "--method", method=method, why="csv")
        assembly = read_assembly(respondents, categories, panel)
        lottery = make_lottery(assembly.task, assembly.respondents, assembly.categories)
        report, private = of_lottery(lottery), False
        titles, rows = ("respondent", "numerator", "denominator", "chance", "type", "target"), assembly_rows(assembly, lottery)
        if lottery_out is not None:
            write_new(lottery_out, lottery_bytes(lottery))
    else:
        raise click.UsageError("LIBRARY REQUEST | --respondents R.csv --categories C.csv --panel K")
    if csv_out is not None:
        write_table(csv_out, titles, rows)
        csv_out.chmod(0o600)
    if svg_out is not None:
        write_new(svg_out, chart(report, lang).encode())
    if as_json:
        click.echo(json.dumps(report.as_json(time.perf_counter() - begun), ensure_ascii=False))
        return
    for line in lines(report, lang):
        click.echo(line)
    for path, code in (
        (csv_out, "private_list_written" if private else "table_written"),
        (svg_out, "chart_written"),
        (lottery_out, "lottery_written"),
    ):
        if path is not None:
            click.echo(tell(code, lang, path=path))


@click.command("lottery")
@click.argument("lottery_file", metavar="LOTTERY", type=FILE)
@click.option("--seed", required=True, help="64 位十六进制 / 64 hex digits")
@click.option("--respondents", type=FILE, help="名单 csv / respondents: names the rows")
@click.option("--categories", type=FILE, help="配额 csv / quotas")
@as_json
@language
def lottery_command(lottery_file: Path, seed: str, respondents: Path | None, categories: Path | None, as_json: bool, lang: str) -> None:
    """核对抽签文件并用种子抽签 / check a lottery file and draw from it with a seed."""
    lottery = parse_lottery(read_bounded(lottery_file, MAX_LOTTERY))
    drawn = draw_lottery(lottery, unhex(seed, 32, "--seed"))
    places: list[int] = []
    if respondents is not None and categories is not None:
        assembly = read_assembly(respondents, categories, lottery.task.panel)
        if (assembly.respondents, assembly.categories) != (lottery.respondents, lottery.categories):
            raise Refused("lottery_of_other_files", str(respondents))
        places = [assembly.rows[kind][number] for kind, number in drawn.people]
    if as_json:
        value = {"ticket": drawn.ticket, "people": [list(each) for each in drawn.people], "respondents": [place + 1 for place in places]}
        click.echo(json.dumps({**value, "smallest_chance": str(lottery.smallest), "bound": str(lottery.bound), "is_best": lottery.is_best}))
        return
    click.echo(tell("lottery_good", lang, tickets=lottery.size, least=chance_words(lottery.smallest), bound=chance_words(lottery.bound)))
    click.echo(tell("lottery_drawn", lang, ticket=drawn.ticket + 1))
    for n, (kind, number) in enumerate(drawn.people):
        name = ", ".join(lottery.task.named(value) for value in lottery.task.kinds[kind].values)
        row = tell("lottery_row", lang, row=places[n] + 1) if places else ""
        click.echo(tell("lottery_person", lang, name=name, number=number + 1, row=row))
