/**
 * The samplers (docs/spec/selection.md 4–6): given the same integers every implementation draws the same rows.
 */

import { Refused, u32be, utf8 } from "./bytes.js";
import { lineOf, lineOfType, question, ringOf, total, unconstrained } from "./counting.js";
import { TH } from "./hash.js";
import { Orders, rejectPicks } from "./picks.js";
import { Integers } from "./seed.js";

const MOST_ATTEMPTS = 10_000;

/**
 * @typedef {import("./counting.js").Need} Need
 * @typedef {import("./counting.js").Question} Question
 * @typedef {import("./packed.js").Line} Line
 * @typedef {import("./packed.js").Ring} Ring
 * @typedef {{rows: number[][], trace: Uint8Array, total: bigint}} Drawn rows of each seat, increasing
 * @typedef {{counts: number[], recent: number, sites: Set<number>}} State
 */

/** @typedef {"cells-reject" | "picks-reject" | "cells-dp"} Sampler */
/** @type {Record<Sampler, (asked: Question, integers: Integers) => {rows: number[][], attempt: number}>} */
const SAMPLERS = { "cells-reject": rejectCells, "picks-reject": rejectPicks, "cells-dp": exact };

/** The sampler that the exact rule names (sel-3), without its version. @param {Question} asked @param {bigint} lawful @returns {Sampler} */
export function samplerFor(asked, lawful) {
  if (!asked.roll.table) return 8n * lawful >= unconstrained(asked) ? "cells-reject" : "cells-dp";
  const orders = asked.need.counts.reduce((product, count) => product * factorial(count), 1n);
  return 8n * lawful * orders >= (new Orders(asked).all() || 1n) ? "picks-reject" : "cells-dp";
}

/** What keys the integers: since version 2 nobody without the roll can draw again (sel-7). @param {import("./roll.js").Roll} roll
 * @param {Uint8Array} seed @param {number} version */
export function keyOf(roll, seed, version) {
  return version === 1 ? seed : TH("draw/v1/select", seed, roll.headBytes, roll.body);
}

/** @param {number} n */
function factorial(n) {
  let product = 1n;
  for (let each = 2; each <= n; each++) product *= BigInt(each);
  return product;
}

/** Draw a lawful seating. @param {import("./roll.js").Roll} roll @param {Need} need @param {Uint8Array} key of the integers @param {number} stage
 * @param {number} version of the sampler @returns {Drawn} */
export function draw(roll, need, key, stage, version) {
  const asked = question(roll, need);
  const lawful = total(asked);
  if (lawful === 0n) throw new Refused("no_lawful_panel");
  const sampler = samplerFor(asked, lawful);
  const { rows, attempt } = SAMPLERS[sampler](asked, new Integers(key, stage));
  for (const seat of rows) seat.sort((a, b) => a - b);
  const lists = rows.map((seat) => {
    const bytes = new Uint8Array(4 * seat.length);
    seat.forEach((row, n) => bytes.set(u32be(row), 4 * n));
    return bytes;
  });
  return { rows, trace: TH("draw/v1/trace", utf8(`${sampler}/${version}`), u32be(attempt), utf8(lawful.toString()), ...lists), total: lawful };
}

/** Products over the later of many groups, kept at some places and made again between them, so that memory stays small. */
class Suffixes {
  /** @param {Ring} ring @param {[Line, number][]} groups line and how many employers (or rows) it stands for */
  constructor(ring, groups) {
    this.ring = ring;
    this.groups = groups;
    this.stride = Math.ceil(Math.sqrt(groups.length)) || 1;
    /** @type {Map<number, bigint>} */
    this.kept = new Map();
    let poly = ring.one;
    for (let n = groups.length; n >= 0; n--) {
      if (n < groups.length) poly = ring.timesGroup(poly, ...groups[n]);
      if (n % this.stride === 0 || n === groups.length) this.kept.set(n, poly);
    }
    this.blockBegin = -1;
    /** @type {bigint[]} */
    this.block = [];
  }

  /** The product over the groups from n on. @param {number} n */
  from(n) {
    const known = this.kept.get(n);
    if (known !== undefined) return known;
    const begin = n - (n % this.stride);
    if (begin !== this.blockBegin) {
      const end = Math.min(begin + this.stride, this.groups.length);
      let poly = /** @type {bigint} */ (this.kept.get(end));
      this.block = [];
      for (let at = end - 1; at > begin; at--) this.block[at - begin] = poly = this.ring.timesGroup(poly, ...this.groups[at]);
      this.blockBegin = begin;
    }
    return this.block[n - begin];
  }
}

/** In how many ways the groups from n on complete a state. */
class Completions {
  /** @param {Question} asked @param {(sites: Set<number>) => [Line, number][]} groups lines without these sites, and how many times each */
  constructor(asked, groups) {
    const ring = ringOf(asked);
    this.ring = ring;
    this.parts = asked.subsets.map(({ sites, sign }) => ({ sites, sign, suffixes: new Suffixes(ring, groups(sites)) }));
  }

  /** @param {number} n @param {State} state */
  ways(n, { counts, recent, sites }) {
    let sum = 0n;
    for (const part of this.parts)
      if ([...part.sites].every((site) => sites.has(site))) sum += part.sign * this.ring.upTo(part.suffixes.from(n), counts, recent);
    return sum;
  }
}

