/**
 * What a beacon shows (docs/spec/draw.md 5.3 and 8: R1, R2, T1, T2 and its part of T4): the network is pinned, each value is its signature
 * over the named round, the rounds' times fit, and everything was witnessed before. Each attempt is judged under its own key list.
 */

import { dueTime, isValue } from "./beacon.js";
import { same } from "./bytes.js";
import { reachesQuorum } from "./note.js";

const MARGIN_SECONDS = 60;

/**
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./draw.js").Stage} Stage
 * @typedef {import("./checkpoints.js").Seen} Seen
 * @typedef {import("./keys.js").KeyList} KeyList
 * @typedef {import("./events.js").Event} Event
 * @typedef {import("./report.js").Report} Report
 * @typedef {import("./beacon.js").Network} Network
 * @typedef {import("./note.js").Policy} Policy
 */

/** The network that a commit names, if the key list pins it. @param {Draw} draw @param {KeyList | null} keys @returns {Network | null} */
export function networkOf(draw, keys) {
  if (!draw.commit || draw.commit.beacon.kind === "none") return null;
  return keys?.networks.find(({ chainHash }) => same(chainHash, draw.commit.beacon.network)) ?? null;
}

/**
 * @param {Draw} draw whose commit names a beacon @param {KeyList | null} keys @param {Seen[] | null} seen @param {(event: Event) => number} indexOf
 * @param {Report} report @param {(event: Event) => string} placeOf
 */
export function judgeBeacon(draw, keys, seen, indexOf, report, placeOf) {
  if (!keys) {
    report.skip(["R1", "R2", "T1", "T2"], "no_key_list");
    return;
  }
  const commit = draw.commits[0];
  const pinned = networkOf(draw, keys);
  if (!pinned) {
    report.fault("R1", "unknown_network", {}, placeOf(commit));
    report.skip(["R2", "T1", "T2"], "network_not_pinned");
    return;
  }
  if (pinned.kind !== commit.body.beacon.kind) report.fault("R1", "other_network_kind", { pinned: pinned.kind }, placeOf(commit));
  judgeRoundTimes(draw, pinned, report, placeOf);
  for (const stage of draw.stages) {
    const { outcome, lots } = stage;
    if (!outcome || lots === null) continue;
    const due = dueTime(pinned, lots);
    const { value } = outcome.body;
    if (value.length === 48 && !isValue(pinned, lots, value)) report.fault("R2", "bad_beacon_value", {}, placeOf(outcome));
    if (outcome.at < due) report.fault("T4", "value_before_its_round", { round: lots }, placeOf(outcome));
    if (seen && keys.policy.quorum !== "none") judgeWitnesses(stage, due, seen, keys, indexOf, report, placeOf);
  }
}

/** T1. @param {Draw} draw @param {Network} pinned @param {Report} report @param {(event: Event) => string} placeOf */
function judgeRoundTimes(draw, pinned, report, placeOf) {
  const [commit] = draw.commits;
  const { beacon, deadlines } = commit.body;
  const due = dueTime(pinned, beacon.round);
  if (due <= deadlines.contributions || due > deadlines.result)
    report.fault("T1", "round_outside_deadlines", { round: beacon.round }, placeOf(commit));
  for (const { kind, cause, lots } of draw.stages)
    if (kind !== "panel" && lots !== null && dueTime(pinned, lots) <= cause.at)
      report.fault("T1", "round_not_in_future", { round: lots }, placeOf(cause));
}

/** T2, and the checkpoints of T4. @param {Stage} stage @param {number} due @param {Seen[]} seen @param {KeyList} keys
 * @param {(event: Event) => number} indexOf @param {Report} report @param {(event: Event) => string} placeOf */
function judgeWitnesses(stage, due, seen, { policy }, indexOf, report, placeOf) {
  const result = /** @type {Event} */ (stage.outcome);
  if (!inTime(stage, due, seen, policy, indexOf)) report.fault("T2", "not_witnessed_before_round", { round: stage.lots }, placeOf(result));
  if (seen.some((checkpoint) => checkpoint.size > indexOf(result) && quorumBy(checkpoint, due - 1, policy)))
    report.fault("T4", "value_before_its_round", { round: stage.lots }, placeOf(result));
}

/** Whether a quorum cosigned what the lots rest on early enough. @param {Stage} stage @param {number} due @param {Seen[]} seen @param {Policy} policy
 * @param {(event: Event) => number} indexOf */
export function inTime({ kind, cause, given }, due, seen, policy, indexOf) {
  const rests = kind === "round" ? cause : given[given.length - 1]?.event ?? cause;
  return seen.some((checkpoint) => checkpoint.size > indexOf(rests) && quorumBy(checkpoint, due - MARGIN_SECONDS, policy));
}

/** Whether a quorum cosigned at or before a time. @param {Seen} checkpoint @param {number} time @param {Policy} policy */
function quorumBy({ times }, time, policy) {
  return reachesQuorum(policy, new Set([...times].filter(([, at]) => at <= time).map(([name]) => name)));
}
