/**
 * SHA-256, the tagged hash TH (docs/spec/canonical.md 2), HMAC-SHA256, and the bytes that a signature covers.
 */

import { sha256, sha512 } from "../../vendor/noble-ed25519.js";
import { concat, u64be, utf8 } from "./bytes.js";

export { sha256, sha512 };

const BLOCK = 64;

/** TH(tag, parts…). @param {string} tag @param {...Uint8Array} parts @returns {Uint8Array} */
export function TH(tag, ...parts) {
  const name = utf8(tag);
  /** @type {Uint8Array[]} */
  const pieces = [Uint8Array.of(name.length), name];
  for (const part of parts) pieces.push(u64be(part.length), part);
  return sha256(concat(...pieces));
}

/** HMAC-SHA256 under one key of at most 64 bytes. @param {Uint8Array} key @returns {(message: Uint8Array) => Uint8Array} */
export function hmac(key) {
  const inner = new Uint8Array(BLOCK).fill(0x36);
  const outer = new Uint8Array(BLOCK).fill(0x5c);
  key.forEach((byte, n) => {
    inner[n] ^= byte;
    outer[n] ^= byte;
  });
  return (message) => sha256(concat(outer, sha256(concat(inner, message))));
}

/** What a signature covers (DSSE v1). @param {string} type @param {Uint8Array} body */
export function PAE(type, body) {
  return concat(utf8(`DSSEv1 ${type.length} ${type} ${body.length} `), body);
}
