"""The papers of a draw: record (抽取记录表), notice of the result, sign-in sheet, pledges. Facts in, paper out; no clock, no storage.

The record has the fields that record forms of the field have: agency, place, project, time, method, conditions; of everybody who was drawn, also of
those who did not come, name, ID number, title, profession, telephone, whether they attend and why not; who drew, who supervised, with room to sign.
"""

from __future__ import annotations

from typing import Any

from drawing.draw import STATE_CODES
from drawing.events import FAIR
from server.printing.facts import Facts, Person
from server.printing.paper import Paper, digests, heading, listed, pairs, qr, table, words
from server.printing.texts import word
from server.texts import event_name
from server.workdays import local

KINDS = ("record", "result", "sign_in", "pledge", "publication")


def made(kind: str, facts: Facts, lang: str) -> Paper:
    """One of KINDS."""
    blocks = {"record": _record, "result": _result, "sign_in": _sign_in, "pledge": _pledge, "publication": _publication}[kind](facts, lang)
    foot = word("foot", lang, number=facts.number, attempt=facts.draw.attempt, at=_time(facts.ended_at))
    mark = word("exercise", lang) if facts.draw.dry_run else ""
    return Paper(word(kind, lang), lang, facts.ended_at, foot, facts.centre, tuple(blocks), mark, kind in ("record", "sign_in"))


def _time(unix: int) -> str:
    return local(unix).strftime("%Y-%m-%d %H:%M:%S") if unix else ""


def _record(facts: Facts, lang: str) -> list[dict[str, Any]]:
    def w(code: str, **values: object) -> str:
        return word(code, lang, **values)

    draw, project, pool = facts.draw, facts.section_of("project"), facts.section_of("pool")
    parties = facts.parties
    agency = w("comma").join(str(each["name"]) for each in parties if each["role"] == "agency")
    others = w("semicolon").join(str(each["name"]) for each in parties if each["role"] != "agency")
    terms = draw.terms
    chosen = any(slot.state == "appointed" for slot in draw.slots)
    blocks = [
        heading(w("project_part")),
        pairs(
            (w("number"), facts.number),
            (w("section"), facts.section),
            (w("name"), str(project.get("name", "")), "wide"),
            (w("agency"), agency),
            (w("centre"), facts.centre),
            (w("place"), facts.place),
            (w("regime"), w(facts.regime)),
            (w("parties"), others, "wide"),
            (w("budget"), str(project.get("budget_yuan", "") or "")),
            (w("responsible"), str(project.get("responsible", ""))),
            (w("pool"), str(pool.get("source", ""))),
            (w("ground"), str(pool.get("legal_ground", ""))),
            (w("applied_at"), _time(facts.applied_at)),
            (w("evaluation_at"), _time(facts.evaluation_at)),
            (w("began_at"), _time(facts.began_at)),
            (w("ended_at"), _time(facts.ended_at)),
            (w("method"), w("fair" if terms and terms.method == FAIR else "uniform")),
            (w("notified_by"), w("automatic")),
            (w("list_fixed_by"), w("drawn_and_chosen" if chosen else "drawn")),
            (w("rule"), f"{terms.rule_set.id} {terms.rule_set.version} · {terms.sampler}" if terms else ""),
        ),
    ]
    if terms is not None:
        blocks += _conditions(facts, lang)
    blocks += [heading(w("people_part")), _people(facts.people, lang), heading(w("acting_part")), _acting(facts, lang)]
    blocks += [heading(w("steps_part")), _steps(facts, lang), heading(w("proof_part")), digests(_digests(facts, lang))]
    blocks.append(qr(facts.address, w("scan")))
    if any(each.known for each in facts.people):
        blocks.append(words(w("secret_record")))
    return blocks


def _conditions(facts: Facts, lang: str) -> list[dict[str, Any]]:
    terms = facts.draw.terms
    assert terms is not None
    plan = terms.plan
    experts = sum(seat.count for seat in plan.seats)
    members = word("members_are", lang, total=experts + plan.representatives, experts=experts, representatives=plan.representatives)
    any_, rows = word("any", lang), []
    for number, seat in enumerate(plan.seats, 1):
        wanted = " / ".join(seat.professions) + (word("main_only", lang) if seat.main_only else "")
        rows.append([str(number), wanted, str(seat.count), str(seat.reserves), seat.site or any_])
    excluded = word("semicolon", lang).join(f"{each.rule} {each.count}" for each in terms.counts)
    areas = word("semicolon", lang).join(f"{site.id}: {' '.join(site.areas)}" for site in plan.sites)
    return [
        heading(word("conditions_part", lang)),
        pairs(
            (word("members", lang), members),
            (word("limit", lang), word("limit_is", lang, days=plan.recent_days, most=plan.recent_max)),
            (word("regions", lang), " ".join(plan.regions) or any_),
            (word("areas", lang), areas or any_),
            (word("excluded", lang), excluded),
            (word("small_pool", lang), word("yes" if terms.small_pool else "no", lang)),
        ),
        table([word(each, lang) for each in ("seat", "professions", "count", "reserves", "site")], rows, (0, 6, 1, 1, 2)),
    ]


def _people(people: tuple[Person, ...], lang: str) -> dict[str, Any]:
    sealed, rows = word("sealed", lang), []
    for each in people:
        many = word("round_told", lang, number=each.occupant) if each.occupant > 1 else ""
        title = each.title + (f"（{each.duty}）" if each.duty else "")
        rows.append(
            [
                str(each.slot + 1),
                str(each.seat + 1) + (f" {word('reserve', lang)}" if each.reserve else ""),
                *((each.name, each.id_number, each.employer, title) if each.known else (sealed, "", "", "")),
                " ".join(each.professions),
                each.phone,
                word(each.said, lang),
                word("no_answer", lang) if each.reason == "no_answer" else each.reason,
                many,
            ]
        )
    head = ("slot", "seat", "person", "id_number", "employer", "title", "speciality", "phone", "attends", "reason", "remark")
    return table([word(each, lang) for each in head], rows, (0, 0, 3, 6, 7, 4, 4, 4, 0, 4, 2))


