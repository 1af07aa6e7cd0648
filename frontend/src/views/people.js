// Removing users, until there are few enough.

import { h } from "../dom.js";
import { optionOf, quotesOf } from "../flow.js";
import { button, later, loading, newKey } from "./parts.js";

export function removeView(context) {
  const { state, say, send } = context;
  const { people, picked, preview } = state;
  const count = optionOf(state.subscription.cancellationOptions, "REMOVE_USERS").usersToRemove;
  return h(
    "section",
    { "aria-labelledby": "remove" },
    h("h2", { id: "remove", tabindex: "-1" }, say("removeTitle")),
    button(say("leastActive", { count }), "least", () => send({ type: "wantedLeast", count }), { busy: state.busy === "least" }),
    h(
      "div",
      { class: "field" },
      h("label", { for: "search-people" }, say("searchUsers")),
      h("input", { id: "search-people", type: "search", autocomplete: "off", value: people?.search ?? "", oninput: later((text) => send({ type: "searchedPeople", search: text })) }),
    ),
    people?.rows ? h("ul", { class: "people" }, people.rows.map((license) => personView(license, context))) : loading(context),
    people?.next ? button(say("more"), "more-people", () => send({ type: "wantedMorePeople" })) : null,
    h("p", { "aria-live": "polite" }, say("pickedCount", { count: picked.length })),
    button(say("preview"), "preview", () => send({ type: "previewed" }), { busy: state.busy === "preview" || !picked.length }),
    preview ? previewView(context) : null,
  );
}

function personView({ user, removable, groupNames }, { state, t, say, send }) {
  const active = user.lastActiveAt ? say("active", { date: t.day(user.lastActiveAt, state.subscription.tenant.timeZone) }) : say("neverActive");
  return h(
    "li",
    {},
    h(
      "label",
      { class: "choice" },
      h("input", {
        type: "checkbox", id: `pick-${user.id}`, checked: state.picked.includes(user.id), disabled: !removable,
        onchange: (event) => send({ type: "picked", ids: [user.id], on: event.target.checked }),
      }),
      h("span", {}, user.displayName, " ", h("span", { class: "muted" }, `${user.userPrincipalName} · `, removable ? active : say("fromGroup", { groups: groupNames.join(", ") }))),
    ),
  );
}

function previewView({ state, say, send }) {
  const { results, removedCount, options } = state.preview;
  const opens = quotesOf(options).length > 0;
  const left = optionOf(options, "REMOVE_USERS").usersToRemove ?? 0;
  return h(
    "div",
    { class: "notice" },
    h("h3", { id: "previewed", tabindex: "-1" }, say("previewTitle")),
    keptView(results),
    h("p", {}, opens ? say("wouldOpen") : say("wouldNotOpen", { count: left })),
    removedCount
      ? button(say("remove", { count: removedCount }), "do-remove", () => send({ type: "removedUsers", key: newKey() }), { class: "danger", busy: state.busy === "remove" })
      : null,
  );
}

export function removedView({ state, say }) {
  return h(
    "section",
    { class: "notice" },
    h("h2", { id: "removed", tabindex: "-1", class: "good" }, say("removedTitle", { count: state.removed.removedCount })),
    keptView(state.removed.results),
  );
}

/** Who keeps a license, and why. */
function keptView(results) {
  const kept = results.filter((result) => result.outcome !== "REMOVED");
  return kept.length ? h("ul", {}, kept.map((result) => h("li", {}, `${result.user?.displayName ?? result.userId}: ${result.message}`))) : null;
}
