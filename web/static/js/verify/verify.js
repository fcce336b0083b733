/**
 * All checks of a draw (docs/spec/draw.md 8): files in, report out. No storage, no network, no clock; nothing a stranger wrote makes it throw.
 *
 * Order: read the key list and the proof; replay the events; signatures; log and map; then, with the roll, the whole selection again; then the
 * receipt. What could not be looked at is skipped with its reason and never green.
 */

import { dueTime } from "./beacon.js";
import { compareText, concat, hex, increasing, same, u32be } from "./bytes.js";
import { judgeMoments, judgeTree, judgeUnsealingTime, readCheckpoints, refusalIsFault } from "./checkpoints.js";
import { Project, step } from "./draw.js";
import { verifies } from "./ed25519.js";
import { parseKeys, ruling } from "./keys.js";
import { presenceRoot } from "./map.js";
import { isBelowBound } from "./note.js";
import { pictureOf } from "./picture.js";
import { parseProof } from "./proof.js";
import { Report, checksOf } from "./report.js";
import { verifyReceipt } from "./receipt.js";
import { judgeSigners } from "./signers.js";
import { judgeBeacon, networkOf } from "./verify_beacon.js";
import { verifyRoll } from "./verify_roll.js";
import { judgeSecondQuorum } from "./verify_second.js";

/**
 * @typedef {{proof: Uint8Array, keys?: Uint8Array | null, roll?: Uint8Array | null, receipt?: Uint8Array | null}} Files
 * @typedef {import("./events.js").Event} Event
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./proof.js").Proof} Proof
 * @typedef {import("./keys.js").KeyList} KeyList
 */

const NEEDS_COMMIT = ["T1", "T2", "R1", "A5", "C5", "R3", "V1", "R2", "R4", "D4", "D5", "T3", "T4"];
const NEEDS_RESULT = ["T2", "T3", "T4", "R2", "R4", "D4", "D5"];
const NEEDS_KEYS = ["A1", "A2", "A3", "A5", "A6", "C3", "T5"];

/** @param {Event} event */
export function placeOf(event) {
  return `event ${event.seq} (${event.type})`;
}

/** Verify a draw. @param {Files} files @returns {Report} */
export function verify(files) {
  const report = new Report();
  const versions = readKeys(files.keys, report);
  const proof = readProof(files.proof, report);
  if (!proof) return report;
  const lists = rulingLists(proof, versions, report);
  const project = replay(proof, lists, report);
  const { draw } = project;
  if (draw.commits.every(({ body }) => body.terms.method === "uniform/1")) report.skip(["F2", "F3"], "method_uniform", "not_applicable");
  const newest = versions[versions.length - 1] ?? null;
  const keys = draw.commit ? ruling(versions, draw.commit.keys) : newest;
  judgeOrder(proof, report);
  const seen = readCheckpoints(proof, keys ?? newest, report);
  judgeBeacons(proof, project, seen, lists, report);
  judgeAttempts(proof, project, seen, keys, report);
  judgeSecond(proof, project, seen, keys, lists, report);
  const monitored = judgeMap(proof, project, keys, report);
  if (keys) judgeBodies(draw, keys, report);
  if (draw.commit) {
    const rolls = files.roll ? verifyRoll(draw, files.roll, report, placeOf) : null;
    if (files.receipt) verifyReceipt(draw, /** @type {Uint8Array} */ (project.tag), files.receipt, report);
    report.picture = pictureOf(project, rolls, report);
  }
  giveReasons(files, proof, project, keys, report);
  report.facts = factsOf(proof, project, keys ?? newest);
  report.headlines = headlinesOf(proof, project, keys, newest, monitored);
  return report;
}

/** A4. @param {Uint8Array | null | undefined} data @param {Report} report @returns {KeyList[]} */
function readKeys(data, report) {
  /** @type {KeyList[]} */
  let versions = [];
  if (!data) report.skip(["A4"], "no_key_list");
  else refusalIsFault(report, "A4", "", () => void (versions = parseKeys(data)));
  return versions;
}

/** I6. @param {Uint8Array} data @param {Report} report */
function readProof(data, report) {
  /** @type {Proof | null} */
  let proof = null;
  if (refusalIsFault(report, "I6", "", () => void (proof = parseProof(data)))) return /** @type {Proof} */ (/** @type {unknown} */ (proof));
  report.skip([...report.outcomes.keys()].filter((check) => check !== "I6" && check !== "A4"), "proof_unreadable");
  report.headlines = ["proof_unreadable"];
  return null;
}

