// The list of subscriptions.

import { h } from "../dom.js";
import { button, heading, later, loading, stateOf } from "./parts.js";

export function listScreen(context) {
  const { state, say, send } = context;
  const rows = state.list?.rows ?? [];
  return [
    heading(say("title")),
    h(
      "div",
      { class: "field" },
      h("label", { for: "search" }, say("search")),
      h("input", { id: "search", type: "search", value: state.search, autocomplete: "off", oninput: later((text) => send({ type: "searched", search: text })) }),
    ),
    state.list === null
      ? state.failure ? null : loading(context)
      : h("p", { class: "muted" }, rows.length ? say("found", { count: state.list.total }) : say(state.search ? "noneFound" : "none")),
    h("ul", { class: "rows" }, rows.map((row) => h("li", {}, rowView(row, context)))),
    state.list?.next ? button(say("more"), "more", () => send({ type: "wantedMore" })) : null,
  ];
}

function rowView(row, { t, say, send }) {
  return h(
    "div",
    { class: "row", part: "row" },
    h("h2", {}, button(row.name, `open-${row.id}`, () => send({ type: "opened", id: row.id }), { class: "link" })),
    h("span", {}, say("licenses", { assigned: row.assignedLicenses, purchased: row.purchasedLicenses })),
    h("span", {}, stateOf(row, t), " ", h("span", { class: "muted" }, row.tenant.name)),
    button(say("cancel"), `cancel-${row.id}`, () => send({ type: "opened", id: row.id, step: "leave" }), { "aria-label": `${say("cancel")}: ${row.name}` }),
  );
}
