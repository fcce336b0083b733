"""`lotroom draw`: run a draw or go on with one, abandon it, say why somebody is kept out, cut a receipt."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from drawing.draw import Phase
from drawing.errors import Refused
from drawing.events import project_tag
from drawing.note import Policy
from drawing.openings import MAX_FILE as MAX_OPENINGS
from drawing.openings import parse_openings
from drawing.proof import MAX_PROOF, parse_proof
from drawing.receipt import receipt_bytes
from drawing.roll import MAX_ROLL
from drawing.sealed import unseal
from server.answers import Memory, from_list, read_answers
from server.beacon.commands import local_values, relays_option
from server.beacon_client import Relays
from server.book import Book
from server.ceremony import Ask, Ceremony
from server.commands import shared
from server.commands.shared import FILE, FOLDER, absent, as_json, language, read_good, silent
from server.files import read_bounded, write_new
from server.folder import State, open_key_list, open_keys, open_state
from server.keyfiles import KeyFile, read_key
from server.library.read_sheet import read_library
from server.receipts import make_receipt
from server.records import write_results
from server.refusals import text_of
from server.request import Failure, read_request
from server.texts import event_name, tell
from server.tilelog import TileLog
from server.waiting import Waiting
from server.why import why
from server.witness.commands import witnesses_option
from server.witness.for_draw import witness_of


@click.group()
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

    beacon = Relays(relays, shared.clock, shared.sleep, progress, wait=sys.stdout.isatty() if wait is None else wait)
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
    now = shared.clock()
    begun = (out / "ceremony.json").exists()
    first = read_request(request_file, now)
    if not begun:
        failures = first.check(now)
        if failures:
            raise Unlawful(failures)
        if dry_run is None:
            raise Refused("nothing_to_abandon", str(out))
    found = read_good(library_file, progress)
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
        made = Ceremony.of(
            out, state, request, found.records, keys, chain, book, shared.clock, Memory(out / "answers.json", source), progress
        )
        witness = witness_of(log, chain.newest, witnesses, progress)
        if witness is not None:
            witness.check()  # before anything is written: nobody has seen more of this log than there is
            made.witness = witness
        yield made


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
    request = read_request(request_file, shared.clock())
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
    with _ceremony(library_file, request_file, out, log_folder, lambda *_: ("accepted", ""), silent, None, witnesses) as ceremony:
        try:
            result = ceremony.abandon(reason, paper)
        except Waiting as pause:  # it is abandoned; the proof leaves with the witnesses' word, at the next `draw run`
            click.echo(tell(f"waiting_{pause.code}", lang, **local_values(pause)), err=True)
            sys.exit(3)
        write_results(ceremony, result)
    click.echo(tell("abandoned", lang, path=out))


@draw.command("receipt")
@click.argument("folder", type=FOLDER)
@click.option("--id-number", required=True, help="专家证件号码 / the expert's document number")
@click.option("--key", "key_path", type=FILE, required=True, help="监督人密钥 / a supervisor's key file")
@click.option("--out", type=FILE, required=True)
@language
def draw_receipt(folder: Path, id_number: str, key_path: Path, out: Path, lang: str) -> None:
    """结束后为专家出具回执 / cut an expert's receipt out of a closed draw."""
    absent(out)
    openings = parse_openings(unseal(read_bounded(folder / "openings.sealed", MAX_OPENINGS), read_key(key_path).box_secret))
    proof = parse_proof(read_bounded(folder / "proof.json", MAX_PROOF))
    receipt = make_receipt(proof, openings, read_bounded(folder / "roll.bin", MAX_ROLL), id_number)
    write_new(out, receipt_bytes(receipt), mode=0o600)
    click.echo(tell("receipt_written", lang, path=out))