/** Replay all events, with their signatures. @param {Proof} proof @param {(event: Event) => KeyList | null} lists @param {Report} report */
function replay(proof, lists, report) {
  const project = new Project();
  for (const { event } of proof.events) {
    const place = placeOf(event);
    const before = project.draw;
    const context = {
      threshold: before.commit?.unsealing.threshold ?? 1,
      rollSupervisor: before.attestedFor[before.attestedFor.length - 1]?.findLast(({ scope }) => scope === "roll")?.key ?? null,
    };
    step(project, event, (check, code, params) => report.fault(check, code, params, place));
    const { stages } = project.draw;
    const leaf = stages[stages.length - 1]?.leaf ?? null;
    const keys = lists(event);
    if (keys) judgeSigners(event, keys, { ...context, leaf }, (code, params) => report.fault("A3", code, params, place));
  }
  for (const draw of project.attempts)
    for (const { event, check, code, params } of draw.flags) report.flag(check, code, params, placeOf(event));
  return project;
}

/** The version that rules an event: the one its attempt's commit names, or the newest. @param {Proof} proof @param {KeyList[]} versions
 * @param {Report} report @returns {(event: Event) => KeyList | null} */
function rulingLists(proof, versions, report) {
  /** @type {Map<number, KeyList | null>} */
  const lists = new Map();
  for (const { event } of proof.events) {
    if (event.type !== "committed" || lists.has(event.attempt)) continue;
    const list = ruling(versions, event.body.keys);
    if (!list && versions.length) report.fault("A4", "other_key_list", { version: event.body.keys.version }, `attempt ${event.attempt}`);
    lists.set(event.attempt, list);
  }
  return (event) => {
    const list = lists.get(event.attempt);
    return list === undefined ? versions[versions.length - 1] ?? null : list;
  };
}

/** I5, but for the roll's sections. @param {Proof} proof @param {Report} report */
function judgeOrder(proof, report) {
  const indexes = [...proof.events.map(({ index }) => index), proof.map.index];
  if (proof.consistency.length !== proof.checkpoints.length - 1) report.fault("I5", "consistency_paths_missing");
  if (!increasing(indexes, (a, b) => a - b)) report.fault("I5", "events_disordered");
}

/** Where an event lies in the log; events are known by their `seq`, of two with one `seq` by the later. @param {Proof} proof @returns {(event: Event) => number} */
function indexesOf(proof) {
  const indexes = new Map(proof.events.map(({ event, index }) => [event.seq, index]));
  return (event) => /** @type {number} */ (indexes.get(event.seq));
}

/** I1, I2, CP0, T3, T4, T5. @param {Proof} proof @param {Project} project @param {import("./checkpoints.js").Seen[] | null} seen
 * @param {KeyList | null} keys @param {Report} report */
function judgeAttempts(proof, project, seen, keys, report) {
  const opened = project.draw.opened;
  if (opened && opened.body.origin !== proof.origin) report.fault("I1", "other_origin", {}, "event opened");
  if (!seen) {
    report.skip(["I1", "I2", "T2", "T3", "T4", "T5"], "no_checkpoint");
    return;
  }
  if (!increasing(seen.map(({ size }) => size), (a, b) => a - b)) report.fault("I5", "checkpoints_disordered");
  judgeTree(proof, seen, report);
  const indexOf = indexesOf(proof);
  for (const draw of project.attempts) judgeMoments(draw, seen, indexOf, report, placeOf);
  const firstUnsealed = firstUnsealing(proof, project.draw);
  if (firstUnsealed && keys && keys.policy.quorum !== "none")
    judgeUnsealingTime(project.draw, seen, keys.policy, indexOf(firstUnsealed), report);
}

/** T1, T2, R1 and the beacon's part of R2 and T4. @param {Proof} proof @param {Project} project
 * @param {import("./checkpoints.js").Seen[] | null} seen @param {(event: Event) => KeyList | null} lists @param {Report} report */
function judgeBeacons(proof, project, seen, lists, report) {
  const attempts = project.attempts.filter(({ commit }) => commit && commit.beacon.kind !== "none");
  if (attempts.length === 0) {
    if (project.draw.commit) report.skip(["T1", "T2", "R1"], "beacon_none", "not_applicable");
    return;
  }
  const indexOf = indexesOf(proof);
  for (const draw of attempts) judgeBeacon(draw, lists(draw.commits[0]), seen, indexOf, report, placeOf);
}

/** A6. @param {Proof} proof @param {Project} project @param {import("./checkpoints.js").Seen[] | null} seen @param {KeyList | null} keys
 * @param {(event: Event) => KeyList | null} lists @param {Report} report */
function judgeSecond(proof, project, seen, keys, lists, report) {
  if (!keys) report.skip(["A6"], "no_key_list");
  else if (!keys.second) report.skip(["A6"], "no_second_quorum", "not_applicable");
  else if (!seen) report.skip(["A6"], "no_checkpoint");
  else {
    const log = { lists, placeOf, indexOf: indexesOf(proof), firstUnsealed: firstUnsealing(proof, project.draw) };
    judgeSecondQuorum(project.attempts, seen, keys.second, log, report);
  }
}

