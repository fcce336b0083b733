/**
 * Ed25519 as libsodium judges it (docs/spec/canonical.md 3): s below q, A and R canonical and not of small order, no cofactor.
 * The curve arithmetic is the vendored library's; the judging is ours.
 */

import { ed25519, sha512 } from "../../vendor/noble-ed25519.js";
import { concat, same } from "./bytes.js";

export const Point = ed25519.Point;
export const ORDER = Point.CURVE().n;

/** @param {Uint8Array} bytes little-endian @returns {bigint} */
export function littleEndian(bytes) {
  let value = 0n;
  for (let n = bytes.length - 1; n >= 0; n--) value = (value << 8n) | BigInt(bytes[n]);
  return value;
}

/** The point of a canonical encoding, or null. @param {Uint8Array} bytes */
export function decode(bytes) {
  try {
    const point = Point.fromBytes(bytes, false);
    return same(point.toBytes(), bytes) ? point : null;
  } catch {
    return null;
  }
}

/** Whether the signature is good. @param {Uint8Array} publicKey @param {Uint8Array} message @param {Uint8Array} signature 64 bytes */
export function verifies(publicKey, message, signature) {
  const s = littleEndian(signature.subarray(32));
  const key = decode(publicKey);
  const nonce = decode(signature.subarray(0, 32));
  if (s >= ORDER || !key || !nonce || key.isSmallOrder() || nonce.isSmallOrder()) return false;
  const k = littleEndian(sha512(concat(signature.subarray(0, 32), publicKey, message))) % ORDER;
  return Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k)).equals(nonce);
}
