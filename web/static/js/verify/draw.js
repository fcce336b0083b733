/**
 * The state of a draw (docs/spec/draw.md 4): one table of what may follow what, one step per event.
 *
 * A step names every fault and goes on: an event that the table lists takes effect even with a guard broken; one that it does not list
 * changes nothing but the chain, the time and the contributor's count. Guards that compare a draw with its successor are in terms.js,
 * those that compute randomness in stages.js.
 */

import { hex, same } from "./bytes.js";
import { isToAnswer, isToNotify, isToUnseal, judgeAbandoned, judgeAttestations, judgeClosed, judgeCommit, judgeContribution,
  judgeExtension, judgeItems, judgeNamedRound, judgeParties, judgeReplaced, judgeResult, judgeScreened, judgeSteppedIn, judgeUnsealed } from "./guards.js";
import { statesBytes } from "./seed.js";
import { isMove, isOpen, moved, occupant } from "./slots.js";

/** @typedef {import("./events.js").Event} Event */
/** @typedef {"new"|"opened"|"attested"|"committed"|"ready"|"seated"|"open"|"drawing"|"redraw"|"widening"|"widened"|"stopped"|"closed"|"abandoned"} Phase */
/** @typedef {import("./slots.js").Slot} Slot */
/** @typedef {{event: Event, key: string, draft: Uint8Array, histogram: Uint8Array, scope: string}} Attestation */
/**
 * Randomness being gathered: for the panel, an extension or a round.
 * @typedef {object} Stage
 * @property {"panel"|"extension"|"round"} kind
 * @property {Event} cause commit, extension or the event that began the round
 * @property {Uint8Array} leaf
 * @property {import("./seed.js").Round | null} round
 * @property {string[]} expected
 * @property {{name: string, pk: Uint8Array, pi: Uint8Array, event: Event}[]} given
 * @property {number | null} lots the beacon round that the lots fall on, if one was named
 * @property {Event | null} outcome
 */
/**
 * What a later check needs of one moment: the slots before an event, with the event.
 * @typedef {{event: Event, slots: Slot[], gone: Set<string>, terms: number, stage: Stage["kind"] | undefined}} Moment
 */

/** @type {Record<Phase, string[]>} */
export const NEXT = {
  new: ["opened"],
  opened: ["abandoned", "attested"],
  attested: ["abandoned", "attested", "committed"],
  committed: ["abandoned", "contributed", "screened", "stopped"],
  ready: ["result", "stopped"],
  seated: ["abandoned", "answers", "appointed", "checked", "closed", "notified", "screened", "stopped", "unsealed"],
  open: ["abandoned", "appointed", "attested", "replaced", "round_contributed", "screened", "stepped_in", "stopped"],
  drawing: ["abandoned", "round_contributed", "stopped"],
  redraw: ["abandoned", "replaced", "stopped"],
  widening: ["abandoned", "attested", "extended", "stopped"],
  widened: ["abandoned", "contributed", "stopped"],
  stopped: ["abandoned", "resumed"],
  closed: ["erased", "opened"],
  abandoned: ["erased", "opened"],
};

/** One attempt. */
export class Draw {
  /** @param {number} attempt @param {Event | null} opened */
  constructor(attempt, opened) {
    this.attempt = attempt;
    this.opened = opened;
    /** @type {Phase} */
    this.phase = "new";
    /** @type {Phase} */
    this.phaseBefore = "new";
    /** @type {Attestation[]} since the last commit or extension */
    this.attestations = [];
    /** @type {Attestation[][]} those that each commit or extension rests on */
    this.attestedFor = [];
    /** @type {Event[]} the commit, then extensions */
    this.commits = [];
    /** @type {Stage[]} */
    this.stages = [];
    /** @type {Slot[]} */
    this.slots = [];
    this.round = 0;
    this.checked = false;
    /** @type {Uint8Array} of the panel or the latest extension */
    this.seed = new Uint8Array(32);
    /** @type {Set<string>} tags in hex that answers and screenings sent away */
    this.gone = new Set();
    /** @type {Set<number>} */
    this.representatives = new Set();
    /** @type {Event[]} */
    this.screenings = [];
    /** @type {Moment[]} */
    this.moments = [];
    /** @type {{event: Event, sat: string[]}[]} each batch of answers, with who sat in each slot before it: tags in hex, "" for nobody */
    this.answered = [];
    /** @type {{event: Event, sat: string[]}[]} each screening after the result likewise */
    this.hits = [];
    /** @type {Event | null} */
    this.firstUnsealed = null;
    /** @type {Event | null} */
    this.ended = null;
    /** @type {{event: Event, check: string, code: string, params: Record<string, unknown>}[]} */
    this.flags = [];
  }

