/**
 * The guards of docs/spec/draw.md 4.2, event by event: each names the check and the code that a report shows. Nothing here changes a draw.
 */

import { Refused, compare, compareText, hex, increasing, same } from "./bytes.js";
import { draftDigest } from "./events.js";
import { alpha, lastAlpha, ofDrawKey, panelSeed, rhoOfBeacon, rhoOfDrawKey, roundSeed } from "./seed.js";
import { proofToHash, verifyProof } from "./vrf.js";
import { occupant } from "./slots.js";
import { isWider } from "./terms.js";

/**
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./draw.js").Stage} Stage
 * @typedef {import("./draw.js").Fault} Fault
 * @typedef {import("./slots.js").Slot} Slot
 * @typedef {import("./events.js").Event} Event
 */

const MOST_SLOTS = 400;
/** @param {number} a @param {number} b */
const byNumber = (a, b) => a - b;

/** @param {unknown} error @returns {string} the code of a refusal; anything else is our own mistake */
function why(error) {
  if (error instanceof Refused) return error.code;
  throw error;
}

/** Both scopes, this draft, two supervisors, one histogram. @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeAttestations(draw, event, fault) {
  const found = ["openings", "roll"].map((scope) => draw.attestations.findLast((each) => each.scope === scope));
  const draft = draftDigest(event);
  ["openings", "roll"].forEach((scope, n) => {
    if (!found[n]) fault("V1", "not_attested", { scope });
    else if (!same(found[n].draft, draft)) fault("V1", "other_draft_attested", { scope });
  });
  const [one, two] = found;
  if (!one || !two) return;
  if (one.key === two.key) fault("V1", "attested_by_one");
  if (!same(one.histogram, two.histogram)) fault("V1", "histograms_differ");
}

/** @param {import("./events.js").Terms} terms @param {Fault} fault */
export function judgeCommit(terms, fault) {
  const { seats, sites } = terms.plan;
  const ids = new Set(sites.map((site) => site.id));
  if (ids.size < sites.length) fault("C1", "site_twice");
  for (const { site } of seats) if (site && !ids.has(site)) fault("C1", "unknown_site", { site });
  if (seats.reduce((sum, seat) => sum + seat.count + seat.reserves, 0) > MOST_SLOTS) fault("C1", "too_many_slots");
  if (terms.total < 1n) fault("C1", "no_lawful_panel");
}

/** What a commit alone fixes. @param {Event} event @param {Fault} fault */
export function judgeParties(event, fault) {
  const { contributors, round_contributors: round, beacon, deadlines } = event.body;
  if (!increasing(contributors, compareText) || !increasing(round, compareText)) fault("C1", "contributors_not_sorted");
  if (contributors.length < 2) fault("C1", "too_few_contributors");
  for (const key of round) if (!contributors.includes(key)) fault("C1", "unknown_contributor", { key });
  if (event.at > deadlines.contributions || deadlines.contributions > deadlines.result) fault("C4", "deadlines_disordered");
  if (beacon.kind !== "none") {
    if (round.length) fault("C1", "round_contributors_with_beacon");
    return;
  }
  const { holders, points } = beacon.escrow;
  if (!same(points[0], beacon.draw_key)) fault("R2", "escrow_of_another_key");
  if (points.length > holders.length || !increasing(holders, compareText)) fault("R2", "escrow_without_holders");
}

/** @param {Draw} draw @param {Stage} stage @param {Event} event @param {Fault} fault */
export function judgeContribution(draw, stage, event, fault) {
  const { key, pk, pi } = event.body;
  if (event.type === "round_contributed" && event.body.round !== draw.round) fault("C1", "other_round", { expected: draw.round });
  if (!stage.expected.includes(key)) fault("C1", "unknown_contributor", { key });
  if (stage.given.some((each) => each.name === key || same(each.pk, pk))) fault("C1", "contributed_twice", { key });
  try {
    verifyProof(pk, alpha(stage.leaf, stage.round), pi);
  } catch (error) {
    fault("R3", "bad_contribution", { key, why: why(error) });
  }
}

