/**
 * What the roll shows (docs/spec/draw.md 8, level roll: I5, D1, D2, D3, D6, F1, F4): the whole selection again, without names.
 */

import { Refused, compare, hex, same, utf8 } from "./bytes.js";
import { judgeCertificate } from "./certificate.js";
import { chances, question } from "./counting.js";
import { brokenCap, canBeCompleted, first, firstNeed, restNeed, stepIns, successors } from "./lots.js";
import { root } from "./merkle.js";
import { checksOf } from "./report.js";
import { isSmallPool, parseRoll, removedDigest } from "./roll.js";
import { samplerFor } from "./select.js";
import { isMove, moved, occupant } from "./slots.js";
import { versionOf } from "./terms.js";

/**
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./draw.js").Moment} Moment
 * @typedef {import("./events.js").Event} Event
 * @typedef {import("./report.js").Report} Report
 * @typedef {import("./roll.js").Roll} Roll
 * @typedef {import("./roll.js").Removed} Removed
 */

/** Judge the roll file of the last attempt; its rolls, if they could be read. @param {Draw} draw @param {Uint8Array} data @param {Report} report @param {(event: Event) => string} placeOf */
export function verifyRoll(draw, data, report, placeOf) {
  /** @type {(Roll | Removed)[]} */
  let sections;
  try {
    sections = parseRoll(data);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    report.fault("D1", error.code, error.params, error.place);
    report.skip(checksOf("roll"), "roll_unreadable");
    return null;
  }
  const called = [...draw.commits, ...draw.screenings].sort((a, b) => a.seq - b.seq);
  const kinds = called.map((event) => (event.type === "screened" ? "removed" : "roll"));
  if (sections.length !== kinds.length || sections.some((section, n) => section.kind !== kinds[n])) {
    report.fault("I5", "other_sections", { expected: kinds.length, got: sections.length }, "roll");
    report.skip(checksOf("roll"), "roll_unreadable");
    return null;
  }
  /** @type {Map<Event, Roll>} */
  const rolls = new Map();
  /** @type {Map<Event, Removed>} */
  const removed = new Map();
  called.forEach((event, n) => {
    const section = sections[n];
    if (section.kind === "roll") rolls.set(event, section);
    else removed.set(event, section);
  });
  const usable = draw.commits.map((event, n) => judgeRoll(/** @type {Roll} */ (rolls.get(event)), event, n, draw, report, placeOf(event)));
  if (usable.includes(false)) {
    report.skip(checksOf("roll"), "roll_not_the_committed");
  } else new Again(draw, rolls, removed, report, placeOf).run();
  return [...rolls.values()];
}

/** D1; whether it is the roll that was committed. @param {Roll} roll @param {Event} event @param {number} number @param {Draw} draw @param {Report} report @param {string} place */
function judgeRoll(roll, event, number, draw, report, place) {
  /** @param {string} code */
  const fault = (code) => report.fault("D1", code, {}, place);
  const before = report.outcome("D1").faults.length; // of rolls before this one
  const { method, plan, roll: committed, small_pool: small } = event.body.terms;
  if ((method === "fair/1") !== (roll.table !== null)) fault("other_table");
  for (let n = 1; n < roll.size; n++)
    if (compare(roll.tag(n - 1), roll.tag(n)) >= 0) {
      fault("roll_not_sorted");
      break;
    }
  if (roll.typeOf.some((type) => type >= roll.types.length)) {
    fault("unknown_type");
    return false;
  }
  if (roll.types.some((type) => type.seats.some((seat) => seat >= plan.seats.length))) fault("unknown_type");
  if (roll.types.some((type) => type.site >= plan.sites.length)) fault("unknown_type");
  if (method === "uniform/1" && roll.types.some((type) => type.weight !== 1)) fault("weight_under_uniform");
  if (!same(roll.headDigest(), committed.head) || !same(roll.root(), committed.root)) fault("other_roll");
  if (report.outcome("D1").faults.length > before) return false;
  if (isSmallPool(roll, plan.seats) !== small) fault("small_pool_flag_wrong");
  const attested = draw.attestedFor[number];
  const histogram = roll.histogram();
  if (attested.some((each) => !same(each.histogram, histogram))) fault("other_histogram");
  return true;
}

