/**
 * Who sits where (docs/spec/draw.md 6): the needs of panel, reserves and rounds, the people a seed gives them, and step-ins.
 */

import { compare, hex } from "./bytes.js";
import { question, total } from "./counting.js";
import { TH } from "./hash.js";
import { draw, keyOf } from "./select.js";
import { isOpen, moved, occupant } from "./slots.js";

/**
 * @typedef {import("./roll.js").Roll} Roll
 * @typedef {import("./counting.js").Need} Need
 * @typedef {import("./events.js").Plan} Plan
 * @typedef {import("./slots.js").Slot} Slot
 * @typedef {{placed: {slot: number, tag: Uint8Array}[], trace: Uint8Array}} Lots
 */

/** @param {Plan} plan @returns {Set<number>} */
function requiredSites(plan) {
  return new Set(plan.sites.flatMap((site, n) => (site.required ? [n] : [])));
}

/** Rows of tags, those that are on the roll. @param {Roll} roll @param {Iterable<string>} tags in hex @returns {Set<number>} */
function rowsOf(roll, tags) {
  const rows = new Set();
  for (const tag of tags) {
    const row = roll.find(Uint8Array.from(tag.match(/../g) ?? [], (byte) => parseInt(byte, 16)));
    if (row >= 0) rows.add(row);
  }
  return rows;
}

/** The panel's need. @param {Roll} roll @param {Plan} plan @param {Iterable<string>} removed tags in hex @returns {Need} */
export function firstNeed(roll, plan, removed) {
  return {
    counts: plan.seats.map((seat) => seat.count), recent: plan.recent_max, sites: requiredSites(plan), rows: rowsOf(roll, removed),
    employers: new Set(),
  };
}

/** @param {Need} need @param {Roll} roll */
function isPossible(need, roll) {
  return total(question(roll, need)) > 0n;
}

/** Panel and reserves. @param {Roll} roll @param {Plan} plan @param {Iterable<string>} removed @param {Uint8Array} seed
 * @param {number} version of the sampler @returns {Lots} */
export function first(roll, plan, removed, seed, version) {
  const need = firstNeed(roll, plan, removed);
  const key = keyOf(roll, seed, version);
  const panel = draw(roll, need, key, 0, version);
  const rows = panel.rows.flat();
  const counts = plan.seats.map((seat) => seat.reserves);
  /** @type {Need} */
  const rest = {
    counts, recent: need.recent - rows.filter((row) => roll.typeAt(row).recent).length, sites: new Set(),
    rows: new Set([...need.rows, ...rows]), employers: new Set(rows.map((row) => roll.employerOf[row])),
  };
  while (counts.some((count) => count > 0) && !isPossible(rest, roll)) counts[counts.findLastIndex((count) => count > 0)]--;
  const reserves = counts.some((count) => count > 0) ? draw(roll, rest, key, 1, version) : null;
  /** @type {Lots["placed"]} */
  const placed = [];
  let slot = 0;
  plan.seats.forEach((seat, n) => {
    for (const tag of tagsOf(roll, panel.rows[n])) placed.push({ slot: slot++, tag });
  });
  plan.seats.forEach((seat, n) => {
    tagsOf(roll, reserves?.rows[n] ?? []).forEach((tag, at) => placed.push({ slot: slot + at, tag }));
    slot += seat.reserves;
  });
  return { placed, trace: TH("draw/v1/traces", panel.trace, reserves?.trace ?? new Uint8Array(32)) };
}

/** In tag order, which is the order of rows. @param {Roll} roll @param {number[]} rows */
function tagsOf(roll, rows) {
  return rows.map((row) => roll.tag(row)).sort(compare);
}

