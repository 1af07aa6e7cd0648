// Pictures beside the words: what was used, and what happens when. Everything in them is also said.

import { h } from "./dom.js";

/** One charge of a quote as a bar of used and unused units. */
export function usage(line, { say }) {
  const unused = line.periodUnits - line.usedUnits;
  const used = Math.round((300 * line.usedUnits) / line.periodUnits);
  const said = say("usedOf", { used: line.usedUnits, all: line.periodUnits, unused });
  return h(
    "figure",
    { class: "usage" },
    h(
      "svg",
      { viewBox: "0 0 300 16", role: "img", "aria-label": `${line.description}: ${said}`, preserveAspectRatio: "none" },
      h("rect", { class: "used", width: used, height: 16 }),
      h("rect", { class: "unused", x: used, width: 300 - used, height: 16 }),
    ),
    h(
      "figcaption",
      {},
      h("span", { class: "key used" }), `${say("used")} ${line.usedUnits}`,
      h("span", { class: "key unused" }), `${say("unused")} ${unused}`,
    ),
  );
}

/** Instants in their order, each with what happens then. */
export function timeline(steps) {
  const known = steps.filter((step) => step.at).sort((a, b) => a.at.localeCompare(b.at));
  return h(
    "ol",
    { class: "timeline" },
    known.map((step) => h("li", {}, h("strong", {}, step.label), " ", h("span", { class: "muted" }, step.said))),
  );
}
