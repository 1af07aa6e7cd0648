// Elements in one line. Attributes by name; "on…" are listeners; true and false set and leave out.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "rect", "title"]);

export function h(tag, props = {}, ...children) {
  const node = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Rows of a label and what it says; empty ones are left out. */
export const facts = (rows) =>
  h("dl", { part: "facts" }, rows.filter(([, value]) => value).map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
