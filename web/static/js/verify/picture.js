/**
 * What a page shows of a draw: numbers, slots and moments as plain values. Nothing here decides anything.
 */

import { hex } from "./bytes.js";

/**
 * How somebody came into a slot. @typedef {{how: "result" | "replaced" | "stepped_in", round: number, at: number}} Arrival
 * @typedef {{seat: number, reserve: boolean, state: string, arrivals: Arrival[]}} SlotPicture
 * @typedef {object} Picture
 * @property {number} pool leaves of the snapshot, people and decoys
 * @property {number | null} eligible rows of the roll, if it was given
 * @property {string} total weight or number of lawful panels
 * @property {string} method
 * @property {{count: number, reserves: number, professions: string[], site: string}[]} seats
 * @property {SlotPicture[]} slots
 * @property {{kind: string, round: number, seed: string, at: number, placed: number}[]} lots
 * @property {{at: number, type: string, seq: number}[]} times
 * @property {number} representatives
 */

/**
 * @param {import("./draw.js").Project} project @param {import("./roll.js").Roll[] | null} rolls @param {import("./report.js").Report} report
 * @returns {Picture | null}
 */
export function pictureOf({ draw }, rolls, report) {
  if (!draw.commit) return null;
  const { plan, snapshot, total, method } = draw.terms;
  const roll = rolls && report.outcome("D1").status !== "failed" ? rolls[rolls.length - 1] : null;
  const slots = draw.slots.map(({ seat, reserve, state }) => ({ seat, reserve, state, arrivals: /** @type {Arrival[]} */ ([]) }));
  let round = 0;
  /** @type {Picture["lots"]} */
  const lots = [];
  for (const { event } of draw.moments) {
    const { at, type, body } = event;
    if (type === "stepped_in") for (const { slot } of body.moves) slots[slot]?.arrivals.push({ how: type, round, at });
    if (type !== "result" && type !== "replaced") continue;
    for (const { slot } of body.placed) slots[slot]?.arrivals.push({ how: type, round, at });
    lots.push({ kind: type, round, seed: hex(body.seed), at, placed: body.placed.length });
    round++;
  }
  const told = [draw.opened, ...draw.commits, ...draw.moments.map(({ event }) => event), draw.firstUnsealed, draw.ended];
  const events = [...new Set(told.flatMap((event) => (event ? [event] : [])))];
  return {
    pool: snapshot.size, eligible: roll ? roll.size : null, total: total.toString(), method,
    seats: plan.seats.map(({ count, reserves, professions, site }) => ({ count, reserves, professions, site })),
    slots, lots,
    times: events.sort((a, b) => a.seq - b.seq).map(({ at, type, seq }) => ({ at, type, seq })),
    representatives: draw.representatives.size,
  };
}
