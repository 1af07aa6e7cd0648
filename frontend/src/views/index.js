// What each screen shows, as elements made from the state. `send` takes events of the flow; nothing else is changed here.

import { h } from "../dom.js";
import { detailsScreen } from "./details.js";
import { doneScreen } from "./done.js";
import { leaveScreen } from "./leave.js";
import { listScreen } from "./list.js";
import { newsView, notice, signedOutScreen } from "./notices.js";
import { button, heading, loading } from "./parts.js";

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

const notFound = ({ state, say, send }) =>
  state.failure ? null : h("section", {}, heading(say("notFound")), button(say("toList"), "to-list", () => send({ type: "openedList" }), { class: "link" }));
