/**
 * Time that is left: [data-until] holds Unix seconds; the server's clock of the page is carried on by this machine's steady one.
 */

/** `12:05`, or `1:02:05`. @param {number} seconds @returns {string} */
export function left(seconds) {
  const pad = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}

export function startCountdowns() {
  const clock = /** @type {HTMLElement | null} */ (document.querySelector("time[data-clock]"));
  const shown = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-until]"));
  if (!clock || !shown.length) return;
  const began = Number(clock.dataset.clock);
  const drawnAt = performance.now();
  const tick = () => {
    const now = began + (performance.now() - drawnAt) / 1_000;
    for (const each of shown) each.textContent = left(Math.max(0, Math.round(Number(each.dataset.until) - now)));
    setTimeout(tick, 1_000);
  };
  tick();
}
