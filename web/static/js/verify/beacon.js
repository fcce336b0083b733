/**
 * Beacon networks (docs/spec/keylist.md 4, draw.md 5.3): how a network is pinned, when a round is due, and whether a value is its signature.
 *
 * A value is a BLS signature: a point of G1, checked by one equation of pairings. Every round has exactly one, and nobody knows it before.
 */

import { bls12_381 } from "../../vendor/noble-bls12-381.js";
import { Refused, compare, concat, hex, increasing, same, u32be, u64be, utf8 } from "./bytes.js";
import { canonical } from "./canonical.js";
import { TH, sha256 } from "./hash.js";
import { bytes, choice, digest, int, list, object, text, time, version, word } from "./shapes.js";

const DST = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
const SCHEME = version("bls-unchained-g1-rfc9380");

const node = object({ body: text(1, 200), held: choice("body", "operator"), key: bytes(32) });
const common = { genesis_seed: digest, genesis_time: time, name: word, period: int(1, 3600), public_key: bytes(96), scheme: SCHEME };
const drand = object({ ...common, kind: choice("drand") });
const local = object({ ...common, kind: choice("local"), nodes: list(node, 3, 19), threshold: int(2, 19) });

/** @typedef {ReturnType<typeof node>} Node */
/**
 * @typedef {object} Network
 * @property {"drand" | "local"} kind
 * @property {string} name
 * @property {number} genesis_time
 * @property {number} period
 * @property {Uint8Array} genesis_seed
 * @property {Uint8Array} public_key
 * @property {Node[]} nodes of a local network
 * @property {number} threshold of a local network
 * @property {Uint8Array} chainHash
 */

/** @type {import("./shapes.js").Shape<Network>} */
export const network = (value, place) => {
  const isLocal = typeof value === "object" && !Array.isArray(value) && value.kind === "local";
  const fields = isLocal ? local(value, place) : { ...drand(value, place), nodes: [], threshold: 0 };
  if (isLocal) judgeGroup(/** @type {any} */ (value), fields, place);
  const parts = [u32be(fields.period), u64be(fields.genesis_time), fields.public_key, fields.genesis_seed];
  if (fields.name !== "default") parts.push(utf8(fields.name));
  return { ...fields, chainHash: sha256(concat(...parts)) };
};

/** A local network: nodes of different bodies, 2t - 1 of them, and a seed that fixes them (keys-6). @param {any} json
 * @param {{nodes: Node[], threshold: number, genesis_seed: Uint8Array}} fields @param {string} place */
function judgeGroup(json, { nodes, threshold, genesis_seed: seed }, place) {
  if (nodes.length !== 2 * threshold - 1) throw new Refused("wrong_node_count", { threshold, nodes: nodes.length }, place);
  if (new Set(nodes.map(({ body }) => body)).size < nodes.length) throw new Refused("nodes_of_one_body", {}, place);
  if (!increasing(nodes.map(({ key }) => key), compare)) throw new Refused("not_sorted", {}, place);
  const { genesis_time: genesis, name, period, scheme } = json;
  const group = {
    genesis_time: genesis, name, nodes: nodes.map(({ body, key }) => ({ body, key: hex(key) })), period, scheme, threshold,
  };
  if (!same(TH("lotroom/v1/beacon-group", canonical(group)), seed)) throw new Refused("other_group", {}, place);
}

/** When a round is due, in Unix seconds. @param {Network} network @param {number} round */
export function dueTime({ genesis_time: genesis, period }, round) {
  return genesis + (round - 1) * period;
}

/** Whether the value is the network's signature over the round (draw-5.6). @param {Network} network @param {number} round @param {Uint8Array} value */
export function isValue(network, round, value) {
  const { G1, G2, shortSignatures } = bls12_381;
  try {
    const signature = G1.Point.fromBytes(value);
    const key = G2.Point.fromBytes(network.public_key);
    if (signature.is0() || key.is0() || !same(signature.toBytes(true), value) || !same(key.toBytes(true), network.public_key)) return false;
    signature.assertValidity();
    key.assertValidity();
    return shortSignatures.verify(signature, shortSignatures.hash(sha256(u64be(round)), DST), key);
  } catch {
    return false;
  }
}
