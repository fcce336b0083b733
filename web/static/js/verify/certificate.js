/**
 * The certificate of fairness (docs/spec/fairness.md 3–5): prices that bound what any lottery could give, the targets that follow from them,
 * and the checks F2 and F3. Integers only; one target unit is 2^-64.
 */

const ONE = 1n << 64n;
/** How far chances may lie from what the prices promise, in hundredths. */
const ALLOWED = 1n;

/**
 * @typedef {import("./counting.js").Question} Question
 * @typedef {import("./table.js").Table} Table
 * @typedef {import("./table.js").Level} Level
 * @typedef {(check: string, code: string, params?: Record<string, unknown>) => void} Fault
 */
/**
 * People who are alike: of one type and one priced class, or of one type and no priced class.
 * @typedef {object} Group
 * @property {import("./roll.js").Type} type
 * @property {number} number of the class, -1 for none
 * @property {bigint} people
 * @property {bigint} least numerator
 * @property {bigint} largest numerator
 * @property {bigint} mass
 * @property {bigint[]} massAt by place in the type's seats
 * @property {bigint | null} target
 */

/** @param {Question} asked @param {Table} table @param {{total: bigint, atSeats: (employer: number, type: number) => bigint[]}} counted
 * @param {bigint[]} numerators of all rows, 0 for the barred @param {Fault} fault */
export function judgeCertificate(asked, table, counted, numerators, fault) {
  const { roll } = asked;
  const groups = groupsOf(asked, table, counted, numerators);
  /** @type {bigint[]} employers of each class that have anybody left */
  const left = roll.classes.map(({ employers }) => BigInt(employers.filter((each) => asked.groups[each].people.size > 0).length));
  for (const [n, level] of table.levels.entries())
    if (!judgeLevel(asked, level, groups, left, counted.total, fault)) {
      fault("F2", "bad_certificate", { place: `level ${n}` });
      return;
    }
  if (groups.some(({ target }) => target === null)) {
    fault("F2", "bad_certificate", { place: "levels" });
    return;
  }
  for (const { number, least, largest, target } of groups) {
    const aim = /** @type {bigint} */ (target) * counted.total;
    const low = number < 0 && least * ONE * 100n < (100n - ALLOWED) * aim;
    if (largest * ONE * 100n > (100n + ALLOWED) * aim || low) fault("F3", "chance_off_target");
  }
  for (const level of table.levels) judgeScarcity(asked, level, groups, left, counted.total, fault);
}

/** @param {Question} asked @param {Table} table @param {{atSeats: (employer: number, type: number) => bigint[]}} counted @param {bigint[]} numerators @returns {Group[]} */
function groupsOf({ roll }, { levels }, { atSeats }, numerators) {
  const priced = new Set(levels.flatMap(({ employers }) => employers.map(({ number }) => number)));
  /** @type {Map<string, Group>} */
  const groups = new Map();
  numerators.forEach((numerator, row) => {
    if (numerator === 0n) return;
    const [kind, employer] = [roll.typeOf[row], roll.employerOf[row]];
    const number = priced.has(roll.classOf[employer]) ? roll.classOf[employer] : -1;
    const key = `${kind} ${number}`;
    const at = atSeats(employer, kind);
    const group = groups.get(key);
    if (!group) {
      groups.set(key, {
        type: roll.types[kind], number, people: 1n, least: numerator, largest: numerator, mass: numerator, massAt: [...at], target: null,
      });
      return;
    }
    group.people++;
    group.mass += numerator;
    if (numerator < group.least) group.least = numerator;
    if (numerator > group.largest) group.largest = numerator;
    at.forEach((each, n) => (group.massAt[n] += each));
  });
  return [...groups.values()];
}

/** The least price of a seat that the type can fill. @param {Level} level @param {import("./roll.js").Type} type */
function leastSeatPrice({ seats }, type) {
  return BigInt(Math.min(...type.seats.map((seat) => seats[seat])));
}

