/**
 * One holder's key: three seeds made here, and the public part that goes into a key list. Names and shapes are those of server/keyfiles.py.
 *
 * A name is public and lasts: it carries a few digits of the key, so that a successor never has its predecessor's.
 */

import { Refused, base64, concat, hex, utf8 } from "../verify/bytes.js";
import { canonical, parse } from "../verify/canonical.js";
import { sha256 } from "../verify/hash.js";
import { ED25519 } from "../verify/note.js";
import { bytes, choice, object, text, version } from "../verify/shapes.js";
import { boxPublic, sign, signingPublic, vrfPublic } from "./prove.js";

const PUBLIC = "lotroom-public-key/1";
const SECRET = "lotroom-key/1";
const MOST_BYTES = 65_535;
const NAME = /^[!-*,-~]{1,128}$/;

/** @typedef {"supervisor" | "contributor"} Role */
/** @typedef {{name: string, role: Role, body: string, sign: Uint8Array, vrf: Uint8Array, box: Uint8Array}} Public */
/** @typedef {Public & {secret: {sign: Uint8Array, vrf: Uint8Array, box: Uint8Array}}} Key nothing where the role has none */

const NOTHING = new Uint8Array(0);
/** @type {import("../verify/shapes.js").Shape<Uint8Array>} */
const some = (value, place) => (value === "" ? NOTHING : bytes(32)(value, place));
const FIELDS = { body: text(1, 200), box: some, name: text(1, 128, NAME), role: choice("supervisor", "contributor"), sign: bytes(32), vrf: some };
const publicShape = object({ ...FIELDS, v: version(PUBLIC) });
const secretShape = object({ ...FIELDS, v: version(SECRET) });

/**
 * A fresh key. @param {Role} role @param {string} body whose key it is @param {string} place the host that the name begins with
 * @param {(length: number) => Uint8Array} chance @returns {Key}
 */
export function makeKey(role, body, place, chance) {
  const seed = chance(32);
  const short = hex(sha256(signingPublic(seed))).slice(0, 8);
  return fromSecrets(`${place}/${role}-${short}`, role, body, seed, role === "contributor" ? chance(32) : NOTHING, role === "supervisor" ? chance(32) : NOTHING);
}

/** @param {string} name @param {Role} role @param {string} body @param {Uint8Array} seed @param {Uint8Array} vrf @param {Uint8Array} box @returns {Key} */
function fromSecrets(name, role, body, seed, vrf, box) {
  if (!NAME.test(name)) throw new Refused("bad_key_name");
  return {
    name, role, body, sign: signingPublic(seed), vrf: vrf.length ? vrfPublic(vrf) : NOTHING, box: box.length ? boxPublic(box) : NOTHING,
    secret: { sign: seed, vrf, box },
  };
}

/** @param {Public} key */
export function publicJson({ name, role, body, sign: signing, vrf, box }) {
  return { body, box: hex(box), name, role, sign: hex(signing), v: PUBLIC, vrf: hex(vrf) };
}

/** The public file. @param {Public} key */
export function publicBytes(key) {
  return concat(canonical(publicJson(key)), utf8("\n"));
}

/** A public file, or what a wrapped key says of itself. @param {Uint8Array} data @returns {Public} */
export function readPublic(data) {
  const found = publicShape(parse(withoutEnd(data), { most: MOST_BYTES, text: true }), "key");
  if ((found.role === "contributor") !== found.vrf.length > 0) throw new Refused("not_a_key_file");
  return found;
}

/** The secret file, which is wrapped before it is kept anywhere. @param {Key} key */
export function secretBytes(key) {
  const { sign: seed, vrf, box } = key.secret;
  return canonical({ body: key.body, box: hex(box), name: key.name, role: key.role, sign: hex(seed), v: SECRET, vrf: hex(vrf) });
}

/** @param {Uint8Array} data @returns {Key} */
export function readSecret(data) {
  const { name, role, body, sign: seed, vrf, box } = secretShape(parse(withoutEnd(data), { most: MOST_BYTES, text: true }), "key");
  return fromSecrets(name, role, body, seed, vrf, box);
}

/** @param {Uint8Array} data */
function withoutEnd(data) {
  return data.at(-1) === 10 ? data.subarray(0, -1) : data;
}

/** The verifier key of a key list's line. @param {Public} key */
export function vkey({ name, sign: signing }) {
  const typed = concat(Uint8Array.of(ED25519), signing);
  return `${name}+${hex(sha256(concat(utf8(name + "\n"), typed)).subarray(0, 4))}+${base64(typed)}`;
}

/** The hex of a signature of this key. @param {Key} key @param {Uint8Array} message */
export function signed(key, message) {
  return hex(sign(key.secret.sign, message));
}

