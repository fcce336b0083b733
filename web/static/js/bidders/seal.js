/**
 * A list of bidders sealed to a draw's box: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message.
 * server/bidders.py opens what is made here. Numbers beside functions are sections of the RFC.
 */

import { x25519 } from "../../vendor/noble-keys.js";
import { concat, u16be, utf8 } from "../verify/bytes.js";
import { hmac } from "../verify/hash.js";

const KEM = concat(utf8("KEM"), u16be(0x0020));
const HPKE = concat(utf8("HPKE"), u16be(0x0020), u16be(0x0001), u16be(0x0002));
const VERSION = utf8("HPKE-v1");
const NOTHING = new Uint8Array(0);

/** 4: LabeledExtract. @param {Uint8Array} suite @param {Uint8Array} salt @param {string} label @param {Uint8Array} material */
const extract = (suite, salt, label, material) => hmac(salt)(concat(VERSION, suite, utf8(label), material));

/** 4: LabeledExpand, at most one block of 32 bytes. @param {Uint8Array} suite @param {Uint8Array} key @param {string} label @param {Uint8Array} info @param {number} length */
const expand = (suite, key, label, info, length) =>
  hmac(key)(concat(u16be(length), VERSION, suite, utf8(label), info, Uint8Array.of(1))).slice(0, length);

/**
 * 6.1: SealBase; enc and the ciphertext in one piece.
 * @param {Uint8Array} plain @param {Uint8Array} box the receiver's public key @param {Uint8Array} info @param {Uint8Array} seed 32 fresh random bytes
 * @returns {Promise<Uint8Array>}
 */
export async function seal(plain, box, info, seed) {
  const enc = x25519.getPublicKey(seed);
  const dh = x25519.getSharedSecret(seed, box);
  const shared = expand(KEM, extract(KEM, NOTHING, "eae_prk", dh), "shared_secret", concat(enc, box), 32); // 4.1
  const context = concat(Uint8Array.of(0), extract(HPKE, NOTHING, "psk_id_hash", NOTHING), extract(HPKE, NOTHING, "info_hash", info)); // 5.1
  const secret = extract(HPKE, shared, "secret", NOTHING);
  const key = new Uint8Array(expand(HPKE, secret, "key", context, 32));
  const nonce = new Uint8Array(expand(HPKE, secret, "base_nonce", context, 12));
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  return concat(enc, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, aes, new Uint8Array(plain))));
}

/** What a list is sealed for. @param {string} draw its id */
export const infoOf = (draw) => utf8(`lotroom/v1/bidders/${draw}`);