  get commit() {
    return this.commits[0]?.body;
  }

  /** @returns {import("./events.js").Terms} the terms in force */
  get terms() {
    return this.commits[this.commits.length - 1]?.body.terms;
  }

  get openSlots() {
    return this.slots.flatMap((slot, n) => (isOpen(slot) ? [n] : []));
  }

  /** Who sits in each slot: tags in hex, "" for nobody. @returns {string[]} */
  get occupants() {
    return this.slots.map((slot) => hex(occupant(slot) ?? new Uint8Array(0)));
  }

  /** What a later check needs of the moment before this event. @param {Event} event */
  remember(event) {
    this.moments.push({
      event, slots: this.slots.map((slot) => ({ ...slot, tags: [...slot.tags] })), gone: new Set(this.gone), terms: this.commits.length - 1,
      stage: this.stages[this.stages.length - 1]?.kind,
    });
  }
}

/** All attempts of one project. */
export class Project {
  constructor() {
    this.events = 0;
    this.at = 0;
    /** @type {Uint8Array} leaf hash of the last event */
    this.head = new Uint8Array(32);
    /** @type {Uint8Array | null} */
    this.tag = null;
    this.cancelled = false;
    /** @type {Map<string, number>} */
    this.contributions = new Map();
    /** @type {Draw[]} */
    this.attempts = [];
    this.none = new Draw(0, null);
  }

  get draw() {
    return this.attempts[this.attempts.length - 1] ?? this.none;
  }
}

/** @typedef {(check: string, code: string, params?: Record<string, unknown>) => void} Fault */

/** Take one event. @param {Project} project @param {Event} event @param {Fault} fault */
export function step(project, event, fault) {
  const draw = project.draw;
  const listed = NEXT[draw.phase].includes(event.type);
  const ended = draw.phase === "closed" || draw.phase === "abandoned" || draw.phase === "new";
  const attempt = event.type === "opened" && ended ? draw.attempt + 1 : draw.attempt;
  if (event.seq !== project.events || !same(event.prev, project.head)) fault("C2", "chain_broken", { expected: project.events });
  if (project.tag && !same(event.project, project.tag)) fault("C2", "other_project");
  if (event.attempt !== attempt) fault("C2", "attempt_not_counted", { expected: attempt });
  if (event.at < project.at) fault("C4", "time_goes_back");
  if (draw.opened && event.type !== "opened" && event.dry_run !== draw.opened.dry_run) fault("C1", "dry_run_mixed");
  if (!listed) fault("C1", "not_next", { phase: draw.phase, type: event.type });
  if (event.type === "contributed") {
    const nth = (project.contributions.get(event.body.key) ?? 0) + 1;
    project.contributions.set(event.body.key, nth);
    if (event.body.nth !== nth) fault("C5", "hidden_contribution", { key: event.body.key, nth: event.body.nth, seen: nth });
  }
  if (listed) EFFECTS[event.type](project, event, fault);
  project.events++;
  project.at = Math.max(project.at, event.at);
  project.head = event.hash;
  project.tag ??= event.project;
}

/** @param {Draw} draw */
function openOrSeated(draw) {
  draw.phase = draw.openSlots.length ? "open" : "seated";
}

/** @param {Draw} draw @param {Stage["kind"]} kind @param {Event} cause @param {string[]} expected @param {number} [lots] */
function beginStage(draw, kind, cause, expected, lots) {
  const leaf = draw.commits[draw.commits.length - 1].hash;
  const round = kind === "round" ? { number: draw.round, states: statesBytes(draw.slots) } : null;
  draw.stages.push({ kind, cause, leaf, round, expected, given: [], lots: lots ?? null, outcome: null });
}

/** With a beacon the event that leaves slots open begins the round, with the states right after it. @param {Draw} draw @param {Event} event @param {Fault} fault */
function nameRound(draw, event, fault) {
  judgeNamedRound(draw, event, fault);
  if (hasBeacon(draw) && draw.openSlots.length) beginStage(draw, "round", event, [], event.body.lots);
}

