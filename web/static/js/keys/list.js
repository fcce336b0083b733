/**
 * The key list that this browser trusts: the first one it meets is pinned, later ones count only where they go on from it by signed successors.
 *
 * Whoever serves the page serves the list too; without a pin they could name another log and other witnesses for one draw. The first use is
 * where people compare the digest with what they were told elsewhere.
 */

import { Refused, hex, same } from "../verify/bytes.js";
import { canonical, parse, without } from "../verify/canonical.js";
import { PAE } from "../verify/hash.js";
import { parseKeys } from "../verify/keys.js";
import { parseVKey } from "../verify/note.js";

const MOST_BYTES = 4 * 2 ** 20;
const TYPE = "application/vnd.lotroom.keylist.v1+json";

/** @typedef {import("../verify/keys.js").KeyList} KeyList */
/** @typedef {{versions: KeyList[], file: Uint8Array, how: "first" | "same" | "further"}} Trusted */

/**
 * What counts from now on. @param {Uint8Array | null} kept the pinned file @param {Uint8Array} given the one that was served
 * @returns {Trusted} `file` is to be pinned
 */
export function follow(kept, given) {
  const versions = parseKeys(given);
  if (!kept) return { versions, file: given, how: "first" };
  const before = parseKeys(kept);
  const last = before[before.length - 1];
  if (versions.some((each) => each.version === last.version && same(each.digest, last.digest)))
    return { versions, file: given, how: versions.length > 1 && !same(versions[versions.length - 1].digest, last.digest) ? "further" : "same" };
  const newest = versions[versions.length - 1];
  if (before.some((each) => same(each.digest, newest.digest))) return { versions: before, file: kept, how: "same" }; // an older copy
  throw new Refused("list_not_a_successor", { kept: hex(last.digest).slice(0, 8), given: hex(newest.digest).slice(0, 8) });
}

/** The newest version of a file. @param {KeyList[]} versions */
export function newest(versions) {
  return versions[versions.length - 1];
}

/**
 * What a supervisor of the version before signs of its successor, and what it changes, by the names of keys.
 * @param {Uint8Array} list one version as canonical JSON @param {KeyList} before
 */
export function successor(list, before) {
  const json = /** @type {any} */ (parse(list, { most: MOST_BYTES, text: true }));
  if (json.version !== before.version + 1 || json.previous !== hex(before.digest)) throw new Refused("not_the_successor");
  const then = [...before.entries.values()].map((each) => `${each.name} ${hex(each.key)}`);
  const now = json.entries.map((/** @type {{vkey: string}} */ { vkey }) => `${parseVKey(vkey).name} ${hex(parseVKey(vkey).key)}`);
  return {
    message: PAE(TYPE, canonical(without(json, "sigs"))),
    added: now.filter((/** @type {string} */ each) => !then.includes(each)),
    gone: then.filter((each) => !now.includes(each)),
    policy: /** @type {string} */ (json.policy),
  };
}
