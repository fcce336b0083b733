/**
 * The table of `fair/1` (docs/spec/fairness.md 1): weights by class and type, and levels of prices. Reading alone; certificate.js judges it.
 */

import { Refused } from "./bytes.js";
import { parse } from "./canonical.js";
import { int, list, object, version } from "./shapes.js";

const MOST_BYTES = 8 * 2 ** 20;
const MOST_PRICE = 2 ** 50;
const price = int(0, MOST_PRICE);

const level = object({
  employers: list(object({ number: int(0, 2 ** 32), price: int(1, MOST_PRICE) }), 0, 100_000), recent: price,
  seats: list(int(-MOST_PRICE, MOST_PRICE), 0, 40), sites: list(price, 0, 8),
});
const table = object({
  levels: list(level, 1, 5000), v: version("lotroom-fair/1"), weights: list(list(list(int(1, 2 ** 40), 1, 40), 1, 4096), 0, 2 ** 20),
});

/** @typedef {ReturnType<typeof level>} Level */
/** @typedef {{levels: Level[], weights: Map<number, number[]>[]}} Table weights by class, by type, by place in the type's seats */

/** Refuse a table that is not for the classes and types of its roll (fair-1). @param {Uint8Array} data @param {import("./roll.js").Roll} roll @returns {Table} */
export function parseTable(data, { classes, types, place }) {
  const { levels, weights } = table(parse(data, { most: MOST_BYTES }), `${place} table`);
  const bad = new Refused("bad_certificate", { place: "weights" }, place);
  if (weights.length !== classes.length) throw bad;
  const byType = classes.map(({ pairs }, number) => {
    const lists = weights[number];
    if (lists.length !== pairs.length || pairs.some(([kind], n) => types[kind]?.seats.length !== lists[n].length)) throw bad;
    return new Map(pairs.map(([kind], n) => [kind, lists[n]]));
  });
  for (const { employers } of levels)
    if (employers.some(({ number }, n) => number >= classes.length || (n > 0 && employers[n - 1].number >= number))) throw bad;
  return { levels, weights: byType };
}
