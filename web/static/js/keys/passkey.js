/**
 * A passkey that wraps a key: its PRF extension gives the same 32 secret bytes for the same salt, on this device and wherever the passkey is synced.
 */

import { Refused } from "../verify/bytes.js";

const NAME = "Lotroom";

/** @param {any} credential @returns {Uint8Array<ArrayBuffer> | null} */
function output(credential) {
  const first = credential?.getClientExtensionResults().prf?.results?.first;
  return first ? new Uint8Array(first) : null;
}

/** A passkey of its own for one key. @param {string} label @param {import("./wrap.js").Chance} chance */
export async function makePasskey(label, chance) {
  const salt = chance(32);
  /** @type {any} */
  const made = await asked(() => navigator.credentials.create({
    publicKey: {
      rp: { name: NAME, id: location.hostname }, user: { id: chance(32), name: label, displayName: label }, challenge: chance(32),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -8 }, { type: "public-key", alg: -257 }],
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      extensions: /** @type {any} */ ({ prf: { eval: { first: salt } } }),
    },
  }));
  if (!made.getClientExtensionResults().prf?.enabled) throw new Refused("passkey_without_prf");
  const credential = new Uint8Array(made.rawId);
  return { credential, salt, output: output(made) ?? (await askPasskey(credential, salt)) };
}

/** @type {import("./wrap.js").Ask} */
export async function askPasskey(credential, salt) {
  const got = await asked(() => navigator.credentials.get({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)), rpId: location.hostname, userVerification: "required",
      allowCredentials: [{ type: "public-key", id: new Uint8Array(credential) }],
      extensions: /** @type {any} */ ({ prf: { eval: { first: salt } } }),
    },
  }));
  const found = output(got);
  if (!found) throw new Refused("passkey_without_prf");
  return found;
}

/** @template T @param {() => Promise<T>} ask @returns {Promise<T>} */
async function asked(ask) {
  try {
    return await ask();
  } catch {
    throw new Refused("passkey_not_shown");
  }
}
