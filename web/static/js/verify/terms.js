/**
 * Whether new terms only widen old ones (docs/spec/draw.md 4.3, draw-4.6).
 */

import { spell } from "./canonical.js";
import { hex } from "./bytes.js";

/** @typedef {import("./events.js").Terms} Terms */

/** The version in a sampler's name. @param {string} sampler */
export function versionOf(sampler) {
  return Number(sampler.split("/")[1]);
}

/** Each old code starts with a new one. @param {string[]} old @param {string[]} fresh */
function covers(old, fresh) {
  return old.every((code) => fresh.some((prefix) => code.startsWith(prefix)));
}

/** What an extension keeps, as one text. @param {Terms} terms */
function kept({ plan, snapshot, rule_set: rules, declarations, groups_checked }) {
  return spell([
    plan.recent_days, plan.representatives, plan.seats.map((seat) => [seat.count, seat.reserves]), plan.sites.map((site) => site.id),
    snapshot.id, snapshot.size, hex(snapshot.root), snapshot.previous.map((each) => [hex(each.changes), hex(each.root)]),
    rules.id, rules.version, hex(rules.digest), hex(declarations), groups_checked,
  ]);
}

/** @param {Terms} old @param {Terms} fresh */
export function isWider(old, fresh) {
  if (kept(old) !== kept(fresh) || (fresh.method !== old.method && fresh.method !== "uniform/1")) return false;
  if (versionOf(fresh.sampler) < versionOf(old.sampler)) return false;
  const [from, to] = [old.plan, fresh.plan];
  const seats = from.seats.every((seat, n) => {
    const wider = to.seats[n];
    const sameSite = wider.site === seat.site || wider.site === "";
    return sameSite && (seat.main_only || !wider.main_only) && covers(seat.professions, wider.professions);
  });
  const sites = from.sites.every((site, n) => (site.required || !to.sites[n].required) && covers(site.areas, to.sites[n].areas));
  const regions = from.regions.length
    ? to.regions.length === 0 || from.regions.every((region) => to.regions.includes(region))
    : to.regions.length === 0;
  return seats && sites && regions && to.recent_max >= from.recent_max;
}
