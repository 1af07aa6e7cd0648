// What was canceled: the receipt, and a question.

import { facts, h } from "../dom.js";
import { button, heading } from "./parts.js";

export function doneScreen(context) {
  const { state, t, say, send, now } = context;
  const { cancellation, name, tenant } = state.subscription;
  const undoable = cancellation.undoUntil && Date.parse(cancellation.undoUntil) > now;
  const zone = tenant.timeZone;
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
        [say("credit"), creditView(cancellation.refunds, context)],
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

function creditView(refunds, { t, say }) {
  const promised = refunds.filter((refund) => refund.status !== "VOIDED");
  if (!promised.length) return refunds.length ? say("nothingMore") : say("noRefund");
  return promised.map(({ status, creditForm, amount: { formatted: amount }, dueBy }) => {
    if (status === "SETTLED_MANUALLY") return h("div", {}, say("credits.PAID_BACK.kept", { amount })); // staff paid it
    const words = say(`credits.${creditForm}.${status === "SUCCEEDED" ? "kept" : "due"}`, { amount, date: t.date(dueBy) });
    return h("div", {}, words);
  });
}

function survey({ state, t, say, send }) {
  if (state.answered) return h("section", {}, h("p", { role: "status" }, say("thanks")));
  return h(
    "section",
    {},
    h("h2", { id: "why" }, say("survey")),
    h("div", { class: "actions", role: "group", "aria-labelledby": "why" },
      Object.entries(t.feedback).map(([feedback, label]) => button(label, `why-${feedback}`, () => send({ type: "answeredWhy", feedback }), { busy: state.busy === "feedback" }))),
  );
}
