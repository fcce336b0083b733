/**
 * The picture of a draw: from the pool to the panel, each slot with those who sat in it as anonymous dots, seeds and times.
 */

import { el, svg } from "./dom.js";
import { clock, grouped, say, spaced } from "./words.js";

/**
 * @typedef {import("./words.js").Lang} Lang
 * @typedef {import("../verify/picture.js").Picture} Picture
 * @typedef {import("../verify/picture.js").SlotPicture} SlotPicture
 */

const STEP = 52;
const DOT = 13;

/** @param {Picture} picture @param {boolean} failed whether the proof did not pass @param {Lang} lang */
export function pictureView(picture, failed, lang) {
  const replaced = picture.slots.reduce((sum, slot) => sum + Math.max(0, slot.reserve ? 0 : slot.arrivals.length - 1), 0);
  const panel = picture.seats.reduce((sum, seat) => sum + seat.count, 0);
  return el(
    "section", { class: "card picture", "aria-labelledby": "picture-title" },
    el("h2", { id: "picture-title" }, say(lang, "picture")),
    failed && el("p", { class: "caution" }, say(lang, "caution")),
    el(
      "ol", { class: "flow" },
      stage(say(lang, "pool"), grouped(String(picture.pool)), say(lang, "pool_note")),
      stage(say(lang, "eligible"), picture.eligible === null ? "?" : grouped(String(picture.eligible)),
        say(lang, picture.eligible === null ? "eligible_unknown" : "eligible_note")),
      stage(say(lang, "panel"), String(panel), say(lang, "panel_note")),
      stage(say(lang, "replaced"), String(replaced), say(lang, "replaced_note")),
    ),
    el("p", { class: "quiet" }, say(lang, "anonymous")),
    ...picture.seats.map((seat, number) => seatView(picture, seat, number, lang)),
    el("div", { class: "two" }, seedsView(picture, lang), timesView(picture, lang)),
    el("p", { class: "quiet" }, say(lang, "zone")),
  );
}

/** @param {string} title @param {string} number @param {string} note */
function stage(title, number, note) {
  return el("li", {}, el("span", { class: "stage" }, title), el("strong", {}, number), el("span", { class: "quiet" }, note));
}

/** @param {Picture} picture @param {Picture["seats"][0]} seat @param {number} number @param {Lang} lang */
function seatView({ slots }, seat, number, lang) {
  const professions = seat.professions.join(lang === "zh" ? "、" : ", ");
  const site = seat.site ? `${lang === "zh" ? "；" : "; "}${say(lang, "site", { site: seat.site })}` : "";
  const mine = slots.map((slot, n) => ({ slot, n })).filter(({ slot }) => slot.seat === number);
  return el(
    "div", { class: "seat" },
    el("h3", {}, say(lang, "seat", { n: number })),
    el("p", { class: "quiet" }, say(lang, "seat_line", { count: seat.count, reserves: seat.reserves, professions }) + site),
    el("ul", { class: "slots" }, ...mine.map(({ slot, n }) => slotView(slot, n, lang))),
  );
}

/** @param {SlotPicture} slot */
function stateOf({ state, arrivals }) {
  return arrivals.length === 0 && state !== "appointed" ? "empty" : state;
}

/** @param {SlotPicture} slot @param {number} number @param {Lang} lang */
function slotView(slot, number, lang) {
  const state = stateOf(slot);
  const how = slot.arrivals.map((each) => say(lang, `how_${each.how}`, { round: each.round }));
  const stateText = say(lang, `state_${state}`);
  const told = [...how.slice(0, -1).map((each) => `${each} → ${say(lang, "state_left")}`), ...how.slice(-1), stateText].join(" → ");
  return el(
    "li", { class: slot.reserve ? "slot reserve" : "slot" },
    el("span", { class: "name" }, say(lang, slot.reserve ? "reserve_slot" : "slot", { n: number })),
    chain(slot, state, told),
    el("span", { class: `state ${state}` }, stateText),
    slot.arrivals.length > 1 && el("span", { class: "quiet" }, how[how.length - 1]),
  );
}

/** Dots from left to right: who left is crossed out, an arrow leads to the successor. @param {SlotPicture} slot @param {string} state @param {string} label */
function chain({ arrivals }, state, label) {
  const people = Math.max(1, arrivals.length + (state === "appointed" ? 1 : 0));
  const width = (people - 1) * STEP + 2 * DOT + 6;
  const parts = [];
  for (let n = 0; n < people; n++) {
    const x = DOT + 3 + n * STEP;
    const last = n === people - 1;
    const gone = !last || state === "left" || state === "used";
    const kind = last ? (state === "appointed" ? "appointed" : state) : "left";
    parts.push(svg("circle", { class: `dot ${kind}`, cx: String(x), cy: "16", r: String(DOT) }));
    if (gone && kind !== "empty" && kind !== "used") parts.push(svg("path", { class: "cross", d: `M${x - 6} 10l12 12m0-12l-12 12` }));
    if (last && (state === "accepted" || state === "appointed")) parts.push(svg("path", { class: "tick", d: `M${x - 6} 16.5l4 4 8-9` }));
    if (kind === "used") parts.push(svg("path", { class: "cross", d: `M${x} 22V10m-5 5l5-5 5 5` }));
    if (!last) parts.push(svg("path", { class: "arrow", d: `M${x + DOT + 3} 16h${STEP - 2 * DOT - 8}m-5-4l5 4-5 4` }));
  }
  return svg("svg", { class: "chain", viewBox: `0 0 ${width} 32`, width: String(width), height: "32", role: "img", "aria-label": label }, ...parts);
}

/** @param {Picture} picture @param {Lang} lang */
function seedsView({ lots }, lang) {
  if (lots.length === 0) return null;
  return el(
    "div", {}, el("h3", {}, say(lang, "lots")),
    el("ol", { class: "seeds" }, ...lots.map(({ kind, round, seed, at }) =>
      el("li", {}, el("span", {}, `${say(lang, `how_${kind}`, { round })} · ${clock(at)}`), el("code", {}, spaced(seed))))),
  );
}

/** @param {Picture} picture @param {Lang} lang */
function timesView({ times }, lang) {
  return el(
    "div", {}, el("h3", {}, say(lang, "times")),
    el("ol", { class: "times" }, ...times.map(({ at, type }) =>
      el("li", {}, el("time", { datetime: new Date(at * 1000).toISOString() }, clock(at)), el("span", {}, say(lang, `type_${type}`))))),
  );
}