/** The first `unsealed` of the last attempt, lawful or not. @param {Proof} proof @param {Draw} draw */
function firstUnsealing(proof, draw) {
  const begin = proof.events.findIndex(({ event }) => event === draw.opened);
  return draw.commit ? proof.events.slice(begin).find(({ event }) => event.type === "unsealed")?.event : undefined;
}

/** C3, and the map leaf's signature (A3); whether a monitor's statement holds. @param {Proof} proof @param {Project} project @param {KeyList | null} keys @param {Report} report */
function judgeMap(proof, project, keys, report) {
  const { leaf, index, siblings } = proof.map;
  const value = concat(u32be(project.attempts.length), project.head);
  if (!same(presenceRoot(project.tag ?? new Uint8Array(32), value, siblings), leaf.root)) report.fault("C3", "not_in_the_map", {}, "map");
  if (leaf.size !== index || leaf.origin !== proof.origin) report.fault("C3", "map_of_another_log", {}, "map");
  if (leaf.at < project.at) report.fault("C3", "map_older_than_events", {}, "map");
  if (!increasing(proof.monitors.map(({ sigs }) => sigs[0].key), compareText)) report.fault("C3", "monitors_disordered", {}, "map");
  const valid = proof.monitors.filter((seen, n) => {
    const place = `monitor ${n}`;
    const before = report.outcome("C3").faults.length;
    if (!same(seen.root, leaf.root) || seen.origin !== proof.origin || seen.size <= leaf.size || seen.at < leaf.at)
      report.fault("C3", "monitor_of_another_log", {}, place);
    if (keys) judgeOne("C3", seen.sigs[0], seen.signed, "monitor", keys, report, place);
    return report.outcome("C3").faults.length === before;
  });
  judgeMapSignature(proof, keys, report);
  return valid.length > 0;
}

/** The map leaf has exactly one signature, by an operator's key. @param {Proof} proof @param {KeyList | null} keys @param {Report} report */
function judgeMapSignature({ map: { leaf } }, keys, report) {
  if (!keys) return;
  if (leaf.sigs.length !== 1) report.fault("A3", "signature_missing", { roles: "operator", least: 1, got: leaf.sigs.length }, "map");
  else judgeOne("A3", leaf.sigs[0], leaf.signed, "operator", keys, report, "map");
}

/** @param {string} check @param {{key: string, sig: Uint8Array}} signature @param {Uint8Array} message @param {string} role
 * @param {KeyList} keys @param {Report} report @param {string} place */
function judgeOne(check, { key, sig }, message, role, keys, report, place) {
  const entry = keys.entries.get(key);
  if (!entry) report.fault(check, "key_not_in_list", { key }, place);
  else if (entry.role !== role) report.fault(check, "not_their_event", { key, role: entry.role }, place);
  else if (!verifies(entry.key, message, sig)) report.fault(check, "bad_signature", { key }, place);
}

/** A5. @param {Draw} draw @param {KeyList} keys @param {Report} report */
function judgeBodies(draw, keys, report) {
  if (!draw.commit) return;
  const entries = [...keys.entries.values()];
  const operators = new Set(entries.filter(({ role }) => role === "operator").map(({ body }) => body));
  /** @param {string[]} names @param {string} role */
  const fromElsewhere = (names, role) =>
    entries.some((entry) => entry.role === role && names.includes(entry.name) && !operators.has(entry.body));
  const place = placeOf(draw.commits[0]);
  if (!fromElsewhere(draw.commits[0].sigs.map(({ key }) => key), "supervisor")) report.fault("A5", "supervisor_of_operators_body", {}, place);
  if (!fromElsewhere(draw.commit.contributors, "contributor")) report.fault("A5", "contributors_of_operators_body", {}, place);
}

/** What was not looked at, and why. @param {Files} files @param {Proof} proof @param {Project} project @param {KeyList | null} keys @param {Report} report */
function giveReasons(files, proof, project, keys, report) {
  const { draw } = project;
  if (!keys) report.skip(NEEDS_KEYS, "no_key_list");
  if (keys?.policy.quorum === "none") report.skip(["A1", "A2", "C3", "T2", "T5"], "no_witnesses");
  if (!proof.monitors.length) report.skip(["C3"], "no_monitor");
  if (!firstUnsealing(proof, draw)) report.skip(["T5"], "not_unsealed");
  if (!draw.commit) {
    report.skip([...NEEDS_COMMIT, ...checksOf("roll"), ...checksOf("supervisor"), ...checksOf("expert")], "nothing_committed");
    return;
  }
  if (draw.round === 0) report.skip(NEEDS_RESULT, "no_result_yet");
  if (!files.roll) report.skip(checksOf("roll"), "no_roll");
  if (!draw.commit.terms.snapshot.previous.length) report.skip(["S4"], "no_predecessor", "not_applicable");
  report.skip(checksOf("supervisor"), "no_openings");
  if (!files.receipt) report.skip(checksOf("expert"), "no_receipt");
}

