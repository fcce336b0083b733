/**
 * The second quorum (docs/spec/log.md 2.1, draw.md 8: A6): every checkpoint has the ML-DSA-44 cosignatures of the second policy's quorum, and
 * what T5 and T2 ask of a quorum's times holds by these as well. Its faults touch no other check.
 */

import { dueTime } from "./beacon.js";
import { refusalIsFault, timePassed } from "./checkpoints.js";
import { judgeSecondPart, reachesQuorum } from "./note.js";
import { inTime, networkOf } from "./verify_beacon.js";

/**
 * @typedef {import("./checkpoints.js").Seen} Seen
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./events.js").Event} Event
 * @typedef {import("./keys.js").KeyList} KeyList
 * @typedef {import("./note.js").Policy} Policy
 * @typedef {import("./report.js").Report} Report
 */

/**
 * @param {Draw[]} attempts the last one is judged for its unsealing @param {Seen[]} seen @param {Policy} policy the second one
 * @param {{lists: (event: Event) => KeyList | null, indexOf: (event: Event) => number, placeOf: (event: Event) => string,
 *   firstUnsealed: Event | undefined}} log @param {Report} report
 */
export function judgeSecondQuorum(attempts, seen, policy, { lists, indexOf, placeOf, firstUnsealed }, report) {
  /** @type {Seen[]} */
  const second = [];
  for (const [n, note] of seen.entries()) {
    const place = `checkpoint ${n}`;
    refusalIsFault(report, "A6", place, () => {
      const times = judgeSecondPart(note, note.rest, policy);
      if (!reachesQuorum(policy, new Set(times.keys()))) report.fault("A6", "no_quorum", {}, place);
      second.push({ ...note, times });
    });
  }
  if (second.length < seen.length) return;
  const { commit } = attempts[attempts.length - 1] ?? {};
  if (commit && firstUnsealed && !timePassed(second, policy, commit.unsealing.not_before, indexOf(firstUnsealed)))
    report.fault("A6", "unsealing_time_not_witnessed", {}, placeOf(firstUnsealed));
  for (const draw of attempts) {
    const pinned = draw.commit && networkOf(draw, lists(draw.commits[0]));
    if (!pinned) continue;
    for (const stage of draw.stages)
      if (stage.outcome && stage.lots !== null && !inTime(stage, dueTime(pinned, stage.lots), second, policy, indexOf))
        report.fault("A6", "not_witnessed_before_round", { round: stage.lots }, placeOf(stage.outcome));
  }
}
