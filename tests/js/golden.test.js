/**
 * Golden proofs of every release verify; one changed byte fails; whatever is in the files, the verifier answers.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { verify } from "../../web/static/js/verify/verify.js";

const FOLDER = new URL("../vectors/golden/", import.meta.url);
const CLI = new URL("../../web/static/js/verify/cli.js", import.meta.url).pathname;

/** @param {string} name */
function golden(name) {
  /** @param {string} file */
  const read = (file) => {
    const path = new URL(`${name}/${file}`, FOLDER);
    return existsSync(path) ? new Uint8Array(readFileSync(path)) : null;
  };
  return { proof: /** @type {Uint8Array} */ (read("proof.json")), keys: read("keys.json"), roll: read("roll.bin"), receipt: read("receipt.json") };
}

for (const name of readdirSync(FOLDER)) {
  test(`${name} verifies with its roll`, () => {
    const files = golden(name);
    const report = verify(files);
    assert.deepEqual(report.having("failed"), []);
    assert.equal(report.exitCode, 3);
    assert.ok(report.picture);
    const facts = JSON.parse(readFileSync(new URL(`${name}/facts.json`, FOLDER), "utf-8"));
    delete facts.fairness; // a figure of the Python report alone
    for (const [key, value] of Object.entries(facts)) assert.deepEqual(report.facts[key], value, key);
  });
}

test("every bit of a proof counts", () => {
  const files = golden("0.1.0-plain");
  for (let n = 7; n < files.proof.length; n += 997) {
    const proof = files.proof.slice();
    proof[n] ^= 1;
    assert.equal(verify({ ...files, proof }).exitCode, 1, `byte ${n}`);
  }
});

test("whatever is in the files, the verifier answers", () => {
  const files = golden("0.1.0-extended");
  const nothing = new Uint8Array(0);
  const cut = (/** @type {Uint8Array | null} */ bytes) => /** @type {Uint8Array} */ (bytes).subarray(0, 700);
  for (const each of [nothing, cut(files.proof), new TextEncoder().encode('{"__proto__":{}}'), new Uint8Array(5000).fill(91)]) {
    assert.equal(verify({ ...files, proof: each }).exitCode, 1);
    assert.equal(verify({ ...files, keys: each }).exitCode, 1);
    assert.equal(verify({ ...files, roll: each }).exitCode, 1);
    assert.equal(verify({ ...files, receipt: each }).exitCode, 1);
  }
  assert.ok(verify({ proof: files.proof }).headlines.includes("no_key_list"));
});

test("the command's exit codes are 0 to 3, and it prints what it found", () => {
  const folder = new URL("0.1.0-plain/", FOLDER).pathname;
  /** @param {...string} words */
  const run = (...words) => spawnSync(process.execPath, [CLI, ...words], { encoding: "utf-8" });
  const keys = ["--keys", join(folder, "keys.json")];
  const good = run(join(folder, "proof.json"), ...keys, "--roll", join(folder, "roll.bin"), "--receipt", join(folder, "receipt.json"), "--json");
  assert.equal(good.status, 3);
  const said = JSON.parse(good.stdout);
  assert.deepEqual(said.failed, []);
  assert.equal(said.verdict, "incomplete");
  assert.equal(run(join(folder, "proof.json")).status, 2);
  assert.equal(run(join(folder, "nothing.json"), ...keys).status, 2);
  const bad = join(mkdtempSync(join(tmpdir(), "lotroom-")), "proof.json");
  writeFileSync(bad, readFileSync(join(folder, "proof.json"), "utf-8").replace('"total":"7536"', '"total":"7537"'));
  const failed = run(bad, ...keys, "--lang", "en");
  assert.equal(failed.status, 1);
  assert.match(failed.stdout, /I1 +FAILED/);
});
