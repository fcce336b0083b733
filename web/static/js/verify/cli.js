/**
 * `node cli.js PROOF --keys FILE [--roll FILE] [--receipt FILE] [--json] [--lang zh|en]`: exit codes 0 good, 1 something failed, 2 bad use,
 * 3 nothing failed and something was skipped (or a dry run).
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { reportJson } from "./json.js";
import { CHECK_TITLES, HEADLINES, REASONS, STATUS_WORDS } from "./texts.js";
import { verify } from "./verify.js";

const USE = "node cli.js PROOF --keys FILE [--roll FILE] [--receipt FILE] [--json] [--lang zh|en]";

/** @typedef {{keys?: string, roll?: string, receipt?: string, json?: boolean, lang: string}} Options */

/** @param {string[]} words @returns {{options: Options, proof: string} | null} */
function read(words) {
  try {
    const { values, positionals } = parseArgs({
      args: words, allowPositionals: true,
      options: {
        keys: { type: "string" }, roll: { type: "string" }, receipt: { type: "string" }, json: { type: "boolean" },
        lang: { type: "string", default: "zh" },
      },
    });
    const options = /** @type {Options} */ (values);
    return positionals.length === 1 && options.keys && ["zh", "en"].includes(options.lang) ? { options, proof: positionals[0] } : null;
  } catch {
    return null;
  }
}

/** The report as lines to read. @param {import("./report.js").Report} report @param {0 | 1} lang */
function lines(report, lang) {
  const made = report.headlines.map((code) => HEADLINES[code]?.[lang] ?? code);
  for (const { check, status, reason, faults } of report.outcomes.values()) {
    const why = reason ? ` (${REASONS[reason]?.[lang] ?? reason})` : "";
    made.push(`${check}  ${(STATUS_WORDS[status]?.[lang] ?? status).padEnd(8)} ${CHECK_TITLES[check]?.[lang] ?? ""}${why}`);
    for (const { code, place } of faults) made.push(`      ${place} [${code}]`);
  }
  return made.join("\n") + "\n";
}

/** @param {string[]} words @returns {number} the exit code */
function main(words) {
  const given = read(words);
  if (!given) {
    process.stderr.write(`${USE}\n`);
    return 2;
  }
  const { options } = given;
  /** @type {(Uint8Array | null)[]} */
  let files;
  try {
    const names = [given.proof, options.keys, options.roll, options.receipt];
    files = names.map((name) => (name ? new Uint8Array(readFileSync(name)) : null));
  } catch (error) {
    process.stderr.write(`${/** @type {Error} */ (error).message}\n`);
    return 2;
  }
  const [proof, keys, roll, receipt] = files;
  const report = verify({ proof: /** @type {Uint8Array} */ (proof), keys, roll, receipt });
  process.stdout.write(options.json ? JSON.stringify(reportJson(report), null, 1) + "\n" : lines(report, options.lang === "zh" ? 0 : 1));
  return report.exitCode;
}

process.exitCode = main(process.argv.slice(2));
