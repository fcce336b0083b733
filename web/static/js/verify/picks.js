/**
 * picks-reject/1 (docs/spec/selection.md 4a): fill the places one after the other with any rows by weight, keeping caps and sites reachable;
 * begin again if two rows have one employer.
 */

import { Refused } from "./bytes.js";

const MOST_ATTEMPTS = 10_000;

/** @typedef {import("./counting.js").Question} Question */
/** Rows of a seat that are alike for caps and sites, with the running sums of their weights. @typedef {{recent: number, site: number, rows: number[], sums: bigint[]}} PickGroup */

/** The ways of orders, by state. */
export class Orders {
  /** @param {Question} asked */
  constructor(asked) {
    const { need, capped } = asked;
    const people = need.counts.reduce((sum, count) => sum + count, 0);
    this.recent = Math.min(need.recent, people);
    this.sites = [...need.sites].sort((a, b) => a - b);
    /** @type {number[]} the seat of each place */
    this.places = need.counts.flatMap((count, seat) => new Array(count).fill(seat));
    this.groups = groupsOf(asked, capped);
    /** @type {Map<number, bigint>} */
    this.known = new Map();
  }

  /** The weight of all orders. */
  all() {
    return this.ways(0, this.recent, 2 ** this.sites.length - 1);
  }

  /** @param {number} place @param {number} recent still allowed @param {number} missing bits of the sites still needed @returns {bigint} */
  ways(place, recent, missing) {
    if (place === this.places.length) return missing === 0 ? 1n : 0n;
    const key = (place * (this.recent + 1) + recent) * 2 ** this.sites.length + missing;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    let sum = 0n;
    for (const group of this.groups[this.places[place]])
      if (group.recent <= recent) sum += weightOf(group) * this.after(place, recent, missing, group);
    this.known.set(key, sum);
    return sum;
  }

  /** @param {number} place @param {number} recent @param {number} missing @param {PickGroup} group */
  after(place, recent, missing, group) {
    return this.ways(place + 1, recent - group.recent, this.without(missing, group.site));
  }

  /** @param {number} missing @param {number} site */
  without(missing, site) {
    const at = this.sites.indexOf(site);
    return at < 0 ? missing : missing & ~(1 << at);
  }
}

/** @param {PickGroup} group */
function weightOf({ sums }) {
  return sums[sums.length - 1];
}

/** The groups of each seat, in sorted order. @param {Question} asked @param {boolean} capped @returns {PickGroup[][]} */
function groupsOf({ roll, need }, capped) {
  return need.counts.map((count, seat) => {
    /** @type {Map<number, PickGroup>} */
    const groups = new Map();
    if (count > 0)
      for (let row = 0; row < roll.size; row++) {
        if (need.rows.has(row) || need.employers.has(roll.employerOf[row])) continue;
        const type = roll.typeAt(row);
        const at = type.seats.indexOf(seat);
        if (at < 0) continue;
        const [recent, site] = [Number(capped && type.recent), need.sites.has(type.site) ? type.site : -1];
        const group = groups.get(recent * 16 + site) ?? { recent, site, rows: [], sums: [] };
        groups.set(recent * 16 + site, group);
        group.rows.push(row);
        group.sums.push((group.sums[group.sums.length - 1] ?? 0n) + roll.weight(roll.classOf[roll.employerOf[row]], roll.typeOf[row], at));
      }
    return [...groups.values()].sort((a, b) => a.recent - b.recent || a.site - b.site);
  });
}

/** @param {Question} asked @param {import("./seed.js").Integers} integers @returns {{rows: number[][], attempt: number}} */
export function rejectPicks(asked, integers) {
  const { roll, need } = asked;
  const orders = new Orders(asked);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    integers.begin(attempt);
    /** @type {number[][]} */
    const rows = need.counts.map(() => []);
    const employers = new Set();
    let recent = orders.recent;
    let missing = 2 ** orders.sites.length - 1;
    orders.places.forEach((seat, place) => {
      let value = integers.below(orders.ways(place, recent, missing));
      const group = orders.groups[seat].find((each) => {
        if (each.recent > recent) return false;
        value -= weightOf(each) * orders.after(place, recent, missing, each);
        return value < 0n;
      });
      if (!group) throw new Refused("bad_need");
      const row = group.rows[firstAbove(group.sums, integers.below(weightOf(group)))];
      rows[seat].push(row);
      employers.add(roll.employerOf[row]);
      recent -= group.recent;
      missing = orders.without(missing, group.site);
    });
    if (employers.size === orders.places.length) return { rows, attempt };
  }
  throw new Refused("too_many_attempts");
}

/** The first place whose running sum is above the value. @param {bigint[]} sums @param {bigint} value */
function firstAbove(sums, value) {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
