// Being called: the form, and the call that was asked for.

import { facts, h } from "../dom.js";
import { button, newKey } from "./parts.js";

export function callView(context) {
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

/** Ask for a call, or change the number and the window of the one that is there. What was typed is kept in the draft. */
export function callForm(context) {
  const { state, t, say, send, draft } = context;
  const call = state.editing ? state.subscription.openCallback : null;
  const field = (name, label, control, hint) => fieldView(name, label, control, hint, state.problem);
  const { text, select } = controls(context);
  const windows = [["", say("anytime")], ...(state.windows ?? []).map((w) => [w.id, w.label])];
  const submit = (event) => {
    event.preventDefault();
    send({ type: "askedForCall", input: asked(event.target.elements, { isNew: !call, timeZone: draft.timeZone }), key: newKey() });
  };
  return h(
    "section",
    { "aria-labelledby": "call" },
    h("h2", { id: "call", tabindex: "-1" }, say("callTitle")),
    h(
      "form",
      { novalidate: true, onsubmit: submit },
      field("phone", say("phone"), h("input", { ...text("phone", call?.phone ?? state.viewer?.phone), type: "tel", autocomplete: "tel" }), say("phoneHint")),
      call ? null : field("contactName", say("name"), h("input", { ...text("contactName", state.viewer?.displayName), autocomplete: "name" })),
      call ? null : field("language", say("language"), select("language", Object.entries(t.languages), t.locale)),
      field("windowId", say("window"), select("windowId", windows, call?.window?.id ?? "")),
      call ? null : field("note", say("note"), h("textarea", { ...text("note"), rows: 2, maxlength: 500 })),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "submit", id: "ask-call", part: "button", "aria-disabled": ["call", "moveCall"].includes(state.busy) ? "true" : null }, say(call ? "moveCall" : "ask")),
        call ? button(say("back"), "keep-call", () => send({ type: "changedCall", on: false })) : null,
      ),
    ),
  );
}

/** The inputs of the form: they say what was typed before, or else what is known. */
function controls({ state, send, draft }) {
  const typed = (name) => (event) => {
    draft[name] = event.target.value;
    if (state.failure) send({ type: "typedCall" });
  };
  const text = (name, known) => ({ id: name, name, value: draft[name] ?? known ?? "", oninput: typed(name) });
  const select = (name, choices, known) =>
    h("select", { id: name, name, onchange: typed(name) },
      choices.map(([value, label]) => h("option", { value, selected: value === (draft[name] ?? known) }, label)));
  return { text, select };
}

/** A control with its label, its hint, and what the API refused of it. */
function fieldView(name, label, control, hint, problem) {
  const error = problem?.path?.includes(name) ? problem.message : null;
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  if (described) control.setAttribute("aria-describedby", described);
  if (error) control.setAttribute("aria-invalid", "true");
  return h(
    "div", { class: "field" }, h("label", { for: name }, label), control,
    hint ? h("p", { class: "hint", id: `${name}-hint` }, hint) : null,
    error ? h("p", { class: "error", id: `${name}-error` }, error) : null,
  );
}

/** The input of the mutation: of a call that is there, only number and window can be changed. */
function asked(elements, { isNew, timeZone }) {
  const value = (name) => elements[name]?.value ?? null;
  const input = { phone: value("phone"), windowId: value("windowId") || null };
  return isNew ? { ...input, contactName: value("contactName"), language: value("language"), timeZone, note: value("note") || null } : input;
}
