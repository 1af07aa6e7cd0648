/** Where in the flow the element is. */
export type Step = "list" | "details" | "leave" | "done";

/** Events carry ids and references, no personal data. They bubble out of shadow roots. */
export interface WayoutEvents {
  "wayout-navigate": CustomEvent<{ subscriptionId: string | null; step: Step }>;
  /** Cancelable: preventDefault() keeps the subscription. Dispatched before anything is sent. */
  "wayout-before-cancel": CustomEvent<{ subscriptionId: string }>;
  "wayout-canceled": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-undone": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-callback-requested": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-error": CustomEvent<{ kind: "offline" | "timeout" | "signedOut" | "server" }>;
}

/**
 * Billing > Products & services. Attributes: `endpoint` (default "/graphql/"), `subscription-id`, `step`, `locale`,
 * `time-zone`. By default it uses the session of its own origin with Django's CSRF cookie.
 */
export class WayoutPortal extends HTMLElement {
  /** Answers the person's token, for an API on another origin; asked before every request. */
  getToken: (() => string | Promise<string>) | null;
  /** Instead of fetch: for a host that sends requests its own way. */
  fetcher: typeof fetch | null;
  /** Show one subscription at a step, or the list when the id is null. */
  show(subscriptionId: string | null, step?: Exclude<Step, "list">): void;
  addEventListener<K extends keyof WayoutEvents>(
    type: K,
    listener: (this: WayoutPortal, event: WayoutEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

/** Teach the element another language: its code and its words, with the keys of src/locales/en.js. */
export function addLanguage(code: string, words: Record<string, unknown>): void;

declare global {
  interface HTMLElementTagNameMap {
    "wayout-portal": WayoutPortal;
  }
}
