/**
 * The roll file (docs/spec/draw.md 7.2): nameless rows of the eligible, and the lists of removed tags; what is hashed of them.
 */

import { Refused, compare, hex, same, utf8 } from "./bytes.js";
import { canonical, parse } from "./canonical.js";
import { TH, sha256 } from "./hash.js";
import { root } from "./merkle.js";
import { bool, digest, int, list, object, version } from "./shapes.js";
import { parseTable } from "./table.js";

const MAGIC = "lotroom-roll/1\n";
const MOST_BYTES = 32 * 2 ** 20;
const MOST_HEAD = 2 ** 20;
const ROW = 58;
const TAG = 16;

const type = object({ recent: bool, seats: list(int(0, 39), 1, 40), site: int(-1, 7), weight: int(1, 2 ** 32) });
const tabledHead = object({
  rows: int(0, MOST_BYTES), salt: digest, table: digest, types: list(type, 0, 4096), v: version("lotroom-roll/2"),
});
const rollHead = object({ rows: int(0, MOST_BYTES), salt: digest, types: list(type, 0, 4096), v: version("lotroom-roll/1") });
const removedHead = object({ rows: int(0, MOST_BYTES), salt: digest, v: version("lotroom-removed/1") });

/** @typedef {ReturnType<typeof type>} Type */
/** @typedef {{kind: "removed", salt: Uint8Array, body: Uint8Array, tags: string[]}} Removed */

/** The rows of one commit or extension. */
export class Roll {
  /** @param {Uint8Array} headBytes @param {Type[]} types @param {Uint8Array} salt @param {Uint8Array} body @param {string} place */
  constructor(headBytes, types, salt, body, place) {
    this.place = place;
    /** the table of fair/1 @type {import("./table.js").Table | null} */
    this.table = null;
    this.kind = /** @type {const} */ ("roll");
    this.headBytes = headBytes;
    this.types = types;
    this.salt = salt;
    this.body = body;
    this.size = body.length / ROW;
    this.typeOf = new Uint16Array(this.size);
    /** number of the employer of each row; numbers follow the order of tags @type {Uint32Array} */
    this.employerOf = new Uint32Array(this.size);
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const employers = new BigUint64Array(this.size);
    for (let n = 0; n < this.size; n++) {
      this.typeOf[n] = view.getUint16(n * ROW + TAG);
      employers[n] = view.getBigUint64(n * ROW + TAG + 2);
    }
    const sorted = [...new Set(BigUint64Array.from(employers).sort())];
    const numbers = new Map(sorted.map((tag, n) => [tag, n]));
    for (let n = 0; n < this.size; n++) this.employerOf[n] = /** @type {number} */ (numbers.get(employers[n]));
    this.employers = sorted.length;
    this.classes = this.#classes();
    /** number of the class of each employer */
    this.classOf = new Uint32Array(this.employers);
    this.classes.forEach(({ employers: members }, number) => {
      for (const employer of members) this.classOf[employer] = number;
    });
  }

  /** Employers with equal numbers of people of each type are one class; classes are numbered in sorted order (fairness.md 1). */
  #classes() {
    /** @type {Map<number, number>[]} people of each employer by type */
    const groups = Array.from({ length: this.employers }, () => new Map());
    for (let n = 0; n < this.size; n++) {
      const group = groups[this.employerOf[n]];
      group.set(this.typeOf[n], (group.get(this.typeOf[n]) ?? 0) + 1);
    }
    /** @type {Map<string, {pairs: [number, number][], employers: number[]}>} */
    const classes = new Map();
    groups.forEach((group, employer) => {
      const pairs = [...group].sort((a, b) => a[0] - b[0]);
      const known = classes.get(pairs.join(";"));
      if (known) known.employers.push(employer);
      else classes.set(pairs.join(";"), { pairs, employers: [employer] });
    });
    return [...classes.values()].sort((a, b) => compareNested(a.pairs, b.pairs));
  }

  /** The weight of a person of this class and type in the type's seat at this place. @param {number} number of the class @param {number} kind @param {number} at */
  weight(number, kind, at) {
    return this.table ? BigInt(/** @type {number[]} */ (this.table.weights[number].get(kind))[at]) : 1n;
  }

  /** @param {number} n */
  row(n) {
    return this.body.subarray(n * ROW, (n + 1) * ROW);
  }

  /** @param {number} n */
  tag(n) {
    return this.body.subarray(n * ROW, n * ROW + TAG);
  }

  /** The row of a tag, or -1; the rows increase. @param {Uint8Array} tag */
  find(tag) {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.tag(middle), tag) < 0) low = middle + 1;
      else high = middle;
    }
    return low < this.size && compare(this.tag(low), tag) === 0 ? low : -1;
  }

  /** @param {number} n */
  typeAt(n) {
    return this.types[this.typeOf[n]];
  }

  root() {
    const all = this;
    return root((function* () {
      for (let n = 0; n < all.size; n++) yield all.row(n);
    })());
  }

  headDigest() {
    return sha256(this.headBytes);
  }

  /** The digest that both attestations state (draw-2.4). */
  histogram() {
    const lists = this.classes.flatMap(({ pairs, employers }) => employers.map(() => pairs));
    return TH("draw/v1/histogram", this.salt, canonical(lists));
  }
}

