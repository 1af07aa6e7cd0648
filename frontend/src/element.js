// <wayout-portal>: keeps the state, carries out the effects, shows the screens, moves the focus.

import { createApi, NoAnswer } from "./api.js";
import { h } from "./dom.js";
import { reduce, start } from "./flow.js";
import { css } from "./styles.js";
import { textOf } from "./text.js";
import { view } from "./views.js";

const PAGE = 20;
const MOST = 100;
const STEPS = ["details", "leave", "done"];
// Where there is no window the element can be imported and named, but not made.
const Base = globalThis.HTMLElement ?? class {};

export class WayoutPortal extends Base {
  static observedAttributes = ["endpoint", "subscription-id", "step", "locale", "time-zone"];

  /** The host's fetch instead of the browser's; and a token instead of the session. Never in an attribute. */
  fetcher = null;
  getToken = null;

  #state = start();
  #text = null;
  #main;
  #status;
  #draft = {};
  #moved = false;
  #ready = false;
  #reflecting = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    this.#main = h("div", { part: "main" });
    this.#status = h("div", { class: "status", role: "status" });
    root.append(h("div", { class: "shell" }, this.#main, this.#status));
  }

  connectedCallback() {
    this.#speak();
    this.#ready = true;
    this.#follow();
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#ready || this.#reflecting || before === after) return;
    if (name === "locale") {
      this.#speak();
      this.#send({ type: "reloaded" });
    } else if (name !== "time-zone") this.#follow();
  }

  /** Show what the attributes say: one subscription, or all. */
  #follow() {
    this.show(this.getAttribute("subscription-id"), this.getAttribute("step"));
  }

  /** Show one subscription at a step (details, leave or done), or the list when there is no id. */
  show(id, step) {
    if (!this.#ready) return this.#reflect({ id, screen: step });
    this.#send(id ? { type: "opened", id, step: STEPS.includes(step) ? step : "details" } : { type: "openedList" });
  }

  /** Let the attributes say what is shown. */
  #reflect({ id, screen }) {
    this.#reflecting = true;
    this.toggleAttribute("subscription-id", Boolean(id));
    if (id) {
      this.setAttribute("subscription-id", id);
      this.setAttribute("step", screen);
    } else this.removeAttribute("step");
    this.#reflecting = false;
  }

