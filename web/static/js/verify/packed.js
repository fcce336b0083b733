/**
 * Polynomials whose coefficients lie side by side in one big integer, each at a fixed width: adding two of them, or multiplying one by a
 * variable, is one operation on the integer. Degrees are cut off where no seating needs more.
 *
 * Variables: one for each seat (degree: people needed), and one for recent people where their cap can bind. What stands for a group of people
 * is a *line*: a sum of monomials seat × recent with the number (or weight) of the people behind it; the group contributes 1 + line.
 */

/**
 * @typedef {{seat: number, recent: number, weight: bigint}} Term
 * @typedef {Term[]} Line
 */

/** The ring of one need. */
export class Ring {
  /**
   * @param {number[]} counts people per seat @param {number} recent cap on recent people; -1 where it cannot bind
   * @param {bigint} everybody the sum of all weights of all lines: no coefficient exceeds its power
   */
  constructor(counts, recent, everybody) {
    this.counts = counts;
    this.people = counts.reduce((sum, count) => sum + count, 0);
    this.recents = recent + 1 || 1;
    this.capped = recent >= 0;
    const bits = this.people * everybody.toString(2).length + 4;
    this.digits = Math.ceil(bits / 4);
    this.width = BigInt(4 * this.digits);
    /** @type {number[]} */
    this.strides = [];
    let stride = this.recents;
    for (const count of counts) {
      this.strides.push(stride);
      stride *= count + 1;
    }
    this.size = stride;
    this.one = 1n;
    this.shifts = this.strides.map((each) => BigInt(each) * this.width);
    this.seatMasks = counts.map((count, seat) => this.#mask((n) => Math.floor(n / this.strides[seat]) % (count + 1) < count));
    this.recentMask = this.#mask((n) => n % this.recents < this.recents - 1);
  }

  /** All bits of the places that a further factor does not push over the edge. @param {(place: number) => boolean} keep */
  #mask(keep) {
    const [full, empty] = ["f".repeat(this.digits), "0".repeat(this.digits)];
    let text = "";
    for (let n = this.size - 1; n >= 0; n--) text += keep(n) ? full : empty;
    return BigInt("0x" + text);
  }

  /** @param {bigint} poly @param {Line} line @returns {bigint} */
  times(poly, line) {
    let sum = 0n;
    let recent = -1n;
    for (const term of line) {
      let part = poly;
      if (term.recent && this.capped) {
        if (recent < 0n) recent = (poly & this.recentMask) << this.width;
        part = recent;
      }
      part = (part & this.seatMasks[term.seat]) << this.shifts[term.seat];
      sum += term.weight === 1n ? part : part * term.weight;
    }
    return sum;
  }

  /** poly × (1 + line)^times, by the binomial theorem where that is shorter. @param {bigint} poly @param {Line} line @param {number} times */
  timesGroup(poly, line, times) {
    if (line.length === 0) return poly;
    let made = poly;
    if (times <= this.people) {
      for (let n = 0; n < times; n++) made += this.times(made, line);
      return made;
    }
    let power = poly;
    let choose = 1n;
    for (let n = 1; n <= this.people; n++) {
      power = this.times(power, line);
      choose = (choose * BigInt(times - n + 1)) / BigInt(n);
      made += power * choose;
    }
    return made;
  }

  /** The place of a monomial. @param {number[]} degrees @param {number} recent */
  place(degrees, recent) {
    let place = recent;
    for (let seat = 0; seat < degrees.length; seat++) place += degrees[seat] * this.strides[seat];
    return place;
  }

  /** All coefficients. @param {bigint} poly @returns {bigint[]} */
  unpack(poly) {
    const text = poly.toString(16).padStart(this.size * this.digits, "0");
    const made = new Array(this.size);
    for (let n = 0, at = text.length; n < this.size; n++, at -= this.digits) made[n] = BigInt("0x" + text.slice(at - this.digits, at));
    return made;
  }

  /** The sum of the coefficients of these degrees and at most so many recent people. @param {bigint} poly @param {number[]} degrees @param {number} recent */
  upTo(poly, degrees, recent) {
    const most = this.capped ? Math.min(recent, this.recents - 1) : 0;
    if (most < 0) return 0n;
    let rest = poly >> (BigInt(this.place(degrees, 0)) * this.width);
    let sum = 0n;
    for (let n = 0; n <= most; n++) {
      sum += BigInt.asUintN(4 * this.digits, rest);
      rest >>= this.width;
    }
    return sum;
  }
}
