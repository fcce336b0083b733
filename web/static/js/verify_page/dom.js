/**
 * Elements made by calls: text goes in as text, never as markup.
 */

/** @typedef {Node | string | null | false | undefined} Child */

const SVG = "http://www.w3.org/2000/svg";

/** @param {Element} element @param {Record<string, string | boolean | ((event: any) => void)>} attributes @param {Child[]} children */
function dress(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  for (const child of children) if (child) element.append(child);
}

/** @param {string} tag @param {Record<string, string | boolean | ((event: any) => void)>} [attributes] @param {...Child} children @returns {HTMLElement} */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, attributes, children);
  return element;
}

/** @param {string} tag @param {Record<string, string | boolean>} [attributes] @param {...Child} children @returns {SVGElement} */
export function svg(tag, attributes = {}, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  dress(element, attributes, children);
  return element;
}

/** The sign of a state: a shape beside the colour. @param {string} state @param {string} [label] what a reader that hears it is told */
export function sign(state, label) {
  const paths = /** @type {Record<string, string>} */ ({
    passed: "M6 12.5l4 4 8-9", good: "M6 12.5l4 4 8-9", failed: "M7.5 7.5l9 9m0-9l-9 9", skipped: "M7 12h10", incomplete: "M6 12.5l4 4 8-9",
    not_applicable: "M12 12h.01", warning: "M12 6.5v7m0 3.5h.01",
  });
  const outline = state === "failed"
    ? svg("path", { class: "plate", d: "M8 2h8l6 6v8l-6 6H8l-6-6V8z" })
    : state === "warning"
      ? svg("path", { class: "plate", d: "M12 1.8L22.8 21H1.2z" })
      : svg("circle", { class: "plate", cx: "12", cy: "12", r: "10" });
  /** @type {Record<string, string>} */
  const attributes = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return svg("svg", { viewBox: "0 0 24 24", class: `sign ${state}`, ...attributes }, outline, svg("path", { class: "stroke", d: paths[state] ?? "" }));
}