  #speak() {
    const wanted = this.getAttribute("locale") ?? globalThis.document.documentElement.lang;
    this.#text = textOf(wanted);
    this.shadowRoot.host.lang = this.#text.locale;
  }

  get #api() {
    return createApi({
      endpoint: this.getAttribute("endpoint") ?? "/graphql/",
      locale: () => this.#text.locale,
      getToken: this.getToken,
      fetcher: this.fetcher,
    });
  }

  get #timeZone() {
    return this.getAttribute("time-zone") ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  #send(event) {
    if (event.type === "confirmed" && (this.#state.busy || !this.#mayCancel())) return;
    if (event.type === "wantedReceipt") return void this.#download();
    const before = this.#state;
    const [state, effects] = reduce(before, event);
    this.#state = state;
    if (state.id !== before.id) this.#draft = { timeZone: this.#timeZone };
    this.#show(before, state);
    this.#moved = true;
    if (state.screen !== before.screen || state.id !== before.id) {
      this.#reflect(state);
      this.#tell("wayout-navigate", { subscriptionId: state.id, step: state.screen });
    }
    for (const effect of effects) this.#carryOut(effect);
  }

  #mayCancel() {
    const detail = { subscriptionId: this.#state.id };
    return this.dispatchEvent(new CustomEvent("wayout-before-cancel", { bubbles: true, composed: true, cancelable: true, detail }));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail }));
  }

  async #carryOut(effect) {
    if (effect.type === "tell") return this.#tell(effect.name, effect.detail);
    try {
      this.#send(await this.#answerTo(effect));
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.#send({ type: "failed", kind: error.kind });
    }
  }

  /** The event that an effect ends in. Throws NoAnswer. */
  async #answerTo(effect) {
    const { type, input } = effect;
    const api = this.#api;
    switch (type) {
      case "list": {
        const { subscriptions } = await api.run("Subscriptions", { first: PAGE, after: effect.after, search: effect.search || null });
        return { type: "gotList", ...page(subscriptions), search: effect.search, after: effect.after };
      }
      case "load": {
        const { subscription, viewer } = await api.run("Subscription", { id: effect.id });
        return { type: "gotSubscription", subscription: subscription ?? false, viewer };
      }
      case "people": {
        const { subscription } = await api.run("Licenses", { id: effect.id, first: PAGE, after: effect.after, search: effect.search || null });
        return { type: "gotPeople", id: effect.id, ...page(subscription.licenses), search: effect.search, after: effect.after };
      }
      case "least":
        return { type: "gotLeast", ids: await least(api, effect) };
      case "windows": {
        const { callbackWindows } = await api.run("Windows", { id: effect.id, timeZone: this.#timeZone, days: 5 });
        return { type: "gotWindows", id: effect.id, windows: callbackWindows ?? [] };
      }
      case "cancel": {
        const { cancelSubscription: said } = await api.run("Cancel", { input });
        if (said.cancellation) return { type: "canceled", cancellation: said.cancellation };
        if (said.cancellationOptions) return { type: "optionsChanged", ...said, options: said.cancellationOptions };
        return { type: "quote" in said ? "quoteChanged" : "refused", ...said };
      }
      case "undo": {
        const { undoCancellation: said } = await api.run("Undo", { input });
        return said.cancellation ? { type: "undone", cancellation: said.cancellation } : { type: "refused", ...said };
      }
      case "feedback": {
        const { submitCancellationFeedback: said } = await api.run("Feedback", { input });
        return said.cancellation ? { type: "feedbackKept", feedback: said.cancellation.feedback } : { type: "refused", ...said };
      }
      case "removeUsers": {
        const { removeUsers: said } = await api.run("RemoveUsers", { input });
        if (!said.results) return { type: "refused", ...said };
        const found = { results: said.results, removedCount: said.removedCount, options: said.cancellationOptions };
        return { type: said.dryRun ? "gotPreview" : "gotRemoved", ...found };
      }
      case "call":
      case "moveCall": {
        const answer = await api.run(type === "call" ? "RequestCallback" : "RescheduleCallback", { input });
        const said = answer.requestCallback ?? answer.rescheduleCallback;
        return said.callbackRequest ? { type: "gotCall", callback: said.callbackRequest } : { type: "refused", ...said };
      }
      case "withdraw": {
        const { withdrawCallback: said } = await api.run("WithdrawCallback", { input });
        return said.callbackRequest ? { type: "callWithdrawn" } : { type: "refused", ...said };
      }
    }
  }

  async #download() {
    const { reference, receiptUrl } = this.#state.subscription.cancellation;
    try {
      const text = await this.#api.receipt(receiptUrl);
      const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      h("a", { href, download: `${reference}.txt` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1_000);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.#send({ type: "failed", kind: error.kind });
    }
  }

  #show(before, state) {
    const root = this.shadowRoot;
    const held = root.activeElement;
    const place = held?.id && { id: held.id, from: held.selectionStart, to: held.selectionEnd };
    this.#main.replaceChildren(...view(state, this.#text, (event) => this.#send(event), this.#draft, Date.now()).filter(Boolean));
    this.#main.setAttribute("aria-busy", String(Boolean(state.busy)));
    this.#status.textContent = state.busy ? this.#text.say("working") : "";
    const target = this.#moved && (newPlace(before, state, this.#main) ?? (place && root.getElementById(place.id)));
    if (!target) return;
    target.focus();
    if (target.id === place?.id && place.from !== null && place.from !== undefined) target.setSelectionRange?.(place.from, place.to);
  }
}

/** Where the focus belongs after a step: the field in error, the news, the new heading; null: where it was. */
function newPlace(before, state, main) {
  const find = (id) => main.querySelector(`#${id}`);
  if (state.failure && state.failure !== before.failure) return find("notice");
  if (state.problem && state.problem !== before.problem) {
    return main.querySelector("[aria-invalid=true]") ?? find("changed") ?? find("notice");
  }
  if (state.undone && !before.undone) return find("undone");
  if (state.preview && state.preview !== before.preview) return find("previewed");
  if (state.removed && state.removed !== before.removed) return find("removed");
  if (state.editing !== before.editing) return state.editing ? find("phone") : find("called");
  const called = state.subscription?.openCallback;
  if (called && before.subscription && called !== before.subscription.openCallback && state.id === before.id) return find("called");
  const arrived = state.screen !== before.screen || state.id !== before.id || (!before.subscription && state.subscription);
  return arrived && state.screen !== "list" ? main.querySelector("h1") : state.screen !== before.screen ? main.querySelector("h1") : null;
}

async function least(api, { id, count }) {
  const ids = [];
  let after = null;
  do {
    const { subscription } = await api.run("Licenses", { id, first: MOST, after, search: null });
    const { rows, next } = page(subscription.licenses);
    ids.push(...rows.filter((license) => license.removable).map((license) => license.user.id));
    after = next;
  } while (after && ids.length < count);
  return ids.slice(0, count);
}

const page = ({ edges, totalCount, pageInfo }) => ({
  rows: edges.map((edge) => edge.node),
  total: totalCount,
  next: pageInfo.hasNextPage ? pageInfo.endCursor : null,
});
