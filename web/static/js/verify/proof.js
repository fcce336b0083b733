/**
 * The proof file (docs/spec/draw.md 7.1): reading alone. Whether it proves anything is verify.js.
 */

import { canonical, parse, without } from "./canonical.js";
import { parseEvent, signatures } from "./events.js";
import { PAE } from "./hash.js";
import { leafHash } from "./merkle.js";
import { digest, int, list, name, object, text, time, version } from "./shapes.js";

const MOST_BYTES = 8 * 2 ** 20;
const MAPPED_TYPE = "application/vnd.lotroom.event.v1+json";
const MONITOR_TYPE = "application/vnd.lotroom.monitor.v1+json";

/** @typedef {import("./events.js").Event} Event */
/** @typedef {{event: Event, index: number, path: Uint8Array[]}} Logged */
/** @typedef {ReturnType<typeof mapLeaf> & {signed: Uint8Array, hash: Uint8Array}} MapLeaf */
/** @typedef {ReturnType<typeof monitor> & {signed: Uint8Array}} Monitored */

const path = list(digest, 0, 64);
const position = int(0, Number.MAX_SAFE_INTEGER);
const mapLeaf = object({
  at: time, origin: name, root: digest, sigs: signatures(10), size: position, type: version("mapped"), v: version("draw/v1"),
});
const monitor = object({ at: time, origin: name, root: digest, sigs: signatures(1, 1), size: position });

/** @type {import("./shapes.js").Shape<MapLeaf>} */
const signedMapLeaf = (value, place) => {
  const json = /** @type {any} */ (value);
  return { ...mapLeaf(value, place), signed: PAE(MAPPED_TYPE, canonical(without(json, "sigs"))), hash: leafHash(canonical(value)) };
};
/** @type {import("./shapes.js").Shape<Monitored>} */
const signedMonitor = (value, place) => {
  const json = /** @type {any} */ (value);
  return { ...monitor(value, place), signed: PAE(MONITOR_TYPE, canonical(without(json, "sigs"))) };
};

const proof = object({
  checkpoints: list(text(0, 65_535), 1, 1000),
  consistency: list(path, 0, 999),
  events: list(object({ event: parseEvent, index: position, path }), 1, 5000),
  map: object({ index: position, leaf: signedMapLeaf, path, siblings: list(digest, 0, 256) }),
  monitors: list(signedMonitor, 0, 20),
  origin: name,
  v: version("lotroom-proof/1"),
});

/** @typedef {ReturnType<typeof proof>} Proof */

/** @param {Uint8Array} bytes @returns {Proof} */
export function parseProof(bytes) {
  return proof(parse(bytes, { most: MOST_BYTES, text: true }), "proof");
}
