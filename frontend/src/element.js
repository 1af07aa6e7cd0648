// <wayout-portal>: keeps the state, carries out the effects, shows the screens, moves the focus.

import { answerTo } from "./answers.js";
import { createApi, NoAnswer } from "./api.js";
import { h } from "./dom.js";
import { reduce, start } from "./flow.js";
import { css } from "./styles.js";
import { textOf } from "./text.js";
import { view } from "./views/index.js";
import { newsText } from "./views/notices.js";

const STEPS = ["details", "leave", "done"];
// Where there is no window the element can be imported and named, but not made.
const Base = globalThis.HTMLElement ?? class {};

export class WayoutPortal extends Base {
  static observedAttributes = ["endpoint", "subscription-id", "step", "locale", "time-zone"];

  #getToken = null;
  #fetcher = null;
  #state = start();
  #text = null;
  #main;
  #status;
  #draft = {};
  #moved = false;
  #ready = false;
  #asking = false;
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
    // What a host has set before the element was defined lies on it and hides the accessors.
    for (const name of ["getToken", "fetcher"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
  }

  /** A token instead of the session; asked before every request. Never in an attribute. Setting it asks again. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(value) {
    if (this.#getToken === (value ?? null)) return;
    this.#getToken = value ?? null;
    this.#askAgain();
  }

  /** The host's fetch instead of the browser's. Setting it asks again. */
  get fetcher() {
    return this.#fetcher;
  }

  set fetcher(value) {
    if (this.#fetcher === (value ?? null)) return;
    this.#fetcher = value ?? null;
    this.#askAgain();
  }

  connectedCallback() {
    this.#speak();
    // A host may put it into the page first and say who is asking right after that.
    queueMicrotask(() => {
      this.#ready = true;
      this.#follow();
    });
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#ready || this.#reflecting || before === after) return;
    if (name === "locale") this.#speak();
    if (name === "time-zone") this.#draft.timeZone = this.#timeZone;
    if (name === "subscription-id" || name === "step") this.#follow();
    else this.#askAgain();
  }

  /** Ask again for what is shown: for a host that has signed the person in again. */
  refresh() {
    if (this.#ready) this.#send({ type: "reloaded" });
  }

  /** The same, once for all that a host sets in one go. */
  #askAgain() {
    if (!this.#ready || this.#asking) return;
    this.#asking = true;
    queueMicrotask(() => {
      this.#asking = false;
      this.refresh();
    });
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
      getToken: this.#getToken,
      fetcher: this.#fetcher,
    });
  }

  get #timeZone() {
    return this.getAttribute("time-zone") ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  #send(event) {
    if (cancels(event, this.#state) && !this.#mayCancel()) return;
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
    if (effect.type === "wait") {
      const over = () => this.#send({ type: "waited", until: effect.until });
      return void setTimeout(over, effect.until - Date.now());
    }
    const answer = await answerTo(effect, this.#api, this.#timeZone).catch(failed);
    this.#send({ ...answer, of: effect });
  }

  #show(before, state) {
    const root = this.shadowRoot;
    const held = root.activeElement;
    const place = held?.id && { id: held.id, from: held.selectionStart, to: held.selectionEnd };
    const now = Date.now();
    this.#main.replaceChildren(...view(state, this.#text, (event) => this.#send(event), this.#draft, now).filter(Boolean));
    this.#main.setAttribute("aria-busy", String(Boolean(state.busy)));
    // News takes nobody away from what they do: it is said where a screen reader hears it.
    const news = Object.entries(state.news).find(([id, one]) => one !== before.news[id]);
    this.#status.textContent = news ? newsText(news[1], this.#text) : state.busy ? this.#text.say("working") : "";
    const target = this.#moved && (newPlace(before, state, this.#main) ?? (place && root.getElementById(place.id)));
    if (!target) return;
    target.focus();
    if (target.id === place?.id && place.from !== null && place.from !== undefined) target.setSelectionRange?.(place.from, place.to);
  }
}

/** Where the focus belongs after a step: the field in error, the news, the new heading; null: where it was. */
function newPlace(before, state, main) {
  const find = (id) => main.querySelector(`#${id}`);
  if (state.failure && state.failure.of !== before.failure?.of) return find("notice") ?? find("signed-out");
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

/** Whether an event sends a cancellation. */
const cancels = ({ type }, { id, doing, failure }) =>
  !doing[id] && (type === "confirmed" || (type === "retried" && failure?.of.type === "cancel" && !failure.until));

/** The event that a failure ends in. What nobody expected is for the host's developers to read, too. */
function failed(error) {
  if (error instanceof NoAnswer) {
    return { type: "failed", kind: error.kind, maybe: error.maybe, until: error.wait ? Date.now() + error.wait : null };
  }
  globalThis.reportError(error);
  return { type: "failed", kind: "server", maybe: true, until: null };
}
