/**
 * The signing page: a draft decoded from the bytes that are signed, and a supervisor's signature over them.
 */

import { Refused, hex, utf8 } from "../verify/bytes.js";
import { parse } from "../verify/canonical.js";
import { parseEvent, signedBytes } from "../verify/events.js";
import { describe, differences, spelled } from "./describe.js";
import { signed } from "./keyfile.js";
import { newest } from "./list.js";
import { doing, element, facts, opener, send, textsOf } from "./page.js";
import { trustedList } from "./trusted.js";

const MOST = 65_535;
const root = element("sign-draft", HTMLElement);
const texts = textsOf(root);
const form = element("sign", HTMLFormElement);

/** @param {string} leaf */
const eventOf = (leaf) => parseEvent(parse(utf8(leaf), { most: MOST }), "draft");

async function start() {
  const event = eventOf(root.dataset.leaf ?? "");
  element("what", HTMLElement).replaceChildren(facts(describe(event, texts)));
  element("spelled", HTMLElement).textContent = spelled(event);
  if (root.dataset.before) element("changes", HTMLElement).replaceChildren(facts(differences(eventOf(root.dataset.before), event, texts)));
  const trusted = await trustedList(root.dataset.keys ?? "");
  const open = await opener("supervisor", texts);
  form.hidden = false;
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    void doing(root, form, async () => {
      const key = await open();
      if (key.role !== "supervisor") throw new Refused("not_a_supervisors_own_key", { key: key.name });
      const entry = newest(trusted.versions).entries.get(key.name);
      if (!entry || hex(entry.key) !== hex(key.sign)) throw new Refused("not_in_the_list", { key: key.name });
      send("signature", { key: key.name, leaf: hex(event.hash), signature: signed(key, signedBytes(event)) });
    });
  });
}

void doing(root, form, start);