/** @param {Draw} draw */
function hasBeacon(draw) {
  return draw.commit.beacon.kind !== "none";
}

/** @param {Draw} draw */
function stageOf(draw) {
  return draw.stages[draw.stages.length - 1];
}

/** Whether there are as many contributions as expected. @param {Stage} stage */
export function complete(stage) {
  return stage.given.length >= stage.expected.length;
}

/** @param {Draw} draw @param {Event} event */
function give(draw, event) {
  const { key, pk, pi } = event.body;
  stageOf(draw).given.push({ name: key, pk, pi, event });
}

/** What a commit or an extension fixes. @param {Draw} draw @param {Event} event @param {Fault} fault */
function fix(draw, event, fault) {
  judgeAttestations(draw, event, fault);
  judgeCommit(event.body.terms, fault);
  draw.attestedFor.push(draw.attestations);
  draw.attestations = [];
  draw.commits.push(event);
}

/** Of two people for one slot the later one comes into it. @param {Draw} draw @param {{slot: number, tag: Uint8Array}[]} placed */
function seatPeople(draw, placed) {
  for (const [number, tag] of new Map(placed.map((each) => [each.slot, each.tag]))) {
    const slot = draw.slots[number];
    if (slot) Object.assign(slot, { tags: [...slot.tags, tag], state: "pending", notified: false, unsealed: false });
  }
}

/** @param {Draw} draw @param {number} number of a slot with an occupant */
function leave(draw, number) {
  const slot = draw.slots[number];
  draw.gone.add(hex(/** @type {Uint8Array} */ (occupant(slot))));
  slot.state = "left";
}

