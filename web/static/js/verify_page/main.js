/**
 * The verification page: files in, report out, all on this machine. In a worker the same program only verifies.
 */

import { el } from "./dom.js";
import { KINDS, MOST_BYTES, kindOf } from "./files.js";
import { hex } from "../verify/bytes.js";
import { sha256 } from "../verify/hash.js";
import { pictureView } from "./picture_view.js";
import { checksView, factsView, failuresView, headlinesView, verdictView } from "./report_view.js";
import { run, serve } from "./run.js";
import { say, size, spaced } from "./words.js";

/**
 * @typedef {import("./files.js").Kind} Kind
 * @typedef {import("./files.js").Given} Given
 * @typedef {import("./words.js").Lang} Lang
 */

/** What the page knows. */
const state = {
  /** @type {Lang} */
  lang: "en",
  /** @type {Map<Kind, Given>} */
  files: new Map(),
  /** @type {{key: string, name: string}[]} */
  notes: [],
  /** @type {import("./run.js").Answer | null} */
  answer: null,
  working: false,
  broken: "",
  turn: 0,
};
/** @type {string} */
let program = "";

/** @param {Iterable<File>} dropped */
async function take(dropped) {
  state.notes = [];
  for (const file of dropped) {
    if (file.size > MOST_BYTES) {
      state.notes.push({ key: "too_large", name: file.name });
      continue;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const kind = kindOf(bytes);
    if (kind === null) state.notes.push({ key: "unknown_file", name: file.name });
    else if (kind === "supervisor") state.notes.push({ key: "supervisor_file", name: file.name });
    else state.files.set(kind, { name: file.name, bytes });
  }
  await verifyAll();
}

async function verifyAll() {
  const turn = ++state.turn;
  const proof = state.files.get("proof");
  Object.assign(state, { answer: null, broken: "", working: proof !== undefined });
  show();
  if (!proof) return;
  try {
    const [keys, roll, receipt] = ["keys", "roll", "receipt"].map((kind) => state.files.get(/** @type {Kind} */ (kind))?.bytes ?? null);
    const answer = await run({ proof: proof.bytes, keys, roll, receipt }, program);
    if (turn !== state.turn) return;
    state.answer = answer;
  } catch (error) {
    if (turn !== state.turn) return;
    state.broken = String(/** @type {Error} */ (error).message);
  }
  state.working = false;
  show();
}

/** One sentence about what is missing. */
function missing() {
  const { lang, files } = state;
  if (files.size === 0) return say(lang, "ready_for_files");
  if (!files.has("proof")) return say(lang, "missing_proof");
  if (!files.has("keys")) return say(lang, "missing_keys");
  const optional = KINDS.filter((kind) => !files.has(kind)).map((kind) => say(lang, kind));
  return optional.length ? say(lang, "missing_optional", { list: optional.join(lang === "zh" ? "、" : ", ") }) : say(lang, "nothing_missing");
}

function filesView() {
  const { lang, files, notes } = state;
  const input = /** @type {HTMLInputElement} */ (el("input", {
    type: "file", multiple: true, id: "choose", class: "choose",
    change: () => void take([...(input.files ?? [])]),
  }));
  return el(
    "section", { class: "card files", "aria-labelledby": "files-title" },
    el("h2", { id: "files-title" }, say(lang, "files")),
    el("div", { class: "drop" }, input, el("label", { for: "choose", class: "button" }, say(lang, "choose")), el("span", { class: "quiet" }, say(lang, "drop"))),
    el("ul", { class: "given" }, ...KINDS.map((kind) => fileView(kind, files.get(kind)))),
    ...notes.map(({ key, name }) => el("p", { class: "note" }, say(lang, key, { name }))),
    el("p", { class: "missing" }, missing()),
  );
}

/** @param {Kind} kind @param {Given | undefined} given */
function fileView(kind, given) {
  const { lang } = state;
  return el(
    "li", { class: given ? "here" : "absent" },
    el("strong", {}, say(lang, kind)),
    el("span", { class: "quiet" }, given ? `${given.name} · ${size(given.bytes.length)}` : say(lang, `${kind}_hint`)),
    given && el("button", {
      type: "button", "aria-label": `${say(lang, "remove")} ${say(lang, kind)}`,
      click: () => {
        state.files.delete(kind);
        void verifyAll();
      },
    }, say(lang, "remove")),
  );
}

function header() {
  const { lang } = state;
  return el(
    "header", {},
    el("div", {}, el("h1", {}, say(lang, "title")), el("p", {}, say(lang, "lead"))),
    el(
      "div", { class: "switches" },
      el("button", {
        type: "button", id: "language", "aria-label": say(lang, "language_label"), lang: lang === "zh" ? "en" : "zh-CN",
        click: () => {
          state.lang = lang === "zh" ? "en" : "zh";
          show("language");
        },
      }, say(lang, "language")),
      el("button", { type: "button", id: "theme", title: say(lang, "theme_label"), click: switchTheme }, say(lang, "theme")),
    ),
  );
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
}

function footer() {
  const { lang } = state;
  const version = document.documentElement.dataset.version ?? "";
  return el(
    "footer", {},
    el("p", {}, say(lang, "footer", { version }), " · ", say(lang, "offline")),
    el("p", {}, `${say(lang, "digest")} `, el("code", { id: "program-digest" }, spaced(hex(sha256(new TextEncoder().encode(program)))))),
  );
}

/** Draw everything again. @param {string} [focus] the id of what keeps the focus */
function show(focus) {
  const { lang, answer, working, broken } = state;
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  document.title = say(lang, "title");
  const live = /** @type {HTMLElement} */ (document.getElementById("live"));
  live.replaceChildren(...[
    working && el("p", { class: "card working" }, say(lang, "working")),
    broken && el("p", { class: "card failures" }, say(lang, "broken", { why: broken })),
    answer && verdictView(answer, lang),
  ].filter((part) => part !== false && part !== null && part !== ""));
  const parts = answer
    ? [headlinesView(answer, lang), failuresView(answer, lang), answer.picture && pictureView(answer.picture, answer.verdict === "failed", lang), factsView(answer, lang), checksView(answer, lang)]
    : [];
  document.getElementById("top")?.replaceChildren(header(), filesView());
  document.getElementById("report")?.replaceChildren(...parts.flatMap((part) => (part ? [part] : [])));
  document.getElementById("bottom")?.replaceChildren(footer());
  if (focus) document.getElementById(focus)?.focus();
}

function start() {
  program = document.getElementById("program")?.textContent ?? "";
  state.lang = /^zh/i.test(navigator.language) ? "zh" : "en";
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    void take([...(event.dataTransfer?.files ?? [])]);
  });
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
  show();
}

if (typeof document === "undefined") serve();
else start();
