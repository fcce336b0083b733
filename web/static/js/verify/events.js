/**
 * The events of a draw (docs/spec/draw.md 3): one table of shapes, and what is hashed and signed of an event.
 *
 * An event keeps its JSON beside the parsed fields: its leaf, its signed bytes and its draft are spellings of that JSON.
 */

import { Refused } from "./bytes.js";
import { canonical, without } from "./canonical.js";
import { TH, PAE } from "./hash.js";
import { leafHash } from "./merkle.js";
import { bool, bytes, choice, digest, int, list, name, natural, object, optional, round, slot, text, time, version, word } from "./shapes.js";

const MOST_BYTES = 65_535;
const EVENT_TYPE = "application/vnd.lotroom.event.v1+json";
const CONTRIBUTION_TYPE = "application/vnd.lotroom.contribution.v1+json";

/** @typedef {import("./canonical.js").Json} Json */
/** @typedef {{key: string, sig: Uint8Array}} Signature */

/** @param {number} most */
export const signatures = (most, least = 0) => list(object({ key: name, sig: bytes(64) }), least, most);

const SAMPLERS = ["cells-reject", "picks-reject", "cells-dp"].flatMap((name) => [`${name}/1`, `${name}/2`]);

const seat = object({
  count: int(1, 40), main_only: bool, professions: list(text(1, 7, /^[A-C](?:[0-9]{2}){0,3}$/), 1, 40), reserves: int(0, 40),
  site: text(0, 64, /^(?:[A-Za-z0-9][A-Za-z0-9._:/-]*)?$/),
});
const site = object({ areas: list(text(2, 6, /^[0-9]+$/), 1, 40), id: word, required: bool });
const plan = object({
  recent_days: int(0, 3650), recent_max: int(0, 40), regions: list(text(6, 6, /^[0-9]+$/), 0, 40), representatives: int(0, 40),
  seats: list(seat, 1, 40), sites: list(site, 0, 8),
});
const snapshot = object({ id: word, previous: list(object({ changes: digest, root: digest }), 0, 1), root: digest, size: int(1, 2 ** 20) });
const terms = object({
  chances: object({ largest: natural, root: digest, smallest: natural }),
  counts: list(object({ count: int(10, 2 ** 20), rule: word }), 0, 100), decisions: digest, declarations: digest, groups_checked: bool,
  method: choice("uniform/1", "fair/1"), plan, roll: object({ head: digest, root: digest }),
  rule_set: object({ digest, id: word, version: word }), sampler: choice(...SAMPLERS), small_pool: bool, snapshot,
  total: natural,
});
const noBeacon = object({
  draw_key: bytes(32), escrow: object({ holders: list(name, 1, 40), points: list(bytes(32), 1, 40) }), kind: choice("none"),
});
const beaconRound = int(1, 2 ** 36);
const someBeacon = object({ kind: choice("drand", "local"), network: digest, round: beaconRound });
/** @typedef {{kind: "none" | "drand" | "local", draw_key: Uint8Array, escrow: {holders: string[], points: Uint8Array[]}, network: Uint8Array, round: number}} Beacon */
/** @type {import("./shapes.js").Shape<Beacon>} fields of the other kind are there and empty */
const beacon = (value, place) =>
  typeof value === "object" && !Array.isArray(value) && value.kind === "none"
    ? { ...noBeacon(value, place), network: new Uint8Array(0), round: 0 }
    : { ...someBeacon(value, place), draw_key: new Uint8Array(0), escrow: { holders: [], points: [] } };
/** A proof of the draw key, or a beacon's value. @type {import("./shapes.js").Shape<Uint8Array>} */
const lotsValue = (value, place) => bytes(typeof value === "string" && value.length === 96 ? 48 : 80)(value, place);
const placed = list(object({ slot, tag: bytes(16) }), 1, 400);

const HEAD = {
  at: time, attempt: int(1, 10_000), dry_run: bool, prev: digest, project: digest, seq: int(0, 1_000_000), sigs: signatures(60),
  v: version("draw/v1"),
};

