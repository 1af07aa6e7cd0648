// What each screen shows, as elements made from the state. `send` takes events of the flow; nothing else is changed here.

import { facts, h } from "../dom.js";
import { currentQuote, inForce, isRead, optionOf, quotesOf } from "../flow.js";
import { timeline, usage } from "../picture.js";

const FEEDBACK = [
  "TOO_EXPENSIVE", "MISSING_FEATURES", "SWITCHED_SERVICE", "UNUSED", "CUSTOMER_SERVICE", "TOO_COMPLEX", "LOW_QUALITY", "OTHER",
];
const RETURNED = ["SUCCEEDED", "SETTLED_MANUALLY"];

export function view(state, t, send, draft, now) {
  const context = { state, t, say: t.say, ahead: t.ahead, send, draft, now };
  const screen = { list: listScreen, details: detailsScreen, leave: leaveScreen, done: doneScreen }[state.screen];
  const before = Object.entries(state.news).map((one) => newsView(one, context));
  if (state.failure?.kind === "signedOut") return [...before, ...signedOutScreen(context)];
  // Nothing is known yet (null), or there is nothing (false).
  if (state.screen !== "list" && !state.subscription) {
    return [...before, notice(context), state.busy ? loading(context) : notFound(context)];
  }
  // Where one leaves, what went wrong stands below the heading.
  return [...before, state.screen === "leave" ? null : notice(context), ...screen(context)];
}

const heading = (text) => h("h1", { tabindex: "-1", part: "heading" }, text);

const loading = ({ say }) => h("p", { class: "muted" }, say("loading"));

const notFound = ({ state, say, send }) =>
  state.failure ? null : h("section", {}, heading(say("notFound")), button(say("toList"), "to-list", () => send({ type: "openedList" }), { class: "link" }));

/** A button that stays focusable while its work is on the way. */
function button(text, id, act, { busy = false, ...props } = {}) {
  return h("button", { type: "button", id, "aria-disabled": busy ? "true" : null, onclick: act, part: "button", ...props }, text);
}

/** What went wrong, with the way on. */
function notice(context) {
  const { state, say, send } = context;
  if (state.failure) {
    const retry = button(say("again"), "again", () => send({ type: "retried" }), { busy: Boolean(state.failure.until) });
    return h("section", { class: "notice bad", role: "alert", id: "notice", tabindex: "-1" }, h("p", {}, failureText(state.failure, context)), retry);
  }
  const elsewhere = state.problem && !state.problem.path?.some((name) => ["phone", "contactName", "windowId", "note"].includes(name));
  if (!elsewhere) return null;
  return h("section", { class: "notice bad", role: "alert", id: "notice", tabindex: "-1" }, h("p", {}, state.problem.message));
}

/** What is known of an effect whose answer did not come. Of what only reads it is never said that it may have arrived. */
function failureText({ of, kind, maybe, until }, { say, ahead, now }) {
  const sentences = [say(`failures.${kind}`)];
  if (!isRead(of)) sentences.push(maybe ? say("mayHaveArrived") : say("nothingChanged"));
  else if (kind === "offline") sentences.push(say("whenBack"));
  if (until) sentences.push(say("againIn", { when: ahead(until - now) }));
  else if (kind !== "offline" && (isRead(of) || !maybe)) sentences.push(say("againSoon"));
  return sentences.join(" ");
}

/** Nobody knows who is asking: nothing is shown until somebody does. */
function signedOutScreen({ state, say, send }) {
  return [
    h("h1", { tabindex: "-1", part: "heading", id: "signed-out" }, say("failures.signedOut")),
    h(
      "section",
      {},
      h("p", {}, say("signInAgain"), isRead(state.failure.of) ? "" : ` ${say("nothingChanged")}`),
      button(say("continue"), "continue", () => send({ type: "reloaded" })),
    ),
  ];
}

/** What became of a subscription that is not on the screen. */
function newsView([id, one], { t, say, send }) {
  const bad = one.type === "failed" || one.message;
  return h(
    "section",
    { class: bad ? "notice news bad" : "notice news" },
    h("p", {}, newsText(one, t)),
    h(
      "div",
      { class: "actions" },
      button(say("show"), `show-${id}`, () => send({ type: "opened", id }), { "aria-label": `${say("show")}: ${one.name}` }),
      button(say("dismiss"), `dismiss-${id}`, () => send({ type: "dismissed", id }), { class: "link", "aria-label": `${say("dismiss")}: ${one.name}` }),
    ),
  );
}

