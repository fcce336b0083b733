/**
 * The verifier for a test that has many proofs: one JSON line of base64 files in, one JSON line of the report out.
 */

import { createInterface } from "node:readline";
import { reportJson } from "../../web/static/js/verify/json.js";
import { verify } from "../../web/static/js/verify/verify.js";

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line);
  /** @param {string} name */
  const file = (name) => (typeof given[name] === "string" ? new Uint8Array(Buffer.from(given[name], "base64")) : null);
  let answer;
  try {
    const report = verify({ proof: /** @type {Uint8Array} */ (file("proof")), keys: file("keys"), roll: file("roll"), receipt: file("receipt") });
    answer = reportJson(report);
  } catch (error) {
    answer = { threw: String(/** @type {Error} */ (error).stack) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
