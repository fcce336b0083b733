/**
 * Pages that watch something: [data-live] names the stream. A change is told, the reader decides when to reload: nothing jumps under their eyes.
 * Work that a page waits for moves its [data-progress]; where the page has nothing else to read ([data-reloads]), its end loads the page anew.
 */

import { toast } from "./toast.js";

export function startLive() {
  const watched = /** @type {HTMLElement | null} */ (document.querySelector("[data-live]"));
  if (!watched?.dataset.live) return;
  const stream = new EventSource(watched.dataset.live);
  stream.addEventListener("changed", () => toast(watched.dataset.changed ?? ""));
  stream.addEventListener("progress", (event) => moved(watched, JSON.parse(event.data)));
  stream.addEventListener("over", () => {
    if (watched.dataset.reloads === undefined) return;
    stream.close();
    location.reload();
  });
  addEventListener("pagehide", () => stream.close());
}

/** @param {HTMLElement} watched @param {{ done: number, total: number }} far */
function moved(watched, far) {
  const bar = watched.querySelector("progress[data-progress]");
  if (bar instanceof HTMLProgressElement) {
    bar.max = far.total || 1;
    bar.value = far.done;
  }
  for (const [name, value] of Object.entries(far)) {
    const text = watched.querySelector(`[data-${name}]`);
    if (text) text.textContent = value.toLocaleString("en-US");
  }
}
