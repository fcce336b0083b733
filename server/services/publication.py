"""The result notice (中标公示, 中标或成交结果公告) of a draw: who says that it is out, and what may be read from then on.

Publishing is the trading system's; it, or a clerk, records here that it happened. Until then nothing tells an expert how a draw went for them. Whether
the notice itself names the experts follows the regime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drawing.draw import Phase
from drawing.errors import Refused
from server.services import draws
from server.services.desk import Caller, Desk
from server.storage.tx import Row, Tx

MOST_NOTICE = 200  # characters


@dataclass(frozen=True, slots=True)
class Rule:
    """Whether the notice of a regime has the experts' names, and where that stands."""

    names: bool
    law: str


RULES: Mapping[str, Rule] = {
    "ZTB": Rule(names=False, law="招标投标法 第三十七条"),
    "ZFCG": Rule(names=True, law="政府采购法实施条例 第四十三条，政府采购货物和服务招标投标管理办法 第六十九条"),
}


@dataclass(frozen=True, slots=True)
class Publication:
    """Where a draw stands. `open`: the notice may be recorded now; `published_at` is 0 before it is."""

    number: str
    section: str
    rule: Rule
    notice: str
    published_at: int
    open: bool


def published_at(row: Row) -> int:
    """When the result notice of a row of `draw` was recorded; 0 before."""
    return int(row["published_at"] or 0)


def check_list(regime: str, evaluation_at: int, now: int) -> None:
    """Raises Refused where the names are no part of the notice (names_stay_secret), or are not yet (not_yet: the evaluation has not begun)."""
    rule = RULES[regime]
    if not rule.names:
        raise Refused("names_stay_secret", "kind", law=rule.law)
    if now < evaluation_at:
        raise Refused("not_yet", "kind", until=evaluation_at)


async def of_draw(desk: Desk, draw: str, caller: Caller) -> Publication:
    """Raises Refused("not_found")."""
    desk.require("draw.read", caller, await draws.centre_of(desk, draw))
    async with desk.store.reading() as tx:
        row = await tx.get("draw", draw)
        number = str((await tx.get("project", row["project"]))["title"])
        fault = await _fault(tx, row, caller.request.now)
    told = str(row["result_notice"] or "")
    return Publication(number, str(row["section"]), RULES[row["regime"]], told, published_at(row), fault is None)


async def record(desk: Desk, draw: str, notice: str, caller: Caller) -> int:
    """Since when it counts as published. The same notice again changes nothing.

    Raises Refused: not_found, exercise_without_notice, result_too_early, notice_recorded where it was another one.
    """
    desk.require("draw.published", caller, await draws.centre_of(desk, draw))
    now = caller.request.now

    async def work(tx: Tx) -> int:
        row = await tx.get("draw", draw)
        if row["published_at"]:
            if row["result_notice"] != notice:
                raise Refused("notice_recorded", "notice", notice=row["result_notice"])
            return published_at(row)
        fault = await _fault(tx, row, now)
        if fault is not None:
            raise fault
        values = {"result_notice": notice, "published_at": now}
        await tx.change("draw", draw, values, caller.actor.person or "token", row["version"], "result_notice")
        tx.wake(f"draw-{draw}")
        return now

    return await desk.store.write(work, now)


async def _fault(tx: Tx, row: Row, now: int) -> Refused | None:
    if row["dry_run"]:
        return Refused("exercise_without_notice", "notice")
    if now < row["evaluation_at"] or (await draws.state_of(tx, row)).phase is not Phase.CLOSED:
        return Refused("result_too_early", "notice")
    return None
