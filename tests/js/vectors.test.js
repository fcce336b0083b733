/**
 * Public vectors: what others published, our reader must find.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { dueTime, isValue, network } from "../../web/static/js/verify/beacon.js";
import { base64, fromBase64, fromHex, hex, utf8 } from "../../web/static/js/verify/bytes.js";
import { canonical, parse } from "../../web/static/js/verify/canonical.js";
import { verifies } from "../../web/static/js/verify/ed25519.js";
import { TH, hmac, sha256 } from "../../web/static/js/verify/hash.js";
import { presenceRoot } from "../../web/static/js/verify/map.js";
import { checkConsistency, checkInclusion, leafHash, root } from "../../web/static/js/verify/merkle.js";
import { verifiesMldsa } from "../../web/static/js/verify/mldsa.js";
import { parseCheckpoint, parsePolicy, judgeNote, parseVKey, subtreeMessage } from "../../web/static/js/verify/note.js";
import { Integers, below } from "../../web/static/js/verify/seed.js";
import { proofToHash, verifyProof } from "../../web/static/js/verify/vrf.js";

/** @param {string} name */
const vectors = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf-8"));

test("ECVRF of RFC 9381 proves, and with one bit changed does not", () => {
  const mine = vectors("rfc9381_ecvrf_edwards25519").vectors.filter((/** @type {any} */ each) => each.suite.endsWith("TAI"));
  assert.ok(mine.length >= 3);
  for (const { pk, alpha, pi, beta } of mine) {
    assert.equal(hex(verifyProof(fromHex(pk), fromHex(alpha), fromHex(pi))), beta);
    const other = fromHex(pi);
    other[79 - 40] ^= 1;
    assert.throws(() => verifyProof(fromHex(pk), fromHex(alpha), other), { code: "bad_vrf_proof" });
    const large = fromHex(pi).fill(255, 48);
    assert.throws(() => proofToHash(large), { code: "bad_vrf_scalar" });
  }
});

test("a cosignature with ML-DSA-44 verifies, and with one bit changed or another context does not", () => {
  const { public: key, own, kat } = vectors("mldsa44");
  const [publicKey, message, signature] = [key, own.message, own.signature].map(fromHex);
  assert.equal(hex(subtreeMessage(own.cosigner, BigInt(own.time), parseCheckpoint(`${own.checkpoint}\n— a ${base64(new Uint8Array(9))}\n`))), own.message);
  assert.equal(verifiesMldsa(publicKey, message, signature), true);
  for (const at of [0, 40, 1000, 2330, 2419]) assert.equal(verifiesMldsa(publicKey, message, signature.map((byte, n) => (n === at ? byte ^ 1 : byte))), false);
  assert.equal(verifiesMldsa(publicKey, message, signature.subarray(1)), false);
  assert.equal(verifiesMldsa(publicKey.subarray(1), message, signature), false);
  assert.equal(verifiesMldsa(publicKey, fromHex(kat.message), fromHex(kat.signature)), false);
});

test("trees of RFC 6962 have the published roots", () => {
  const { leaves_hex: leaves, roots_by_size: roots } = vectors("rfc6962_tree");
  roots.forEach((/** @type {string} */ expected, /** @type {number} */ size) => assert.equal(hex(root(leaves.slice(0, size).map(fromHex))), expected));
});

test("paths are judged as RFC 9162 judges them", () => {
  const { inclusion, consistency } = vectors("rfc6962_merkle_proofs");
  const hash = (/** @type {string | null} */ text) => fromBase64(text ?? "");
  /** @param {() => void} run */
  const refused = (run) => {
    try {
      run();
      return false;
    } catch {
      return true;
    }
  };
  const whole = (/** @type {string[]} */ ...texts) => texts.every((text) => hash(text).length === 32); // other lengths are refused by shape
  for (const each of inclusion)
    if (whole(each.leafHash, each.root)) assert.equal(
      refused(() => checkInclusion(hash(each.leafHash), each.leafIdx, each.treeSize, (each.proof ?? []).map(hash), hash(each.root))), each.wantErr, each.case);
  for (const each of consistency) {
    if (!whole(each.root1, each.root2)) continue;
    const expected = each.wantErr || each.size1 === 0; // nothing extends the empty tree
    assert.equal(
      refused(() => checkConsistency(each.size1, each.size2, (each.proof ?? []).map(hash), hash(each.root1), hash(each.root2))), expected, each.case);
  }
});

test("signed notes and checkpoints of C2SP verify, and lines of others are refused", () => {
  const { signed_note: note, checkpoint } = vectors("c2sp_notes");
  const key = parseVKey(note.vkey);
  const [text, line] = note.note.split("\n\n");
  assert.ok(verifies(key.key, utf8(text + "\n"), fromBase64(line.trim().split(" ")[2]).subarray(4)));
  const policy = parsePolicy(`log ${checkpoint.log_vkey}\nwitness w ${checkpoint.witness_vkey}\nquorum w\n`);
  const parsed = parseCheckpoint(checkpoint.text);
  assert.equal(parsed.size, 13);
  assert.equal(judgeNote(parsed, policy).get("w"), checkpoint.cosigned_time);
  const alone = parsePolicy(`log ${checkpoint.log_vkey}\nquorum none\n`);
  assert.throws(() => judgeNote(parsed, alone), { code: "line_of_unknown_key" });
});

