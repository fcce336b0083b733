/**
 * Exact counts (docs/spec/selection.md 3): how many lawful seatings there are, and in how many each row sits.
 *
 * Seatings with at most one row per employer are coefficients of the product over employers of (1 + line). Required sites come by inclusion and
 * exclusion: over the subsets T of the required sites, with sign, the seatings that use nobody from T. For one row the product without its
 * employer is needed; as 1 / (1 + line) is a power series with few terms below the degrees needed, that is a short sum over the coefficients of
 * the whole product. Employers whose lines are equal share it.
 */

import { Refused } from "./bytes.js";
import { Ring } from "./packed.js";

const MOST_STATES = 100_000;
const MOST_CELLS = 8_000_000;

/** @typedef {import("./roll.js").Roll} Roll */
/** @typedef {import("./packed.js").Line} Line */
/**
 * @typedef {object} Need
 * @property {number[]} counts people per seat
 * @property {number} recent recent people allowed
 * @property {Set<number>} sites that still need somebody
 * @property {Set<number>} rows barred
 * @property {Set<number>} employers barred, by number
 */
/** Usable rows of an employer by type; its class says their weights. @typedef {{people: Map<number, number>, number: number}} Group */
/**
 * What counting sees of a roll under a need: for each employer its usable rows by type, and the subsets of the sites.
 * @typedef {object} Question
 * @property {Roll} roll
 * @property {Need} need
 * @property {boolean} capped whether the cap on recent people can bind
 * @property {Group[]} groups by employer; without people for the barred
 * @property {number[]} perType usable rows of each type
 * @property {{sites: Set<number>, sign: bigint}[]} subsets
 */

/** @param {Roll} roll @param {Need} need @returns {Question} */
export function question(roll, need) {
  /** @type {Group[]} */
  const groups = Array.from({ length: roll.employers }, (_, n) => ({ people: new Map(), number: roll.classOf[n] }));
  const perType = roll.types.map(() => 0);
  for (let n = 0; n < roll.size; n++) {
    const employer = roll.employerOf[n];
    if (need.rows.has(n) || need.employers.has(employer)) continue;
    const type = roll.typeOf[n];
    groups[employer].people.set(type, (groups[employer].people.get(type) ?? 0) + 1);
    perType[type]++;
  }
  const people = need.counts.reduce((sum, count) => sum + count, 0);
  const capped = need.recent < people && roll.types.some((type, n) => type.recent && perType[n] > 0);
  const sites = [...need.sites].sort((a, b) => a - b);
  const subsets = Array.from({ length: 2 ** sites.length }, (_, bits) => {
    const chosen = sites.filter((_, n) => (bits >> n) & 1);
    return { sites: new Set(chosen), sign: chosen.length % 2 ? -1n : 1n };
  });
  bearable(need, capped, sites.length);
  return { roll, need, capped, groups, perType, subsets };
}

/** Refuse what cannot be counted in reasonable time (sel-6). @param {Need} need @param {boolean} capped @param {number} sites */
function bearable({ counts, recent }, capped, sites) {
  const factors = capped ? [...counts, recent] : counts;
  const states = factors.reduce((product, count) => product * (count + 1), 2 ** sites);
  const cells = factors.reduce((product, count) => (product * (count + 1) * (count + 2)) / 2, 2 ** sites);
  if (states > MOST_STATES) throw new Refused("too_many_states", { states, most: MOST_STATES });
  if (cells > MOST_CELLS) throw new Refused("too_many_states", { states: cells, most: MOST_CELLS });
}

/** The line of an employer's people, leaving out the sites. @param {Question} asked @param {Group} group @param {Set<number>} sites @returns {Line} */
export function lineOf({ roll, need, capped }, { people, number }, sites) {
  /** @type {Map<number, bigint>} */
  const weights = new Map();
  for (const [kind, count] of people) {
    const type = roll.types[kind];
    if (sites.has(type.site)) continue;
    type.seats.forEach((seat, at) => {
      if (!(need.counts[seat] > 0)) return;
      const key = 2 * seat + Number(type.recent && capped);
      weights.set(key, (weights.get(key) ?? 0n) + BigInt(count) * roll.weight(number, kind, at));
    });
  }
  return [...weights].sort((a, b) => a[0] - b[0]).map(([key, weight]) => ({ seat: key >> 1, recent: key & 1, weight }));
}

/** The line of one person of a type without weights: for the samplers that know none. @param {Question} asked @param {number} kind @param {Set<number>} sites @returns {Line} */
export function lineOfType({ roll, need, capped }, kind, sites) {
  const type = roll.types[kind];
  if (sites.has(type.site)) return [];
  const seats = type.seats.filter((seat) => need.counts[seat] > 0);
  return seats.map((seat) => ({ seat, recent: Number(type.recent && capped), weight: 1n }));
}

/** The ring in which everybody of a question can be counted. @param {Question} asked */
export function ringOf(asked) {
  let everybody = 1n;
  for (const group of asked.groups) for (const { weight } of lineOf(asked, group, new Set())) everybody += weight;
  return new Ring(asked.need.counts, asked.capped ? asked.need.recent : -1, everybody);
}

/** @param {Line} line */
const spelling = (line) => line.map(({ seat, recent, weight }) => `${seat}.${recent}.${weight}`).join(" ");