/** The smallest and the largest chance at the commit. @param {import("./events.js").Terms} terms */
function chanceFacts({ chances: { largest, smallest }, total }) {
  if (total === 0n) return {};
  return { chances: { largest: percent(largest, total), smallest: percent(smallest, total) } };
}

/** Rounded down to four places. @param {bigint} part @param {bigint} whole */
function percent(part, whole) {
  const digits = ((part * 1_000_000n) / whole).toString().padStart(5, "0");
  return `${digits.slice(0, -4)}.${digits.slice(-4)} %`;
}

/** @param {{reserves: number}} seat */
function hasReserves({ reserves }) {
  return reserves > 0;
}

/** The network and the rounds that lots fell or will fall on, with the times at which they are due; one that a reserve made needless is none. @param {Draw} draw @param {KeyList | null} keys */
function beaconFacts(draw, keys) {
  const { kind, network } = draw.commit.beacon;
  if (kind === "none") return { kind };
  const pinned = networkOf(draw, keys);
  const rounds = draw.stages.flatMap(({ kind: of, lots, outcome }) => (lots === null || (of === "round" && !outcome) ? [] : [{ round: lots, time: pinned ? dueTime(pinned, lots) : 0 }]));
  return { kind, name: pinned?.name ?? "", network: hex(network), rounds };
}

/** @param {Proof} proof @param {Project} project @param {KeyList | null} keys */
function factsOf(proof, project, keys) {
  const { draw } = project;
  return {
    attempts: project.attempts.length, dry_run: draw.opened?.dry_run ?? false, events: proof.events.length,
    ...(keys && { key_list_digest: hex(keys.digest), key_list_version: keys.version }), log_origin: proof.origin,
    ...(draw.commit && {
      beacon: beaconFacts(draw, keys), ...chanceFacts(draw.commit.terms), method: draw.commit.terms.method, replacements: draw.commit.terms.plan.seats.some(hasReserves) ? "reserve/1" : "rounds/1", replacement_rounds: Math.max(0, draw.round - 1),
      seats: draw.commit.terms.plan.seats.reduce((/** @type {number} */ sum, /** @type {{count: number}} */ seat) => sum + seat.count, 0),
      total: draw.commit.terms.total.toString(),
    }),
    phase: draw.phase, project_tag: hex(project.tag ?? new Uint8Array(0)),
  };
}

/** Whether a body attested with the openings and with the roll: together these name the drawn. @param {Draw} draw @param {KeyList} keys */
function isBodyWithBoth(draw, keys) {
  const attested = [...draw.attestedFor.flat(), ...draw.attestations];
  const bodies = (/** @type {string} */ wanted) =>
    attested.flatMap(({ key, scope }) => (scope === wanted && keys.entries.has(key) ? [keys.entries.get(key)?.body] : []));
  const withRoll = bodies("roll");
  return bodies("openings").some((body) => withRoll.includes(body));
}

/** What is not shown, the gravest first. @param {Proof} proof @param {Project} project @param {KeyList | null} keys @param {KeyList | null} newest
 * @param {boolean} monitored */
function headlinesOf(proof, project, keys, newest, monitored) {
  const { draw } = project;
  const found = [];
  if (draw.opened?.dry_run) found.push("dry_run");
  if (!keys) found.push("no_key_list");
  else {
    if ([...keys.entries.values()].every(({ held }) => held === "operator")) found.push("all_keys_held_by_operator");
    if (keys.policy.quorum === "none") found.push("private_log");
    else if (!monitored) found.push("not_shown_to_be_the_only_draw");
    if (isBelowBound(keys.policy) || (keys.second && isBelowBound(keys.second))) found.push("quorum_below_bound");
    if (keys !== newest) found.push("key_list_has_successors");
  }
  if (draw.phase === "abandoned") found.push("abandoned");
  else if (draw.phase !== "closed") found.push("open");
  const network = networkOf(draw, keys);
  if (network?.kind === "local" && network.nodes.filter(({ held }) => held === "operator").length >= network.threshold)
    found.push("beacon_held_by_operator");
  if (draw.commit?.beacon.kind === "none" && !draw.commit.round_contributors.length) found.push("rounds_by_draw_key_alone");
  if (keys && isBodyWithBoth(draw, keys)) found.push("attested_by_one_body");
  if (draw.commits.some(({ body }) => body.terms.small_pool)) found.push("small_pool");
  if (draw.commit && !draw.terms.groups_checked) found.push("groups_not_checked");
  return found;
}