/** The order of nested lists of numbers, a shorter list before those it begins. @param {any} one @param {any} two @returns {number} */
export function compareNested(one, two) {
  if (typeof one === "number") return one - two;
  for (let n = 0; n < Math.min(one.length, two.length); n++) {
    const order = compareNested(one[n], two[n]);
    if (order) return order;
  }
  return one.length - two.length;
}

/** @param {Type} each */
const orderOfType = (each) => [each.seats, each.site, Number(each.recent), each.weight];

/** @param {Uint8Array} data @returns {(Roll | Removed)[]} */
export function parseRoll(data) {
  if (data.length > MOST_BYTES) throw new Refused("too_long", { most: MOST_BYTES }, "roll");
  if (data.length < MAGIC.length || compare(data.subarray(0, MAGIC.length), utf8(MAGIC))) throw new Refused("not_a_roll", {}, "roll");
  /** @type {(Roll | Removed)[]} */
  const sections = [];
  let at = MAGIC.length;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const take = () => {
    if (at + 4 > data.length) throw new Refused("truncated", {}, "roll");
    const length = view.getUint32(at);
    at += 4 + length;
    if (at > data.length) throw new Refused("truncated", {}, "roll");
    return data.subarray(at - length, at);
  };
  while (at < data.length) {
    const kind = data[at++];
    const [head, body] = [take(), take()];
    const place = `roll section ${sections.length}`;
    if (kind === 1) sections.push(rows(rollHead(parse(head, { most: MOST_HEAD }), place), head, body, place));
    else if (kind === 3) {
      const fields = tabledHead(parse(head, { most: MOST_HEAD }), place);
      const roll = rows(fields, head, body, place);
      const table = take();
      if (!same(TH("draw/v1/table", table), fields.table)) throw new Refused("other_table", {}, place);
      roll.table = parseTable(table, roll);
      sections.push(roll);
    }
    else if (kind === 2) sections.push(removed(head, body, place));
    else throw new Refused("unknown_section", {}, place);
  }
  if (sections.length === 0) throw new Refused("not_a_roll", {}, "roll");
  return sections;
}

/** @param {ReturnType<typeof rollHead>} head @param {Uint8Array} headBytes @param {Uint8Array} body @param {string} place */
function rows(head, headBytes, body, place) {
  if (body.length !== head.rows * ROW) throw new Refused("wrong_length", { least: head.rows * ROW, most: head.rows * ROW }, place);
  const ordered = head.types.every((each, n) => n === 0 || compareNested(orderOfType(head.types[n - 1]), orderOfType(each)) < 0);
  const seats = head.types.every((each) => each.seats.every((seat, n) => n === 0 || each.seats[n - 1] < seat));
  if (!ordered || !seats) throw new Refused("not_sorted", {}, place);
  return new Roll(headBytes, head.types, head.salt, body, place);
}

/** @param {Uint8Array} headBytes @param {Uint8Array} body @param {string} place @returns {Removed} */
function removed(headBytes, body, place) {
  const head = removedHead(parse(headBytes, { most: MOST_HEAD }), place);
  if (body.length !== head.rows * TAG) throw new Refused("bad_removed_list", {}, place);
  /** @type {string[]} */
  const tags = [];
  for (let n = 0; n < body.length; n += TAG) tags.push(hex(body.subarray(n, n + TAG)));
  if (tags.some((tag, n) => n > 0 && tags[n - 1] >= tag)) throw new Refused("not_sorted", {}, place);
  return { kind: "removed", salt: head.salt, body, tags };
}

/** What `rows` of a screening states. @param {Removed} section */
export function removedDigest(section) {
  return TH("draw/v1/removed", section.salt, section.body);
}

/** Fewer than three eligible people for each place (draw-2.5). @param {Roll} roll @param {{count: number, reserves: number}[]} seats */
export function isSmallPool(roll, seats) {
  const people = seats.map(() => 0);
  const perType = new Uint32Array(roll.types.length);
  for (const number of roll.typeOf) perType[number]++;
  roll.types.forEach((each, n) => {
    for (const seat of each.seats) people[seat] += perType[n];
  });
  const all = seats.reduce((sum, seat) => sum + seat.count, 0);
  return roll.size < 3 * all || seats.some((seat, n) => people[n] < 3 * seat.count);
}