/** The product over groups of (1 + line), equal lines together. @param {Ring} ring @param {Iterable<[Line, number]>} lines */
function product(ring, lines) {
  /** @type {Map<string, [Line, number]>} */
  const classes = new Map();
  for (const [line, times] of lines) {
    const key = spelling(line);
    const known = classes.get(key);
    if (known) known[1] += times;
    else classes.set(key, [line, times]);
  }
  let poly = ring.one;
  for (const [line, times] of classes.values()) poly = ring.timesGroup(poly, line, times);
  return { poly, classes };
}

/** Lawful seatings. @param {Question} asked */
export function total(asked) {
  const ring = ringOf(asked);
  let sum = 0n;
  for (const { sites, sign } of asked.subsets) {
    const { poly } = product(ring, asked.groups.map((group) => [lineOf(asked, group, sites), 1]));
    sum += sign * ring.upTo(poly, asked.need.counts, asked.need.recent);
  }
  return sum;
}

/** Seatings without the employer rule. @param {Question} asked */
export function unconstrained(asked) {
  const ring = ringOf(asked);
  let sum = 0n;
  for (const { sites, sign } of asked.subsets) {
    const lines = asked.perType.map((people, n) => /** @type {[Line, number]} */ ([lineOfType(asked, n, sites), people]));
    sum += sign * ring.upTo(product(ring, lines.filter(([, people]) => people > 0)).poly, asked.need.counts, asked.need.recent);
  }
  return sum;
}

/**
 * The total, and a function from employer and type to the weight of the seatings that such a row sits in, seat by seat of its type.
 * @param {Question} asked @returns {{total: bigint, atSeats: (employer: number, type: number) => bigint[]}}
 */
export function chances(asked) {
  const ring = ringOf(asked);
  const { roll, need, groups } = asked;
  let sum = 0n;
  /** @type {Map<number, bigint[]>[]} by employer, by type, by place in the type's seats */
  const numerators = groups.map(() => new Map());
  for (const { sites, sign } of asked.subsets) {
    const lines = groups.map((group) => lineOf(asked, group, sites));
    const { poly } = product(ring, lines.map((line) => [line, 1]));
    sum += sign * ring.upTo(poly, need.counts, need.recent);
    const table = cumulative(ring, ring.unpack(poly));
    /** @type {Map<string, (seat: number, recent: number) => bigint>} */
    const known = new Map();
    groups.forEach((group, employer) => {
      if (lines[employer].length === 0) return;
      const key = spelling(lines[employer]);
      const sits = known.get(key) ?? withoutGroup(ring, table, lines[employer]);
      known.set(key, sits);
      for (const kind of group.people.keys()) {
        const type = roll.types[kind];
        if (sites.has(type.site)) continue;
        const sums = numerators[employer].get(kind) ?? type.seats.map(() => 0n);
        type.seats.forEach((seat, at) => {
          if (need.counts[seat] > 0)
            sums[at] += sign * roll.weight(group.number, kind, at) * sits(seat, Number(type.recent && asked.capped));
        });
        numerators[employer].set(kind, sums);
      }
    });
  }
  return { total: sum, atSeats: (employer, kind) => numerators[employer].get(kind) ?? [] };
}

/** Sums over the number of recent people. @param {Ring} ring @param {bigint[]} coefficients */
function cumulative(ring, coefficients) {
  for (let n = 0; n < coefficients.length; n++) if (n % ring.recents) coefficients[n] += coefficients[n - 1];
  return coefficients;
}

/**
 * In how many seatings a person of this group sits in a seat: the rest is filled by others. The series 1 / (1 + line) is computed on the
 * box of the line's own seats, its recent degree beside. @param {Ring} ring @param {bigint[]} table @param {Line} line
 * @returns {(seat: number, recent: number) => bigint}
 */
function withoutGroup(ring, table, line) {
  const seats = [...new Set(line.map((term) => term.seat))];
  const recents = line.some((term) => term.recent) ? ring.recents : 1;
  const degrees = seats.map(() => 0);
  /** @type {number[]} strides inside the box */
  const strides = [];
  let size = recents;
  for (const seat of seats) {
    strides.push(size);
    size *= ring.counts[seat] + 1;
  }
  const terms = line.map(({ seat, recent, weight }) => ({ at: seats.indexOf(seat), recent, weight }));
  const series = new Array(size).fill(0n);
  /** @type {Int32Array} place in the ring of each place of the box */
  const places = new Int32Array(size);
  series[0] = 1n;
  for (let n = 0; n < size; n++) {
    if (n) {
      let value = 0n;
      for (const { at, recent, weight } of terms)
        if (degrees[at] > 0 && n % recents >= recent) value -= weight * series[n - strides[at] - recent];
      series[n] = value;
    }
    places[n] = n % recents;
    seats.forEach((seat, at) => (places[n] += degrees[at] * ring.strides[seat]));
    if ((n + 1) % recents === 0)
      for (let at = 0; at < seats.length; at++) {
        if (++degrees[at] <= ring.counts[seats[at]]) break;
        degrees[at] = 0;
      }
  }
  const target = ring.place(ring.counts, ring.recents - 1);
  /** @type {Map<number, bigint>} */
  const made = new Map();
  return (seat, recent) => {
    const key = 2 * seat + recent;
    const known = made.get(key);
    if (known !== undefined) return known;
    const at = seats.indexOf(seat);
    const allowed = ring.recents - 1 - recent;
    let sum = 0n;
    for (let n = 0; n < size; n++) {
      if (series[n] === 0n || n % recents > allowed) continue;
      if (Math.floor(n / strides[at]) % (ring.counts[seat] + 1) === ring.counts[seat]) continue;
      sum += series[n] * table[target - ring.strides[seat] - recent - places[n]];
    }
    made.set(key, sum);
    return sum;
  };
}