/** The sites of the need, increasing, with their prices. @param {Question} asked @param {Level} level @returns {[number, bigint][]} */
function sitePrices({ need }, { sites }) {
  return [...need.sites].sort((a, b) => a - b).map((site, n) => [site, BigInt(sites[n])]);
}

/** Fix the groups of a level and compare those that are free with its bound; false if it shows nothing.
 * @param {Question} asked @param {Level} level @param {Group[]} groups @param {bigint[]} left @param {bigint} total @param {Fault} fault */
function judgeLevel(asked, level, groups, left, total, fault) {
  const { need } = asked;
  if (level.seats.length !== need.counts.length || level.sites.length !== need.sites.size) return false;
  const free = groups.filter(({ target }) => target === null);
  if (free.length === 0) return false;
  const idle = !level.employers.length && level.recent === 0 && [...level.seats, ...level.sites].every((price) => price === 0);
  if (idle) {
    const most = free.reduce((largest, { type }) => Math.max(largest, type.weight), 0);
    for (const { least, type } of free)
      if (least * BigInt(most) * 100n < (100n - ALLOWED) * total * BigInt(type.weight)) fault("F2", "bound_not_reached");
    for (const group of free) if (group.type.weight === most) group.target = ONE;
    return true;
  }
  const ofSite = new Map(sitePrices(asked, level));
  const ofClass = new Map(level.employers.map(({ number, price }) => [number, BigInt(price)]));
  /** @param {Group} group */
  const cost = ({ type, number }) =>
    leastSeatPrice(level, type) - (ofSite.get(type.site) ?? 0n) + (type.recent ? BigInt(level.recent) : 0n) + (ofClass.get(number) ?? 0n);
  let worth = BigInt(level.recent) * BigInt(need.recent);
  need.counts.forEach((count, seat) => (worth += BigInt(level.seats[seat]) * BigInt(count)));
  for (const price of ofSite.values()) worth -= price;
  for (const [number, price] of ofClass) worth += price * left[number];
  let spent = 0n;
  let shares = 0n;
  for (const group of groups) {
    const each = cost(group);
    if (group.target !== null) spent -= group.target * group.people * each;
    else if (each < 0n) worth -= group.people * each;
    else shares += group.people * BigInt(group.type.weight) * each;
  }
  spent += worth * ONE;
  if (shares <= 0n || spent < 0n) return false;
  for (const { least, type } of free)
    if (least * shares * ONE * 100n < (100n - ALLOWED) * spent * total * BigInt(type.weight)) fault("F2", "bound_not_reached");
  for (const group of free)
    if (cost(group) > 0n) {
      const target = (spent * BigInt(group.type.weight)) / shares;
      group.target = target < ONE ? target : ONE;
    }
  return true;
}

/** A price must be paid for what is scarce. @param {Question} asked @param {Level} level @param {Group[]} groups @param {bigint[]} left
 * @param {bigint} total @param {Fault} fault */
function judgeScarcity(asked, level, groups, left, total, fault) {
  const idle = () => fault("F3", "price_without_scarcity");
  /** @param {(group: Group) => boolean} which */
  const mass = (which) => groups.filter(which).reduce((sum, group) => sum + group.mass, 0n);
  const dearest = level.seats.reduce((most, price) => Math.max(most, Math.abs(price)), 0);
  level.seats.forEach((price, seat) => {
    const c = BigInt(price);
    let wasted = 0n;
    for (const { type, massAt } of groups) {
      const at = type.seats.indexOf(seat);
      if (at >= 0) wasted += massAt[at] * (c - leastSeatPrice(level, type));
    }
    if (100n * wasted > ALLOWED * total * BigInt(asked.need.counts[seat]) * BigInt(dearest)) idle();
  });
  for (const [site, price] of sitePrices(asked, level))
    if (price > 0n && 100n * mass(({ type }) => type.site === site) > (100n + ALLOWED) * total) idle();
  if (level.recent > 0 && 100n * mass(({ type }) => type.recent) < (100n - ALLOWED) * total * BigInt(asked.need.recent)) idle();
  for (const { number } of level.employers)
    if (100n * mass((group) => group.number === number) < (100n - ALLOWED) * total * left[number]) idle();
}
