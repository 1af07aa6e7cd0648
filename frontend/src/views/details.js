// One subscription.

import { facts, h } from "../dom.js";
import { inForce } from "../flow.js";
import { button, heading, stateOf } from "./parts.js";

export function detailsScreen(context) {
  const { state, t, say, send } = context;
  const row = state.subscription;
  const left = inForce(row.cancellation) ? row.cancellation : null;
  const goesOn = ["ACTIVE", "SUSPENDED"].includes(row.status) && !left;
  const end = goesOn && row.currentPeriodEnd && t.day(row.currentPeriodEnd, row.tenant.timeZone);
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
        [say("pendingRemovals"), row.pendingRemovals ? String(row.pendingRemovals) : null],
        [say("period"), end && say(row.recurringBilling ? "renews" : "ends", { date: end })],
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
