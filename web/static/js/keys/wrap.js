/**
 * A key at rest: its secret file under AES-256-GCM, whose key comes of a password (argon2id) or of a passkey (the PRF extension's output, HKDF).
 *
 * What stands beside the sealed part is bound to it as additional data: nobody makes one key's file say another's name. How a password becomes
 * a key is given by the caller, for it takes seconds and belongs into a worker.
 */

import { Refused, fromHex, hex, utf8 } from "../verify/bytes.js";
import { canonical, parse, without } from "../verify/canonical.js";
import { bytes, choice, int, object, text, version } from "../verify/shapes.js";
import { publicJson, readPublic, readSecret, secretBytes } from "./keyfile.js";

const VERSION = "lotroom-browser-key/1";
const MOST_BYTES = 65_535;
const INFO = utf8("lotroom/v1/browser-key");
export const COST = { memory_kib: 65_536, passes: 3 }; // RFC 9106 4, second recommendation, on one lane
const LEAST_PASSWORD = 12;

/** @typedef {(password: Uint8Array, salt: Uint8Array, cost: {memory_kib: number, passes: number}) => Promise<Uint8Array<ArrayBuffer>>} Stretch */
/** @typedef {(credential: Uint8Array, salt: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>} Ask the passkey's output for a salt */
/** @typedef {(length: number) => Uint8Array<ArrayBuffer>} Chance */
/** @typedef {{by: "password" | "passkey", public: import("./keyfile.js").Public, text: string}} Wrapped */

const shape = object({
  by: choice("password", "passkey"), credential: text(0, 2048, /^[0-9a-f]*$/), key: (value) => value,
  memory_kib: int(0, 262_144), nonce: bytes(12), passes: int(0, 10), salt: bytes(32), sealed: bytes(17, 8_192), v: version(VERSION),
});

/** @param {Uint8Array<ArrayBuffer>} bits 32 bytes */
async function cipher(bits) {
  return crypto.subtle.importKey("raw", bits, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** @param {Uint8Array<ArrayBuffer>} output of the passkey */
async function fromPrf(output) {
  const material = await crypto.subtle.importKey("raw", output, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info: INFO };
  return crypto.subtle.deriveKey(how, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

/** Passwords are compared by what was typed, not by how a keyboard composes it. @param {string} password */
function typed(password) {
  const normal = password.normalize("NFC");
  if ([...normal].length < LEAST_PASSWORD) throw new Refused("password_short", { least: LEAST_PASSWORD });
  return utf8(normal);
}

/** @param {import("./keyfile.js").Key} key @param {CryptoKey} under @param {Record<string, any>} how @param {Chance} chance @returns {Promise<string>} */
async function seal(key, under, how, chance) {
  const nonce = chance(12);
  const said = { ...how, key: publicJson(key), nonce: hex(nonce), v: VERSION };
  const options = { name: "AES-GCM", iv: nonce, additionalData: own(canonical(said)) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(options, under, own(secretBytes(key))));
  return new TextDecoder().decode(canonical({ ...said, sealed: hex(sealed) }));
}

/** WebCrypto wants bytes that are not shared. @param {Uint8Array} data */
function own(data) {
  return new Uint8Array(data);
}

/** @param {import("./keyfile.js").Key} key @param {string} password @param {Stretch} stretch @param {Chance} chance @returns {Promise<string>} */
export async function wrapWithPassword(key, password, stretch, chance) {
  const salt = chance(32);
  const under = await cipher(await stretch(typed(password), salt, COST));
  return seal(key, under, { by: "password", credential: "", ...COST, salt: hex(salt) }, chance);
}

/** @param {import("./keyfile.js").Key} key @param {{credential: Uint8Array, salt: Uint8Array, output: Uint8Array<ArrayBuffer>}} made
 * @param {Chance} chance @returns {Promise<string>} */
export async function wrapWithPasskey(key, { credential, salt, output }, chance) {
  const how = { by: "passkey", credential: hex(credential), memory_kib: 0, passes: 0, salt: hex(salt) };
  return seal(key, await fromPrf(output), how, chance);
}

/** What a wrapped key says without being opened. @param {string} source @returns {Wrapped} */
export function readWrapped(source) {
  try {
    const found = shape(parse(utf8(source), { most: MOST_BYTES, text: true }), "key");
    return { by: found.by, public: readPublic(canonical(found.key)), text: source };
  } catch {
    throw new Refused("not_a_wrapped_key");
  }
}

/** The key itself. @param {string} source @param {{password: string, stretch: Stretch, ask: Ask}} means @returns {Promise<import("./keyfile.js").Key>} */
export async function unwrap(source, { password, stretch, ask }) {
  readWrapped(source);
  const json = /** @type {any} */ (parse(utf8(source), { most: MOST_BYTES, text: true }));
  const found = shape(json, "key");
  const salt = own(found.salt);
  const under = found.by === "password"
    ? await cipher(await stretch(utf8(password.normalize("NFC")), salt, { memory_kib: found.memory_kib, passes: found.passes }))
    : await fromPrf(await ask(fromHex(found.credential), salt));
  const options = { name: "AES-GCM", iv: own(found.nonce), additionalData: own(canonical(without(json, "sealed"))) };
  let plain;
  try {
    plain = new Uint8Array(await crypto.subtle.decrypt(options, under, own(found.sealed)));
  } catch {
    throw new Refused(found.by === "password" ? "wrong_password" : "wrong_passkey");
  }
  return readSecret(plain);
}
