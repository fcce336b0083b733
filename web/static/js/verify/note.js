/**
 * Signed notes, verifier keys and the policy (docs/spec/log.md 2; C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy).
 *
 * A note is judged under a policy: only lines of keys that the policy names, the log's first, then witnesses' in the policy's order, each
 * at most once, and every line verifies. With a second policy a note has a second part, which is judged by itself (2.1).
 */

import { Refused, base64, concat, fromBase64, hex, same, u64be, utf8 } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { sha256 } from "./hash.js";
import { PUBLIC_BYTES, SIGNATURE_BYTES, verifiesMldsa } from "./mldsa.js";

export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
export const MLDSA_COSIGNATURE = 0x06;
const NAME = /^[!-*,-~]+$/;
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;
const LINE = /^— ([^ ]+) ([^ ]+)$/;
const MOST_NAME = 128;
const MOST_MOMENT = 2n ** 63n - 1n;

/**
 * @typedef {{name: string, type: number, key: Uint8Array, id: Uint8Array, text: string}} VKey
 * @typedef {{threshold: number, members: string[]}} Group
 * @typedef {{log: VKey, witnesses: Map<string, VKey>, groups: Map<string, Group>, quorum: string}} Policy
 * @typedef {{name: string, id: Uint8Array, sig: Uint8Array}} Line
 * @typedef {{origin: string, size: number, root: Uint8Array, text: string, lines: Line[]}} Checkpoint
 */

/** @param {string} text `name+hash+base64` @returns {VKey} */
export function parseVKey(text) {
  const [name, hash, ...rest] = text.split("+");
  const key = rest.join("+");
  if (!hash || !NAME.test(name) || name.length > MOST_NAME || !/^[0-9a-f]{8}$/.test(hash)) throw new Refused("bad_vkey");
  const bytes = fromBase64(key);
  if (bytes.length !== 1 + (bytes[0] === MLDSA_COSIGNATURE ? PUBLIC_BYTES : 32)) throw new Refused("bad_vkey");
  const id = sha256(concat(utf8(name + "\n"), bytes)).subarray(0, 4);
  if (hex(id) !== hash) throw new Refused("bad_vkey");
  return { name, type: bytes[0], key: bytes.subarray(1), id, text };
}

/** C2SP tlog-policy; an address may follow a key. @param {string} text @param {number} [witness] the type of the witnesses' keys
 * @returns {Policy} */
export function parsePolicy(text, witness = COSIGNATURE) {
  /** @type {VKey | null} */
  let log = null;
  /** @type {string | null} */
  let quorum = null;
  /** @type {Map<string, VKey>} */
  const witnesses = new Map();
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const membersOfAny = new Set();
  const bad = new Refused("bad_policy");
  for (const line of text.split("\n")) {
    const words = line.split(" ").filter((word) => word !== "");
    if (words.length === 0 || words[0].startsWith("#")) continue;
    const [kind, name] = words;
    if (kind === "log" && (words.length === 2 || words.length === 3) && !log) {
      log = parseVKey(name);
      if (log.type !== ED25519) throw bad;
    } else if (kind === "witness" && (words.length === 3 || words.length === 4) && !known(name)) {
      const key = parseVKey(words[2]);
      if (key.type !== witness) throw bad;
      witnesses.set(name, key);
    } else if (kind === "group" && words.length >= 4 && !known(name)) {
      const members = words.slice(3);
      const threshold = words[2] === "any" ? 1 : words[2] === "all" ? members.length : DECIMAL.test(words[2]) ? Number(words[2]) : 0;
      if (threshold < 1 || threshold > members.length || new Set(members).size < members.length) throw bad;
      if (!members.every((member) => witnesses.has(member) || groups.has(member))) throw bad;
      if (members.some((member) => membersOfAny.has(member))) throw bad; // one place for each name: nobody counts twice
      for (const member of members) membersOfAny.add(member);
      groups.set(name, { threshold, members });
    } else if (kind === "quorum" && words.length === 2 && quorum === null) {
      if (name !== "none" && !witnesses.has(name) && !groups.has(name)) throw bad;
      quorum = name;
    } else throw bad;
  }
  if (!log || quorum === null) throw bad;
  return { log, witnesses, groups, quorum };

  /** @param {string} name */
  function known(name) {
    return name === "none" || witnesses.has(name) || groups.has(name);
  }
}

/** Whether these witnesses make up the quorum; none is never reached. @param {Policy} policy @param {Set<string>} signed names of the policy */
export function reachesQuorum(policy, signed) {
  /** @type {(name: string) => boolean} */
  const reached = (name) => {
    const group = policy.groups.get(name);
    return group ? group.members.filter(reached).length >= group.threshold : signed.has(name);
  };
  return policy.quorum !== "none" && reached(policy.quorum);
}

/** Whether fewer than 1 + floor(2W/3) of the W witnesses that count make the quorum (keys-8). @param {Policy} policy */
export function isBelowBound(policy) {
  /** @type {(name: string) => [number, number]} the fewest that make it hold, and all below it */
  const size = (name) => {
    const group = policy.groups.get(name);
    if (!group) return [1, 1];
    const sizes = group.members.map(size);
    const few = sizes.map(([least]) => least).sort((a, b) => a - b).slice(0, group.threshold);
    return [few.reduce((sum, each) => sum + each, 0), sizes.reduce((sum, [, all]) => sum + all, 0)];
  };
  if (policy.quorum === "none") return false;
  const [least, witnesses] = size(policy.quorum);
  return least < 1 + Math.floor((2 * witnesses) / 3);
}

