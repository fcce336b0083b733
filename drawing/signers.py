"""Who signs which event (docs/spec/draw.md 3): a table, and what a single event adds to it. Signatures themselves are checked in `drawing.verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drawing.draw import Draw
from drawing.events import TYPE_OF, Abandoned, Answers, Attested, Body, Unsealed


@dataclass(frozen=True, slots=True)
class Signers:
    """At least `least` different keys of one of `roles`."""

    roles: frozenset[str]
    least: int = 1


def _by(*roles: str, least: int = 1) -> Signers:
    return Signers(frozenset(roles), least)


SIGNERS: Mapping[str, tuple[Signers, ...]] = {
    "opened": (_by("staff"),),
    "attested": (_by("supervisor"),),
    "committed": (_by("staff"), _by("supervisor")),
    "contributed": (_by("operator"),),
    "round_contributed": (_by("operator"),),
    "result": (_by("operator", "supervisor"),),
    "checked": (_by("supervisor"),),
    "notified": (_by("operator", "gateway"),),
    "answers": (_by("operator"),),
    "stepped_in": (_by("operator", "supervisor"),),
    "replaced": (_by("operator", "supervisor"),),
    "screened": (_by("operator"), _by("supervisor")),
    "extended": (_by("staff"), _by("supervisor")),
    "appointed": (_by("staff"), _by("supervisor")),
    "unsealed": (_by("supervisor"),),
    "closed": (_by("staff"), _by("supervisor")),
    "abandoned": (_by("staff"), _by("supervisor")),
    "stopped": (_by("supervisor", "authority"),),
    "resumed": (_by("supervisor", "authority"),),
    "erased": (_by("staff"), _by("supervisor")),
}


def signers_of(draw: Draw, body: Body) -> tuple[Signers, ...]:
    """Whose signatures an event needs, given the draw before it."""
    needs = SIGNERS[TYPE_OF[type(body)]]
    if isinstance(body, Answers) and any(each.evidence == "two_persons" for each in body.answers):
        return (*needs, _by("staff", "supervisor", least=2))
    if isinstance(body, Unsealed) and draw.commit is not None:
        return (_by("supervisor", least=draw.commit.unsealing.threshold),)
    if isinstance(body, Abandoned) and body.reason == "order":
        return (*needs, _by("authority"))
    return needs


def openings_attesters(draw: Draw) -> frozenset[str]:
    """The keys of the supervisors who attested with the openings, for the commit or an extension."""
    return _attesters(draw, "openings")


def bodies_with_both(draw: Draw, body_of: Mapping[str, str]) -> frozenset[str]:
    """The bodies that attested with the openings and with the roll in one attempt: together these name everybody who is drawn (draw.md 7.3)."""
    with_openings, with_roll = ({body_of[key] for key in _attesters(draw, scope) if key in body_of} for scope in ("openings", "roll"))
    return frozenset(with_openings & with_roll)


def _attesters(draw: Draw, scope: str) -> frozenset[str]:
    events = (event for each in (*draw.attestations, draw.attested) for event in each)
    return frozenset(
        sig.key for event in events if isinstance(event.body, Attested) and event.body.scope == scope for sig in event.sigs[:1]
    )


def roll_attester(draw: Draw) -> frozenset[str]:
    """The keys of the supervisor who attested with the roll: that one re-runs the selection and signs `checked`."""
    latest = draw.attestations[-1] if draw.attestations else ()
    return frozenset(sig.key for each in latest if isinstance(each.body, Attested) and each.body.scope == "roll" for sig in each.sigs)
