/**
 * Short messages that go by themselves and are read aloud.
 */

const SHOWN_MS = 5_000;

/** @param {string} text */
export function toast(text) {
  const box = document.getElementById("toasts");
  if (!box || !text) return;
  const made = document.createElement("p");
  made.className = "toast";
  made.textContent = text;
  box.replaceChildren(made);
  setTimeout(() => made.remove(), SHOWN_MS);
}