/** The same as a sentence. */
export function newsText(one, { say }) {
  const { name, type } = one;
  if (type === "failed") {
    const known = one.maybe ? say("mayHaveArrivedThere") : say("nothingChanged");
    return say("about", { name, text: `${say(`failures.${one.kind}`)} ${known}` });
  }
  if (one.message) return say("about", { name, text: one.message });
  return say(`news.${type}`, { name, count: one.removedCount, reference: (one.cancellation ?? one.callback)?.reference });
}

// The list

function listScreen(context) {
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

function stateOf(row, { say, day }) {
  const canceled = inForce(row.cancellation) ? row.cancellation : null;
  if (canceled?.status === "SCHEDULED") return h("span", { class: "tag" }, say("cancelsOn", { date: day(canceled.effectiveAt, row.tenant.timeZone) }));
  if (canceled) return h("span", { class: "tag" }, say("canceledState"));
  if (row.openCallback) return h("span", { class: "tag" }, say("callState"));
  return h("span", { class: "tag" }, say(`states.${row.status}`));
}

// One subscription

function detailsScreen(context) {
  const { state, t, say, send } = context;
  const row = state.subscription;
  const left = inForce(row.cancellation) ? row.cancellation : null;
  const end = row.currentPeriodEnd && t.day(row.currentPeriodEnd, row.tenant.timeZone);
  return [
    button(say("toList"), "to-list", () => send({ type: "openedList" }), { class: "link" }),
    heading(row.name),
    state.undone ? h("section", { class: "notice", id: "undone", tabindex: "-1", role: "status" }, say("undoneTitle", { name: row.name })) : null,
    h(
      "section",
      {},
      facts([
        [say("account"), row.tenant.name],
        [say("state"), stateOf(row, t)],
        [say("licensesLabel"), say("licenses", { assigned: row.assignedLicenses, purchased: row.purchasedLicenses })],
        [say("period"), end && !left && say(row.recurringBilling ? "renews" : "ends", { date: end })],
      ]),
      left ? button(`${say("receipt")} ${left.reference}`, "receipt", () => send({ type: "opened", id: row.id, step: "done" })) : null,
    ),
    h(
      "section",
      {},
      h("h2", {}, say("actions")),
      h("p", {}, row.cancellationOptions.headline),
      button(say("cancel"), "cancel", () => send({ type: "opened", id: row.id, step: "leave" })),
    ),
  ];
}

// Leaving

function leaveScreen(context) {
  const { state, say, send } = context;
  const { subscription } = state;
  const options = subscription.cancellationOptions;
  const open = (route) => optionOf(options, route).available;
  return [
    button(say("toSubscription"), "to-subscription", () => send({ type: "opened", id: subscription.id }), { class: "link" }),
    heading(say("leaveTitle", { name: subscription.name })),
    notice(context),
    state.removed ? removedView(context) : null,
    h("p", {}, h("strong", {}, options.headline)),
    options.canAct ? null : h("p", { class: "muted" }, mayNot(options, context)),
    open("UNDO_CANCELLATION") ? undoView(context) : null,
    open("CANCEL_ONLINE") ? onlineView(context) : null,
    open("REMOVE_USERS") && options.canAct ? removeView(context) : null,
    subscription.openCallback ? callView(context) : open("REQUEST_CALLBACK") && options.canAct ? callForm(context) : null,
    h(
      "details",
      {},
      h("summary", {}, say("otherWays")),
      h("dl", {}, options.options.filter((option) => !option.available).map((option) => h("div", {}, h("dt", {}, say(`routes.${option.route}`)), h("dd", {}, option.message)))),
    ),
  ];
}

const mayNot = (options, { t, say }) => say("mayNot", { who: t.list(options.eligibleRoles.map((role) => say(`who.${role}`))) });

function undoView({ state, t, say, send }) {
  const { cancellation, cancellationOptions, tenant } = state.subscription;
  return h(
    "section",
    {},
    h("h2", {}, say("routes.UNDO_CANCELLATION")),
    facts([
      [say("reference"), cancellation.reference],
      [say("accessEnds"), t.time(cancellation.accessEndsAt, tenant.timeZone)],
      [say("undoUntil"), t.time(cancellation.undoUntil, tenant.timeZone)],
    ]),
    cancellationOptions.canAct ? button(say("undo"), "undo", () => send({ type: "undid" }), { busy: state.busy === "undo" }) : null,
  );
}

function onlineView(context) {
  const { state, say, send } = context;
  const options = state.subscription.cancellationOptions;
  const quotes = quotesOf(options);
  const quote = currentQuote(state);
  const unsure = state.failure?.of.type === "cancel" && state.failure.maybe;
  const title = optionOf(options, "UNDO_CANCELLATION").available ? say("instead") : unsure ? say("routes.CANCEL_ONLINE") : say("notYet");
  return h(
    "section",
    { "aria-labelledby": "online" },
    h("h2", { id: "online", tabindex: "-1" }, title),
    state.before ? changedView(quote, context) : null,
    quotes.length > 1 ? modeChoice(quotes, quote, context) : null,
    quoteView(quote, context),
    options.canAct
      ? h(
          "div",
          { class: "same" },
          button(say(quote.mode === "IMMEDIATE" ? "cancelNow" : "cancelAtEnd"), "confirm", () => send({ type: "confirmed", key: newKey() }), {
            class: "danger", busy: state.busy === "cancel", part: "button confirm",
          }),
          button(say("keep"), "keep", () => send({ type: "opened", id: state.id }), { part: "button keep" }),
        )
      : null,
  );
}

function modeChoice(quotes, chosen, { t, say, send }) {
  const amount = (quote) => (quote.refund ? say("comesBack", { amount: quote.refund.formatted }) : say("nothingBack"));
  const when = (quote) => (quote.mode === "IMMEDIATE" ? say("now") : say("atEnd", { date: t.day(quote.effectiveAt, quote.timeZone) }));
  return h(
    "fieldset",
    {},
    h("legend", {}, say("when")),
    quotes.map((quote) =>
      h(
        "label",
        { class: "choice" },
        h("input", {
          type: "radio", name: "mode", id: `mode-${quote.mode}`, value: quote.mode, checked: quote.mode === chosen.mode,
          onchange: () => send({ type: "choseMode", mode: quote.mode }),
        }),
        h("span", {}, `${when(quote)}: ${amount(quote)}`),
      ),
    ),
  );
}

function changedView(quote, { state, say }) {
  const amount = (of) => of.refund?.formatted ?? say("noCredit");
  return h(
    "div",
    { class: "notice", role: "alert", id: "changed", tabindex: "-1" },
    h("p", {}, say("changed")),
    h("p", {}, h("del", {}, say("was", { amount: amount(state.before) })), " ", h("strong", {}, say("is", { amount: amount(quote) }))),
  );
}

function quoteView(quote, { t, say }) {
  const zone = quote.timeZone;
  const bars = quote.refund ? quote.lines.filter((line) => line.periodUnits > 1 && line.periodUnits < 1000) : [];
  return [
    facts([
      [say("stops"), [say("stopsFor", { count: quote.affectedUsers }), quote.usersStillCovered ? `; ${say("covered", { count: quote.usersStillCovered })}` : ""].join("")],
      [say("accessEnds"), t.time(quote.accessEndsAt, zone)],
      [say("stays"), say("staysText", { date: t.day(quote.dataAvailableUntil, zone) })],
      [say("credit"), creditView(quote, { t, say })],
      [say("erasedBy"), t.day(quote.dataErasedBy, zone)],
      [say("undoUntil"), quote.undoUntil && t.time(quote.undoUntil, zone)],
    ]),
    bars.map((line) => usage(line, { say })),
    h("h3", {}, say("timeline")),
    timeline([
      { at: quote.accessEndsAt, label: say("steps.access"), said: t.time(quote.accessEndsAt, zone) },
      { at: quote.undoUntil, label: say("steps.undo"), said: quote.undoUntil && t.time(quote.undoUntil, zone) },
      { at: quote.refundDueBy, label: say("steps.credit"), said: quote.refundDueBy && t.date(quote.refundDueBy) },
      { at: quote.dataAvailableUntil, label: say("steps.data"), said: t.day(quote.dataAvailableUntil, zone) },
      { at: quote.dataErasedBy, label: say("steps.erased"), said: t.day(quote.dataErasedBy, zone) },
    ]),
  ];
}

function creditView(quote, { t, say }) {
  const parts = [];
  if (quote.refund) parts.push(h("strong", {}, quote.refund.formatted), ". ");
  parts.push(quote.explanation);
  if (quote.refundDueBy) parts.push(" ", say("backBy", { date: t.date(quote.refundDueBy) }));
  for (const pending of quote.pendingCharges) parts.push(" ", say("pending", { amount: pending.formatted }));
  return h("span", {}, parts);
}

// Removing users

function removeView(context) {
  const { state, t, say, send } = context;
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

  function personView({ user, removable, groupNames }) {
    const active = user.lastActiveAt ? say("active", { date: t.day(user.lastActiveAt, state.subscription.tenant.timeZone) }) : say("neverActive");
    return h(
      "li",
      {},
      h(
        "label",
        { class: "choice" },
        h("input", {
          type: "checkbox", id: `pick-${user.id}`, checked: picked.includes(user.id), disabled: !removable && !groupNames.length ? true : !removable,
          onchange: (event) => send({ type: "picked", ids: [user.id], on: event.target.checked }),
        }),
        h("span", {}, user.displayName, " ", h("span", { class: "muted" }, `${user.userPrincipalName} · `, removable ? active : say("fromGroup", { groups: groupNames.join(", ") }))),
      ),
    );
  }
}

function previewView({ state, say, send }) {
  const { results, removedCount, options } = state.preview;
  const opens = quotesOf(options).length > 0;
  const left = optionOf(options, "REMOVE_USERS").usersToRemove ?? 0;
  const odd = results.filter((result) => result.outcome !== "REMOVED");
  return h(
    "div",
    { class: "notice" },
    h("h3", { id: "previewed", tabindex: "-1" }, say("previewTitle")),
    odd.length ? h("ul", {}, odd.map((result) => h("li", {}, `${result.user?.displayName ?? result.userId}: ${result.message}`))) : null,
    h("p", {}, opens ? say("wouldOpen") : say("wouldNotOpen", { count: left })),
    removedCount
      ? button(say("remove", { count: removedCount }), "do-remove", () => send({ type: "removedUsers", key: newKey() }), { class: "danger", busy: state.busy === "remove" })
      : null,
  );
}

function removedView({ state, say }) {
  const odd = state.removed.results.filter((result) => result.outcome !== "REMOVED");
  return h(
    "section",
    { class: "notice" },
    h("h2", { id: "removed", tabindex: "-1", class: "good" }, say("removedTitle", { count: state.removed.removedCount })),
    odd.length ? h("ul", {}, odd.map((result) => h("li", {}, `${result.user?.displayName ?? result.userId}: ${result.message}`))) : null,
  );
}

// Being called

function callView(context) {
  const { state, t, say, send } = context;
  const call = state.subscription.openCallback;
  if (state.editing) return callForm(context);
  return h(
    "section",
    { "aria-labelledby": "called" },
    h("h2", { id: "called", tabindex: "-1" }, say("callDone")),
    h("p", {}, call.window ? say("callWhen", { window: call.window.label }) : say("callSoon")),
    h("p", {}, say("creditFrom", { date: t.day(call.creditFrom, call.timeZone) })),
    facts([[say("reference"), call.reference], [say("name"), call.contactName], [say("phone"), call.phone]]),
    state.subscription.cancellationOptions.canAct
      ? h(
          "div",
          { class: "actions" },
          button(say("change"), "change-call", () => send({ type: "changedCall", on: true })),
          button(say("withdraw"), "withdraw-call", () => send({ type: "withdrewCall" }), { busy: state.busy === "withdraw" }),
        )
      : null,
  );
}

function callForm(context) {
  const { state, t, say, send, draft } = context;
  const call = state.editing ? state.subscription.openCallback : null;
  const refused = (name) => (state.problem?.path?.includes(name) ? state.problem.message : null);
  const field = (name, label, control, hint) => {
    const error = refused(name);
    const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
    if (described) control.setAttribute("aria-describedby", described);
    if (error) control.setAttribute("aria-invalid", "true");
    return h(
      "div", { class: "field" }, h("label", { for: name }, label), control,
      hint ? h("p", { class: "hint", id: `${name}-hint` }, hint) : null,
      error ? h("p", { class: "error", id: `${name}-error` }, error) : null,
    );
  };
  const typed = (name) => (event) => {
    draft[name] = event.target.value;
    if (state.failure) send({ type: "typedCall" });
  };
  const keep = (name, fallback = "") => ({ id: name, name, value: draft[name] ?? fallback, oninput: typed(name) });
  const select = (name, choices, chosen) =>
    h("select", { id: name, name, onchange: typed(name) },
      choices.map(([value, text]) => h("option", { value, selected: value === (draft[name] ?? chosen) }, text)));
  const submit = (event) => {
    event.preventDefault();
    const value = (name) => event.target.elements[name]?.value ?? null;
    const input = { phone: value("phone"), windowId: value("windowId") || null };
    if (!call) Object.assign(input, { contactName: value("contactName"), language: value("language"), timeZone: draft.timeZone, note: value("note") || null });
    send({ type: "askedForCall", input, key: newKey() });
  };
  return h(
    "section",
    { "aria-labelledby": "call" },
    h("h2", { id: "call", tabindex: "-1" }, say("callTitle")),
    h(
      "form",
      { novalidate: true, onsubmit: submit },
      field("phone", say("phone"), h("input", { ...keep("phone", call?.phone ?? state.viewer?.phone ?? ""), type: "tel", autocomplete: "tel" }), say("phoneHint")),
      call ? null : field("contactName", say("name"), h("input", { ...keep("contactName", state.viewer?.displayName ?? ""), autocomplete: "name" })),
      call ? null : field("language", say("language"), select("language", Object.keys(t.languages).map((code) => [code, t.languages[code]]), t.locale)),
      field("windowId", say("window"), select("windowId", [["", say("anytime")], ...(state.windows ?? []).map((w) => [w.id, w.label])], call?.window?.id ?? "")),
      call ? null : field("note", say("note"), h("textarea", { ...keep("note"), rows: 2, maxlength: 500 })),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "submit", id: "ask-call", part: "button", "aria-disabled": ["call", "moveCall"].includes(state.busy) ? "true" : null }, say(call ? "moveCall" : "ask")),
        call ? button(say("back"), "keep-call", () => send({ type: "changedCall", on: false })) : null,
      ),
    ),
  );
}

