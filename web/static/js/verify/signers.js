/**
 * Who must have signed what (docs/spec/draw.md 3.3): one table of roles, and the signatures of one event under the ruling key list.
 */

import { compareText, hex, increasing, same } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { contributionBytes, signedBytes } from "./events.js";

/**
 * @typedef {import("./keys.js").KeyList} KeyList
 * @typedef {import("./keys.js").Entry} Entry
 * @typedef {import("./keys.js").Role} Role
 * @typedef {import("./events.js").Event} Event
 * @typedef {(code: string, params?: Record<string, unknown>) => void} Fault
 */

/** Groups of roles; at least one key of each group, and of no other role. @type {Record<string, Role[][]>} */
const ROLES = {
  opened: [["staff"]],
  attested: [["supervisor"]],
  committed: [["staff"], ["supervisor"]],
  extended: [["staff"], ["supervisor"]],
  appointed: [["staff"], ["supervisor"]],
  closed: [["staff"], ["supervisor"]],
  erased: [["staff"], ["supervisor"]],
  contributed: [["operator"]],
  round_contributed: [["operator"]],
  result: [["operator", "supervisor"]],
  stepped_in: [["operator", "supervisor"]],
  replaced: [["operator", "supervisor"]],
  checked: [["supervisor"]],
  notified: [["operator", "gateway"]],
  answers: [["operator"]],
  screened: [["operator"], ["supervisor"]],
  unsealed: [["supervisor"]],
  abandoned: [["staff"], ["supervisor"]],
  stopped: [["supervisor", "authority"]],
  resumed: [["supervisor", "authority"]],
};

/** What an event asks for beyond one key of each group. @param {Event} event @param {number} threshold @returns {{roles: Role[], least: number}[]} */
function needs(event, threshold) {
  const groups = ROLES[event.type].map((roles) => ({ roles, least: 1 }));
  if (event.type === "unsealed") groups[0].least = threshold;
  if (event.type === "abandoned" && event.body.reason === "order") groups.push({ roles: ["authority"], least: 1 });
  if (event.type === "answers" && event.body.answers.some((/** @type {{evidence: string}} */ each) => each.evidence === "two_persons"))
    groups.push({ roles: ["staff", "supervisor"], least: 2 });
  return groups;
}

/**
 * Judge the signatures of one event. @param {Event} event @param {KeyList} keys
 * @param {{threshold: number, rollSupervisor: string | null, leaf: Uint8Array | null}} context of the draw before the event: the unsealing
 *   threshold, who attested with the roll, the leaf that a contribution rests on
 * @param {Fault} fault
 */
export function judgeSigners(event, keys, context, fault) {
  if (!increasing(event.sigs.map((each) => each.key), compareText)) fault("signatures_disordered");
  const groups = needs(event, context.threshold);
  const message = signedBytes(event);
  /** @type {Map<string, Entry>} */
  const signed = new Map();
  for (const { key, sig } of event.sigs) {
    const entry = keys.entries.get(key);
    if (!entry) fault("key_not_in_list", { key });
    else if (!verifies(entry.key, message, sig)) fault("bad_signature", { key });
    else if (!groups.some(({ roles }) => roles.includes(entry.role))) fault("not_their_event", { key, role: entry.role });
    else signed.set(key, entry);
  }
  for (const { roles, least } of groups) {
    const got = [...signed.values()].filter((entry) => roles.includes(entry.role)).length;
    if (got < least) fault("signature_missing", { roles: roles.join(", "), least, got });
  }
  if (event.type === "attested" && event.sigs.length !== 1) fault("one_signature_each");
  if (event.type === "checked" && [...signed.keys()].some((key) => key !== context.rollSupervisor)) fault("checked_by_another");
  if (event.type === "abandoned") {
    const staff = new Set([...signed.values()].filter((entry) => entry.role === "staff").map((entry) => entry.body));
    if (![...signed.values()].some((entry) => entry.role !== "staff" && !staff.has(entry.body))) fault("one_body_only");
  }
  if (event.type === "contributed" || event.type === "round_contributed") judgeContributor(event, keys, context.leaf, fault);
}

/** The contribution's own signature. @param {Event} event @param {KeyList} keys @param {Uint8Array | null} leaf @param {Fault} fault */
function judgeContributor(event, keys, leaf, fault) {
  const { key, pk, sig } = event.body;
  const entry = keys.entries.get(key);
  if (!entry || entry.role !== "contributor" || !same(entry.vrf, pk)) fault("contribution_of_another", { key });
  else if (!leaf || !verifies(entry.key, contributionBytes(event, hex(leaf)), sig)) fault("bad_signature", { key });
}
