/**
 * What the checkpoints of a proof show (docs/spec/draw.md 8: I1, I2, A1, A2, T3, T4, T5): that the log only grew, who saw it, and what was in
 * it at which moment. If one checkpoint is invalid, none is usable.
 */

import { Refused } from "./bytes.js";
import { checkConsistency, checkInclusion } from "./merkle.js";
import { judgeNote, parseCheckpoint, partsOf, reachesQuorum } from "./note.js";

/**
 * @typedef {import("./note.js").Checkpoint & {times: Map<string, number>, rest: import("./note.js").Line[]}} Seen
 * @typedef {import("./keys.js").KeyList} KeyList
 * @typedef {import("./note.js").Policy} Policy
 * @typedef {import("./proof.js").Proof} Proof
 * @typedef {import("./report.js").Report} Report
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./events.js").Event} Event
 */

/** Run, and turn a refusal into a fault. @param {Report} report @param {string} check @param {string} place @param {() => void} run */
export function refusalIsFault(report, check, place, run) {
  try {
    run();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    report.fault(check, error.code, error.params, place || error.place);
    return false;
  }
}

/**
 * A1 and A2 but for CP0. The first invalid checkpoint is named; those after it are not looked at. One of another origin or without a quorum is
 * a fault, and still usable. The second part of a note is left for A6. @param {Proof} proof @param {KeyList | null} keys @param {Report} report
 * @returns {Seen[] | null} none usable if one is invalid, or if no key list says whose signatures count
 */
export function readCheckpoints(proof, keys, report) {
  if (!keys) return null;
  const { policy, second } = keys;
  /** @type {Seen[]} */
  const seen = [];
  const last = proof.checkpoints.length - 1;
  for (const [n, text] of proof.checkpoints.entries()) {
    const check = n < last ? "A1" : "A2";
    const place = `checkpoint ${n}`;
    const valid = refusalIsFault(report, check, place, () => {
      const note = parseCheckpoint(text);
      const [lines, rest] = second ? partsOf(note, policy) : [note.lines, []];
      seen.push({ ...note, times: judgeNote({ ...note, lines }, policy), rest });
    });
    if (!valid) {
      report.skip(["A2"], "no_checkpoint");
      return null;
    }
    if (seen[n].origin !== proof.origin) report.fault(check, "other_origin", {}, place);
    if (policy.quorum !== "none" && !reachesQuorum(policy, new Set(seen[n].times.keys()))) report.fault(check, "no_quorum", {}, place);
  }
  return seen;
}

/** I1 and I2; sizes that do not increase are I5's. @param {Proof} proof @param {Seen[]} seen @param {Report} report */
export function judgeTree(proof, seen, report) {
  const last = seen[seen.length - 1];
  proof.events.forEach(({ event, index, path }, n) => {
    refusalIsFault(report, "I1", `event ${n}`, () => checkInclusion(event.hash, index, last.size, path, last.root));
  });
  const { leaf, index, path } = proof.map;
  refusalIsFault(report, "I1", "map", () => checkInclusion(leaf.hash, index, last.size, path, last.root));
  seen.slice(1).forEach((two, n) => {
    const one = seen[n];
    const steps = proof.consistency[n] ?? []; // a path that is missing shows nothing
    if (one.size < two.size) refusalIsFault(report, "I2", `checkpoint ${n + 1}`, () => checkConsistency(one.size, two.size, steps, one.root, two.root));
  });
}

/**
 * CP0, T3 and T4 of one attempt. @param {Draw} draw @param {Seen[]} seen @param {(event: Event) => number} indexOf @param {Report} report
 * @param {(event: Event) => string} placeOf
 */
export function judgeMoments(draw, seen, indexOf, report, placeOf) {
  for (const stage of draw.stages) {
    const isRound = stage.kind === "round";
    if (isRound ? stage.lots === null : stage.given.length === 0) continue;
    const fixed = indexOf(stage.cause);
    const first = isRound ? fixed : Math.min(...stage.given.map(({ event }) => indexOf(event)));
    if (!isRound && !seen.some(({ size }) => size > fixed && size <= first)) report.fault("A1", "commit_not_fixed_before_contributions", {}, placeOf(stage.cause));
    if (!stage.outcome) continue;
    const outcome = indexOf(stage.outcome);
    const counted = seen.filter(({ size }) => size > first && size <= outcome);
    if (counted.length === 0) report.fault("T4", "value_before_checkpoint", {}, placeOf(stage.outcome));
    else if (!stage.given.every(({ event }) => indexOf(event) < counted[counted.length - 1].size))
      report.fault("T3", "contributions_not_covered", {}, placeOf(stage.outcome));
  }
}

/** T5: a quorum saw the unsealing time pass before the first unsealing. @param {Draw} draw @param {Seen[]} seen
 * @param {import("./note.js").Policy} policy @param {number} index of the first unsealing @param {Report} report */
export function judgeUnsealingTime(draw, seen, policy, index, report) {
  if (!timePassed(seen, policy, draw.commit.unsealing.not_before, index)) report.fault("T5", "unsealing_time_not_witnessed");
}

/** Whether a quorum cosigned, at or after a time, a checkpoint that does not hold what is at an index. @param {Seen[]} seen @param {Policy} policy
 * @param {number} from @param {number} index */
export function timePassed(seen, policy, from, index) {
  return seen.some(({ size, times }) => {
    const late = [...times].filter(([, time]) => time >= from).map(([name]) => name);
    return size <= index && reachesQuorum(policy, new Set(late));
  });
}
