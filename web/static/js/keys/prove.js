/**
 * What a secret key does: signatures (Ed25519), proofs (ECVRF-EDWARDS25519-SHA512-TAI, RFC 9381 5.1) and the public halves of both and of X25519.
 *
 * Secret scalars go through the vendored library's `multiply`, whose number of steps does not depend on them; BigInt arithmetic itself takes
 * a little longer for larger numbers, so these run in the holder's own browser alone, never for strangers who measure.
 */

import { ed25519 } from "../../vendor/noble-ed25519.js";
import { x25519 } from "../../vendor/noble-keys.js";
import { concat } from "../verify/bytes.js";
import { ORDER, Point, decode, littleEndian } from "../verify/ed25519.js";
import { sha512 } from "../verify/hash.js";
import { challenge, hashToCurve } from "../verify/vrf.js";

/** The number as 32 bytes, the lowest first. @param {bigint} value */
function scalarBytes(value) {
  const bytes = new Uint8Array(32);
  for (let n = 0, rest = value; n < 32; n++, rest >>= 8n) bytes[n] = Number(rest & 255n);
  return bytes;
}

/** The scalar and the second half of the hashed seed (RFC 8032 5.1.5). @param {Uint8Array} seed 32 bytes @returns {[bigint, Uint8Array]} */
function secretScalar(seed) {
  const hashed = sha512(seed);
  hashed[0] &= 248;
  hashed[31] = (hashed[31] & 127) | 64;
  return [littleEndian(hashed.subarray(0, 32)) % ORDER, hashed.subarray(32)];
}

/** @param {Uint8Array} seed @returns {Uint8Array} 32 bytes */
export function signingPublic(seed) {
  return ed25519.getPublicKey(seed);
}

/** @param {Uint8Array} seed @param {Uint8Array} message @returns {Uint8Array} 64 bytes */
export function sign(seed, message) {
  return ed25519.sign(message, seed);
}

/** The key that opens sealed files. @param {Uint8Array} seed @returns {Uint8Array} 32 bytes */
export function boxPublic(seed) {
  return x25519.getPublicKey(seed);
}

/** @param {Uint8Array} seed @returns {Uint8Array} 32 bytes */
export function vrfPublic(seed) {
  return Point.BASE.multiply(secretScalar(seed)[0]).toBytes();
}

/** The proof of alpha: Gamma (32 bytes), c (16), s (32). @param {Uint8Array} seed @param {Uint8Array} alpha @returns {Uint8Array} 80 bytes */
export function prove(seed, alpha) {
  const [x, prefix] = secretScalar(seed);
  const key = Point.BASE.multiply(x);
  const h = hashToCurve(key.toBytes(), alpha);
  const gamma = h.multiply(x);
  const k = littleEndian(sha512(concat(prefix, h.toBytes()))) % ORDER;
  const c = challenge(key, h, gamma, Point.BASE.multiply(k), h.multiply(k));
  return concat(gamma.toBytes(), c, scalarBytes((k + littleEndian(c) * x) % ORDER));
}

/** Whether these bytes are a key that a list may hold. @param {Uint8Array} bytes */
export function isPoint(bytes) {
  const point = decode(bytes);
  return point !== null && !point.isSmallOrder();
}