/** The form of a checkpoint alone. @param {string} note @returns {Checkpoint} */
export function parseCheckpoint(note) {
  const cut = note.indexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) throw new Refused("bad_note");
  const text = note.slice(0, cut + 1);
  const lines = note.slice(cut + 2, -1).split("\n").map((line) => {
    const found = LINE.exec(line);
    if (!found || !NAME.test(found[1])) throw new Refused("bad_note");
    const bytes = fromBase64(found[2]);
    if (bytes.length < 5) throw new Refused("bad_note");
    return { name: found[1], id: bytes.subarray(0, 4), sig: bytes.subarray(4) };
  });
  const [origin, size, rootText, ...more] = text.slice(0, -1).split("\n");
  if (more.length || rootText === undefined || !NAME.test(origin) || origin.length > MOST_NAME || !DECIMAL.test(size) || !Number.isSafeInteger(Number(size)))
    throw new Refused("bad_checkpoint");
  const root = fromBase64(rootText);
  if (root.length !== 32 || base64(root) !== rootText) throw new Refused("bad_checkpoint");
  return { origin, size: Number(size), root, text, lines };
}

/** The lines of the first policy's keys, and those from the first line, other than line one, that is of none. @param {Checkpoint} note
 * @param {Policy} policy @returns {[Line[], Line[]]} */
export function partsOf({ lines }, policy) {
  const keys = [policy.log, ...policy.witnesses.values()];
  const cut = lines.findIndex(({ name, id }, n) => n > 0 && !keys.some((key) => key.name === name && same(key.id, id)));
  return cut < 0 ? [lines, []] : [lines.slice(0, cut), lines.slice(cut)];
}

/** What a witness of the second policy signs: tlog-cosignature's `subtree/v1` for a whole tree. @param {string} cosigner @param {bigint} time
 * @param {Checkpoint} checkpoint */
export function subtreeMessage(cosigner, time, { origin, size, root }) {
  const [name, log] = [utf8(cosigner), utf8(origin)];
  if (name.length > 255 || log.length > 255) throw new Refused("bad_checkpoint");
  const moment = new Uint8Array(8);
  new DataView(moment.buffer).setBigUint64(0, time);
  return concat(utf8("subtree/v1\n\0"), Uint8Array.of(name.length), name, moment, Uint8Array.of(log.length), log, u64be(0), u64be(size), root);
}

/** Judge the second part of a note (log-11 to 13): names, order, lengths and times of all lines first, then the signatures.
 * @param {Checkpoint} note @param {Line[]} lines @param {Policy} policy @returns {Map<string, number>} times by the second policy's names */
export function judgeSecondPart(note, lines, policy) {
  const order = [...policy.witnesses];
  let last = -1;
  const found = lines.map(({ name, id, sig }) => {
    const place = order.findIndex(([, key]) => key.name === name && same(key.id, id));
    if (place < 0) throw new Refused("line_of_unknown_key", { key: name });
    if (place <= last) throw new Refused("lines_disordered", { key: name });
    last = place;
    const time = bigEndian(sig.subarray(0, 8));
    if (sig.length !== 8 + SIGNATURE_BYTES || time < 1n || time > MOST_MOMENT) throw new Refused("bad_cosignature", { key: name });
    return { alias: order[place][0], key: order[place][1], time, signature: sig.subarray(8) };
  });
  for (const { key, time, signature } of found)
    if (!verifiesMldsa(key.key, subtreeMessage(key.name, time, note), signature)) throw new Refused("bad_signature", { key: key.name });
  return new Map(found.map(({ alias, time }) => [alias, Number(time)]));
}

/** @param {Uint8Array} bytes */
function bigEndian(bytes) {
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

/**
 * Judge the signature lines of a note. @param {{text: string, lines: Checkpoint["lines"]}} note @param {Policy} policy
 * @returns {Map<string, number>} times by the policy's names of the witnesses that cosigned
 */
export function judgeNote(note, policy) {
  const [first, ...others] = note.lines;
  if (first.name !== policy.log.name || !same(first.id, policy.log.id)) throw new Refused("line_of_unknown_key", { key: first.name });
  if (first.sig.length !== 64 || !verifies(policy.log.key, utf8(note.text), first.sig)) throw new Refused("bad_signature", { key: first.name });
  const order = [...policy.witnesses];
  /** @type {Map<string, number>} */
  const times = new Map();
  let last = -1;
  for (const line of others) {
    const place = order.findIndex(([, key]) => key.name === line.name && same(key.id, line.id));
    if (place < 0) throw new Refused("line_of_unknown_key", { key: line.name });
    if (place <= last) throw new Refused("lines_disordered", { key: line.name });
    last = place;
    if (line.sig.length !== 72) throw new Refused("bad_signature", { key: line.name });
    const time = bigEndian(line.sig.subarray(0, 8));
    if (time < 1n || time > MOST_MOMENT) throw new Refused("bad_cosignature", { key: line.name });
    const message = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
    if (!verifies(order[place][1].key, message, line.sig.subarray(8))) throw new Refused("bad_signature", { key: line.name });
    times.set(order[place][0], Number(time));
  }
  return times;
}
