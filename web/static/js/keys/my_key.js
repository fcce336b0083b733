/**
 * The page "my key": made, kept, exported, imported and handed in, all in this browser. What leaves is the public file alone.
 */

import { Refused, fromUtf8 } from "../verify/bytes.js";
import { makeKey, publicBytes } from "./keyfile.js";
import { chance, doing, element, field, kept, make, open, send, tell, textsOf } from "./page.js";
import { makePasskey } from "./passkey.js";
import { countsOf, forgetKey, keepCounts, keepKey } from "./store.js";
import { stretch } from "./stretch.js";
import { readWrapped, wrapWithPasskey, wrapWithPassword } from "./wrap.js";

const EXPORT = "lotroom-key-export/1";
const root = element("my-key", HTMLElement);
const texts = textsOf(root);

/** @param {string} name @param {string} content */
function download(name, content) {
  const link = make("a", "");
  link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {string} name */
const fileName = (name) => name.replace(/[^A-Za-z0-9._-]/g, "-");

/** @param {string} text @param {string} kind @param {(button: HTMLButtonElement) => void} pressed */
function button(text, kind, pressed) {
  const made = make("button", `button slim ${kind}`, text);
  made.type = "button";
  made.addEventListener("click", () => pressed(made));
  return made;
}

async function show() {
  const list = await kept();
  const box = element("kept", HTMLElement);
  if (!list.length) {
    box.replaceChildren(make("p", "quiet", texts.none));
    return;
  }
  box.replaceChildren(...list.map((each) => {
    const { name, role, body } = each.public;
    const buttons = make("div", "buttons",
      button(texts.export, "", () => {
        field("export-name").value = name;
        element("export", HTMLDialogElement).showModal();
      }),
      button(texts.download, "", () => download(`${fileName(name)}.pub`, fromUtf8(publicBytes(each.public)))));
    if (document.getElementById("hand-in")) buttons.append(button(texts.hand_in, "first", () => send("hand-in", { public: fromUtf8(publicBytes(each.public)) })));
    buttons.append(button(texts.forget, "danger", (pressed) => {
      if (pressed.dataset.again) void doing(root, pressed, async () => {
        await forgetKey(name);
        await show();
        tell(texts.forgotten, "good");
      });
      pressed.dataset.again = "yes";
      pressed.textContent = texts.really;
    }));
    const said = make("p", "", make("span", "strong", body), ` · ${texts[role]} · ${texts[`by_${each.by}`]}`);
    const made = make("article", "stack tight", make("p", "", make("code", "", name)), said, buttons);
    made.setAttribute("aria-label", name);
    return made;
  }));
}

/** @returns {"passkey" | "password"} */
const way = () => (/** @type {HTMLInputElement} */ (document.querySelector('input[name="by"]:checked')).value === "password" ? "password" : "passkey");

function showWay() {
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-for]"))) each.hidden = each.dataset.for !== way();
}

async function makeIt() {
  const body = field("body").value.trim();
  if (!body) {
    field("body").reportValidity();
    return;
  }
  const role = element("role", HTMLSelectElement).value === "supervisor" ? "supervisor" : "contributor";
  const key = makeKey(role, body, root.dataset.place ?? location.hostname, chance);
  let wrapped;
  if (way() === "password") {
    const password = field("new-password").value;
    if (password !== field("again").value) throw new Refused("passwords_differ");
    tell(texts.working, "part");
    wrapped = await wrapWithPassword(key, password, stretch, chance);
  } else wrapped = await wrapWithPasskey(key, await makePasskey(key.name, chance), chance);
  await keepKey(key.name, wrapped);
  for (const id of ["new-password", "again"]) field(id).value = "";
  await show();
  tell(texts.made, "good");
}

async function exportIt() {
  const name = field("export-name").value;
  const found = (await kept()).find((each) => each.public.name === name);
  if (!found) throw new Refused("no_key_chosen");
  const password = field("export-password").value;
  tell(texts.working, "part");
  const key = await open(found, password); // whoever exports has the key
  const wrapped = found.by === "password" ? found.text : await wrapWithPassword(key, password, stretch, chance);
  download(`${fileName(name)}.key`, JSON.stringify({ counts: await countsOf(name), key: wrapped, v: EXPORT }));
  field("export-password").value = "";
  tell(texts.exported, "good");
}

/** @param {string} source @returns {{counts: Record<string, string[]>, key: string}} */
function readExport(source) {
  try {
    const found = JSON.parse(source);
    const good = found.v === EXPORT && typeof found.key === "string" && Object.entries(found.counts).every(
      ([project, leaves]) => /^[0-9a-f]{64}$/.test(project) && Array.isArray(leaves) && leaves.every((leaf) => /^[0-9a-f]{64}$/.test(leaf)));
    if (good) return found;
  } catch {
    // said below
  }
  throw new Refused("not_a_wrapped_key");
}

async function importIt() {
  const file = field("key-file").files?.[0];
  if (!file || file.size > 2 ** 20) throw new Refused("not_a_wrapped_key");
  const { counts, key } = readExport(await file.text());
  const found = readWrapped(key);
  tell(texts.working, "part");
  await open(found, field("file-password").value); // a key that does not open is not kept
  await keepKey(found.public.name, key);
  await keepCounts(found.public.name, counts);
  field("file-password").value = "";
  await show();
  tell(texts.imported, "good");
}

/** @param {string} id @param {() => Promise<void>} work */
function onSubmit(id, work) {
  const form = element(id, HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.closest("dialog")?.close();
    void doing(root, form, work);
  });
}

onSubmit("make-key", makeIt);
onSubmit("export-key", exportIt);
onSubmit("import-key", importIt);
for (const each of document.querySelectorAll('input[name="by"]')) each.addEventListener("change", showWay);
showWay();
void doing(root, element("make-key", HTMLFormElement), show);
