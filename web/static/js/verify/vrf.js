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
function hashToCurve(publicKey, alpha) {
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

/** RFC 9381 5.2: the output of a proof, whether or not it proves anything. @param {Uint8Array} pi */
export function proofToHash(pi) {
  const gamma = decodeStrictly(pi.subarray(0, 32));
  if (!gamma) throw new Refused("bad_vrf_point");
  if (littleEndian(pi.subarray(48)) >= ORDER) throw new Refused("bad_vrf_scalar");
  return sha512(concat(Uint8Array.of(SUITE, 3), gamma.clearCofactor().toBytes(), Uint8Array.of(0)));
}

/** RFC 9381 5.3: beta, or a refusal. @param {Uint8Array} publicKey @param {Uint8Array} alpha @param {Uint8Array} pi */
export function verifyProof(publicKey, alpha, pi) {
  const key = decodeStrictly(publicKey);
  if (!key) throw new Refused("bad_vrf_key");
  const beta = proofToHash(pi);
  const gamma = Point.fromBytes(pi.subarray(0, 32));
  const c = littleEndian(pi.subarray(32, 48));
  const s = littleEndian(pi.subarray(48));
  const h = hashToCurve(publicKey, alpha);
  const u = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(c));
  const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c));
  const points = [key, h, gamma, u, v].map((point) => point.toBytes());
  const challenge = sha512(concat(Uint8Array.of(SUITE, 2), ...points, Uint8Array.of(0))).subarray(0, 16);
  if (!same(challenge, pi.subarray(32, 48))) throw new Refused("bad_vrf_proof");
  return beta;
}

/** "draw/v1/…\0" || rest. @param {string} name @param {...Uint8Array} parts */
export function input(name, ...parts) {
  return concat(utf8(name + "\0"), ...parts);
}
