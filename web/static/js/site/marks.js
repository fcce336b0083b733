/**
 * Pages of something that goes on elsewhere: [data-marks] names the stream, [data-mark] the state that this page shows. Where the stream says another
 * one, the page is loaded again; while somebody types or reads in a dialog they are told instead. A lost network is said, and ends by itself.
 */

import { toast } from "./toast.js";

/** Whether loading the page would take something from the reader. */
function busy() {
  const typed = [...document.querySelectorAll("textarea, input[type=text]")].some((each) => each instanceof HTMLTextAreaElement && each.value !== each.defaultValue);
  return typed || document.querySelector("dialog[open], form[data-sent]") !== null;
}

const AGAIN = 2_000; // ms
let left = -AGAIN; // when the reader last followed a link or sent a form

/**
 * Once the page can be had: a browser without a network would show its own page instead, and stay there. A reader who is on the way to another page is
 * not called back; if that was a file to keep, and the page is still here, it comes later.
 * @param {EventSource} stream
 */
async function reload(stream) {
  const here = await fetch(location.href, { method: "HEAD", cache: "no-store" }).then(() => true, () => false);
  if (!here || performance.now() - left < AGAIN) {
    setTimeout(reload, AGAIN, stream);
    return;
  }
  stream.close();
  location.reload();
}

export function startMarks() {
  const watched = /** @type {HTMLElement | null} */ (document.querySelector("[data-marks]"));
  if (!watched?.dataset.marks) return;
  const stream = new EventSource(watched.dataset.marks);
  let lost = false;
  stream.addEventListener("mark", (event) => {
    if (JSON.parse(event.data).mark === watched.dataset.mark) return;
    if (busy()) toast(watched.dataset.changed ?? "");
    else reload(stream);
  });
  stream.addEventListener("open", () => {
    lost = false;
  });
  stream.addEventListener("error", () => {
    if (!lost && watched.dataset.lost) toast(watched.dataset.lost);
    lost = true;
  });
  addEventListener("beforeunload", () => {
    left = performance.now();
  });
  addEventListener("pagehide", () => stream.close());
}
