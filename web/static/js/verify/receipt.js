/**
 * An expert's receipt (docs/spec/draw.md 7.4, checks E1 to E4): the own leaf, decision, row, chance and answers.
 */

import { Refused, concat, hex, same, utf8 } from "./bytes.js";
import { parse } from "./canonical.js";
import { TH, hmac, sha256 } from "./hash.js";
import { checkInclusion, leafHash } from "./merkle.js";
import { checksOf } from "./report.js";
import { bytes, digest, int, list, natural, object, slot, version } from "./shapes.js";

const MOST_BYTES = 8 * 2 ** 20;
const path = list(digest, 0, 64);
const content = bytes(0, 2 ** 22);
const row = object({
  chance: natural, chance_path: path, head: content, index: int(0, 2 ** 32), path, row: bytes(58),
});
const receipt = object({
  answers: list(object({ content, salt: digest, seq: int(0, 1_000_000), slot }), 0, 100), attempt: int(1, 10_000), decision: content,
  decision_path: path, index: int(0, 2 ** 20), key: digest, project: digest, record: content, row: list(row, 0, 1), snapshot_path: path,
  v: version("lotroom-receipt/1"),
});

/**
 * @typedef {import("./draw.js").Draw} Draw
 * @typedef {import("./report.js").Report} Report
 * @typedef {ReturnType<typeof receipt>} Receipt
 */

/** @param {Draw} draw @param {Uint8Array} project @param {Uint8Array} data @param {Report} report */
export function verifyReceipt(draw, project, data, report) {
  /** @type {Receipt} */
  let own;
  try {
    own = receipt(parse(data, { most: MOST_BYTES, text: true }), "receipt");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    report.fault("E1", error.code, error.params, error.place);
    report.skip(checksOf("expert"), "receipt_unreadable");
    return;
  }
  /** @param {string} check @param {() => void} run */
  const guarded = (check, run) => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      report.fault(check, error.code, error.params, error.place || "receipt");
    }
  };
  const { terms } = draw.commits[0].body;
  const of = hmac(own.key);
  const id = utf8(terms.snapshot.id);
  const label = of(concat(utf8("draw/v1/label\0"), id));
  const opening = of(concat(utf8("draw/v1/open\0"), id));
  guarded("E1", () => {
    if (draw.phase !== "closed") throw new Refused("receipt_before_closed");
    if (own.attempt !== draw.attempt || !same(own.project, project)) throw new Refused("receipt_of_another_draw");
    const leaf = concat(Uint8Array.of(1), label, TH("draw/v1/record", opening, own.record));
    checkInclusion(leafHash(leaf), own.index, terms.snapshot.size, own.snapshot_path, terms.snapshot.root);
  });
  guarded("E2", () => {
    const decision = TH("draw/v1/decision", opening, own.decision);
    checkInclusion(leafHash(decision), own.index, terms.snapshot.size, own.decision_path, terms.decisions);
    if (decisionHasType(own.decision) !== own.row.length > 0) throw new Refused("row_and_decision_differ");
  });
  guarded("E3", () => {
    for (const each of own.row) judgeRow(each, label, opening, terms);
  });
  guarded("E4", () => judgeAnswers(own, draw));
}

/** @param {Uint8Array} decision */
function decisionHasType(decision) {
  const value = parse(decision, { most: 65_535 });
  return typeof value === "object" && !Array.isArray(value) && "type" in value;
}

/** @param {Receipt["row"][0]} own @param {Uint8Array} label @param {Uint8Array} opening @param {import("./events.js").Terms} terms */
function judgeRow(own, label, opening, terms) {
  if (!same(sha256(own.head), terms.roll.head)) throw new Refused("other_roll");
  const head = /** @type {any} */ (parse(own.head, { most: 2 ** 20 }));
  checkInclusion(leafHash(own.row), own.index, head.rows, own.path, terms.roll.root);
  if (!same(own.row.subarray(26), TH("draw/v1/row", opening, label))) throw new Refused("row_of_another");
  const chance = concat(own.row.subarray(0, 16), utf8(own.chance.toString()));
  checkInclusion(leafHash(chance), own.index, head.rows, own.chance_path, terms.chances.root);
}

/** The answers are exactly those recorded for the own slots, each once. @param {Receipt} own @param {Draw} draw */
function judgeAnswers(own, draw) {
  const tag = own.row.length ? hex(own.row[0].row.subarray(0, 16)) : "";
  /** @type {Map<string, Uint8Array>} "seq slot" -> the digest recorded */
  const recorded = new Map();
  for (const { event, sat } of draw.answered)
    for (const { slot: number, receipt: recordedAs } of event.body.answers)
      if (tag && sat[number] === tag) recorded.set(`${event.seq} ${number}`, recordedAs);
  for (const { content: text, salt, seq, slot: number } of own.answers) {
    const wanted = recorded.get(`${seq} ${number}`);
    recorded.delete(`${seq} ${number}`);
    if (!wanted || !same(wanted, TH("draw/v1/private", salt, text))) throw new Refused("other_answer");
  }
  if (recorded.size) throw new Refused("answer_missing");
}