/** What the open slots need. @param {Roll} roll @param {Plan} plan @param {Slot[]} slots @param {Iterable<string>} gone left or removed @returns {Need} */
export function restNeed(roll, plan, slots, gone) {
  const counts = plan.seats.map(() => 0);
  for (const slot of slots) if (isOpen(slot)) counts[slot.seat]++;
  const sitting = slots.flatMap((slot) => {
    const tag = slot.reserve ? undefined : occupant(slot);
    const row = tag ? roll.find(tag) : -1;
    return row < 0 ? [] : [row];
  });
  const sites = requiredSites(plan);
  for (const row of sitting) sites.delete(roll.typeAt(row).site);
  const recent = sitting.filter((row) => roll.typeAt(row).recent).length;
  return {
    counts, recent: Math.max(0, plan.recent_max - recent), sites,
    rows: rowsOf(roll, [...gone, ...slots.flatMap((slot) => slot.tags.map(hex))]),
    employers: new Set(sitting.map((row) => roll.employerOf[row])),
  };
}

/** Successors for all open slots together. @param {Roll} roll @param {Plan} plan @param {Slot[]} slots @param {Iterable<string>} gone
 * @param {Uint8Array} seed @param {number} version of the sampler @returns {Lots} */
export function successors(roll, plan, slots, gone, seed, version) {
  const drawn = draw(roll, restNeed(roll, plan, slots, gone), keyOf(roll, seed, version), 0, version);
  const queues = drawn.rows.map((rows) => tagsOf(roll, rows));
  const placed = slots.flatMap((slot, n) => (isOpen(slot) ? [{ slot: n, tag: /** @type {Uint8Array} */ (queues[slot.seat].shift()) }] : []));
  return { placed, trace: TH("draw/v1/traces", drawn.trace, new Uint8Array(32)) };
}

/** Whether the open slots can be filled lawfully. @param {Roll} roll @param {Plan} plan @param {Slot[]} slots @param {Iterable<string>} gone */
export function canBeCompleted(roll, plan, slots, gone) {
  return isPossible(restNeed(roll, plan, slots, gone), roll);
}

/** The first cap that those who sit on the panel break, as a code, or "". @param {Roll} roll @param {Plan} plan @param {Slot[]} slots */
export function brokenCap(roll, plan, slots) {
  const employers = new Set();
  const sites = requiredSites(plan);
  let recent = 0;
  for (const slot of slots) {
    const tag = slot.reserve ? undefined : occupant(slot);
    if (!tag) continue;
    const row = roll.find(tag);
    if (row < 0) return "not_on_the_roll";
    const type = roll.typeAt(row);
    if (!type.seats.includes(slot.seat)) return "cannot_fill_seat";
    if (employers.has(roll.employerOf[row])) return "employer_twice";
    employers.add(roll.employerOf[row]);
    recent += Number(type.recent);
    sites.delete(type.site);
  }
  if (recent > plan.recent_max) return "too_many_recent";
  const filled = slots.every((slot) => slot.reserve || (!isOpen(slot) && slot.state !== "appointed"));
  return filled && sites.size ? "site_without_anybody" : "";
}

/** The reserves of a seat that could be asked, in order. @param {Slot[]} slots @param {number} seat */
function candidates(slots, seat) {
  return slots.flatMap((slot, n) => (slot.reserve && slot.seat === seat && occupant(slot) ? [n] : []));
}

/** Whether the reserve may step into the slot. @param {Roll} roll @param {Plan} plan @param {Slot[]} slots @param {Iterable<string>} gone @param {number} reserve @param {number} number */
function mayStepIn(roll, plan, slots, gone, reserve, number) {
  const next = moved(slots, reserve, number);
  return brokenCap(roll, plan, next) === "" && (!next.some(isOpen) || canBeCompleted(roll, plan, next, gone));
}

/** All moves that reserves can make, each counting for the next: the first reserve that may for each open slot in order.
 * @param {Roll} roll @param {Plan} plan @param {Slot[]} before @param {Iterable<string>} gone @returns {{reserve: number, slot: number}[]} */
export function stepIns(roll, plan, before, gone) {
  /** @type {{reserve: number, slot: number}[]} */
  const moves = [];
  let slots = before;
  before.forEach((each, slot) => {
    if (!isOpen(each)) return;
    const reserve = candidates(slots, each.seat).find((number) => mayStepIn(roll, plan, slots, gone, number, slot));
    if (reserve === undefined) return;
    moves.push({ reserve, slot });
    slots = moved(slots, reserve, slot);
  });
  return moves;
}
