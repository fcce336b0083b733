/**
 * An order to stop a draw, or its end: the paper stays here, its digest is signed and goes into the log.
 */

import { Refused, hex } from "../verify/bytes.js";
import { canonical } from "../verify/canonical.js";
import { parseEvent, signedBytes } from "../verify/events.js";
import { sha256 } from "../verify/hash.js";
import { signed } from "./keyfile.js";
import { doing, element, field, opener, send, textsOf } from "./page.js";

const MOST_PAPER = 64 * 2 ** 20;
const root = element("stop-draw", HTMLElement);
const texts = textsOf(root);
const form = element("sign", HTMLFormElement);

async function start() {
  const open = await opener("supervisor", texts);
  form.hidden = false;
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    void doing(root, form, async () => {
      const paper = field("paper").files?.[0];
      if (!paper || !paper.size || paper.size > MOST_PAPER) throw new Refused("no_paper");
      const key = await open();
      if (key.role !== "supervisor") throw new Refused("not_a_supervisors_own_key", { key: key.name });
      const json = { ...JSON.parse(root.dataset.start ?? "{}"), paper: hex(sha256(new Uint8Array(await paper.arrayBuffer()))), sigs: [] };
      const sig = signed(key, signedBytes(parseEvent(json, "event")));
      send("event", { event: new TextDecoder().decode(canonical({ ...json, sigs: [{ key: key.name, sig }] })) });
    });
  });
}

void doing(root, form, start);
