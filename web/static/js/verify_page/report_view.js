/**
 * The report: the verdict in large letters, what is not shown, what failed, facts, and every check with its explanation.
 */

import { CATEGORIES, EXPLANATIONS } from "../verify/explain.js";
import { CHECK_TITLES, HEADLINES, REASONS, STATUS_WORDS } from "../verify/texts.js";
import { el, sign } from "./dom.js";
import { clock, grouped, of, say, sayFault, spaced } from "./words.js";

/**
 * @typedef {import("./words.js").Lang} Lang
 * @typedef {import("./run.js").Answer} Answer
 * @typedef {import("../verify/report.js").Outcome} Outcome
 */

const MOST_FAULTS = 8;

/** @param {Answer} answer @param {Lang} lang */
export function verdictView({ checks, verdict, headlines }, lang) {
  const count = (/** @type {string} */ status) => checks.filter((each) => each.status === status).length;
  const numbers = { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
  const dry = headlines.some(({ code }) => code === "dry_run");
  return el(
    "section", { class: `card verdict ${verdict}`, "aria-labelledby": "verdict-title" },
    sign(verdict),
    el(
      "div", {},
      el("h2", { id: "verdict-title", class: "label" }, say(lang, "verdict")),
      el("p", { class: "big" }, say(lang, verdict)),
      dry && el("p", { class: "dry" }, of(lang, HEADLINES.dry_run, "dry_run")),
      el("p", {}, say(lang, `${verdict}_line`, numbers)),
    ),
  );
}

/** @param {Answer} answer @param {Lang} lang */
export function headlinesView({ headlines }, lang) {
  if (headlines.length === 0) return null;
  return el(
    "section", { class: "card headlines", "aria-labelledby": "headlines-title" },
    el("h2", { id: "headlines-title" }, say(lang, "not_shown")),
    el("p", { class: "quiet" }, say(lang, "not_shown_lead")),
    el("ul", {}, ...headlines.map(({ code }) => el("li", {}, sign("warning"), el("span", {}, of(lang, HEADLINES[code], code))))),
  );
}

/** @param {Answer} answer @param {Lang} lang */
export function failuresView({ checks }, lang) {
  const failed = checks.filter((each) => each.status === "failed");
  if (failed.length === 0) return null;
  return el(
    "section", { class: "card failures", "aria-labelledby": "failures-title" },
    el("h2", { id: "failures-title" }, say(lang, "failed_first")),
    el("ul", {}, ...failed.map(({ check, faults }) =>
      el("li", {}, el("a", { href: `#check-${check}`, click: () => openCheck(check) }, `${check} ${of(lang, CHECK_TITLES[check], check)}`),
        faults.length > 0 && el("span", { class: "quiet" }, sayFault(lang, faults[0]))))),
  );
}

/** @param {string} check */
function openCheck(check) {
  document.getElementById(`check-${check}`)?.setAttribute("open", "");
}

/** @param {Answer} answer @param {Lang} lang */
export function factsView({ facts, picture }, lang) {
  const all = /** @type {Record<string, any>} */ (facts);
  /** @type {[string, (Node | string)[]][]} */
  const rows = [];
  if (all.key_list_digest)
    rows.push(["fact_keys", [`${say(lang, "fact_keys_value", { version: all.key_list_version })} `, el("code", {}, spaced(all.key_list_digest)),
      el("span", { class: "quiet" }, ` ${say(lang, "fact_keys_hint")}`)]]);
  if (all.project_tag) rows.push(["fact_project", [el("code", {}, spaced(all.project_tag))]]);
  if (all.log_origin) rows.push(["fact_log", [all.log_origin]]);
  if (all.attempts) rows.push(["fact_attempts", [String(all.attempts)]]);
  if (all.method) rows.push(["fact_method", [say(lang, all.method === "fair/1" ? "method_fair" : "method_uniform")]]);
  if (picture) rows.push([picture.method === "fair/1" ? "fact_weight" : "fact_total", [grouped(picture.total)]]);
  if (all.chances) rows.push(["fact_chances", [say(lang, "fact_chances_value", all.chances)]]);
  if (all.beacon) rows.push(["fact_beacon", [beaconText(all.beacon, lang)]]);
  if (rows.length === 0) return null;
  return el(
    "section", { class: "card facts", "aria-labelledby": "facts-title" },
    el("h2", { id: "facts-title" }, say(lang, "facts")),
    el("dl", {}, ...rows.flatMap(([key, value]) => [el("dt", {}, say(lang, key)), el("dd", {}, ...value)])),
  );
}

/** @param {{kind: string, name: string, rounds: {round: number, time: number}[]}} beacon @param {Lang} lang */
function beaconText({ kind, name, rounds }, lang) {
  if (kind === "none") return say(lang, "no_beacon");
  return `${kind} ${name}: ` + rounds.map(({ round, time }) => `${grouped(String(round))} (${clock(time)})`).join(", ");
}

/** @param {Answer} answer @param {Lang} lang */
export function checksView({ checks }, lang) {
  return el(
    "section", { class: "card checks", "aria-labelledby": "checks-title" },
    el("h2", { id: "checks-title" }, say(lang, "checks")),
    ...Object.entries(CATEGORIES).map(([letter, title]) => {
      const mine = checks.filter(({ check }) => check[0] === letter);
      const passed = mine.filter(({ status }) => status === "passed").length;
      return el(
        "div", { class: "category" },
        el("h3", {}, of(lang, title, letter), el("span", { class: "quiet" }, say(lang, "counts", { passed, all: mine.length }))),
        ...mine.map((each) => checkView(each, lang)),
      );
    }),
  );
}

/** @param {Outcome} outcome @param {Lang} lang */
function checkView({ check, status, reason, faults, flags }, lang) {
  return el(
    "details", { class: `check ${status}`, id: `check-${check}`, open: status === "failed" },
    el(
      "summary", {}, sign(status), el("span", { class: "id" }, check), el("span", { class: "title" }, of(lang, CHECK_TITLES[check], check)),
      el("span", { class: `word ${status}` }, of(lang, STATUS_WORDS[status], status)),
    ),
    el(
      "div", { class: "inside" },
      el("p", {}, of(lang, EXPLANATIONS[check], check)),
      reason && el("p", { class: "quiet" }, `${say(lang, "reason")}${colon(lang)}${of(lang, REASONS[reason], reason)}`),
      findings("fault", faults, lang),
      findings("flag", flags, lang),
    ),
  );
}

/** @param {Lang} lang */
const colon = (lang) => (lang === "zh" ? "：" : ": ");

/** @param {"fault" | "flag"} kind @param {Outcome["faults"]} found @param {Lang} lang */
function findings(kind, found, lang) {
  if (found.length === 0) return null;
  const more = found.length - MOST_FAULTS;
  return el(
    "div", { class: kind }, el("h4", {}, say(lang, kind)),
    el("ul", {}, ...found.slice(0, MOST_FAULTS).map((each) =>
      el("li", {}, each.place && el("span", { class: "place" }, `${each.place}${colon(lang)}`), sayFault(lang, each), el("code", {}, each.code))),
    more > 0 && el("li", {}, say(lang, "more_faults", { count: more }))),
  );
}
