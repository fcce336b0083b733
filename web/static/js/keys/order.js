/**
 * A contributor's part: an order in, a contribution out (server/contribute.py does the same on files).
 *
 * Answered is only a commit that is proved in a checkpoint with the quorum of the key list that this browser has pinned. Everything is checked
 * before anything is counted or made.
 */

import { Refused, fromBase64, fromHex, hex, utf8 } from "../verify/bytes.js";
import { canonical, parse } from "../verify/canonical.js";
import { contributionBytes, parseEvent } from "../verify/events.js";
import { ruling } from "../verify/keys.js";
import { checkInclusion } from "../verify/merkle.js";
import { judgeNote, judgeSecondPart, parseCheckpoint, partsOf, reachesQuorum } from "../verify/note.js";
import { alpha } from "../verify/seed.js";
import { int, list, object, text, version } from "../verify/shapes.js";
import { signed } from "./keyfile.js";
import { prove } from "./prove.js";

const MOST_BYTES = 2 ** 20;
const PROOF_HEAD = "c2sp.org/tlog-proof@v1";
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/** @typedef {import("../verify/events.js").Event} Event */
/** @typedef {import("../verify/keys.js").KeyList} KeyList */
/** @typedef {{number: number, states: Uint8Array}} Round */
/** @typedef {{leaf: Uint8Array, log: string, proof: {index: number, path: Uint8Array[], note: string}, round: Round | null}} Order */
/** @typedef {{event: Event, size: number, cosigned: number, quorum: boolean}} Checked `quorum`: whether there was one to reach */

const states = text(0, 2 ** 17, /^(?:[0-9a-f]{2})*$/);
const shape = object({
  leaf: text(1, 65_535), log: text(1, 300), proof: text(1, 2 ** 19), round: list(object({ number: int(1, 10_000), states }), 0, 1),
  v: version("lotroom-commit/1"),
});

/** @param {Uint8Array} data @returns {Order} */
export function parseOrder(data) {
  const { leaf, log, proof, round } = shape(parse(data, { most: MOST_BYTES, text: true }), "commit");
  const asked = round.length ? { number: round[0].number, states: fromHex(round[0].states) } : null;
  return { leaf: utf8(leaf), log, proof: parseLogProof(proof), round: asked };
}

/** A tlog-proof: head, index, at most 63 hashes, a blank line, a note. @param {string} source */
function parseLogProof(source) {
  const cut = source.indexOf("\n\n");
  const lines = source.slice(0, Math.max(cut, 0)).split("\n");
  const index = lines[1]?.startsWith("index ") ? lines[1].slice(6) : "";
  if (cut < 0 || lines[0] !== PROOF_HEAD || !DECIMAL.test(index) || lines.length > 65) throw new Refused("bad_log_proof");
  const path = lines.slice(2).map(fromBase64);
  if (path.some((each) => each.length !== 32) || !Number.isSafeInteger(Number(index))) throw new Refused("bad_log_proof");
  return { index: Number(index), path, note: source.slice(cut + 2) };
}

/**
 * The event that is to be answered, or a refusal: a commit or an extension, in the log that the list names, with the list's quorum.
 * @param {Order} order @param {KeyList[]} versions @returns {Checked}
 */
export function checkOrder(order, versions) {
  const event = parseEvent(parse(order.leaf, { most: MOST_BYTES }), "commit.leaf");
  if (event.type !== "committed" && event.type !== "extended") throw new Refused("not_a_commit");
  const list1 = event.type === "committed" ? ruling(versions, event.body.keys) : versions[versions.length - 1];
  if (!list1) throw new Refused("other_key_list", { version: event.body.keys.version });
  const { policy, second } = list1;
  if (order.log !== policy.log.text) throw new Refused("order_of_another_log", { key: order.log.split("+")[0] });
  const note = parseCheckpoint(order.proof.note);
  const [lines, rest] = second ? partsOf(note, policy) : [note.lines, []];
  const times = judgeNote({ ...note, lines }, policy);
  checkInclusion(event.hash, order.proof.index, note.size, order.proof.path, note.root);
  const needed = policy.quorum !== "none";
  if (needed && !reachesQuorum(policy, new Set(times.keys()))) throw new Refused("commit_without_quorum", { got: times.size });
  if (second) {
    const seconds = judgeSecondPart(note, rest, second);
    if (!reachesQuorum(second, new Set(seconds.keys()))) throw new Refused("commit_without_quorum", { got: seconds.size });
  }
  return { event, size: note.size, cosigned: times.size, quorum: needed };
}

/** Whether this key is asked, before anything is made. @param {Checked} checked @param {import("./keyfile.js").Public} key */
export function checkKey({ event }, key) {
  if (key.role !== "contributor") throw new Refused("not_a_contributors_key", { key: key.name });
  if (event.type === "committed" && !event.body.contributors.includes(key.name)) throw new Refused("not_a_contributor", { key: key.name });
}

/**
 * The contribution, signed. @param {Order} order @param {Checked} checked @param {import("./keyfile.js").Key} key
 * @param {number} nth which commit of this project the key answers; 0 in a round
 * @returns {Record<string, any>} JSON as the service takes it
 */
export function contribution(order, checked, key, nth) {
  checkKey(checked, key);
  const pi = hex(prove(key.secret.vrf, alpha(checked.event.hash, order.round)));
  const own = { key: key.name, pi, pk: hex(key.vrf) };
  const said = order.round ? { ...own, round: order.round.number, type: "round_contributed" } : { ...own, nth, type: "contributed" };
  const message = contributionBytes(/** @type {any} */ ({ type: said.type, json: said }), hex(checked.event.hash));
  return { ...said, sig: signed(key, message) };
}

/** @param {Record<string, any>} made */
export function contributionText(made) {
  return new TextDecoder().decode(canonical(made));
}
