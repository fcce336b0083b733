/**
 * `node cli.js PROOF --keys FILE [--roll FILE] [--receipt FILE] [--json] [--lang zh|en]`: exit codes 0 good, 1 something failed, 2 bad use,
 * 3 nothing failed and something was skipped (or a dry run).
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { reportJson } from "./json.js";
import { verify } from "./verify.js";

const USE = "node cli.js PROOF --keys FILE [--roll FILE] [--receipt FILE] [--json] [--lang zh|en]";

/** @returns {number} the exit code */
function main() {
  let options;
  /** @type {string[]} */
  let names;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        keys: { type: "string" }, roll: { type: "string" }, receipt: { type: "string" }, json: { type: "boolean" },
        lang: { type: "string", default: "zh" },
      },
    });
    [options, names] = [values, positionals];
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n${USE}\n`);
    return 2;
  }
  if (names.length !== 1 || !options.keys || !["zh", "en"].includes(options.lang)) {
    process.stderr.write(`${USE}\n`);
    return 2;
  }
  /** @type {(Uint8Array | null)[]} */
  let files;
  try {
    files = [names[0], options.keys, options.roll, options.receipt].map((name) => (name ? new Uint8Array(readFileSync(name)) : null));
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n`);
    return 2;
  }
  const [proof, keys, roll, receipt] = files;
  const report = verify({ proof: /** @type {Uint8Array} */ (proof), keys, roll, receipt });
  if (options.json) process.stdout.write(JSON.stringify(reportJson(report), null, 1) + "\n");
  else for (const { check, status, reason } of report.outcomes.values()) process.stdout.write(`${check}  ${status} ${reason}\n`);
  return report.exitCode;
}

process.exitCode = main();
