// Canceling here: what it gives back, from when, and the button that does it.

import { facts, h } from "../dom.js";
import { currentQuote, optionOf, quotesOf } from "../flow.js";
import { timeline, usage } from "../picture.js";
import { button, newKey } from "./parts.js";

export function onlineView(context) {
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
        h("span", {}, when(quote), " ", h("strong", {}, promise(quote, say) ?? say("nothingBack"))),
      ),
    ),
  );
}

function changedView(quote, { state, say }) {
  const amount = (of) => promise(of, say) ?? say("noCredit");
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
      { at: quote.refundDueBy, label: say(`credits.${quote.creditForm}.step`), said: quote.refundDueBy && t.date(quote.refundDueBy) },
      { at: quote.dataAvailableUntil, label: say("steps.data"), said: t.day(quote.dataAvailableUntil, zone) },
      { at: quote.dataErasedBy, label: say("steps.erased"), said: t.day(quote.dataErasedBy, zone) },
    ]),
  ];
}

function creditView(quote, { t, say }) {
  const due = quote.refund && { amount: quote.refund.formatted, date: t.date(quote.refundDueBy) };
  const pending = quote.pendingCharges.map((amount) => say("pending", { amount: amount.formatted }));
  return [
    due ? h("div", {}, h("strong", {}, say(`credits.${quote.creditForm}.due`, due))) : null,
    h("div", {}, [quote.explanation, ...pending].join(" ")),
  ];
}

/** How much there is to get, in the words of whoever pays it; null where nothing comes back. */
const promise = (quote, say) => quote.refund && say(`credits.${quote.creditForm}.promise`, { amount: quote.refund.formatted });
