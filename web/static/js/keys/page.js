/**
 * What the pages that use keys have in common: elements made of text, what is said in the reader's language, and opening one of the kept keys.
 */

import { Refused, hex } from "../verify/bytes.js";
import { TEXT } from "../verify/texts.js";
import { askPasskey } from "./passkey.js";
import { keptKeys } from "./store.js";
import { stretch } from "./stretch.js";
import { readWrapped, unwrap } from "./wrap.js";

/** @typedef {Record<string, string>} Texts */
/** @typedef {import("./wrap.js").Wrapped} Wrapped */

/** @param {number} length */
export const chance = (length) => crypto.getRandomValues(new Uint8Array(length));

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${id}`);
  return found;
}

/** @param {string} id */
export const field = (id) => element(id, HTMLInputElement);

/** @template {keyof HTMLElementTagNameMap} K @param {K} name @param {string} kind @param {...(Node | string)} inside @returns {HTMLElementTagNameMap[K]} */
export function make(name, kind, ...inside) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(...inside);
  return made;
}

/** The page's texts. @param {HTMLElement} root @returns {Texts} */
export function textsOf(root) {
  return JSON.parse(root.dataset.texts ?? "{}");
}

/** A refusal in words: of this page, else of the protocol. @param {Texts} texts @param {unknown} error */
export function words(texts, error) {
  if (!(error instanceof Refused)) return `${texts.not_sent} (${String(error)})`;
  const known = texts[error.code] ?? TEXT[error.code]?.[document.documentElement.lang.startsWith("zh") ? 0 : 1] ?? error.code;
  const text = known.replace(/\{(\w+)\}/g, (whole, name) => (name in error.params ? String(error.params[name]) : whole));
  return `${text} [${error.code}]`;
}

/** Say something where it is read at once. @param {string} text @param {"good" | "bad" | "part" | "warn"} tone */
export function tell(text, tone) {
  const box = element("said", HTMLElement);
  const said = make("div", `notice ${tone}`, make("div", "", make("p", "", text)));
  said.setAttribute("role", tone === "bad" ? "alert" : "status");
  box.replaceChildren(said);
  box.focus();
}

/** One press at a time; what goes wrong is said. @param {HTMLElement} root @param {HTMLFormElement | HTMLButtonElement} pressed @param {() => Promise<void>} work */
export async function doing(root, pressed, work) {
  if (root.dataset.busy) return;
  root.dataset.busy = "yes";
  pressed.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    tell(words(textsOf(root), error), "bad");
  } finally {
    delete root.dataset.busy;
    pressed.removeAttribute("aria-busy");
  }
}

/** The keys that this browser keeps, whatever else lies there. @returns {Promise<Wrapped[]>} */
export async function kept() {
  return (await keptKeys()).map(readWrapped).sort((a, b) => (a.public.name < b.public.name ? -1 : 1));
}

/** @param {Wrapped} wrapped @param {string} password */
export function open(wrapped, password) {
  return unwrap(wrapped.text, { password, stretch, ask: askPasskey });
}

/**
 * Fill the form's choice of keys; the password's field is there for keys that need one.
 * @param {string} role keys of this role come first @returns {Promise<() => Promise<import("./keyfile.js").Key>>} opens the chosen one
 */
export async function opener(role, /** @type {Texts} */ texts) {
  const select = element("which", HTMLSelectElement);
  const password = field("key-password");
  const all = (await kept()).sort((a, b) => Number(b.public.role === role) - Number(a.public.role === role));
  select.replaceChildren(...all.map(({ public: key, by }, n) => {
    const option = make("option", "", `${key.name} · ${key.body} · ${texts[`by_${by}`]}`);
    option.value = String(n);
    return option;
  }));
  const shown = () => {
    const field1 = /** @type {HTMLElement | null} */ (password.closest(".field"));
    if (field1) field1.hidden = all[Number(select.value)]?.by !== "password";
  };
  select.addEventListener("change", shown);
  shown();
  return async () => {
    const chosen = all[Number(select.value)];
    if (!chosen) throw new Refused("no_key_chosen");
    if (chosen.by === "password") tell(texts.working, "part");
    return open(chosen, password.value);
  };
}

/** A digest in groups of eight, as it is read aloud. @param {Uint8Array | string} value */
export function groups(value) {
  const text = typeof value === "string" ? value : hex(value);
  return make("code", "groups", ...(text.match(/.{1,8}/g) ?? []).flatMap((each, n) => (n ? [" ", each] : [each])));
}

/** Rows of names and values. @param {[string, Node | string][]} rows */
export function facts(rows) {
  return make("dl", "facts", ...rows.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
}

/** Send the page's own form. @param {string} id @param {Record<string, string>} values */
export function send(id, values) {
  const form = element(id, HTMLFormElement);
  for (const [name, value] of Object.entries(values)) {
    const input = form.elements.namedItem(name);
    if (input instanceof HTMLInputElement) input.value = value;
  }
  form.requestSubmit();
}
