/**
 * ML-DSA-44 as a cosignature uses it (docs/spec/log.md 2.1; FIPS 204): pure, with an empty context. The arithmetic is the vendored library's.
 */

import { ml_dsa44 } from "../../vendor/noble-ml-dsa.js";

export const PUBLIC_BYTES = 1312;
export const SIGNATURE_BYTES = 2420;

/** Whether the signature is good. @param {Uint8Array} publicKey @param {Uint8Array} message @param {Uint8Array} signature */
export function verifiesMldsa(publicKey, message, signature) {
  if (publicKey.length !== PUBLIC_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  try {
    return ml_dsa44.verify(signature, message, publicKey);
  } catch {
    return false;
  }
}
