// What is said above a screen, or instead of it: what went wrong, and what became of other subscriptions.

import { h } from "../dom.js";
import { isRead } from "../flow.js";
import { button } from "./parts.js";

/** What went wrong, with the way on. */
export function notice(context) {
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
export function signedOutScreen({ state, say, send }) {
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
export function newsView([id, one], { t, say, send }) {
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
  if (type === "gotRemoved" && one.requestedCount) return say("news.gotRequested", { name, count: one.requestedCount });
  return say(`news.${type}`, { name, count: one.removedCount, reference: (one.cancellation ?? one.callback)?.reference });
}
