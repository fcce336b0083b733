/**
 * A tree of codes beside a form: [data-tree-search] hides what does not match, [data-code] puts its code into the [data-codes] field that was used last.
 */

export function startCodes() {
  const tree = document.querySelector("[data-tree]");
  if (!tree) return;
  const rows = /** @type {NodeListOf<HTMLElement>} */ (tree.querySelectorAll("[data-text]"));
  const search = tree.querySelector("[data-tree-search]");
  let last = /** @type {HTMLInputElement | null} */ (document.querySelector("input[data-codes]"));
  if (search instanceof HTMLInputElement) {
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const row of rows) row.hidden = !(row.dataset.text ?? "").toLowerCase().includes(wanted);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
  document.addEventListener("focusin", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.dataset.codes !== undefined) last = event.target;
  });
  tree.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const code = button?.dataset.code;
    if (!code || !last) return;
    const there = last.value.split(/[\s,，;；、]+/).filter(Boolean);
    if (!there.includes(code)) last.value = [...there, code].join(" ");
    last.focus();
  });
}
