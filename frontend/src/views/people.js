// Removing users, until there are few enough.

import { h } from "../dom.js";
import { optionOf } from "../flow.js";
import { button, later, loading, newKey } from "./parts.js";

export function removeView(context) {
  const { state, say, send } = context;
  const { people, picked, preview } = state;
  const count = optionOf(state.subscription.cancellationOptions, "REMOVE_USERS").usersToRemove;
  return h(
    "section",
    { "aria-labelledby": "remove" },
    h("h2", { id: "remove", tabindex: "-1" }, say("removeTitle")),
    count > 0 && button(say("leastActive", { count }), "least", () => send({ type: "wantedLeast", count }), { busy: state.busy === "least" }),
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

function personView({ user, removable, groupNames, removal }, { state, t, say, send }) {
  const isAsked = removal?.status === "REQUESTED";
  const asked = isAsked ? say("removalAsked") : removal?.status === "REFUSED" ? removal.reason : null;
  const active = user.lastActiveAt ? say("active", { date: t.day(user.lastActiveAt, state.subscription.tenant.timeZone) }) : say("neverActive");
  return h(
    "li",
    {},
    h(
      "label",
      { class: "choice" },
      h("input", {
        type: "checkbox", id: `pick-${user.id}`, checked: state.picked.includes(user.id), disabled: !removable || isAsked,
        onchange: (event) => send({ type: "picked", ids: [user.id], on: event.target.checked }),
      }),
      h("span", {}, user.displayName, " ", h("span", { class: "muted" }, `${user.userPrincipalName} · `, removable ? active : say("fromGroup", { groups: groupNames.join(", ") }), asked && ` · ${asked}`)),
    ),
  );
}

function previewView({ state, say, send }) {
  const { results, removedCount, requestedCount, options } = state.preview;
  const opens = optionOf(options, "CANCEL_ONLINE").available;
  const left = optionOf(options, "REMOVE_USERS").usersToRemove ?? 0;
  const then = opens ? say("wouldOpen") : left ? say("wouldNotOpen", { count: left }) : say("wouldWait");
  const act = removedCount ? say("remove", { count: removedCount }) : requestedCount ? say("request", { count: requestedCount }) : null;
  return h(
    "div",
    { class: "notice" },
    h("h3", { id: "previewed", tabindex: "-1" }, say("previewTitle")),
    keptView(results),
    h("p", {}, then),
    act && button(act, "do-remove", () => send({ type: "removedUsers", key: newKey() }), { class: "danger", busy: state.busy === "remove" }),
  );
}

export function removedView({ state, say }) {
  const { results, removedCount, requestedCount, request } = state.removed;
  const title = requestedCount ? say("requestedTitle", { count: requestedCount }) : say("removedTitle", { count: removedCount });
  return h(
    "section",
    { class: "notice" },
    h("h2", { id: "removed", tabindex: "-1", class: "good" }, title),
    request ? progressView(request, say) : null,
    keptView(results),
  );
}

/** How far the directory is with what was asked of it. */
function progressView({ requested, confirmed, refused, refusals }, say) {
  return [
    h("p", { id: "progress", role: "status" }, say("progress", { requested, confirmed, refused })),
    refusals.length ? h("ul", {}, refusals.map((one) => h("li", {}, `${one.user?.displayName ?? one.userId}: ${one.message}`))) : null,
  ];
}

/** Who keeps a license, and why. */
function keptView(results) {
  const kept = results.filter((result) => !["REMOVED", "REQUESTED"].includes(result.outcome));
  return kept.length ? h("ul", {}, kept.map((result) => h("li", {}, `${result.user?.displayName ?? result.userId}: ${result.message}`))) : null;
}