/** Keys and outputs of the contributions, sorted; null if one has no output, which R3 names. @param {Stage} stage */
function pairsOf(stage) {
  try {
    return stage.given.map(({ pk, pi }) => ({ pk, beta: proofToHash(pi) })).sort((a, b) => compare(a.pk, b.pk));
  } catch (error) {
    why(error);
    return null;
  }
}

/** The value and the seed of a stage. @param {Draw} draw @param {Stage} stage @param {Event} event @param {Fault} fault */
function judgeSeed(draw, stage, event, fault) {
  const { beacon } = draw.commit;
  const pairs = pairsOf(stage);
  if (beacon.kind !== "none") judgeBeaconSeed(draw, stage, event, pairs, fault);
  else if (event.body.value.length !== 80) fault("R2", "bad_draw_key_value", { why: "bad_vrf_proof" });
  else if (pairs) judgeDrawKeySeed(draw, stage, event, pairs, fault);
}

/** The seed is looked at if the draw key's value proves. @param {Draw} draw @param {Stage} stage @param {Event} event
 * @param {import("./seed.js").Pair[]} pairs @param {Fault} fault */
function judgeDrawKeySeed(draw, stage, event, pairs, fault) {
  const key = draw.commit.beacon.draw_key;
  const { value, seed } = event.body;
  try {
    const beta = verifyProof(key, lastAlpha(stage.leaf, stage.round, pairs), value);
    const made = stage.round
      ? roundSeed(draw.seed, stage.round, rhoOfDrawKey(pairs, key, beta))
      : panelSeed(stage.leaf, ofDrawKey(key, beta), pairs);
    if (!same(made, seed)) fault("R4", "other_seed");
  } catch (error) {
    fault("R2", "bad_draw_key_value", { why: why(error) });
  }
}

/** Whether the value is the network's is verify_beacon.js: that needs a key list. @param {Draw} draw @param {Stage} stage @param {Event} event
 * @param {import("./seed.js").Pair[] | null} pairs @param {Fault} fault */
function judgeBeaconSeed(draw, stage, event, pairs, fault) {
  const { value, seed } = event.body;
  if (value.length !== 48) {
    fault("R2", "bad_beacon_value");
    return;
  }
  if (stage.lots === null || !pairs) return;
  const chance = { source: draw.commit.beacon.network, number: stage.lots, value };
  const made = stage.round ? roundSeed(draw.seed, stage.round, rhoOfBeacon(chance)) : panelSeed(stage.leaf, chance, pairs);
  if (!same(made, seed)) fault("R4", "other_seed");
}

/** @param {Draw} draw @param {Stage} stage @param {Event} event @param {Fault} fault */
export function judgeResult(draw, stage, event, fault) {
  judgeSeed(draw, stage, event, fault);
  const { placed } = event.body;
  const numbers = placed.map((/** @type {{slot: number}} */ each) => each.slot);
  if (!increasing(numbers, byNumber) || numbers.some((/** @type {number} */ n) => n >= draw.slots.length)) fault("D4", "slots_disordered");
  if (new Set(placed.map((/** @type {{tag: Uint8Array}} */ each) => hex(each.tag))).size < placed.length) fault("D4", "tag_twice");
  const filled = new Set(numbers);
  if (draw.slots.some((slot, n) => !slot.reserve && !filled.has(n))) fault("D4", "slot_not_filled");
  /** @type {Map<string, Uint8Array[]>} */
  const groups = new Map();
  for (const { slot: number, tag } of placed) {
    const slot = draw.slots[number];
    if (slot) groups.set(`${slot.seat} ${slot.reserve}`, [...(groups.get(`${slot.seat} ${slot.reserve}`) ?? []), tag]);
  }
  for (const [group, tags] of groups) if (!increasing(tags, compare)) fault("D4", "not_in_tag_order", { seat: parseInt(group, 10) });
  if (event.at > draw.commit.deadlines.result) draw.flags.push({ event, check: "C4", code: "late_result", params: {} });
}

