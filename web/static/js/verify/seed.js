/**
 * Randomness (docs/spec/draw.md 5): the inputs of the ECVRF, the seeds of panel and rounds, and unbiased integers (docs/spec/selection.md 2).
 */

import { concat, u16be, u32be, u64be, utf8 } from "./bytes.js";
import { TH, hmac, sha256 } from "./hash.js";
import { input } from "./vrf.js";

const STATES = { pending: 0, accepted: 1, left: 2, used: 3, appointed: 4 };

/** @typedef {{pk: Uint8Array, beta: Uint8Array}} Pair */
/** @typedef {{number: number, states: Uint8Array}} Round */

/** @param {Pair[]} pairs sorted by pk */
const flat = (pairs) => pairs.flatMap(({ pk, beta }) => [pk, beta]);

/** The states that a round rests on. @param {{tags: Uint8Array[], state: keyof typeof STATES}[]} slots */
export function statesBytes(slots) {
  return concat(...slots.map(({ tags, state }, n) => concat(u16be(n), u16be(tags.length), Uint8Array.of(STATES[state]))));
}

/** What each contributor proves. @param {Uint8Array} leaf @param {Round | null} round none for panel and extension */
export function alpha(leaf, round) {
  if (!round) return input("draw/v1/contrib", leaf);
  return input("draw/v1/round-contrib", TH("draw/v1/round-input", leaf, u32be(round.number), round.states));
}

/** What the draw key proves. @param {Uint8Array} leaf @param {Round | null} round @param {Pair[]} pairs */
export function lastAlpha(leaf, round, pairs) {
  if (!round) return input("draw/v1/last", TH("draw/v1/all", leaf, ...flat(pairs)));
  return input("draw/v1/round-last", TH("draw/v1/round-all", leaf, u32be(round.number), round.states, ...flat(pairs)));
}

/**
 * What the lots rest on beside the contributions: SHA-256 of the draw key and 0, with its output; or the chain hash of a beacon's network and
 * the number of its round, with the value. @typedef {{source: Uint8Array, number: number, value: Uint8Array}} Chance
 */

/** @param {Uint8Array} drawKey @param {Uint8Array} beta @returns {Chance} */
export function ofDrawKey(drawKey, beta) {
  return { source: sha256(drawKey), number: 0, value: beta };
}

/** @param {Uint8Array} leaf @param {Chance} chance @param {Pair[]} pairs */
export function panelSeed(leaf, { source, number, value }, pairs) {
  return TH("draw/v1/seed", leaf, source, u64be(number), value, ...flat(pairs));
}

/** @param {Pair[]} pairs @param {Uint8Array} drawKey @param {Uint8Array} beta of the draw key */
export function rhoOfDrawKey(pairs, drawKey, beta) {
  return TH("draw/v1/rho", ...flat(pairs), drawKey, beta);
}

/** @param {Chance} chance */
export function rhoOfBeacon({ source, number, value }) {
  return TH("draw/v1/rho", source, u64be(number), value);
}

/** @param {Uint8Array} seed of the panel or the latest extension @param {Round} round @param {Uint8Array} rho */
export function roundSeed(seed, round, rho) {
  return TH("draw/v1/round", seed, u32be(round.number), round.states, rho);
}

/** Unbiased integers of one stage; each counts a step, and steps begin at 0 in each attempt (sel-1). */
export class Integers {
  /** @param {Uint8Array} seed @param {number} stage */
  constructor(seed, stage) {
    this.mac = hmac(seed);
    this.stage = stage;
    this.attempt = 0;
    this.step = 0;
  }

  /** @param {number} attempt */
  begin(attempt) {
    this.attempt = attempt;
    this.step = 0;
  }

  /** @param {bigint} n at least 1 */
  below(n) {
    return below(this.mac, concat(Uint8Array.of(this.stage), u32be(this.attempt), u32be(this.step++)), n);
  }
}

const PREFIX = utf8("draw/v1/int\0");

/** @param {(message: Uint8Array) => Uint8Array} mac @param {Uint8Array} label @param {bigint} n */
export function below(mac, label, n) {
  if (n === 1n) return 0n;
  const blocks = Math.ceil((bits(n) + 64) / 256);
  const limit = ((1n << BigInt(256 * blocks)) / n) * n;
  for (let counter = 0; ; ) {
    let value = 0n;
    for (let block = 0; block < blocks; block++) {
      const words = new DataView(mac(concat(PREFIX, label, u32be(counter++))).buffer);
      for (let at = 0; at < 32; at += 8) value = (value << 64n) | words.getBigUint64(at);
    }
    if (value < limit) return value % n;
  }
}

/** @param {bigint} n */
function bits(n) {
  return n.toString(2).length;
}
