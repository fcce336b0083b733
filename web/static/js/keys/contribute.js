/**
 * The contribute page: the order is checked against the pinned key list and shown in words; the key is opened, the commit counted, and the
 * proof made and sent. If the browser ends after counting, the same commit has the same number again.
 */

import { Refused, hex, utf8 } from "../verify/bytes.js";
import { left } from "../site/countdown.js";
import { describe, spelled } from "./describe.js";
import { newest } from "./list.js";
import { checkKey, checkOrder, contribution, contributionText, parseOrder } from "./order.js";
import { doing, element, facts, groups, make, opener, send, tell, textsOf } from "./page.js";
import { countContribution } from "./store.js";
import { trustedList } from "./trusted.js";

const root = element("contribute", HTMLElement);
const texts = textsOf(root);
const form = element("give", HTMLFormElement);

/** Counted by the server's clock. @param {number} until Unix seconds */
function countdown(until) {
  const shown = document.getElementById("countdown");
  if (!shown || !until) return;
  const began = Number(root.dataset.now) * 1_000;
  const drawnAt = performance.now();
  const tick = () => {
    const seconds = Math.ceil(until - (began + performance.now() - drawnAt) / 1_000);
    shown.textContent = seconds > 0 ? `${texts.left}: ${left(seconds)}` : texts.over;
    if (seconds > 0) setTimeout(tick, 1_000);
  };
  tick();
}

/** @returns {Promise<void>} */
async function start() {
  const order = parseOrder(utf8(root.dataset.order ?? ""));
  const trusted = await trustedList(root.dataset.keys ?? "");
  const checked = checkOrder(order, trusted.versions);
  const { event } = checked;
  element("list-said", HTMLElement).replaceChildren(
    make("p", "", texts[`${trusted.how}_list`]), make("p", "", `${newest(trusted.versions).version} · `, groups(newest(trusted.versions).digest)));
  const rows = describe(event, texts);
  if (order.round) rows.unshift([texts.round_of, String(order.round.number)]);
  rows.push([texts.f_place, `${order.proof.index} / ${checked.size}`], [texts.f_cosigned, checked.quorum ? String(checked.cosigned) : texts.no_witnesses]);
  element("what", HTMLElement).replaceChildren(facts(rows));
  element("spelled", HTMLElement).textContent = spelled(event);
  const open = await opener("contributor", texts);
  form.hidden = false;
  countdown(Number(root.dataset.ends));
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    void doing(root, form, async () => {
      const key = await open();
      checkKey(checked, key);
      const entry = newest(trusted.versions).entries.get(key.name);
      if (!entry || hex(entry.vrf) !== hex(key.vrf) || hex(entry.key) !== hex(key.sign)) throw new Refused("not_in_the_list", { key: key.name });
      const nth = order.round ? 0 : await countContribution(key.name, hex(event.project), hex(event.hash));
      if (!order.round) tell(nth === 1 ? texts.first_answer : `${texts.again_answer} (${nth})`, nth === 1 ? "part" : "warn");
      send("contribution", { contribution: contributionText(contribution(order, checked, key, nth)) });
    });
  });
}

if (root.dataset.order) void doing(root, form, start);