/** @param {Question} asked @returns {State} */
function start({ need }) {
  const people = need.counts.reduce((sum, count) => sum + count, 0);
  return { counts: [...need.counts], recent: Math.min(need.recent, people), sites: new Set(need.sites) };
}

/** The state after so many people of a type took these seats. @param {State} state @param {import("./roll.js").Type} type @param {number[]} cell by seat @returns {State} */
function after(state, type, cell) {
  const people = cell.reduce((sum, count) => sum + count, 0);
  const sites = new Set(state.sites);
  if (people) sites.delete(type.site);
  return { counts: state.counts.map((count, seat) => count - cell[seat]), recent: state.recent - (type.recent ? people : 0), sites };
}

/** cells-reject. @param {Question} asked @param {Integers} integers */
function rejectCells(asked, integers) {
  const { roll, need, perType } = asked;
  const completions = new Completions(asked, (sites) => perType.map((people, n) => [lineOfType(asked, n, sites), people]));
  /** @type {number[][]} usable rows of each type in roll order */
  const rowsOf = roll.types.map(() => []);
  for (const row of usable(asked)) rowsOf[roll.typeOf[row]].push(row);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    integers.begin(attempt);
    let state = start(asked);
    const cells = roll.types.map((type, number) => {
      const weights = cellsOf(type, state, perType[number]).map(([cell, ways]) => {
        const next = after(state, type, cell);
        return { cell, next, weight: ways * completions.ways(number + 1, next) };
      });
      let value = integers.below(weights.reduce((sum, each) => sum + each.weight, 0n));
      const chosen = weights.find(({ weight }) => (value -= weight) < 0n);
      if (!chosen) throw new Refused("bad_need");
      state = chosen.next;
      return chosen.cell;
    });
    /** @type {number[][]} */
    const rows = need.counts.map(() => []);
    const employers = new Set();
    cells.forEach((cell, number) => {
      const order = [...rowsOf[number]];
      let taken = 0;
      cell.forEach((count, seat) => {
        for (let n = 0; n < count; n++, taken++) {
          const at = taken + Number(integers.below(BigInt(order.length - taken)));
          [order[taken], order[at]] = [order[at], order[taken]];
          rows[seat].push(order[taken]);
          employers.add(roll.employerOf[order[taken]]);
        }
      });
    });
    if (employers.size === need.counts.reduce((sum, count) => sum + count, 0)) return { rows, attempt };
  }
  throw new Refused("too_many_attempts");
}

/** Rows that are not barred, in roll order. @param {Question} asked */
function* usable({ roll, need }) {
  for (let n = 0; n < roll.size; n++) if (!need.rows.has(n) && !need.employers.has(roll.employerOf[n])) yield n;
}

/**
 * The cells of a type, in lexicographic order by seat, with their ways. @param {import("./roll.js").Type} type @param {State} state
 * @param {number} rows @returns {[number[], bigint][]}
 */
function cellsOf(type, state, rows) {
  /** @type {[number[], bigint][]} */
  const cells = [];
  const cell = state.counts.map(() => 0);
  const most = type.recent ? Math.min(rows, state.recent) : rows;
  /** @param {number} at place in type.seats @param {number} left @param {number} rest rows @param {bigint} ways */
  const fill = (at, left, rest, ways) => {
    if (at === type.seats.length) {
      cells.push([[...cell], ways]);
      return;
    }
    const seat = type.seats[at];
    let choose = ways;
    for (let count = 0; count <= Math.min(state.counts[seat], left); count++) {
      cell[seat] = count;
      fill(at + 1, left - count, rest - count, choose);
      choose = (choose * BigInt(rest - count)) / BigInt(count + 1);
    }
    cell[seat] = 0;
  };
  fill(0, most, rows, 1n);
  return cells;
}

/** cells-dp. @param {Question} asked @param {Integers} integers */
function exact(asked, integers) {
  const { roll, need, groups } = asked;
  const employers = groups.flatMap((_, number) => (need.employers.has(number) ? [] : [number]));
  /** @type {Map<number, number[]>} usable rows in roll order */
  const rowsOf = new Map(employers.map((number) => [number, []]));
  for (let n = 0; n < roll.size; n++) if (!need.rows.has(n)) rowsOf.get(roll.employerOf[n])?.push(n);
  const completions = new Completions(asked, (sites) => employers.map((number) => [lineOf(asked, groups[number], sites), 1]));
  let state = start(asked);
  /** @type {number[][]} */
  const rows = need.counts.map(() => []);
  integers.begin(0);
  for (let n = 0; n < employers.length && state.counts.some((count) => count > 0); n++) {
    let value = integers.below(completions.ways(n, state));
    const none = completions.ways(n + 1, state);
    if (value < none) continue;
    value -= none;
    choice: for (const row of rowsOf.get(employers[n]) ?? []) {
      const type = roll.typeAt(row);
      if (type.recent && state.recent < 1) continue;
      for (const [at, seat] of type.seats.entries()) {
        if (state.counts[seat] < 1) continue;
        const next = after(state, type, state.counts.map((_, other) => Number(other === seat)));
        value -= roll.weight(groups[employers[n]].number, roll.typeOf[row], at) * completions.ways(n + 1, next);
        if (value < 0n) {
          rows[seat].push(row);
          state = next;
          break choice;
        }
      }
    }
  }
  return { rows, attempt: 0 };
}
