"""The command line. Exit codes: 0 good; 1 refused or a check failed; 2 bad use; 3 nothing failed, something skipped or still open."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from drawing.__main__ import main as drawing_main
from drawing.canonical import unhex
from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import RoundContributed, project_tag
from drawing.keys import MAX_FILE as MAX_KEYS
from drawing.keys import parse_keys
from drawing.lottery import MAX_FILE as MAX_LOTTERY
from drawing.lottery import METHOD as LEXIMIN
from drawing.lottery import draw as draw_lottery
from drawing.lottery import lottery_bytes, parse_lottery
from drawing.note import Policy
from drawing.openings import MAX_FILE as MAX_OPENINGS
from drawing.openings import parse_openings
from drawing.proof import MAX_PROOF, parse_proof
from drawing.receipt import receipt_bytes
from drawing.roll import MAX_ROLL
from drawing.sealed import unseal
from server.answers import Memory, from_list, read_answers
from server.beacon.commands import beacon_commands, local_values, relays_option
from server.beacon_client import Relays
from server.book import Book
from server.ceremony import Ask, Ceremony
from server.chances import assembly_rows, chance_words, lines, of_library, of_lottery
from server.chart import chart
from server.console import COMMANDS
from server.contribute import MAX_FILE, Order, contribute, contribution_bytes
from server.evidence import MAX_FILE as MAX_EVIDENCE
from server.evidence import is_evidence, read_evidence
from server.files import read_bounded, write_new
from server.folder import State, open_key_list, open_keys, open_state
from server.keyfiles import ALL_ROLES, KeyFile, make_key, read_key, write_key
from server.leximin import make_lottery
from server.library import demo
from server.library.read_sheet import Library, read_library
from server.library.write_sheet import write_rejects, write_table, write_template
from server.quotas import read_assembly
from server.receipts import make_receipt
from server.records import write_results
from server.refusals import say, text_of
from server.request import Failure, read_request
from server.storage.commands import check_command, migrate_command
from server.supervise.command import supervise_command
from server.texts import event_name, tell
from server.tilelog import TileLog
from server.waiting import Waiting
from server.why import why
from server.witness.commands import witness_commands, witnesses_option
from server.witness.for_draw import witness_of

BAD_USE = ("no_such_file", "cannot_read", "file_exists", "unknown_role")
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
language = click.option("--lang", type=click.Choice(["zh", "en"]), default="zh", envvar="LOTROOM_LANG", help="界面语言 / language")
as_json = click.option("--json", "as_json", is_flag=True, help="机器可读 / machine-readable")


def _language_of(words: list[str]) -> str:
    """The language of a command line that may have failed before its options were known."""
    after = dict(zip(words, words[1:], strict=False)).get("--lang", "")
    return "en" if after == "en" or "--lang=en" in words or (not after and os.environ.get("LOTROOM_LANG") == "en") else "zh"


class _Group(click.Group):
    """Turns a refusal into one line and the right exit code, in whatever command it happens."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads has stopped reading; click ends quietly
        except OSError as broken:  # a disk that is full, a folder that is a file: whatever the system says, in one line
            wrong = Refused("cannot_write", str(broken.filename or ""), why=broken.strerror or "")
            click.echo(say(wrong, _language_of(sys.argv)), err=True)
            ctx.exit(1)
        except Refused as wrong:
            click.echo(say(wrong, _language_of(sys.argv)), err=True)
            ctx.exit(2 if wrong.code in BAD_USE else 1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lotroom")
def cli() -> None:
    """Lotroom：可核验的评标专家随机抽取 / draws evaluation experts by lot so that anyone can check it."""


# Library ----------------------------------------------------------------------------------------------------------------------------------


@cli.group()
def library() -> None:
    """专家库文件 / expert library files."""


@library.command("make")
@click.option("--count", type=click.IntRange(1, 1_000_000), required=True, help="人数 / people")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--out", type=FILE, required=True, help=".xlsx / .csv")
@language
def library_make(count: int, seed: int, out: Path, lang: str) -> None:
    """生成演示专家库（虚构人员）/ make a demo library of fictional people."""
    _absent(out)
    demo.make_library(count, seed, out)
    click.echo(tell("library_written", lang, path=out, count=count))


@library.command("template")
@click.option("--out", type=FILE, required=True, help=".xlsx / .csv")
@language
def library_template(out: Path, lang: str) -> None:
    """下载导入模板 / write the import template."""
    _absent(out)
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
        _absent(rejects)
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


def _absent(path: Path) -> None:
    if path.exists():
        raise Refused("file_exists", str(path))


# Keys and contributions -------------------------------------------------------------------------------------------------------------------


@cli.group()
def key() -> None:
    """密钥文件 / key files."""


@key.command("make")
@click.option("--role", required=True, help=" | ".join(ALL_ROLES))
@click.option("--out", type=FILE, required=True)
@click.option("--name", default="", help="密钥名称 / key name, e.g. example.gov.cn/supervisor-1")
@click.option("--body", default="", help="所属单位 / the body it belongs to")
@language
def key_make(role: str, out: Path, name: str, body: str, lang: str) -> None:
    """生成密钥（仅本人可读）/ make a key readable by you alone."""
    write_key(make_key(role, name, body), out)
    click.echo(tell("key_written", lang, path=out))


@cli.command("contribute")
@click.argument("commit", type=FILE)
@click.option("--key", "key_path", type=FILE, required=True)
@click.option("--keys", "keys_path", type=FILE, required=True, help="密钥清单，另行取得 / the key list, obtained elsewhere")
@click.option("--out", type=FILE, help="输出文件 / output (default: beside the commit)")
@language
def contribute_command(commit: Path, key_path: Path, keys_path: Path, out: Path | None, lang: str) -> None:
    """为一次提交贡献随机数 / contribute to a commit, on the contributor's own machine."""
    order = Order.parse(read_bounded(commit, MAX_FILE))
    keys = parse_keys(read_bounded(keys_path, MAX_KEYS))
    holder = read_key(key_path)
    body = contribute(order, holder, key_path, keys)
    if not keys.newest.log_policy.has_quorum:
        click.echo(tell("no_witnesses_to_ask", lang), err=True)
    suffix = f"round-{body.round}" if isinstance(body, RoundContributed) else "contribution"
    short = holder.name.rpartition("/")[2]
    target = out or commit.with_name(f"{suffix}-{short}-{order.leaf_hash.hex()[:8]}.json")
    data = contribution_bytes(order, body)
    if not target.exists() or read_bounded(target, 65_535) != data:  # the same contribution again is the same file
        write_new(target, data)
    if isinstance(body, RoundContributed):
        click.echo(tell("round_contribution_written", lang, round=body.round, path=target))
    else:
        click.echo(tell("contribution_written", lang, nth=body.nth, path=target))


# The draw -----------------------------------------------------------------------------------------------------------------------------------


@cli.group()
def draw() -> None:
    """抽取 / the draw."""


@draw.command("run")
@click.argument("library_file", metavar="LIBRARY", type=FILE)
@click.argument("request_file", metavar="REQUEST", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="结果文件夹 / folder of results")
@click.option("--log", "log_folder", type=FOLDER, help="日志文件夹 / log (default: OUT/log)")
@click.option("--answers", type=FILE, help="席位答复 csv / slot answers (empty: all accept)")
@click.option("--dry-run", is_flag=True, help="演练 / a watermarked exercise")
@relays_option
@witnesses_option
@click.option("--wait/--no-wait", default=None, help="等待信标（终端默认等待）/ wait for the beacon (default: on a terminal)")
@as_json
@language
def draw_run(
    library_file: Path,
    request_file: Path,
    out: Path,
    log_folder: Path | None,
    answers: Path | None,
    dry_run: bool,
    relays: tuple[str, ...],
    witnesses: tuple[str, ...],
    wait: bool | None,
    as_json: bool,
    lang: str,
) -> None:
    """完成一次抽取，或继续被打断的抽取 / run a draw, or go on with an interrupted one."""

    def progress(code: str, **params: Any) -> None:
        if code == "countdown":
            _countdown(as_json, lang, **params)
        elif code == "witness_refused":
            why = text_of(params["refusal"], params, lang) + (f", {params['detail']}" if params["detail"] else "")
            click.echo(tell(code, lang, address=params["address"], why=why), err=True)
        elif not as_json:
            named = {**params, "type": event_name(params["type"], lang)} if "type" in params else params
            click.echo(tell(code, lang, **named))

    beacon = Relays(relays, _clock, _sleep, progress, wait=sys.stdout.isatty() if wait is None else wait)
    source = from_list(read_answers(answers)) if answers is not None else _ask(lang)
    waiting: Waiting | None = None
    try:
        with _ceremony(library_file, request_file, out, log_folder, source, progress, dry_run, witnesses) as ceremony:
            ceremony.beacon = beacon
            if ceremony.network is not None:
                beacon.of(ceremony.network)  # before anything is begun: there is somebody to ask
            try:
                result = ceremony.run()
            except Waiting as pause:
                waiting = pause
                result = ceremony.book.project().draw
            unseen = waiting is not None and waiting.code == "witnesses"  # a proof of a state that nobody has seen does not leave
            report = write_results(ceremony, result) if not unseen else None
    except Unlawful as unlawful:
        _tell_failures(unlawful.failures, as_json, lang)
        sys.exit(1)
    if not as_json:
        if waiting is not None:
            click.echo(tell(f"waiting_{waiting.code}", lang, **local_values(waiting)))
        click.echo(tell("done" if result.phase is Phase.CLOSED else "still_open", lang, path=out))
    else:
        value = {"attempt": result.attempt, "phase": result.phase.value, "waiting": waiting.code if waiting else "", "out": str(out)}
        click.echo(
            json.dumps(
                {
                    **value,
                    "failed": list(report.failed) if report else [],
                    "skipped": list(report.skipped) if report else [],
                    "slots": len(result.slots),
                },
                ensure_ascii=False,
            )
        )
    sys.exit(0 if result.phase is Phase.CLOSED else 3)


def _countdown(as_json: bool, lang: str, **params: Any) -> None:
    """One line that is written over again on a terminal; elsewhere a line a minute."""
    if as_json:
        return
    terminal = sys.stdout.isatty()
    if terminal or params["seconds"] % 60 == 0:
        click.echo(("\r" if terminal else "") + tell("countdown", lang, **params), nl=not terminal or params["seconds"] <= 1)


class Unlawful(Exception):
    """A request that breaks rules, all of them listed."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(len(failures))
        self.failures = failures


@contextmanager
def _ceremony(
    library_file: Path,
    request_file: Path,
    out: Path,
    log_folder: Path | None,
    source: Ask,
    progress: Callable[..., None],
    dry_run: bool | None,
    witnesses: tuple[str, ...] = (),
) -> Iterator[Ceremony]:
    """The folder's ceremony with its library, request, keys and log open. `dry_run` None: as the folder began. Raises Unlawful, Refused."""
    now = _clock()
    begun = (out / "ceremony.json").exists()
    first = read_request(request_file, now)
    if not begun:
        failures = first.check(now)
        if failures:
            raise Unlawful(failures)
        if dry_run is None:
            raise Refused("nothing_to_abandon", str(out))
    found = _read_library(library_file, progress)
    if dry_run is None:
        dry_run = State.parse(read_bounded(out / "ceremony.json", 65_535)).dry_run
    state = open_state(out, found.digest, first.digest, dry_run, now)
    request = read_request(request_file, state.started_at)  # relative times count from the first run
    log_path = log_folder or out / "log"
    keys = open_keys(out / "keys", log_path)
    chain = open_key_list(out / "keys.json", keys)
    with _open_log(log_path, keys.log) as log:
        book = Book(log, project_tag(request.number), keys)
        book.read()
        made = Ceremony.of(out, state, request, found.records, keys, chain, book, _clock, Memory(out / "answers.json", source), progress)
        witness = witness_of(log, chain.newest, witnesses, progress)
        if witness is not None:
            witness.check()  # before anything is written: nobody has seen more of this log than there is
            made.witness = witness
        yield made


def _clock() -> int:
    return int(time.time())


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _read_library(path: Path, progress: Callable[..., None]) -> Library:
    progress("reading_library", name=path.name)
    found = read_library(path)
    progress("library_read", rows=found.rows_read, good=len(found.records), bad=len(found.rejects))
    if not found.records:
        raise Refused("empty_file", path.name)
    return found


def _tell_failures(failures: list[Failure], as_json: bool, lang: str) -> None:
    listed = [
        {"code": f.rule.code, "text": f.rule.zh if lang == "zh" else f.rule.en, "article": f.rule.article, "found": dict(f.found)}
        for f in failures
    ]
    if as_json:
        click.echo(json.dumps({"refused": listed}, ensure_ascii=False))
        return
    click.echo(tell("request_unlawful", lang, count=len(listed)), err=True)
    for each in listed:
        found = "; ".join(f"{key}={value}" for key, value in failures[listed.index(each)].found.items())
        click.echo("  " + tell("rule_broken", lang, code=each["code"], text=each["text"], article=each["article"], found=found), err=True)


def _ask(lang: str) -> Callable[[int, int], tuple[str, str]]:
    """Answers asked at the terminal."""

    def source(slot: int, occupant: int) -> tuple[str, str]:
        while True:
            words = click.prompt(tell("ask_answer", lang, slot=slot, occupant=occupant), default="y").strip()
            first, _, reason = words.partition(" ")
            if first.lower() in ("y", "n"):
                return ("accepted" if first.lower() == "y" else "left", reason.strip()[:200])

    return source


def _open_log(path: Path, key: Any) -> TileLog:
    """The log of the centre, begun where there is none."""
    if (path / "checkpoint").exists():
        return TileLog.open(path, Policy(key.vkey, {}), key.sign)
    return TileLog.create(path, log_origin(key), key.vkey, key.sign)


def log_origin(key: KeyFile) -> str:
    """The name of a log that is begun with this key: what its witnesses are told to watch."""
    return f"lotroom.local/log-{sha256(key.public).hexdigest()[:12]}"


@draw.command("why")
@click.argument("library_file", metavar="LIBRARY", type=FILE)
@click.argument("request_file", metavar="REQUEST", type=FILE)
@click.option("--id-number", required=True, help="专家证件号码 / the expert's document number")
@as_json
@language
def draw_why(library_file: Path, request_file: Path, id_number: str, as_json: bool, lang: str) -> None:
    """某位专家为何被排除，依据何在 / why an expert is kept out, and on which evidence. Private: for those who may see it."""
    request = read_request(request_file, int(time.time()))
    answer = why(read_library(library_file).records, request, id_number)
    if as_json:
        click.echo(json.dumps({"eligible": not answer, "rules": [asdict(each) for each in answer]}, ensure_ascii=False))
        return
    click.echo(tell("eligible" if not answer else "kept_out", lang, count=len(answer)))
    for each in answer:
        click.echo(f"  {each.code} {each.zh if lang == 'zh' else each.en} ({each.article}) {each.evidence}")


@draw.command("abandon")
@click.argument("library_file", metavar="LIBRARY", type=FILE)
@click.argument("request_file", metavar="REQUEST", type=FILE)
@click.option("--out", type=FOLDER, required=True, help="结果文件夹 / the draw's folder")
@click.option("--log", "log_folder", type=FOLDER, help="日志文件夹 / log (default: OUT/log)")
@click.option("--reason", type=click.Choice(["incomplete", "cancelled", "order"]), required=True)
@click.option("--paper", required=True, help="依据文号 / the paper it rests on; only its digest is public")
@witnesses_option
@language
def draw_abandon(
    library_file: Path,
    request_file: Path,
    out: Path,
    log_folder: Path | None,
    reason: str,
    paper: str,
    witnesses: tuple[str, ...],
    lang: str,
) -> None:
    """中止一次抽取（全部以后的证明都会显示）/ abandon an attempt; every later proof shows it."""
    with _ceremony(library_file, request_file, out, log_folder, lambda *_: ("accepted", ""), _silent, None, witnesses) as ceremony:
        try:
            result = ceremony.abandon(reason, paper)
        except Waiting as pause:  # it is abandoned; the proof leaves with the witnesses' word, at the next `draw run`
            click.echo(tell(f"waiting_{pause.code}", lang, **local_values(pause)), err=True)
            sys.exit(3)
        write_results(ceremony, result)
    click.echo(tell("abandoned", lang, path=out))


def _silent(code: str, **params: Any) -> None:
    """No progress."""


@draw.command("receipt")
@click.argument("folder", type=FOLDER)
@click.option("--id-number", required=True, help="专家证件号码 / the expert's document number")
@click.option("--key", "key_path", type=FILE, required=True, help="监督人密钥 / a supervisor's key file")
@click.option("--out", type=FILE, required=True)
@language
def draw_receipt(folder: Path, id_number: str, key_path: Path, out: Path, lang: str) -> None:
    """结束后为专家出具回执 / cut an expert's receipt out of a closed draw."""
    _absent(out)
    openings = parse_openings(unseal(read_bounded(folder / "openings.sealed", MAX_OPENINGS), read_key(key_path).box_secret))
    proof = parse_proof(read_bounded(folder / "proof.json", MAX_PROOF))
    receipt = make_receipt(proof, openings, read_bounded(folder / "roll.bin", MAX_ROLL), id_number)
    write_new(out, receipt_bytes(receipt), mode=0o600)
    click.echo(tell("receipt_written", lang, path=out))


# Chances ------------------------------------------------------------------------------------------------------------------------------------


@cli.command("chances")
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
            _absent(path)
    if library_file is not None and request_file is not None and not (respondents or categories or panel or lottery_out):
        found = _read_library(library_file, _silent)
        standing = of_library(found.records, read_request(request_file, _clock()), method or "")
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


@cli.command("lottery")
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


cli.add_command(beacon_commands(time.time, time.sleep))
cli.add_command(witness_commands(lambda: _clock()))  # noqa: PLW0108  # looked up when it is called: tests set the clock
for each in COMMANDS:
    cli.add_command(each)
cli.add_command(migrate_command)
cli.add_command(check_command)
cli.add_command(supervise_command)


# Verification -------------------------------------------------------------------------------------------------------------------------------

_PASS = {"ignore_unknown_options": True, "help_option_names": []}


@cli.command("verify", context_settings=_PASS, add_help_option=False)
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
            click.echo(tell("keys_of_archive", _language_of(list(words))), err=True)
            given += ["--keys", str(Path(folder) / "keys.json")]
        if "--roll" not in asked and "roll.bin" in content:
            given += ["--roll", str(Path(folder) / "roll.bin")]
        sys.exit(drawing_main(["verify", *given]))


@cli.command("explain", context_settings=_PASS, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def explain_command(words: tuple[str, ...]) -> None:
    """逐步讲解证明 / tell a proof step by step: PROOF [--lang zh|en]."""
    sys.exit(drawing_main(["explain", *words]))


def main() -> None:
    """The installed command."""
    gc.disable()  # one job, then the end: a collector would walk through half a million records again and again and free nothing
    cli(prog_name="lotroom")


if __name__ == "__main__":
    main()
