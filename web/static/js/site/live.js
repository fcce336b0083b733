/**
 * Pages that watch something: [data-live] names the stream. A change is told, the reader decides when to reload: nothing jumps under their eyes.
 */

import { toast } from "./toast.js";

export function startLive() {
  const watched = /** @type {HTMLElement | null} */ (document.querySelector("[data-live]"));
  if (!watched?.dataset.live) return;
  const stream = new EventSource(watched.dataset.live);
  stream.addEventListener("changed", () => toast(watched.dataset.changed ?? ""));
  addEventListener("pagehide", () => stream.close());
}