/** @type {Record<string, (project: Project, event: Event, fault: Fault) => void>} */
const EFFECTS = {
  opened(project, event, fault) {
    if (project.cancelled) fault("C1", "cancelled_notice");
    const draw = new Draw(event.attempt, event);
    draw.phase = "opened";
    project.attempts.push(draw);
  },
  attested({ draw }, event, fault) {
    const { scope, draft, histogram } = event.body;
    if (draw.attestations.some((each) => each.scope === scope)) fault("V1", "attested_twice", { scope });
    draw.attestations.push({ event, key: event.sigs[0]?.key ?? "", draft, histogram, scope });
    draw.phase = draw.commits.length ? "widening" : "attested";
  },
  committed({ draw }, event, fault) {
    fix(draw, event, fault);
    judgeParties(event, fault);
    const { seats } = event.body.terms.plan;
    for (const reserve of [false, true])
      seats.forEach((/** @type {{count: number, reserves: number}} */ seat, /** @type {number} */ number) => {
        for (let n = 0; n < (reserve ? seat.reserves : seat.count); n++)
          draw.slots.push({ seat: number, reserve, tags: [], state: "pending", notified: false, unsealed: false });
      });
    beginStage(draw, "panel", event, event.body.contributors, event.body.beacon.round || undefined);
    draw.phase = "committed";
  },
  contributed({ draw }, event, fault) {
    judgeContribution(draw, stageOf(draw), event, fault);
    if (draw.phase === "committed" && event.at > draw.commit.deadlines.contributions)
      draw.flags.push({ event, check: "C4", code: "late_contribution", params: { key: event.body.key } });
    give(draw, event);
    if (complete(stageOf(draw))) draw.phase = draw.phase === "committed" ? "ready" : "redraw";
  },
  round_contributed({ draw }, event, fault) {
    if (hasBeacon(draw)) {
      fault("C1", "round_contributors_with_beacon");
      return;
    }
    if (draw.phase === "open") beginStage(draw, "round", event, draw.commit.round_contributors);
    judgeContribution(draw, stageOf(draw), event, fault);
    give(draw, event);
    draw.phase = complete(stageOf(draw)) ? "redraw" : "drawing";
  },
  result({ draw }, event, fault) {
    judgeResult(draw, stageOf(draw), event, fault);
    draw.remember(event);
    seatPeople(draw, event.body.placed);
    for (const slot of draw.slots) if (slot.reserve && !slot.tags.length) slot.state = "left";
    stageOf(draw).outcome = event;
    draw.seed = event.body.seed;
    draw.round = 1;
    draw.checked = false;
    draw.phase = "seated";
  },
  replaced({ draw }, event, fault) {
    if (draw.phase === "open" && (!hasBeacon(draw) || stageOf(draw).outcome)) beginStage(draw, "round", event, draw.commit.round_contributors);
    const stage = stageOf(draw);
    judgeReplaced(draw, stage, event, fault);
    draw.remember(event);
    seatPeople(draw, event.body.placed);
    stage.outcome = event;
    if (stage.kind === "extension") draw.seed = event.body.seed;
    draw.round++;
    draw.checked = false;
    openOrSeated(draw);
  },
  checked({ draw }) {
    draw.checked = true;
  },
  notified({ draw }, event, fault) {
    judgeItems(draw, event, event.body.notices, "notices_disordered", fault);
    for (const { slot } of event.body.notices)
      if (isToNotify(draw.slots[slot])) draw.slots[slot].notified = true;
      else fault("C1", "nobody_to_notify", { slot });
  },
  answers({ draw }, event, fault) {
    draw.answered.push({ event, sat: draw.occupants });
    judgeItems(draw, event, event.body.answers, "answers_disordered", fault);
    for (const { slot, state } of event.body.answers)
      if (!isToAnswer(draw.slots[slot], state)) fault("C1", "nobody_to_answer", { slot });
      else if (state === "left") leave(draw, slot);
      else draw.slots[slot].state = state;
    openOrSeated(draw);
    nameRound(draw, event, fault);
  },
  stepped_in({ draw }, event, fault) {
    draw.remember(event);
    judgeSteppedIn(draw, event, fault);
    for (const { reserve, slot } of event.body.moves)
      if (isMove(draw.slots[reserve], draw.slots[slot])) draw.slots = moved(draw.slots, reserve, slot);
      else fault("D5", "bad_move", { slot });
    draw.checked = false;
    openOrSeated(draw);
  },
  screened({ draw }, event, fault) {
    judgeScreened(draw, event, fault);
    draw.screenings.push(event);
    if (draw.phase === "committed") {
      if (event.body.lots !== undefined) fault("C1", "round_named_without_need");
      return;
    }
    draw.hits.push({ event, sat: draw.occupants });
    const named = draw.phase === "open" && hasBeacon(draw);
    for (const slot of event.body.slots)
      if (occupant(draw.slots[slot])) leave(draw, slot);
      else fault("C1", "nobody_to_screen", { slot });
    draw.checked = false;
    openOrSeated(draw);
    if (!named) nameRound(draw, event, fault);
  },
  extended({ draw }, event, fault) {
    judgeExtension(draw, event, fault);
    draw.remember(event);
    fix(draw, event, fault);
    judgeNamedRound(draw, event, fault);
    beginStage(draw, "extension", event, draw.commit.contributors, event.body.lots);
    draw.phase = "widened";
  },
  appointed({ draw }, event, fault) {
    const { kind, place } = event.body;
    if (kind === "representative") {
      if (place >= draw.terms.plan.representatives || draw.representatives.has(place)) fault("C1", "no_such_representative", { place });
      if (event.body.lots !== undefined) fault("C1", "round_named_without_need");
      draw.representatives.add(place);
      return;
    }
    if (draw.slots[place] && isOpen(draw.slots[place])) {
      draw.remember(event);
      draw.slots[place].state = "appointed";
    } else fault("D5", "slot_not_open", { slot: place });
    openOrSeated(draw);
    nameRound(draw, event, fault);
  },
  unsealed({ draw }, event, fault) {
    judgeUnsealed(draw, event, fault);
    for (const slot of event.body.slots)
      if (isToUnseal(draw.slots[slot])) draw.slots[slot].unsealed = true;
      else fault("C1", "nothing_to_unseal", { slot });
    draw.firstUnsealed ??= event;
  },
  closed({ draw }, event, fault) {
    judgeClosed(draw, fault);
    draw.phase = "closed";
    draw.ended = event;
  },
  abandoned(project, event, fault) {
    const { draw } = project;
    judgeAbandoned(draw, event, fault);
    if (event.body.reason === "cancelled") project.cancelled = true;
    draw.phase = "abandoned";
    draw.ended = event;
  },
  stopped({ draw }) {
    draw.phaseBefore = draw.phase;
    draw.phase = "stopped";
  },
  resumed({ draw }) {
    draw.phase = draw.phaseBefore;
  },
  erased() {},
};
