/**
 * ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381), verification with key validation (docs/spec/canonical.md 4).
 * A proof is Gamma (32 bytes), c (16) and s (32). For a key and an input there is exactly one output beta.
 */

import { Refused, concat, same, utf8 } from "./bytes.js";
import { ORDER, Point, decode, littleEndian } from "./ed25519.js";
import { sha512 } from "./hash.js";

const SUITE = 3;

/** The point of a canonical encoding in the prime-order subgroup and not the neutral one, or null. @param {Uint8Array} bytes */
function decodeStrictly(bytes) {
  const point = decode(bytes);
  return point && point.X !== 0n && !point.is0() && point.isTorsionFree() ? point : null;
}

/** RFC 9381 5.4.1.1, try and increment. @param {Uint8Array} publicKey @param {Uint8Array} alpha */
export function hashToCurve(publicKey, alpha) {
  for (let counter = 0; counter < 256; counter++) {
    const digest = sha512(concat(Uint8Array.of(SUITE, 1), publicKey, alpha, Uint8Array.of(counter, 0)));
    const point = decode(digest.subarray(0, 32));
    if (point) {
      const cleared = point.clearCofactor();
      if (!cleared.is0()) return cleared;
    }
  }
  throw new Refused("no_point_found");
}

/** RFC 9381 5.2: the output of a proof, whether or not it proves anything; Gamma may lie outside the subgroup. @param {Uint8Array} pi */
export function proofToHash(pi) {
  const gamma = decode(pi.subarray(0, 32));
  if (!gamma || gamma.X === 0n) throw new Refused("bad_vrf_point");
  if (littleEndian(pi.subarray(48)) >= ORDER) throw new Refused("bad_vrf_scalar");
  return sha512(concat(Uint8Array.of(SUITE, 3), gamma.clearCofactor().toBytes(), Uint8Array.of(0)));
}

/** RFC 9381 5.3: beta, or a refusal. @param {Uint8Array} publicKey @param {Uint8Array} alpha @param {Uint8Array} pi */
export function verifyProof(publicKey, alpha, pi) {
  const key = decodeStrictly(publicKey);
  if (!key) throw new Refused("bad_vrf_key");
  const gamma = decodeStrictly(pi.subarray(0, 32));
  if (!gamma) throw new Refused("bad_vrf_point");
  const beta = proofToHash(pi);
  const c = littleEndian(pi.subarray(32, 48));
  const s = littleEndian(pi.subarray(48));
  const h = hashToCurve(publicKey, alpha);
  const u = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(c));
  const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c));
  if (!same(challenge(key, h, gamma, u, v), pi.subarray(32, 48))) throw new Refused("bad_vrf_proof");
  return beta;
}

/** RFC 9381 5.4.3. @param {...import("../../vendor/noble-ed25519.js").Point} points */
export function challenge(...points) {
  return sha512(concat(Uint8Array.of(SUITE, 2), ...points.map((point) => point.toBytes()), Uint8Array.of(0))).subarray(0, 16);
}

/** "draw/v1/…\0" || rest. @param {string} name @param {...Uint8Array} parts */
export function input(name, ...parts) {
  return concat(utf8(name + "\0"), ...parts);
}
