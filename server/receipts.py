"""An expert's receipt, cut by a supervisor out of the openings of a closed draw (docs/spec/draw.md 7)."""

from __future__ import annotations

import json

from drawing.canonical import loads
from drawing.conflict import Case
from drawing.draw import Draw, Phase, step
from drawing.draw import Project as DrawnProject
from drawing.errors import Refused
from drawing.events import Answers
from drawing.fair import Type, numerators
from drawing.lots import first_need
from drawing.merkle import Tree
from drawing.openings import Openings
from drawing.pool import assemble, decision_json, label_of, tag_of
from drawing.proof import Proof
from drawing.receipt import OwnAnswer, OwnRow, Receipt
from drawing.roll import Roll, chance_leaf, parse_roll_file
from drawing.verify_private import question_of
from server.material import blind_many


def last_draw(proof: Proof) -> Draw:
    """The last attempt of a proof."""
    project = DrawnProject()
    for logged in proof.events:
        project, _ = step(project, logged.event)
    return project.draw


def make_receipt(proof: Proof, openings: Openings, roll_data: bytes, id_number: str) -> Receipt:
    """The receipt of one expert. Raises Refused before `closed`, and where nobody has this number."""
    draw = last_draw(proof)
    if draw.phase is not Phase.CLOSED or draw.commit is None or draw.terms is None or not openings.draw_secret:
        raise Refused("receipt_before_closed", "receipt")
    if len(draw.commits) != 1:
        raise Refused("receipt_of_extended_draw", "receipt")
    terms = draw.terms
    place = next((n for n, entry in enumerate(openings.entries) if entry.record and _number(entry.record) == id_number), None)
    if place is None:
        raise Refused("no_such_expert", "receipt")
    case = Case.parse(openings.rule_set, openings.declarations)
    pool = assemble(
        list(blind_many(openings.entries, openings.snapshot_id, case, question_of(terms, draw.commit.evaluation_at))),
        draw_secret=openings.draw_secret,
        in_order=True,
    )
    entry, fate = openings.entries[place], pool.fates[place]
    tag = tag_of(openings.draw_secret, label_of(entry.key, openings.snapshot_id))
    numbers = {kind: n for n, kind in enumerate(pool.types)}
    eligible = isinstance(fate, Type)
    decision = decision_json(numbers[fate], ()) if isinstance(fate, Type) else decision_json(None, fate or ())
    roll = next(each for each in parse_roll_file(roll_data) if isinstance(each, Roll))
    return Receipt(
        answers=tuple(_answers(draw, openings, tag)) if eligible else (),
        attempt=draw.attempt,
        decision=decision,
        decision_path=tuple(Tree(pool.decisions).inclusion(place)),
        index=place,
        key=entry.key,
        project=proof.events[0].event.head.project,
        record=entry.record,
        row=(_own_row(roll, draw, tag),) if eligible else (),
        snapshot_path=tuple(Tree(pool.leaves).inclusion(place)),
    )


def _number(record: bytes) -> str:
    return str(json.loads(record)["id_number"])


def _own_row(roll: Roll, draw: Draw, tag: bytes) -> OwnRow:
    assert draw.terms is not None
    index = roll.place_of[tag]
    chances = numerators(roll.field, first_need(roll, draw.terms.plan))
    leaves = [chance_leaf(each, number) for each, number in zip(roll.tags, chances, strict=True)]
    return OwnRow(
        chance=chances[index],
        chance_path=tuple(Tree(leaves).inclusion(index)),
        head=roll.head,
        index=index,
        path=tuple(Tree(roll.row_leaves).inclusion(index)),
        row=roll.rows[58 * index : 58 * index + 58],
    )


def _answers(draw: Draw, openings: Openings, tag: bytes) -> list[OwnAnswer]:
    private = {(each.seq, each.slot): each for each in openings.private}
    own = []
    for event, slots in draw.answered:
        if isinstance(event.body, Answers):
            for answer in event.body.answers:
                if slots[answer.slot].tag == tag:
                    each = private[event.head.seq, answer.slot]
                    loads(each.content, place="answer", text=True)
                    own.append(OwnAnswer(each.content, each.salt, each.seq, each.slot))
    return own
