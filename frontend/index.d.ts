/** Where in the flow the element is. */
export type Step = "list" | "details" | "leave" | "done";

/**
 * Why an answer did not come. `offline`, `timeout`: nothing came, or not within 20 seconds. `signedOut`: who asks is not
 * known, or not any more. `token`: getToken threw, rejected or did not answer. `rateLimited`: 429. `unavailable`: 502,
 * 503 or 504. `server`: anything else that is no answer. `refused`: the API answered and did not do it.
 */
export type ErrorKind = "offline" | "timeout" | "signedOut" | "token" | "rateLimited" | "unavailable" | "server" | "refused";

/** Events carry ids and references, no personal data. They bubble out of shadow roots. */
export interface WayoutEvents {
  "wayout-navigate": CustomEvent<{ subscriptionId: string | null; step: Step }>;
  /** Cancelable: preventDefault() keeps the subscription. Dispatched before anything is sent. */
  "wayout-before-cancel": CustomEvent<{ subscriptionId: string }>;
  "wayout-canceled": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-undone": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-users-removed": CustomEvent<{ subscriptionId: string; removedCount: number; requestedCount: number }>;
  "wayout-callback-requested": CustomEvent<{ subscriptionId: string; reference: string }>;
  "wayout-callback-withdrawn": CustomEvent<{ subscriptionId: string; reference: string }>;
  /** subscriptionId: what it is about, which may not be what is shown; null: the list. code: of the API, when refused. */
  "wayout-error": CustomEvent<{ subscriptionId: string | null; kind: ErrorKind; code?: string }>;
}

/**
 * Billing > Products & services. Attributes: `endpoint` (default "/graphql/"), `subscription-id`, `step`, `locale`,
 * `time-zone`. By default it uses the session of its own origin with Django's CSRF cookie.
 */
export class WayoutPortal extends HTMLElement {
  /** Answers the person's token, for an API on another origin; asked before every request. Setting it asks again. */
  getToken: (() => string | null | Promise<string | null>) | null;
  /** Instead of fetch: for a host that sends requests its own way. Setting it asks again. */
  fetcher: typeof fetch | null;
  /** Ask again for what is shown: after the person has signed in again. */
  refresh(): void;
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