const FIELDS = {
  opened: { notice: digest, origin: name, section: word },
  attested: { draft: digest, histogram: digest, scope: choice("openings", "roll") },
  committed: {
    beacon, contributors: list(name, 1, 40), deadlines: object({ contributions: time, result: time }), evaluation_at: time,
    keys: object({ digest, version: int(1, 1_000_000) }), regime: choice("ZTB", "ZFCG"), reply_window: int(60, 86_400),
    round_contributors: list(name, 0, 40), terms, unsealing: object({ not_before: time, threshold: int(1, 40) }),
  },
  contributed: { key: name, nth: int(1, 10_000), pi: bytes(80), pk: bytes(32), sig: bytes(64) },
  round_contributed: { key: name, pi: bytes(80), pk: bytes(32), round, sig: bytes(64) },
  result: { placed, seed: digest, trace: digest, value: lotsValue },
  checked: {},
  notified: { notices: list(object({ receipt: digest, slot }), 1, 400), round },
  answers: {
    answers: list(
      object({ evidence: choice("gateway", "link", "two_persons"), receipt: digest, slot, state: choice("accepted", "left") }), 1, 400),
    lots: optional(beaconRound), round,
  },
  stepped_in: { moves: list(object({ reserve: slot, slot }), 1, 400), round },
  replaced: { placed, round, seed: digest, trace: digest, value: lotsValue },
  screened: { bidders: digest, lots: optional(beaconRound), rows: digest, slots: list(slot, 0, 400) },
  extended: { lots: optional(beaconRound), open: list(slot, 1, 400), reason: digest, terms },
  appointed: { ground: word, kind: choice("direct_choice", "representative"), lots: optional(beaconRound), person: digest, place: int(0, 399) },
  unsealed: { slots: list(slot, 1, 400) },
  closed: {},
  abandoned: { paper: digest, reason: choice("incomplete", "cancelled", "order") },
  stopped: { paper: digest },
  resumed: { paper: digest },
  erased: { count: int(1, 2 ** 20), people: digest },
};

/** @typedef {keyof typeof FIELDS} EventType */
/** @typedef {ReturnType<typeof terms>} Terms */
/** @typedef {ReturnType<typeof plan>} Plan */
/** @typedef {ReturnType<typeof placed>} PlacedList */
/**
 * @typedef {object} Event
 * @property {EventType} type
 * @property {number} at
 * @property {number} attempt
 * @property {boolean} dry_run
 * @property {Uint8Array} prev
 * @property {Uint8Array} project
 * @property {number} seq
 * @property {Signature[]} sigs
 * @property {any} body the fields of its type
 * @property {{[key: string]: Json}} json
 * @property {Uint8Array} leaf
 * @property {Uint8Array} hash leaf hash
 */

const SHAPES = Object.fromEntries(
  Object.entries(FIELDS).map(([type, fields]) => [type, object({ ...HEAD, type: choice(type), ...fields })]),
);

/** @param {Json} json @param {string} place @returns {Event} */
export function parseEvent(json, place) {
  if (typeof json !== "object" || Array.isArray(json)) throw new Refused("not_an_object", {}, place);
  const type = json.type;
  if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) throw new Refused("unknown_event", {}, place);
  const body = SHAPES[type](json, place);
  const leaf = canonical(json);
  if (leaf.length > MOST_BYTES) throw new Refused("too_long", { most: MOST_BYTES }, place);
  const { at, attempt, dry_run, prev, project, seq, sigs } = body;
  return { type: /** @type {EventType} */ (type), at, attempt, dry_run, prev, project, seq, sigs, body, json, leaf, hash: leafHash(leaf) };
}

/** What the signatures of an event cover. @param {Event} event */
export function signedBytes(event) {
  return PAE(EVENT_TYPE, canonical(without(event.json, "sigs")));
}

/** The draft that supervisors attest: the fields of the commit or extension alone. @param {Event} event */
export function draftDigest(event) {
  return TH("draw/v1/draft", canonical(without(event.json, ...Object.keys(HEAD), "type")));
}

/** What the contribution's own signature covers. @param {Event} event @param {string} leaf the leaf hash, in hex, that alpha rests on */
export function contributionBytes(event, leaf) {
  const { key, nth, pi, pk, round: number } = event.json;
  /** @type {{[key: string]: Json}} */
  const statement = event.type === "contributed" ? { key, leaf, nth, pi, pk } : { key, leaf, pi, pk, round: number };
  return PAE(CONTRIBUTION_TYPE, canonical(statement));
}

