/**
 * The key list (docs/spec/keylist.md): its versions, which succeed each other by signatures, and the roles of keys in one version.
 * One bad version spoils the whole file.
 */

import { network } from "./beacon.js";
import { Refused, compareText, hex, increasing, same } from "./bytes.js";
import { canonical, parse, without } from "./canonical.js";
import { verifies } from "./ed25519.js";
import { PAE, sha256 } from "./hash.js";
import { ED25519, MLDSA_COSIGNATURE, parsePolicy, parseVKey } from "./note.js";
import { bytes, choice, digest, int, list, name, object, optional, text, version } from "./shapes.js";

const MOST_BYTES = 4 * 2 ** 20;
const TYPE = "application/vnd.lotroom.keylist.v1+json";
const MOST_SECOND = 16;
const ROLES = /** @type {const} */ (["operator", "staff", "supervisor", "contributor", "gateway", "monitor", "authority"]);

/** @typedef {typeof ROLES[number]} Role */
/** @typedef {{name: string, role: Role, body: string, held: string, key: Uint8Array, vrf: Uint8Array}} Entry */
/** @typedef {{version: number, digest: Uint8Array, entries: Map<string, Entry>, policy: import("./note.js").Policy,
 *   second: import("./note.js").Policy | null, networks: import("./beacon.js").Network[]}} KeyList */

/** Hex of 32 bytes, or nothing. @type {import("./shapes.js").Shape<Uint8Array>} */
const keyOrNothing = (value, place) => (value === "" ? new Uint8Array(0) : bytes(32)(value, place));

const entry = object({
  body: text(1, 200), box: keyOrNothing, held: choice("body", "operator"), role: choice(...ROLES), vkey: text(1, 300), vrf: keyOrNothing,
});
const list1 = object({
  entries: list(entry, 1, 1000), networks: list(network, 0, 10), policy: text(1, 100_000), previous: digest,
  second_policy: optional(text(1, 100_000)), sigs: list(object({ key: name, sig: bytes(64) }), 0, 1000), version: int(1, 1_000_000),
});
/** @type {import("./shapes.js").Shape<{fields: ReturnType<typeof list1>, json: any}>} */
const withJson = (value, place) => ({ fields: list1(value, place), json: value });
const file = object({ lists: list(withJson, 1, 1000), v: version("lotroom-keys/1") });

/** The versions of a file, the trusted one first. @param {Uint8Array} data @returns {KeyList[]} */
export function parseKeys(data) {
  /** @type {KeyList[]} */
  const versions = [];
  file(parse(data, { most: MOST_BYTES, text: true }), "keys").lists.forEach(({ fields, json }, n) => {
    const place = `keys.lists[${n}]`;
    const made = judge(fields, json, place);
    if (n === 0) {
      if (fields.sigs.length || fields.previous.some((byte) => byte !== 0)) throw new Refused("first_list_has_predecessor", {}, place);
    } else succeed(versions[n - 1], fields, json, place);
    versions.push(made);
  });
  return versions;
}

/** One version by itself. @param {ReturnType<typeof list1>} fields @param {any} json @param {string} place @returns {KeyList} */
function judge(fields, json, place) {
  /** @type {Map<string, Entry>} */
  const entries = new Map();
  const seen = new Set();
  /** @param {Uint8Array} key @param {string} whose */
  const once = (key, whose) => {
    if (seen.has(hex(key))) throw new Refused("key_twice", { key: whose }, place);
    seen.add(hex(key));
  };
  const parsed = fields.entries.map((each) => ({ ...each, vkey: parseVKey(each.vkey) }));
  if (!increasing(parsed.map((each) => each.vkey.name), compareText)) throw new Refused("not_sorted", {}, place);
  for (const { vkey, vrf, role, body, held } of parsed) {
    if (vkey.type !== ED25519) throw new Refused("not_ed25519", {}, place);
    if ((role === "contributor") !== vrf.length > 0) throw new Refused("vrf_for_contributors", { key: vkey.name }, place);
    once(vkey.key, vkey.name);
    if (vrf.length) once(vrf, vkey.name);
    entries.set(vkey.name, { name: vkey.name, role, body, held, key: vkey.key, vrf });
  }
  const policy = parsePolicy(fields.policy);
  for (const key of [policy.log, ...policy.witnesses.values()]) once(key.key, key.name);
  const { networks } = fields;
  if (!increasing(networks.map((each) => each.name), compareText)) throw new Refused("not_sorted", {}, place);
  for (const each of networks) for (const { key } of each.nodes) once(key, each.name);
  const second = fields.second_policy === undefined ? null : secondPolicy(fields.second_policy, policy, place);
  for (const key of second?.witnesses.values() ?? []) once(key.key, key.name);
  return { version: fields.version, digest: sha256(canonical(json)), entries, policy, second, networks };
}

/** The policy of the second quorum (keys-7): the same log, a quorum, one key for each witness. @param {string} source
 * @param {import("./note.js").Policy} policy @param {string} place */
function secondPolicy(source, policy, place) {
  const second = parsePolicy(source, MLDSA_COSIGNATURE);
  const names = new Set([...second.witnesses.values()].map((key) => key.name));
  if (second.log.text !== policy.log.text || second.quorum === "none" || names.size < second.witnesses.size || names.size > MOST_SECOND)
    throw new Refused("bad_second_policy", { most: MOST_SECOND }, place);
  return second;
}

/** A successor: signed by more than half of the supervisors before, and by nobody else (keys-3).
 * @param {KeyList} before @param {ReturnType<typeof list1>} fields @param {any} json @param {string} place */
function succeed(before, fields, json, place) {
  if (fields.version !== before.version + 1 || !same(fields.previous, before.digest)) throw new Refused("not_the_successor", {}, place);
  const supervisors = [...before.entries.values()].filter((each) => each.role === "supervisor");
  if (!increasing(fields.sigs.map((each) => each.key), compareText)) throw new Refused("not_sorted", {}, place);
  const message = PAE(TYPE, canonical(without(json, "sigs")));
  for (const { key, sig } of fields.sigs) {
    const signer = supervisors.find((each) => each.name === key);
    if (!signer) throw new Refused("wrong_signers", {}, place);
    if (!verifies(signer.key, message, sig)) throw new Refused("bad_signature", { key }, place);
  }
  if (2 * fields.sigs.length <= supervisors.length) throw new Refused("no_majority", { got: fields.sigs.length, of: supervisors.length }, place);
}

/** The version that a commit names, or null. @param {KeyList[]} versions @param {{version: number, digest: Uint8Array}} named */
export function ruling(versions, named) {
  return versions.find((each) => each.version === named.version && same(each.digest, named.digest)) ?? null;
}
