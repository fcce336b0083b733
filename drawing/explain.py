"""A report and a proof in words: for a supervisor without mathematics, in Chinese or English. No rule lives here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drawing.beacon import QUICKNET, Network, chain_hash
from drawing.days import SHANGHAI, date_of
from drawing.draw import Fault, Phase, Project, step
from drawing.events import (
    FAIR,
    Abandoned,
    Answers,
    Appointed,
    Beacon,
    Committed,
    Event,
    Extended,
    Replaced,
    Result,
    Screened,
    SteppedIn,
    Unsealed,
)
from drawing.keys import KeyChain
from drawing.proof import parse_proof
from drawing.report import LEVEL_OF, Report, Status
from drawing.texts import CHECK_TITLES, HEADLINES, REASONS, STATUS_WORDS, STORY, text_of


def _pick(pair: tuple[str, str], lang: str) -> str:
    return pair[0] if lang == "zh" else pair[1]


def fault_text(fault: Fault, lang: str) -> str:
    """One fault: where, and what is wrong."""
    return (f"{fault.place}: " if fault.place else "") + text_of(fault.code, dict(fault.params), lang)


def headline_lines(report: Report, lang: str) -> list[str]:
    """What a reader must know first."""
    return [_pick(HEADLINES[code], lang) for code in report.headlines]


def report_text(report: Report, lang: str) -> str:
    """The whole report for people."""
    lines = headline_lines(report, lang)
    passed = sum(each.status is Status.PASSED for each in report.outcomes)
    verdict = "failed" if report.failed else "skipped" if report.skipped or report.facts.get("dry_run") else "good"
    lines.append(_pick(STORY["verdict_" + verdict], lang).format(passed=passed, failed=len(report.failed), skipped=len(report.skipped)))
    if report.facts.get("key_list_digest"):
        lines.append(
            _pick(STORY["key_list"], lang).format(version=report.facts["key_list_version"], digest=_groups(report.facts["key_list_digest"]))
        )
    if report.facts.get("chances"):
        lines.append(_pick(STORY["chances"], lang).format(method=report.facts["method"], **report.facts["chances"]))
    if report.facts.get("fairness"):
        lines.append(_pick(STORY["fairness"], lang).format(**report.facts["fairness"]))
    beacon = report.facts.get("beacon", {})
    if beacon.get("network"):
        rounds = ", ".join(_round_text(each["round"], each["time"], lang) for each in beacon["rounds"])
        shown = {"kind": beacon["kind"], "name": beacon["name"], "network": beacon["network"][:16], "rounds": rounds}
        lines.append(_pick(STORY["beacon"], lang).format(**shown))
    lines.append("")
    for each in report.outcomes:
        reason = f" ({_pick(REASONS[each.reason], lang)})" if each.reason else ""
        lines.append(f"{each.check:3} {_pick(STATUS_WORDS[each.status.value], lang):8} {_pick(CHECK_TITLES[each.check], lang)}{reason}")
        lines += [f"      - {fault_text(fault, lang)}" for fault in (*each.faults, *each.flags)]
    if report.names:
        lines += ["", _pick(STORY["names"], lang)]
        lines += [f"  {slot}: {name}" for slot, name in report.names]
    return "\n".join(lines)


def report_json(report: Report, lang: str) -> dict[str, Any]:
    """The whole report for programs; texts in one language beside the stable codes."""
    return {
        "checks": [
            {
                "check": each.check,
                "faults": [{"code": f.code, "params": dict(f.params), "place": f.place, "text": fault_text(f, lang)} for f in each.faults],
                "flags": [{"code": f.code, "params": dict(f.params), "place": f.place, "text": fault_text(f, lang)} for f in each.flags],
                "level": LEVEL_OF[each.check],
                "reason": each.reason,
                "status": each.status.value,
            }
            for each in report.outcomes
        ],
        "exit_code": report.exit_code,
        "facts": report.facts,
        "failed": list(report.failed),
        "headlines": [{"code": code, "text": _pick(HEADLINES[code], lang)} for code in report.headlines],
        "names": [{"name": name, "slot": slot} for slot, name in report.names],
        "skipped": list(report.skipped),
    }


def _groups(digest: str) -> str:
    return " ".join(digest[n : n + 8] for n in range(0, len(digest), 8))


def clock(unix: int) -> str:
    """A moment as `2026-12-01 09:30` of Asia/Shanghai."""
    minutes = (unix + SHANGHAI) % 86_400 // 60
    return f"{date_of(unix)} {minutes // 60:02d}:{minutes % 60:02d}"


def _round_text(number: int, moment: int, lang: str) -> str:
    return _pick(STORY["beacon_round"], lang).format(round=number, time=clock(moment)) if moment else str(number)


def explain(data: bytes, lang: str, keys: KeyChain | None = None) -> list[str]:
    """The story of a proof, step by step. It says what happened, not whether it is true: that is `verify`. Raises Refused for no proof.

    With a key list the story also knows when the rounds of a pinned beacon network are due.
    """
    proof = parse_proof(data)
    project = Project()
    networks = {
        chain_hash(QUICKNET): QUICKNET,
        **{key: each for lists in (keys.lists if keys else ()) for key, each in lists.by_chain.items()},
    }
    lines = [_pick(STORY["begin"], lang).format(events=len(proof.events), origin=proof.origin)]
    for number, logged in enumerate(proof.events, 1):
        project, faults = step(project, logged.event)
        moment = clock(logged.event.head.at)
        lines.append(f"{number}. {moment}  {_story(logged.event, lang)}{_beacon_story(logged.event, project.draw.beacon, networks, lang)}")
        lines += [f"   ! {fault_text(fault, lang)}" for fault in faults]
    ended = project.draw.phase in (Phase.CLOSED, Phase.ABANDONED)
    lines.append(_pick(STORY["end_closed" if ended else "end_open"], lang).format(attempts=len(project.attempts)))
    lines.append(_pick(STORY["verify_it"], lang))
    return lines


def _beacon_story(event: Event, beacon: Beacon | None, networks: Mapping[bytes, Network], lang: str) -> str:
    """Which beacon round a commit, or an event that leaves a slot open, names."""
    lots = beacon.round if beacon is not None and isinstance(event.body, Committed) else getattr(event.body, "lots", None)
    if beacon is None or lots is None:
        return ""
    network = networks.get(beacon.network)
    rounds = _round_text(lots, network.time_of(lots) if network else 0, lang)
    key = "beacon_committed" if isinstance(event.body, Committed) else "beacon_named"
    shown = {"kind": beacon.kind, "name": network.name if network else "", "network": beacon.network.hex()[:16], "rounds": rounds}
    return ("" if lang == "zh" else " ") + _pick(STORY[key], lang).format(**shown)


def _slots(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _story(event: Event, lang: str) -> str:
    body = event.body
    values: dict[str, Any] = {"attempt": event.head.attempt, "signers": ", ".join(each.key for each in event.sigs)}
    match body:
        case Committed():
            terms = body.terms
            values |= {
                "contributors": len(body.contributors),
                "not_before": clock(body.unsealing.not_before),
                "sampler": terms.sampler,
                "seats": sum(seat.count for seat in terms.plan.seats),
                "size": terms.snapshot.size,
                "threshold": body.unsealing.threshold,
                "total": _large(terms.total, lang),
            }
        case Extended():
            values |= {"slots": _slots(body.open), "total": _large(body.terms.total, lang)}
        case Result():
            values |= {"count": len(body.placed), "seed": body.seed.hex()[:16]}
        case Replaced():
            values |= {"round": body.round, "seed": body.seed.hex()[:16], "slots": _slots([each.slot for each in body.placed])}
        case Answers():
            values |= {
                "accepted": sum(each.state == "accepted" for each in body.answers),
                "left": _slots([each.slot for each in body.answers if each.state == "left"]) or "-",
            }
        case SteppedIn():
            values |= {"slots": _slots([move.slot for move in body.moves])}
        case Screened():
            values |= {"slots": _slots(body.slots) or "-"}
        case Unsealed():
            values |= {"slots": _slots(body.slots)}
        case Appointed():
            values |= {"ground": body.ground, "place": body.place}
        case Abandoned():
            values |= {"reason": body.reason}
        case _:
            values |= {"key": getattr(body, "key", ""), "scope": getattr(body, "scope", ""), "count": len(getattr(body, "notices", ()))}
    key = (
        f"{event.type}_{body.kind}"
        if isinstance(body, Appointed)
        else f"{event.type}_{values['scope']}"
        if event.type == "attested"
        else "committed_fair"
        if isinstance(body, Committed) and body.terms.method == FAIR
        else event.type
    )
    prefix = _pick(STORY["dry_run"], lang) if event.head.dry_run else ""
    return prefix + _pick(STORY[key], lang).format(**values)


def _large(number: int, lang: str) -> str:
    """A large natural in words: 12 345, or about 1.2 x 10^25."""
    text = str(number)
    if len(text) <= 9:
        return f"{number:,}"
    about = "约 " if lang == "zh" else "about "
    return f"{about}{text[0]}.{text[1]} x 10^{len(text) - 1}"
