/**
 * What a page shows of a draw: numbers, slots and moments as plain values. Nothing here decides anything.
 */

/**
 * @typedef {{seat: number, reserve: boolean, state: string, people: number, steppedIn: boolean}} SlotPicture
 * @typedef {{type: string, at: number, attempt: number, signers: string[], body: Record<string, unknown>}} Moment
 * @typedef {object} Picture
 * @property {number} pool people and decoys in the snapshot
 * @property {number | null} eligible rows of the roll, if it was given
 * @property {string} total lawful panels
 * @property {{count: number, reserves: number, professions: string[], site: string}[]} seats
 * @property {SlotPicture[]} slots
 * @property {{kind: string, seed: string, at: number, placed: number[]}[]} lots
 * @property {{at: number, type: string, seq: number}[]} times
 * @property {number} representatives
 */

import { hex } from "./bytes.js";

/**
 * @param {import("./draw.js").Project} project @param {import("./roll.js").Roll[] | null} rolls @param {import("./report.js").Report} report
 * @returns {Picture | null}
 */
export function pictureOf({ draw }, rolls, report) {
  if (!draw.commit) return null;
  const { plan, snapshot, total } = draw.terms;
  const roll = rolls && report.outcome("D1").status !== "failed" ? rolls[rolls.length - 1] : null;
  const stepped = new Set(draw.moments.flatMap(({ event }) =>
    event.type === "stepped_in" ? event.body.moves.map((/** @type {{slot: number}} */ move) => move.slot) : []));
  return {
    pool: snapshot.size,
    eligible: roll ? roll.size : null,
    total: total.toString(),
    seats: plan.seats.map(({ count, reserves, professions, site }) => ({ count, reserves, professions, site })),
    slots: draw.slots.map((slot, n) => ({
      seat: slot.seat, reserve: slot.reserve, state: slot.state, people: slot.tags.length, steppedIn: stepped.has(n),
    })),
    lots: draw.moments.filter(({ event }) => event.type === "result" || event.type === "replaced").map(({ event }) => ({
      kind: event.type, seed: hex(event.body.seed), at: event.at,
      placed: event.body.placed.map((/** @type {{slot: number}} */ each) => each.slot),
    })),
    times: [draw.opened, ...draw.commits, ...draw.moments.map(({ event }) => event), draw.firstUnsealed, draw.ended]
      .flatMap((event) => (event ? [event] : []))
      .filter((event, n, all) => all.indexOf(event) === n)
      .sort((a, b) => a.seq - b.seq)
      .map(({ at, type, seq }) => ({ at, type, seq })),
    representatives: draw.representatives.size,
  };
}