test("the worked example's outputs, tree and integers come out", () => {
  const { seed, uniform, contributions, leaf_hashes: hashes } = vectors("worked_example");
  for (const { label, n, value } of uniform) {
    if (!Number.isSafeInteger(n)) continue;
    assert.equal(below(hmac(fromHex(seed)), fromHex(label), BigInt(n)), BigInt(value));
  }
  for (const { pi, beta } of contributions) assert.equal(hex(proofToHash(fromHex(pi))), beta);
  assert.equal(hashes.length, 12);
  const integers = new Integers(new Uint8Array(32), 0);
  assert.deepEqual([integers.below(1000n), integers.below(1000n), integers.below(1000n)], [69n, 366n, 652n]);
});

test("values of the public beacon quicknet are its signatures, and no others", () => {
  const { chain, rounds } = vectors("drand_quicknet");
  const { chain_hash: hash, public_key, period, genesis_time, group_hash, scheme, beacon_id } = chain;
  const pinned = network({ genesis_seed: group_hash, genesis_time, kind: "drand", name: beacon_id, period, public_key, scheme }, "network");
  assert.equal(hex(pinned.chainHash), hash);
  for (const { round, time, signature, valid } of rounds) {
    assert.equal(isValue(pinned, round, fromHex(signature)), valid);
    if (time) assert.equal(dueTime(pinned, round), time);
  }
  assert.equal(isValue(pinned, 1, new Uint8Array(48)), false);
});

test("the examples of the specification come out", () => {
  assert.equal(hex(TH("draw/v1/example", utf8("ab"), utf8("c"))), "8929c300043091a498ec7a9f46ae946e67539abe158981253b1a813729ad1284");
  const [zero, one] = [new Uint8Array(32), new Uint8Array(32)];
  one[0] = 0x80;
  assert.equal(hex(presenceRoot(zero, utf8("x"), [])), "837528f24d146fd87463a738aba1f1fce8d6e8f258a7065897d5117966ab293d");
  const beside = TH("draw/v1/map-leaf", one, utf8("y"));
  assert.equal(hex(presenceRoot(zero, utf8("x"), [beside])), "b38ccc66300ab3095680aced3d3d57e3fa68a2f60e61f183505e3a61c9616907");
  assert.equal(hex(leafHash(utf8(""))), hex(sha256(Uint8Array.of(0))));
  assert.equal(base64(fromBase64("8E556/5G5eUutnIlE62KJZiUO9GKZrQBbKfZwx2xxtQ=")), "8E556/5G5eUutnIlE62KJZiUO9GKZrQBbKfZwx2xxtQ=");
});

test("a value has one spelling, and every other is refused", () => {
  const good = utf8('{"a":"x","b":[1,true]}');
  assert.deepEqual(canonical(parse(good, { most: 100 })), good);
  const refused = [
    '{"b":1,"a":2}', '{"a":1,"a":1}', '{"a": 1}', '{"a":1.0}', '{"a":1e3}', '{"a":null}', '{"a":-0}', '{"a":01}', '{"A":1}', '{"a":"\\u0041"}',
    '{"a":"\\/"}', '{"a":"\t"}', '{"a":9007199254740992}', '{"a":1}x', '{"a":1', '[1,]', '"é"', '\ufeff{"a":1}', "NaN", '{"":1}', "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
  ];
  for (const text of refused) assert.throws(() => parse(utf8(text), { most: 1000 }), undefined, text);
  assert.throws(() => parse(Uint8Array.of(34, 0xff, 34), { most: 100 }), { code: "not_utf8" });
  assert.equal(parse(utf8('{"__proto__":1}'), { most: 100 })["__proto__"], 1);
  assert.equal(parse(utf8('"é\\n"'), { most: 100, text: true }), "é\n");
});

test("Ed25519 is judged as libsodium judges it", () => {
  const small = ["0100000000000000000000000000000000000000000000000000000000000000", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000"];
  for (const key of small) assert.equal(verifies(fromHex(key), utf8("m"), new Uint8Array(64)), false);
  // R with a part of order two: the cofactored equation would accept it
  const torsioned = vectors("ed25519_torsion");
  assert.equal(verifies(fromHex(torsioned.key), fromHex(torsioned.message), fromHex(torsioned.honest)), true);
  assert.equal(verifies(fromHex(torsioned.key), fromHex(torsioned.message), fromHex(torsioned.torsioned)), false);
  const large = fromHex(torsioned.honest); // s + q
  let carry = 0n;
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  for (let n = 0; n < 32; n++) {
    const sum = BigInt(large[32 + n]) + ((order >> BigInt(8 * n)) & 255n) + carry;
    large[32 + n] = Number(sum & 255n);
    carry = sum >> 8n;
  }
  assert.equal(verifies(fromHex(torsioned.key), fromHex(torsioned.message), large), false);
});
