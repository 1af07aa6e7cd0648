// What several screens are made of.

import { h } from "../dom.js";
import { inForce } from "../flow.js";

export const heading = (text) => h("h1", { tabindex: "-1", part: "heading" }, text);

export const loading = ({ say }) => h("p", { class: "muted" }, say("loading"));

/** A button that stays focusable while its work is on the way. */
export function button(text, id, act, { busy = false, ...props } = {}) {
  return h("button", { type: "button", id, "aria-disabled": busy ? "true" : null, onclick: act, part: "button", ...props }, text);
}

export function stateOf(row, { say, day }) {
  const canceled = inForce(row.cancellation) ? row.cancellation : null;
  if (canceled?.status === "SCHEDULED") return h("span", { class: "tag" }, say("cancelsOn", { date: day(canceled.effectiveAt, row.tenant.timeZone) }));
  if (canceled) return h("span", { class: "tag" }, say("canceledState"));
  if (row.openCallback) return h("span", { class: "tag" }, say("callState"));
  return h("span", { class: "tag" }, say(`states.${row.status}`));
}

/** An idempotency key. randomUUID is only there where the page came over HTTPS. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Tell what was typed once nobody types any more. */
export function later(tell, pause = 250) {
  let timer;
  return (event) => {
    const text = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(() => tell(text), pause);
  };
}
