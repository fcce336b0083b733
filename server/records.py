"""What a finished (or open) ceremony leaves in its folder: proof, key list, roll, sealed openings, and the draw record for staff."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drawing.canonical import loads
from drawing.draw import Draw, Phase
from drawing.errors import Refused
from drawing.model import shape_of
from drawing.openings import write_openings
from drawing.pool import label_of, tag_of
from drawing.proof import Monitored, proof_bytes
from drawing.report import Report
from drawing.sealed import seal
from drawing.signers import openings_attesters
from drawing.verify import Files, verify
from server.book import build_proof
from server.ceremony import Ceremony
from server.files import read_bounded, write_whole
from server.material import Material
from server.workdays import local


def write_results(ceremony: Ceremony, draw: Draw) -> Report:
    """Write all result files and return the report over them. Raises Refused where the proof does not verify: then it does not leave."""
    folder = ceremony.folder
    proof = proof_bytes(build_proof(ceremony.book, read_monitors(folder / "monitors")))
    roll = ceremony.roll_file(draw) if draw.commits else None
    keys = read_bounded(folder / "keys.json", 4 << 20)
    report = verify(Files(proof, keys, roll))
    if report.failed:
        first = report.outcome(report.failed[0]).faults[0]
        raise Refused("own_proof_fails", first.place, check=first.check, why=first.code)
    write_whole(folder / "proof.json", proof)
    if roll is not None:
        write_whole(folder / "roll.bin", roll, mode=0o600)
        _write_openings(ceremony, draw)
    write_whole(
        folder / "record.json",
        json.dumps(draw_record(ceremony, draw), ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n",
        mode=0o600,
    )
    return report


def read_monitors(folder: Path) -> list[Monitored]:
    """The statements that monitors sent, in files. Raises Refused for a file that is none."""
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        value = loads(read_bounded(path, 65_535).removesuffix(b"\n"), place=path.name)
        found.append(shape_of(Monitored).read(value, path.name))
    return found


def _write_openings(ceremony: Ceremony, draw: Draw) -> None:
    """Sealed to the supervisors after `closed`, with the draw's secret inside; before it to whoever attested with them, and to nobody else:
    openings and roll together name the drawn, and another supervisor has the roll.
    """
    closed = draw.phase is Phase.CLOSED
    openings = ceremony.material.openings(
        ceremony.book.tag, draw.attempt, with_draw_secret=closed, private=tuple(ceremony.private_answers(draw))
    )
    attested = openings_attesters(draw)
    readers = {key.name: key.box_public for key in ceremony.keys.of("supervisor") if closed or key.name in attested}
    # A file that is sealed twice with one key would show what changed between the two: the key depends on the state.
    key = ceremony.secret.of("openings-key", draw.phase.value.encode(), len(draw.answered).to_bytes(4, "big"))
    write_whole(ceremony.folder / "openings.sealed", seal(write_openings(openings), readers, key), mode=0o600)


def draw_record(ceremony: Ceremony, draw: Draw) -> dict[str, Any]:
    """The draw record (抽取记录表): conditions, who did what, slots; names only of those whose slots are unsealed."""
    request = ceremony.request
    names = _names(ceremony.material, draw) if draw.unsealed else {}
    slots = []
    for number, slot in enumerate(draw.slots):
        shown = slot.unsealed and slot.tag in names
        slots.append(
            {
                "slot": number,
                "seat": slot.seat,
                "reserve": slot.reserve,
                "state": slot.state,
                "people_so_far": len(slot.tags),
                **(names[slot.tag] if shown else {}),
            }
        )
    terms = draw.terms
    return {
        "project": {"number": request.number, "name": request.values["project"]["name"], "section": request.section},
        "regime": request.regime,
        "pool": dict(request.values["pool"]),
        "responsible": request.values["project"]["responsible"],
        "evaluation": local(request.evaluation_at).isoformat(),
        "attempt": draw.attempt,
        "dry_run": draw.dry_run,
        "phase": draw.phase.value,
        "plan": request.plan(),
        "method": terms.method if terms else "",
        "beacon": _beacon(ceremony, draw),
        "sampler": terms.sampler if terms else "",
        "lawful_panels": str(terms.total) if terms else "",
        "small_pool": terms.small_pool if terms else False,
        "excluded_per_rule": {each.rule: each.count for each in terms.counts} if terms else {},
        "slots": slots,
        "steps": [
            {"seq": event.head.seq, "type": event.type, "time": local(event.head.at).isoformat(), "signed_by": [s.key for s in event.sigs]}
            for _, event in ceremony.book.events
            if event.head.attempt == draw.attempt
        ],
    }


def _beacon(ceremony: Ceremony, draw: Draw) -> dict[str, Any]:
    """What the lots rest on, with the local times of the rounds."""
    if draw.beacon is None:
        return {"kind": "none"} if draw.commits else {}
    network = ceremony.key_list.by_chain[draw.beacon.network]
    rounds = [{"round": stage.lots, "time": local(network.time_of(stage.lots)).isoformat()} for stage in draw.stages if stage.lots]
    return {"kind": draw.beacon.kind, "network": network.name, "chain_hash": draw.beacon.network.hex(), "rounds": rounds}


def _names(material: Material, draw: Draw) -> Mapping[bytes, dict[str, Any]]:
    """Tag -> what the record shows of those who sit."""
    wanted = {slot.tag for slot in draw.slots if slot.tag and slot.unsealed}
    secret = material.secret.of("draw-secret")
    found = {}
    for entry in material.entries:
        if entry.record:
            tag = tag_of(secret, label_of(entry.key, material.snapshot_id))
            if tag in wanted:
                record = json.loads(entry.record)
                found[tag] = {
                    "name": record["name"],
                    "employer": record["employer"]["name"],
                    "phone": record["phone"],
                    "title": record["title"],
                }
    return found
