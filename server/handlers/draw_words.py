"""Words of draws: phases, events, what is waited for, drafts. Texts are marked here and said in the reader's language where they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from drawing.draw import Phase
from server.handlers.i18n import N_
from server.handlers.views import Tone

PHASES: Mapping[Phase, tuple[str, Tone]] = {
    Phase.NEW: (N_("being prepared"), Tone.PART),
    Phase.OPENED: (N_("being attested"), Tone.PART),
    Phase.ATTESTED: (N_("being attested"), Tone.PART),
    Phase.COMMITTED: (N_("committed"), Tone.PART),
    Phase.READY: (N_("lots fall"), Tone.PART),
    Phase.SEATED: (N_("drawn"), Tone.GOOD),
    Phase.OPEN: (N_("being completed"), Tone.WARN),
    Phase.DRAWING: (N_("being completed"), Tone.WARN),
    Phase.REDRAW: (N_("being completed"), Tone.WARN),
    Phase.WIDENING: (N_("wider terms"), Tone.WARN),
    Phase.WIDENED: (N_("wider terms"), Tone.WARN),
    Phase.STOPPED: (N_("stopped"), Tone.BAD),
    Phase.CLOSED: (N_("closed"), Tone.GOOD),
    Phase.ABANDONED: (N_("given up"), Tone.QUIET),
}
STATES: Mapping[str, tuple[str, frozenset[Phase]]] = {
    "running": (N_("Running"), frozenset(Phase) - {Phase.CLOSED, Phase.ABANDONED}),
    "closed": (N_("Closed"), frozenset({Phase.CLOSED})),
    "abandoned": (N_("Given up"), frozenset({Phase.ABANDONED})),
}
STEPS: Mapping[str, str] = {
    "preparing": N_("Prepare"),
    "attestation": N_("Attest"),
    "commit": N_("Commit"),
    "contributions": N_("Contribute"),
    "answers": N_("Answers"),
    "check": N_("Check"),
    "unsealing": N_("Unseal"),
    "closed": N_("Close the file"),
}
DUE: Mapping[str, tuple[str, str]] = {
    "preparing": (N_("The library is read and screened"), N_("Nothing is to be done; this page moves on by itself.")),
    "failed": (N_("The preparation failed"), N_("Put right what is said below, then let it begin again.")),
    "to_open": (N_("Everything is prepared"), N_("Go on: the draw is opened in the log, and supervisors check it.")),
    "attest": (
        N_("Two supervisors check everything again"),
        N_("Each with a sealed file that only they can open. Missing: %(names)s."),
    ),
    "ask": (N_("The next step needs approval"), N_("Look at the terms, then ask for approval.")),
    "approve": (
        N_("The next step waits for approval"),
        N_("Two people of different roles approve it in the inbox with their passkeys."),
    ),
    "sign": (
        N_("A supervisor's signature is due"),
        N_("A supervisor signs with a key that this service does not have. Missing: %(names)s."),
    ),
    "go_on": (N_("Everybody has done their part"), N_("Go on: the step goes into the log.")),
    "contribute": (
        N_("Contributors make the chance"),
        N_("Nobody knows the result before the last contribution. Missing: %(names)s."),
    ),
    "lots": (N_("The lots fall"), N_("The result follows from what is committed; nobody can choose any more.")),
    "notify": (N_("Those drawn are told"), N_("Messages go out without project or party.")),
    "answers": (
        N_("Those drawn answer"),
        N_("Who does not answer in time counts as not coming; others are drawn at the end of the window."),
    ),
    "check": (
        N_("A supervisor draws again by themselves"),
        N_("With the roll that was sealed to them before the lots fell, and signs that the result is the same."),
    ),
    "sealed": (N_("The names stay sealed"), N_("They can be opened from the committed moment on, by supervisors together.")),
    "stopped": (N_("A supervisor stopped the draw"), N_("It goes on when a supervisor's key ends the stop, or it is given up.")),
    "closed": (N_("The draw is closed"), N_("Its proof can be checked by anybody.")),
    "abandoned": (N_("This attempt was given up"), N_("It stays in the log and shows in every later proof of the project.")),
}
WHO: Mapping[str, str] = {
    "service": N_("the service itself"),
    "staff": N_("the centre"),
    "operator": N_("the service itself"),
    "authority": N_("the authority"),
    "draw_clerk": N_("a draw clerk"),
    "approver": N_("an approver and a supervisor"),
    "supervisor": N_("a supervisor"),
    "contributor": N_("contributors"),
    "experts": N_("the experts"),
    "time": N_("nobody before that time"),
    "": N_("nobody"),
}
EVENTS: Mapping[str, str] = {
    "opened": N_("Draw opened"),
    "attested": N_("Checked by a supervisor"),
    "committed": N_("Everything fixed"),
    "contributed": N_("Contribution"),
    "result": N_("Result"),
    "notified": N_("Those drawn told"),
    "answers": N_("Answers"),
    "stepped_in": N_("Reserve steps in"),
    "round_contributed": N_("Contribution to a replacement"),
    "replaced": N_("Replacement drawn"),
    "screened": N_("Compared with a sealed bidder list"),
    "extended": N_("Wider terms"),
    "appointed": N_("Direct choice"),
    "checked": N_("Drawn again by a supervisor"),
    "unsealed": N_("Names opened"),
    "closed": N_("Closed"),
    "abandoned": N_("Given up"),
    "stopped": N_("Stopped"),
    "resumed": N_("Stop ended"),
    "erased": N_("Private parts erased"),
}
DRAFTS: Mapping[str, str] = {
    "committed": N_("Fix everything before the lots"),
    "extended": N_("Wider terms for open seats"),
    "unsealed": N_("Open the names"),
    "closed": N_("Close the draw"),
    "abandoned": N_("Give this attempt up"),
}
ASKED: Mapping[str, tuple[str, Tone]] = {
    "none": (N_("approval not asked for"), Tone.WARN),
    "open": (N_("waits for approval"), Tone.PART),
    "given": (N_("approved"), Tone.GOOD),
}
SCOPES: Mapping[str, str] = {"openings": N_("the one with the openings"), "roll": N_("the one with the roll")}
METHODS: Mapping[str, str] = {
    "uniform/1": N_("Every lawful panel has the same chance"),
    "fair/1": N_("Chances of single people as even as the rules allow"),
}
POOL: Mapping[str, str] = {  # rules of the plan itself (docs/spec/draw.md 2.3)
    "P1": N_("Holds no profession that a seat asks for, or lives at no site that has one"),
    "P2": N_("Outside the regions of the request"),
}
REASONS: Mapping[str, str] = {
    "incomplete": N_("The committee cannot be completed"),
    "cancelled": N_("The evaluation does not take place"),
}
TITLES: Mapping[str, str] = {  # of approvals
    "draw.start": N_("Draw of project %(number)s: fix everything before the lots"),
    "draw.widen": N_("Draw of project %(number)s: wider terms for open seats"),
    "draw.release": N_("Draw of project %(number)s: open the names"),
    "draw.cancel": N_("Draw of project %(number)s: give attempt %(attempt)s up"),
}