/** @param {Draw} draw @param {Stage} stage @param {Event} event @param {Fault} fault */
export function judgeReplaced(draw, stage, event, fault) {
  const { placed, round } = event.body;
  if (round !== draw.round) fault("C1", "other_round", { expected: draw.round });
  if (draw.phase === "open" && draw.commit.beacon.kind === "none" && draw.commit.round_contributors.length) fault("C1", "contributions_missing");
  judgeSeed(draw, stage, event, fault);
  const open = draw.openSlots;
  if (placed.length !== open.length || open.some((n, at) => placed[at].slot !== n)) fault("D5", "wrong_successors");
  const held = new Set([...draw.gone, ...draw.slots.flatMap((slot) => slot.tags.map(hex))]);
  for (const { tag } of placed) {
    if (held.has(hex(tag))) fault("D4", "tag_twice");
    held.add(hex(tag));
  }
}

/** Slots in order, and the present round. @param {Draw} draw @param {Event} event @param {{slot: number}[]} items @param {string} code @param {Fault} fault */
export function judgeItems(draw, event, items, code, fault) {
  if (event.body.round !== draw.round || !increasing(items.map(({ slot }) => slot), byNumber)) fault("C1", code);
}

/** @param {Slot | undefined} slot */
export function isToNotify(slot) {
  return occupant(slot) !== undefined && !slot?.notified;
}

/** Who accepted may still leave. @param {Slot | undefined} slot @param {string} answer */
export function isToAnswer(slot, answer) {
  return occupant(slot) !== undefined && slot?.notified === true && !(slot.state === "accepted" && answer === "accepted");
}

/** @param {Slot | undefined} slot */
export function isToUnseal(slot) {
  return occupant(slot) !== undefined && !slot?.unsealed;
}

/** @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeSteppedIn(draw, event, fault) {
  const { moves, round } = event.body;
  if (round !== draw.round) fault("C1", "other_round", { expected: draw.round });
  if (!increasing(moves.map((/** @type {{slot: number}} */ each) => each.slot), byNumber)) fault("D5", "moves_disordered");
}

/** With a beacon a round is named exactly if a slot is open afterwards. @param {Draw} draw after the event @param {Event} event @param {Fault} fault */
export function judgeNamedRound(draw, event, fault) {
  const needed = draw.commit.beacon.kind !== "none" && draw.openSlots.length > 0;
  if (needed && event.body.lots === undefined) fault("T1", "round_not_named");
  if (!needed && event.body.lots !== undefined) fault("C1", "round_named_without_need");
}

/** @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeScreened(draw, event, fault) {
  const { slots } = event.body;
  if (draw.phase === "open" && draw.commit.beacon.kind !== "none") fault("C1", "screened_before_lots");
  if (draw.phase === "committed") {
    if (draw.stages[0].given.length) fault("C1", "screened_after_contribution");
    if (slots.length) fault("C1", "nobody_to_screen", { slot: slots[0] });
    return;
  }
  if (!increasing(slots, byNumber)) fault("C1", "answers_disordered");
}

/** @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeExtension(draw, event, fault) {
  const open = draw.openSlots;
  if (event.body.open.length !== open.length || open.some((n, at) => event.body.open[at] !== n)) fault("D5", "wrong_successors");
  if (!isWider(draw.terms, event.body.terms)) fault("C1", "not_wider");
}

/** @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeUnsealed(draw, event, fault) {
  const { slots } = event.body;
  if (!draw.checked) fault("V1", "not_checked");
  if (event.at < draw.commit.unsealing.not_before) fault("C4", "unsealed_too_early");
  if (!increasing(slots, byNumber)) fault("C1", "answers_disordered");
}

/** @param {Draw} draw @param {Fault} fault */
export function judgeClosed(draw, fault) {
  draw.slots.forEach((slot, n) => {
    if (slot.reserve || slot.state === "appointed") return;
    if (slot.state !== "accepted") fault("D4", "slot_not_accepted", { slot: n });
    if (occupant(slot) && !slot.unsealed) fault("C1", "closed_before_unsealing", { slot: n });
  });
}

/** @param {Draw} draw @param {Event} event @param {Fault} fault */
export function judgeAbandoned(draw, event, fault) {
  const { reason } = event.body;
  const phase = draw.phase === "stopped" ? draw.phaseBefore : draw.phase;
  if (phase === "ready") fault("C1", "result_comes_first");
  else if (reason === "incomplete" && !["opened", "attested", "committed"].includes(phase)) fault("C1", "abandoned_after_contributions");
  draw.flags.push({ event, check: "C1", code: `abandoned_${reason}`, params: {} });
}
