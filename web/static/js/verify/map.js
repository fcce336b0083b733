/**
 * The sparse Merkle map of attempts (docs/spec/log.md 4): whether a root holds exactly this key with exactly this value.
 */

import { TH } from "./hash.js";

/**
 * The root that a presence proof leads to. @param {Uint8Array} key 32 bytes @param {Uint8Array} value
 * @param {Uint8Array[]} siblings from the root down
 */
export function presenceRoot(key, value, siblings) {
  let node = TH("draw/v1/map-leaf", key, value);
  for (let depth = siblings.length - 1; depth >= 0; depth--) {
    const right = (key[depth >> 3] >> (7 - (depth & 7))) & 1;
    node = right ? TH("draw/v1/map-node", siblings[depth], node) : TH("draw/v1/map-node", node, siblings[depth]);
  }
  return node;
}