/** The draw once more, moment by moment. */
class Again {
  /** @param {Draw} draw @param {Map<Event, Roll>} rolls @param {Map<Event, Removed>} removed @param {Report} report @param {(event: Event) => string} placeOf */
  constructor(draw, rolls, removed, report, placeOf) {
    this.draw = draw;
    this.rolls = rolls;
    this.removed = removed;
    this.report = report;
    this.placeOf = placeOf;
  }

  /** Tags that are out before an event, or now. @param {Set<string>} gone @param {number} [seq] of the event */
  out(gone, seq = Infinity) {
    const before = [...this.removed].filter(([event]) => event.seq < seq);
    return new Set([...gone, ...before.flatMap(([, section]) => section.tags)]);
  }

  /** The roll in force before an event, or now. @param {number} [seq] of the event @returns {Roll} */
  rollBefore(seq = Infinity) {
    const [first, ...more] = [...this.rolls].sort(([a], [b]) => a.seq - b.seq);
    return [first, ...more.filter(([event]) => event.seq < seq)].slice(-1)[0][1];
  }

  /** Run, and let a refusal be a fault. @param {string} check @param {Event} event @param {() => void} run */
  guarded(check, event, run) {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.report.fault(check, error.code, error.params, this.placeOf(event));
    }
  }

  run() {
    const { draw, report } = this;
    if (!draw.moments.some(({ event }) => event.type === "result")) report.skip(["D2", "D3", "D6"], "no_result_yet");
    const [commit] = draw.commits;
    const roll = /** @type {Roll} */ (this.rolls.get(commit));
    this.judgeChances(commit, roll, firstNeed(roll, draw.commit.terms.plan, []));
    for (const moment of draw.moments) this.judgeMoment(moment);
    this.judgeScreenings();
    if (draw.round > 0) this.judgeEnd();
  }

  /** @param {Moment} moment */
  judgeMoment(moment) {
    const { event, slots, terms, gone } = moment;
    const { plan, sampler } = this.draw.commits[terms].body.terms;
    const [roll, version] = [this.rollBefore(event.seq), versionOf(sampler)];
    const out = this.out(gone, event.seq);
    if (event.type === "result") {
      this.guarded("D2", event, () => this.compareLots(event, first(roll, plan, out, event.body.seed, version)));
      return;
    }
    const cap = brokenCap(roll, plan, slots);
    if (cap) this.report.fault("D3", cap, {}, this.placeOf(event));
    if (event.type === "replaced") {
      this.guarded("D2", event, () => this.compareLots(event, successors(roll, plan, slots, out, event.body.seed, version)));
      if (moment.stage === "round") this.guarded("D6", event, () => this.judgeMoves(event, [], roll, plan, slots, out));
    } else if (event.type === "stepped_in") this.guarded("D6", event, () => this.judgeMoves(event, event.body.moves, roll, plan, slots, out));
    else {
      this.guarded("F4", event, () => {
        if (canBeCompleted(roll, plan, slots, out)) this.report.fault("F4", "could_be_completed", {}, this.placeOf(event));
      });
      if (event.type === "extended") {
        const wider = /** @type {Roll} */ (this.rolls.get(event));
        this.judgeChances(event, wider, restNeed(wider, event.body.terms.plan, slots, out));
      }
    }
  }

  /** @param {Event} event @param {import("./lots.js").Lots} lots */
  compareLots(event, { placed, trace }) {
    const stated = event.body.placed;
    const equal = placed.length === stated.length && placed.every(({ slot, tag }, n) => slot === stated[n].slot && same(tag, stated[n].tag));
    if (!equal) this.report.fault("D2", "others_were_drawn", {}, this.placeOf(event));
    if (!same(trace, event.body.trace)) this.report.fault("D2", "other_trace", {}, this.placeOf(event));
  }

  /** Every move that a reserve could make was made; stated ones that nobody can make count for nothing. @param {Event} event
   * @param {{reserve: number, slot: number}[]} stated @param {Roll} roll @param {import("./events.js").Plan} plan
   * @param {import("./slots.js").Slot[]} slots @param {Set<string>} out */
  judgeMoves(event, stated, roll, plan, slots, out) {
    /** @type {{reserve: number, slot: number}[]} */
    const made = [];
    let after = slots;
    for (const move of stated)
      if (isMove(after[move.reserve], after[move.slot])) {
        made.push(move);
        after = moved(after, move.reserve, move.slot);
      }
    for (const { reserve, slot } of stepIns(roll, plan, slots, out))
      if (!made.some((move) => move.reserve === reserve && move.slot === slot))
        this.report.fault("D6", "reserve_passed_over", { slot }, this.placeOf(event));
  }

  /** F1, F2, F3 and the sampler of D2. @param {Event} event @param {Roll} roll @param {import("./counting.js").Need} need */
  judgeChances(event, roll, need) {
    const { terms } = event.body;
    const place = this.placeOf(event);
    this.guarded("F1", event, () => {
      const asked = question(roll, need);
      const counted = chances(asked);
      if (counted.total !== terms.total) this.report.fault("F1", "other_total", {}, place);
      const numerators = Array.from({ length: roll.size }, (_, n) =>
        need.rows.has(n) ? 0n : counted.atSeats(roll.employerOf[n], roll.typeOf[n]).reduce((sum, each) => sum + each, 0n));
      const leaves = numerators.map((value, n) => {
        const text = utf8(value.toString());
        const leaf = new Uint8Array(16 + text.length);
        leaf.set(roll.tag(n));
        leaf.set(text, 16);
        return leaf;
      });
      if (!same(root(leaves), terms.chances.root)) this.report.fault("F1", "other_chances", {}, place);
      const largest = numerators.reduce((most, value) => (value > most ? value : most), 0n);
      const smallest = numerators.reduce((least, value) => (value < least ? value : least), largest);
      if (largest !== terms.chances.largest || smallest !== terms.chances.smallest) this.report.fault("F1", "other_extremes", {}, place);
      const named = samplerFor(asked, counted.total);
      if (`${named}/${versionOf(terms.sampler)}` !== terms.sampler) this.report.fault("D2", "other_sampler", { named: terms.sampler }, place);
      if (roll.table) judgeCertificate(asked, roll.table, counted, numerators, (check, code, params) => this.report.fault(check, code, params, place));
    });
  }

  /** The lists are the stated ones; after the result each sends away exactly those whose rows it removes. */
  judgeScreenings() {
    for (const [event, section] of this.removed)
      if (!same(removedDigest(section), event.body.rows)) this.report.fault("D6", "other_removed_rows", {}, this.placeOf(event));
    for (const { event, sat } of this.draw.hits) {
      const barred = new Set(this.removed.get(event)?.tags);
      const due = sat.flatMap((tag, slot) => (barred.has(tag) ? [slot] : []));
      if (due.join() !== event.body.slots.join()) this.report.fault("D6", "other_slots_left", {}, this.placeOf(event));
    }
  }

  /** How it stands now. */
  judgeEnd() {
    const { draw } = this;
    const cap = brokenCap(this.rollBefore(), draw.terms.plan, draw.slots);
    if (cap) this.report.fault("D3", cap, {}, "end");
    const out = this.out(draw.gone);
    for (const slot of draw.slots) {
      const tag = occupant(slot);
      if (tag && out.has(hex(tag))) this.report.fault("D6", "removed_person_sits", {}, "end");
    }
  }
}
