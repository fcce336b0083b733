/**
 * The server's clock, carried on by this machine's steady one: what this machine calls the time does not matter.
 */

const CHINA_MS = 8 * 3_600_000;

/** `2026-11-25 22:30:00` in UTC+8. @param {number} ms Unix milliseconds @returns {string} */
export function chinaTime(ms) {
  return new Date(ms + CHINA_MS).toISOString().slice(0, 19).replace("T", " ");
}

export function startClock() {
  const clock = /** @type {HTMLTimeElement | null} */ (document.querySelector("time[data-clock]"));
  if (!clock) return;
  const began = Number(clock.dataset.clock) * 1_000;
  const drawnAt = performance.now();
  const tick = () => {
    const now = began + performance.now() - drawnAt;
    clock.textContent = chinaTime(now);
    clock.dateTime = new Date(now).toISOString().slice(0, 19) + "Z";
    setTimeout(tick, 1_000 - (now % 1_000));
  };
  tick();
}
