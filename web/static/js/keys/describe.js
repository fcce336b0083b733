/**
 * An event in words, decoded from the bytes that are signed: what a contributor answers and what a supervisor signs.
 *
 * Nothing is left out: what has no row of its own stands in the contents as they are spelled.
 */

import { hex } from "../verify/bytes.js";
import { spell, without } from "../verify/canonical.js";
import { chinaTime } from "../site/clock.js";
import { groups, make } from "./page.js";

/** @typedef {import("../verify/events.js").Event} Event */
/** @typedef {import("./page.js").Texts} Texts */
/** @typedef {[string, Node | string][]} Rows */

/** @param {number} seconds */
export const time = (seconds) => `${chinaTime(seconds * 1_000)} UTC+8`;

/** @param {bigint | number} value */
const number = (value) => value.toString().replace(/\B(?=(\d{3})+$)/g, ",");

/** @param {string[]} items @param {Texts} texts */
const listed = (items, texts) => (items.length ? items.join(", ") : texts.none_said);

/** @param {any[]} seats @param {Texts} texts */
function seatsOf(seats, texts) {
  return make("ul", "plain-list", ...seats.map((seat) => make("li", "",
    `${seat.professions.join(", ")}: ${seat.count} ${texts.experts}, ${seat.reserves} ${texts.reserves} · ${seat.site || texts.any_site}`)));
}

/** The terms of a commit or an extension. @param {import("../verify/events.js").Terms} terms @param {Texts} texts @returns {Rows} */
function termsRows(terms, texts) {
  const { plan } = terms;
  return [
    [texts.f_seats, seatsOf(plan.seats, texts)],
    [texts.f_sites, listed(plan.sites.map((site) => `${site.id} (${site.areas.join(" ")})`), texts)],
    [texts.f_representatives, String(plan.representatives)],
    [texts.f_regions, listed(plan.regions, texts)],
    [texts.f_recent, `${plan.recent_max} / ${plan.recent_days} ${texts.days}`],
    [texts.f_method, terms.method],
    [texts.f_sampler, terms.sampler],
    [texts.f_total, number(terms.total)],
    [texts.f_pool, terms.small_pool ? texts.yes : texts.no],
    [texts.f_counts, listed(terms.counts.map((each) => `${each.rule} ${each.count}`), texts)],
    [texts.f_rules, `${terms.rule_set.id} ${terms.rule_set.version} · ${hex(terms.rule_set.digest).slice(0, 8)}`],
    [texts.f_snapshot, groups(terms.snapshot.root)],
    [texts.f_roll, groups(terms.roll.root)],
    [texts.f_chances, groups(terms.chances.root)],
    [texts.f_decisions, groups(terms.decisions)],
    [texts.f_declarations, groups(terms.declarations)],
  ];
}

/** What a commit fixes beside its terms. @param {any} body @param {Texts} texts @returns {Rows} */
function commitRows(body, texts) {
  return [
    [texts.f_until, time(body.deadlines.contributions)],
    [texts.f_result, time(body.deadlines.result)],
    [texts.f_evaluation, time(body.evaluation_at)],
    [texts.f_unsealing, time(body.unsealing.not_before)],
    [texts.f_threshold, String(body.unsealing.threshold)],
    [texts.f_window, `${Math.round(body.reply_window / 60)} ${texts.minutes}`],
    [texts.f_regime, body.regime],
    [texts.f_contributors, listed(body.contributors, texts)],
    [texts.f_round_contributors, listed(body.round_contributors, texts)],
    [texts.f_beacon, body.beacon.kind],
    [texts.f_keys, make("span", "", `${body.keys.version} · `, groups(body.keys.digest))],
  ];
}

/** @param {Event} event @param {Texts} texts @returns {Rows} */
function bodyRows({ type, body }, texts) {
  switch (type) {
    case "committed": return [...commitRows(body, texts), ...termsRows(body.terms, texts)];
    case "extended": return [[texts.f_open, body.open.join(", ")], [texts.f_reason, groups(body.reason)], ...termsRows(body.terms, texts)];
    case "unsealed": return [[texts.f_slots, body.slots.join(", ")]];
    case "abandoned": return [[texts.f_reason, body.reason], [texts.f_paper, groups(body.paper)]];
    case "stopped": case "resumed": return [[texts.f_paper, groups(body.paper)]];
    default: return [];
  }
}

/** Everything an event says. @param {Event} event @param {Texts} texts @returns {Rows} */
export function describe(event, texts) {
  return [
    [texts.f_type, texts[`e_${event.type}`] ?? event.type],
    ...bodyRows(event, texts),
    [texts.f_dry_run, event.dry_run ? texts.yes : texts.no],
    [texts.f_attempt, String(event.attempt)],
    [texts.f_seq, String(event.seq)],
    [texts.f_at, time(event.at)],
    [texts.f_project, groups(event.project)],
    [texts.f_prev, groups(event.prev)],
    [texts.f_leaf, groups(event.hash)],
  ];
}

/** As it is spelled, for whoever wants to read all of it. @param {Event} event */
export function spelled(event) {
  return spell(without(event.json, "sigs")).replace(/([{,])(?=["{])/g, "$1\n");
}

/** What an extension changes: the rows that differ. @param {Event} before @param {Event} event @param {Texts} texts @returns {Rows} */
export function differences(before, event, texts) {
  const then = new Map(termsRows(before.body.terms, texts).map(([name, value]) => [name, typeof value === "string" ? value : value.textContent]));
  return termsRows(event.body.terms, texts)
    .filter(([name, value]) => then.get(name) !== (typeof value === "string" ? value : value.textContent))
    .map(([name, value]) => [name, make("span", "", value, make("span", "quiet", ` (${texts.before}: ${then.get(name)})`))]);
}
