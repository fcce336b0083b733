/**
 * Signing the next version of the key list, as a supervisor of the version in force: what it changes is decoded from the bytes that are signed.
 */

import { Refused, hex, utf8 } from "../verify/bytes.js";
import { signed } from "./keyfile.js";
import { newest, successor } from "./list.js";
import { doing, element, facts, make, opener, send, textsOf } from "./page.js";
import { trustedList } from "./trusted.js";

const root = element("next-list", HTMLElement);
const texts = textsOf(root);
const form = document.getElementById("sign");

/** @param {HTMLFormElement} shown */
async function start(shown) {
  const trusted = await trustedList(root.dataset.keys ?? "");
  const before = newest(trusted.versions);
  const { message, added, gone, policy } = successor(utf8(root.dataset.list ?? ""), before);
  const named = (/** @type {string[]} */ keys) => make("div", "", ...(keys.length ? keys.map((each) => make("p", "", make("code", "", each))) : ["–"]));
  element("decoded", HTMLElement).replaceChildren(
    facts([[texts.new, named(added)], [texts.left_out, named(gone)], [texts.policy, make("pre", "pre", policy)]]));
  const open = await opener("supervisor", texts);
  shown.hidden = false;
  shown.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    void doing(root, shown, async () => {
      const key = await open();
      const entry = before.entries.get(key.name);
      if (key.role !== "supervisor") throw new Refused("not_a_supervisors_own_key", { key: key.name });
      if (!entry || hex(entry.key) !== hex(key.sign)) throw new Refused("not_in_the_list", { key: key.name });
      send("signature", { key: key.name, digest: root.dataset.contents ?? "", signature: signed(key, message) });
    });
  });
}

if (form instanceof HTMLFormElement) void doing(root, form, () => start(form));
