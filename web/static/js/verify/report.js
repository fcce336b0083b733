/**
 * The report of a verification (docs/spec/draw.md 8): every check, always, with its state. A fault wins over every reason.
 */

/** @typedef {"public" | "roll" | "supervisor" | "expert"} Level */
/** @typedef {"passed" | "failed" | "skipped" | "not_applicable"} Status */
/** @typedef {{code: string, place: string, params: Record<string, unknown>}} Finding */
/** @typedef {{check: string, level: Level, status: Status, reason: string, faults: Finding[], flags: Finding[]}} Outcome */

/** In the order of the table. @type {[Level, string[]][]} */
const LEVELS = [
  ["public", ["I6", "A4", "I5", "I1", "I2", "A1", "A2", "A3", "A5", "A6", "C1", "C2", "C3", "C4", "C5", "T1", "T2", "T3", "T4", "T5", "R1",
    "R2", "R3", "R4", "V1", "D4", "D5"]],
  ["roll", ["D1", "D2", "D3", "D6", "F1", "F2", "F3", "F4"]],
  ["supervisor", ["S0", "S1", "S2", "S3", "S4", "S5"]],
  ["expert", ["E1", "E2", "E3", "E4"]],
];

/** The checks of one level. @param {Level} level */
export function checksOf(level) {
  return LEVELS.find(([name]) => name === level)?.[1] ?? [];
}

export class Report {
  constructor() {
    /** @type {Map<string, Outcome>} */
    this.outcomes = new Map();
    for (const [level, checks] of LEVELS)
      for (const check of checks) this.outcomes.set(check, { check, level, status: "passed", reason: "", faults: [], flags: [] });
    /** @type {string[]} */
    this.headlines = [];
    /** @type {Record<string, unknown>} */
    this.facts = {};
    /** What the page draws. @type {import("./picture.js").Picture | null} */
    this.picture = null;
  }

  /** @param {string} check @returns {Outcome} */
  outcome(check) {
    return /** @type {Outcome} */ (this.outcomes.get(check));
  }

  /** @param {string} check @param {string} code @param {Record<string, unknown>} [params] @param {string} [place] */
  fault(check, code, params = {}, place = "") {
    const outcome = this.outcome(check);
    outcome.status = "failed";
    outcome.reason = "";
    outcome.faults.push({ code, place, params });
  }

  /** Printed, but no fault. @param {string} check @param {string} code @param {Record<string, unknown>} params @param {string} place */
  flag(check, code, params, place) {
    this.outcome(check).flags.push({ code, place, params });
  }

  /** The first reason stays. @param {string[]} checks @param {string} reason @param {"skipped" | "not_applicable"} [status] */
  skip(checks, reason, status = "skipped") {
    for (const check of checks) {
      const outcome = this.outcome(check);
      if (outcome.status === "passed") Object.assign(outcome, { status, reason });
    }
  }

  /** @param {string[]} checks */
  allPassed(...checks) {
    return checks.every((check) => this.outcome(check).status === "passed");
  }

  /** @param {Status} status @returns {string[]} */
  having(status) {
    return [...this.outcomes.values()].filter((each) => each.status === status).map((each) => each.check);
  }

  /** 0 good, 1 something failed, 3 nothing failed and something was skipped (or a dry run). */
  get exitCode() {
    if (this.having("failed").length) return 1;
    return this.having("skipped").length || this.headlines.includes("dry_run") ? 3 : 0;
  }

  /** @returns {"good" | "failed" | "incomplete"} */
  get verdict() {
    return this.exitCode === 0 ? "good" : this.exitCode === 1 ? "failed" : "incomplete";
  }
}
