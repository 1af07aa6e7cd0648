// How to leave a subscription: every way that is open, and why the others are not.

import { facts, h } from "../dom.js";
import { optionOf } from "../flow.js";
import { callForm, callView } from "./call.js";
import { notice } from "./notices.js";
import { button, heading } from "./parts.js";
import { removedView, removeView } from "./people.js";
import { onlineView } from "./quote.js";

export function leaveScreen(context) {
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
