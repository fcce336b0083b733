/**
 * What pages do beyond HTML: a running clock, copying, dialogs, keys, live updates, passkeys. Everything works without it, in more steps.
 *
 * Behaviour hangs on data attributes, so that templates say what happens and no script knows a page.
 */

import { startClock } from "./clock.js";
import { startCodes } from "./codes.js";
import { startCountdowns } from "./countdown.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMarks } from "./marks.js";
import { startPasskeys } from "./passkey.js";
import { toast } from "./toast.js";

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else throw new Error("no clipboard");
}

/** @param {MouseEvent} event */
function pressed(event) {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (!button) return;
  const { copy: text, copied, opens, reveals, toast: said } = button.dataset;
  if (text !== undefined) {
    copy(text).then(() => toast(copied ?? ""), () => selectNear(button));
  } else if (opens !== undefined) {
    const dialog = document.getElementById(opens);
    if (dialog instanceof HTMLDialogElement) dialog.showModal();
  } else if (reveals !== undefined) {
    const input = document.getElementById(reveals);
    if (!(input instanceof HTMLInputElement)) return;
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  } else if (said !== undefined) {
    toast(said);
  }
}

/** Where the clipboard is closed to us: select the digest, so that it can be copied by hand. @param {Element} button */
function selectNear(button) {
  const code = button.parentElement?.querySelector("code");
  if (code) getSelection()?.selectAllChildren(code);
}

/** One press sends one form. @param {SubmitEvent} event */
function sent(event) {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
}

/** A page that comes back from the browser's memory may send its forms again. @param {PageTransitionEvent} event */
function shownAgain(event) {
  if (!event.persisted) return;
  for (const form of document.forms) delete form.dataset.sent;
  for (const busy of document.querySelectorAll("[aria-busy]")) busy.removeAttribute("aria-busy");
}

/** What is wrong is read first; a dialog that holds a wrong field is open again. */
function showFaults() {
  const wrong = document.querySelector("dialog .field.wrong");
  const dialog = wrong?.closest("dialog");
  if (dialog instanceof HTMLDialogElement) {
    dialog.showModal();
    /** @type {HTMLElement | null | undefined} */ (wrong?.querySelector("input, select, textarea"))?.focus();
  } else /** @type {HTMLElement | null} */ (document.querySelector("[data-focus]"))?.focus();
}

document.documentElement.classList.add("js");
document.addEventListener("click", pressed);
document.addEventListener("submit", sent);
addEventListener("pageshow", shownAgain);
startClock();
startCodes();
startCountdowns();
startKeys();
startLive();
startMarks();
startPasskeys();
showFaults();
