/**
 * Keys: ? shows them, / goes to the search field, g and a digit to a page of the menu, n to the next step. They can be turned off (WCAG 2.1.4).
 */

const OFF = "lotroom-keys-off";
const SECOND_MS = 1_500;

/** @returns {boolean} */
function off() {
  try {
    return localStorage.getItem(OFF) === "yes";
  } catch {
    return false;
  }
}

/** Whether keys go into a text. @param {EventTarget | null} target @returns {boolean} */
function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {string} selector @returns {boolean} */
function focusOn(selector) {
  const found = /** @type {HTMLElement | null} */ (document.querySelector(selector));
  found?.focus();
  return found !== null;
}

/** The links of the menu that is shown now. @returns {HTMLAnchorElement[]} */
function menu() {
  const shown = [...document.querySelectorAll("nav")].find((nav) => nav.checkVisibility()) ?? document.querySelector("nav");
  return shown ? [...shown.querySelectorAll("a")] : [];
}

export function startKeys() {
  const box = document.getElementById("keys-off");
  if (box instanceof HTMLInputElement) {
    box.checked = off();
    box.addEventListener("change", () => {
      try {
        if (box.checked) localStorage.setItem(OFF, "yes");
        else localStorage.removeItem(OFF);
      } catch {
        // without a memory the choice holds for this page only
      }
    });
  }
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || typing(event.target)) return;
    if (document.querySelector("dialog[open]") || (box instanceof HTMLInputElement && box.checked)) return;
    const second = performance.now() - afterG < SECOND_MS;
    afterG = 0;
    if (event.key === "?") {
      const dialog = document.getElementById("keys");
      if (dialog instanceof HTMLDialogElement) dialog.showModal();
    } else if (event.key === "/") {
      if (!focusOn("[data-search]")) return;
    } else if (event.key === "n") {
      if (!focusOn("[data-next]")) return;
    } else if (event.key === "g") {
      afterG = performance.now();
    } else if (second && /^[1-9]$/.test(event.key)) {
      menu()[Number(event.key) - 1]?.click();
    } else {
      return;
    }
    event.preventDefault();
  });
}