// Done

function doneScreen(context) {
  const { state, t, say, send, now } = context;
  const { cancellation, name, tenant } = state.subscription;
  const undoable = cancellation.undoUntil && Date.parse(cancellation.undoUntil) > now;
  const zone = tenant.timeZone;
  const promised = cancellation.refunds.filter((refund) => refund.status !== "VOIDED");
  const credit = promised.map((refund) =>
    h("div", {}, RETURNED.includes(refund.status) ? say("refundDone", { amount: refund.amount.formatted }) : say("refundBack", { amount: refund.amount.formatted, date: t.date(refund.dueBy) })));
  return [
    heading(say("doneTitle", { name })),
    h(
      "section",
      {},
      facts([
        [say("reference"), h("strong", {}, cancellation.reference)],
        [say("canceledOn"), t.time(cancellation.requestedAt, zone)],
        [say("canceledBy"), cancellation.requestedBy],
        [say("accessEnds"), t.time(cancellation.accessEndsAt, zone)],
        [say("credit"), credit.length ? credit : cancellation.refunds.length ? say("nothingMore") : say("noRefund")],
        [say("dataUntil"), t.day(cancellation.dataAvailableUntil, zone)],
        [say("erasedBy"), t.day(cancellation.dataErasedBy, zone)],
        [say("undoUntil"), undoable && t.time(cancellation.undoUntil, zone)],
      ]),
      h(
        "div",
        { class: "actions" },
        undoable ? button(say("undo"), "undo", () => send({ type: "undid" }), { busy: state.busy === "undo" }) : null,
        button(say("download"), "download", () => send({ type: "wantedReceipt" })),
        button(say("toList"), "to-list", () => send({ type: "openedList" }), { class: "link" }),
      ),
    ),
    survey(context),
  ];
}

function survey({ state, say, send }) {
  if (state.answered) return h("section", {}, h("p", { role: "status" }, say("thanks")));
  return h(
    "section",
    {},
    h("h2", { id: "why" }, say("survey")),
    h("div", { class: "actions", role: "group", "aria-labelledby": "why" },
      FEEDBACK.map((feedback) => button(say(`feedback.${feedback}`), `why-${feedback}`, () => send({ type: "answeredWhy", feedback }), { busy: state.busy === "feedback" }))),
  );
}

/** An idempotency key. randomUUID is only there where the page came over HTTPS. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Tell what was typed once nobody types any more. */
function later(tell, pause = 250) {
  let timer;
  return (event) => {
    const text = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(() => tell(text), pause);
  };
}