def _acting(facts: Facts, lang: str) -> dict[str, Any]:
    signed = {each.key for _, event in facts.events for each in event.sigs}
    commit = facts.draw.commit
    given = [*sorted(signed), *(commit.contributors if commit else ())]
    rows = [[word("operator", lang), facts.centre, facts.operator, ""]]
    names = {"staff": "drawer", "supervisor": "supervisor", "contributor": "contributor"}
    for role, title in names.items():
        keys = [key for key in dict.fromkeys(given) if facts.roles.get(key) == role]
        rows += [[word(title, lang), f"{facts.bodies.get(key, '')}（{key}）", "", ""] for key in keys]
    return table([word(each, lang) for each in ("role", "unit", "who", "signature")], rows, (2, 5, 3, 3), 9)


def _steps(facts: Facts, lang: str) -> dict[str, Any]:
    rows = [
        [
            str(event.head.seq),
            event_name(event.type, lang),
            _time(event.head.at),
            word("comma", lang).join(each.key for each in event.sigs),
            str(index),
        ]
        for index, event in facts.events
    ]
    return table([word(each, lang) for each in ("slot", "step", "time", "signed_by", "index")], rows, (0, 4, 3, 5, 1), 3)


def _digests(facts: Facts, lang: str) -> list[tuple[str, str]]:
    draw, rows = facts.draw, [(word("chain", lang), facts.events[-1][1].leaf_hash.hex())]
    if draw.commits:
        rows.append((word("commit", lang), draw.commits[0].leaf_hash.hex()))
    if draw.terms is not None:
        rows += [(word("snapshot", lang), draw.terms.snapshot.root.hex()), (word("roll", lang), draw.terms.roll.root.hex())]
    if draw.seed:
        rows.append((word("seed", lang), draw.seed.hex()))
    return rows


def _result(facts: Facts, lang: str) -> list[dict[str, Any]]:
    project = facts.section_of("project")
    sitting = [each for each in facts.people if not each.reserve and each.said in ("accepted", "appointed")]
    head = [word(each, lang) for each in ("slot", "person", "employer", "title", "speciality")]
    rows = []
    for number, each in enumerate(sitting, 1):
        shown = (each.name, each.employer, each.title) if each.known else (word("sealed", lang), "", "")
        rows.append([str(number), *shown, " ".join(each.professions)])
    when = word(f"public_{facts.regime}", lang)
    return [
        words(word("result_to", lang, name=str(project.get("name", "")) or facts.number, number=facts.number)),
        pairs(
            (word("number", lang), facts.number),
            (word("section", lang), facts.section),
            (word("evaluation_at", lang), _time(facts.evaluation_at)),
            (word("ended_at", lang), _time(facts.ended_at)),
        ),
        table(head, rows, (0, 2, 5, 3, 3)),
        words(word("result_public", lang, when=when)),
        digests(_digests(facts, lang)[:1]),
        qr(facts.address, word("scan", lang)),
    ]


def _publication(facts: Facts, lang: str) -> list[dict[str, Any]]:
    """Names alone, as they go with a notice that must have them; who was chosen without a draw is marked (财库〔2016〕198号 第二十条)."""
    sitting = [each for each in facts.people if each.known and not each.reserve and each.said in ("accepted", "appointed")]
    rows = [[str(n), each.name, word("chosen_directly", lang) if each.said == "appointed" else ""] for n, each in enumerate(sitting, 1)]
    return [
        pairs(
            (word("number", lang), facts.number),
            (word("section", lang), facts.section),
            (word("name", lang), str(facts.section_of("project").get("name", "")), "wide"),
        ),
        table([word(each, lang) for each in ("slot", "person", "remark")], rows, (0, 3, 3)),
        words(word("publication_law", lang)),
    ]


def _sign_in(facts: Facts, lang: str) -> list[dict[str, Any]]:
    coming = [each for each in facts.people if each.known and not each.reserve and each.said in ("accepted", "appointed")]
    head = [word(each, lang) for each in ("slot", "person", "employer", "arrived", "identity", "devices", "signs", "remark")]
    rows = [[str(number), each.name, each.employer, "", "", "", "", ""] for number, each in enumerate(coming, 1)]
    return [
        pairs(
            (word("number", lang), facts.number),
            (word("evaluation_at", lang), _time(facts.evaluation_at)),
            (word("name", lang), str(facts.section_of("project").get("name", "")), "wide"),
        ),
        table(head, rows, (0, 2, 4, 2, 2, 2, 3, 2), 10),
        table(
            [word("role", lang), word("who", lang), word("signature", lang)],
            [[word(each, lang), "", ""] for each in ("host", "supervisor")],
            (2, 3, 3),
            10,
        ),
    ]


def _pledge(facts: Facts, lang: str) -> list[dict[str, Any]]:
    name = str(facts.section_of("project").get("name", ""))
    return [
        pairs(
            (word("number", lang), facts.number),
            (word("evaluation_at", lang), _time(facts.evaluation_at)),
            (word("name", lang), name, "wide"),
        ),
        words(word("pledge_1", lang)),
        listed([word(f"pledge_{each}", lang) for each in "abcdefgh"]),
        words(word("pledge_2", lang)),
        words(word("pledge_choice", lang)),
        words(word("pledge_sign", lang)),
    ]


assert set(STATE_CODES) == {"pending", "accepted", "left", "used", "appointed"}  # each has its word
