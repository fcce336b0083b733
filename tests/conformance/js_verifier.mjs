/**
 * The JavaScript verifier in the contract's batch mode: `node js_verifier.mjs [--verify MODULE] --batch`.
 * MODULE exports `verify(files)`; without it the one of this repository is taken. It reads no openings.
 */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { batch: { type: "boolean" }, verify: { type: "string" } } });
const here = dirname(fileURLToPath(import.meta.url));
const { verify } = await import(pathToFileURL(values.verify ?? resolve(here, "../../web/static/js/verify/verify.js")).href);

/** @param {string | undefined} name */
const read = (name) => (name ? new Uint8Array(readFileSync(name)) : null);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, proof, keys, roll, receipt } = JSON.parse(line);
  let answer;
  try {
    const report = await verify({ proof: read(proof), keys: read(keys), roll: read(roll), receipt: read(receipt) });
    answer = { exit_code: report.exitCode, failed: report.having("failed"), id, skipped: report.having("skipped") };
  } catch (error) {
    answer = { error: String(error.stack ?? error), id };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
