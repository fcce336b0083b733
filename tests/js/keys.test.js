/**
 * Keys in the browser: what RFC vectors say they make, and what is refused.
 */

import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { argon2id } from "../../web/static/vendor/noble-keys.js";
import { makeKey, publicBytes, readPublic, readSecret, secretBytes, vkey } from "../../web/static/js/keys/keyfile.js";
import { boxPublic, prove, sign, signingPublic, vrfPublic } from "../../web/static/js/keys/prove.js";
import { readWrapped, unwrap, wrapWithPasskey, wrapWithPassword } from "../../web/static/js/keys/wrap.js";
import { fromHex, hex, utf8 } from "../../web/static/js/verify/bytes.js";
import { verifies } from "../../web/static/js/verify/ed25519.js";
import { parseVKey } from "../../web/static/js/verify/note.js";
import { verifyProof } from "../../web/static/js/verify/vrf.js";

globalThis.crypto ??= /** @type {any} */ (webcrypto);
/** @param {number} length */
const chance = (length) => crypto.getRandomValues(new Uint8Array(length));
/** @type {import("../../web/static/js/keys/wrap.js").Stretch} a cost that tests can bear */
const cheap = async (password, salt) => argon2id(password, salt, { m: 8, t: 1, p: 1, dkLen: 32 });
const nobody = async () => new Uint8Array(32);

test("ECVRF of RFC 9381 is proved byte by byte as published", () => {
  const { vectors } = JSON.parse(readFileSync(new URL("../vectors/rfc9381_ecvrf_edwards25519.json", import.meta.url), "utf-8"));
  const mine = vectors.filter((/** @type {any} */ each) => each.suite.endsWith("TAI"));
  assert.ok(mine.length >= 3);
  for (const { sk, pk, alpha, pi } of mine) {
    assert.equal(hex(vrfPublic(fromHex(sk))), pk);
    assert.equal(hex(prove(fromHex(sk), fromHex(alpha))), pi);
  }
});

test("Ed25519 of RFC 8032 7.1 and X25519 of RFC 7748 6.1 come out", () => {
  const seed = fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  assert.equal(hex(signingPublic(seed)), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  assert.equal(
    hex(sign(seed, Uint8Array.of(0x72))),
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const alice = fromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  assert.equal(hex(boxPublic(alice)), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
});

test("argon2id of RFC 9106 5.3 comes out", () => {
  const options = /** @type {any} */ ({ m: 32, t: 3, p: 4, dkLen: 32, key: new Uint8Array(8).fill(3), personalization: new Uint8Array(12).fill(4) });
  const made = argon2id(new Uint8Array(32).fill(1), new Uint8Array(16).fill(2), options);
  assert.equal(hex(made), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
});

test("a key's files read as they were written, and the role decides its parts", () => {
  for (const role of /** @type {const} */ (["supervisor", "contributor"])) {
    const key = makeKey(role, "市监督局", "lotroom.test", chance);
    assert.match(key.name, new RegExp(`^lotroom\\.test/${role}-[0-9a-f]{8}$`));
    assert.equal(key.vrf.length, role === "contributor" ? 32 : 0);
    assert.equal(key.box.length, role === "supervisor" ? 32 : 0);
    assert.deepEqual(readSecret(secretBytes(key)), key);
    assert.equal(readPublic(publicBytes(key)).name, key.name);
    assert.equal(parseVKey(vkey(key)).name, key.name);
    assert.ok(!new TextDecoder().decode(publicBytes(key)).includes(hex(key.secret.sign)));
    assert.ok(verifies(key.sign, utf8("m"), sign(key.secret.sign, utf8("m"))));
    if (role === "contributor") verifyProof(key.vrf, utf8("a"), prove(key.secret.vrf, utf8("a")));
  }
});

test("a wrapped key opens with its password and with no other, and says nothing of its secret", async () => {
  const key = makeKey("contributor", "公证处", "lotroom.test", chance);
  const wrapped = await wrapWithPassword(key, "长一点的口令-Ａ 12345", cheap, chance);
  assert.equal(readWrapped(wrapped).public.name, key.name);
  for (const secret of [key.secret.sign, key.secret.vrf]) assert.ok(!wrapped.includes(hex(secret)));
  assert.deepEqual(await unwrap(wrapped, { password: "长一点的口令-Ａ 12345", stretch: cheap, ask: nobody }), key);
  await assert.rejects(unwrap(wrapped, { password: "长一点的口令-Ａ 12346", stretch: cheap, ask: nobody }), { code: "wrong_password" });
  await assert.rejects(wrapWithPassword(key, "short", cheap, chance), { code: "password_short" });
});

test("a wrapped key under a passkey opens with its output alone", async () => {
  const key = makeKey("supervisor", "市监督局", "lotroom.test", chance);
  const made = { credential: chance(16), salt: chance(32), output: chance(32) };
  const wrapped = await wrapWithPasskey(key, made, chance);
  const ask = async (/** @type {Uint8Array} */ credential, /** @type {Uint8Array} */ salt) => {
    assert.deepEqual([credential, salt], [made.credential, made.salt]);
    return made.output;
  };
  assert.deepEqual(await unwrap(wrapped, { password: "", stretch: cheap, ask }), key);
  await assert.rejects(unwrap(wrapped, { password: "", stretch: cheap, ask: nobody }), { code: "wrong_passkey" });
});

test("whoever changes what stands beside the sealed part opens nothing", async () => {
  const key = makeKey("contributor", "公证处", "lotroom.test", chance);
  const wrapped = await wrapWithPassword(key, "twelve characters", cheap, chance);
  const means = { password: "twelve characters", stretch: cheap, ask: nobody };
  await assert.rejects(unwrap(wrapped.replace("公证处", "别家处"), means), { code: "wrong_password" });
  await assert.rejects(unwrap(wrapped.replace(/"passes":\d+/, '"passes":11'), means), { code: "not_a_wrapped_key" });
  await assert.rejects(unwrap(wrapped + " ", means), { code: "not_a_wrapped_key" });
  const other = makeKey("contributor", "公证处", "lotroom.test", chance);
  const name = key.name.replace("/", "\\/");
  await assert.rejects(unwrap(wrapped.replace(new RegExp(name), other.name), means), { code: "wrong_password" });
});
