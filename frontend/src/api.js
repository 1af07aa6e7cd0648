// Wayout's GraphQL API over fetch: by the session of this origin, by a token, or by a fetcher of the host.

import { operations } from "./operations.js";

const PATIENCE = 20_000;
const LONGEST_WAIT = 3_600_000;
const UNAVAILABLE = [502, 503, 504];

/**
 * Why an answer did not come. What the API refuses is an answer, not this.
 *
 * offline; timeout: nothing came, or not in time; signedOut: who asks is not known (any more); token: getToken failed;
 * rateLimited: 429; unavailable: 502, 503, 504; server: anything else. `maybe`: what was asked for may have been done
 * all the same. `wait`: milliseconds before it makes sense to ask again, as Retry-After says it.
 */
export class NoAnswer extends Error {
  constructor(kind, { maybe = false, wait = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, maybe, wait });
  }
}

export function createApi({ endpoint, locale, getToken, fetcher, patience = PATIENCE }) {
  /** The response to a request, read by `read`, in time whatever the host's functions do. Throws NoAnswer. */
  async function send(address, init, read) {
    const control = new AbortController();
    let asked = false;
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => {
        const error = asked ? new NoAnswer("timeout", { maybe: true }) : new NoAnswer("token");
        control.abort(error);
        fail(error);
      }, patience);
    });
    const work = async () => {
      const headers = { ...init.headers, ...(await identity()) };
      // Nobody waits any more, and the person was told that nothing was sent.
      control.signal.throwIfAborted();
      asked = true;
      return read(await arrived(() => (fetcher ?? globalThis.fetch)(address, { ...init, headers, credentials, signal: control.signal })));
    };
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function identity() {
    let token;
    try {
      token = await getToken?.();
    } catch {
      throw new NoAnswer("token");
    }
    const headers = { "Wayout-Locale": locale() };
    if (token) headers.Authorization = `Bearer ${token}`;
    // Another origin has no session of this page, and its CORS would refuse the header instead of saying who is missing.
    else if (url().origin === here().origin) headers["X-CSRFToken"] = cookie("__Host-csrftoken") || cookie("csrftoken");
    return headers;
  }

  const credentials = getToken ? "omit" : "same-origin";
  const here = () => new URL(globalThis.location?.href ?? "http://localhost/");
  const url = () => new URL(endpoint, here());

  return {
    /** The data of a named operation. Throws NoAnswer. */
    async run(name, variables) {
      const init = {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ query: operations[name], operationName: name, variables }),
      };
      return send(url().href, init, async (response) => {
        const answer = await arrived(() => response?.json() ?? null);
        const codes = (answer?.errors ?? []).map((error) => error?.extensions?.code);
        refuse(response, [...codes, ...Object.values(answer?.data ?? {}).map((said) => said?.code)]);
        // A part that the caller may not see comes as null with an error beside it; without any data there is no answer.
        if (!answer?.data) throw new NoAnswer("server", { maybe: true });
        return answer.data;
      });
    },

    /** The receipt as text. Throws NoAnswer. */
    async receipt(address) {
      return send(new URL(`${address}?format=txt`, url()).href, {}, (response) => {
        refuse(response, []);
        if (!response.ok) throw new NoAnswer("server");
        return arrived(() => response.text());
      });
    },
  };
}

/** What arrives; null for what is no JSON. Throws NoAnswer when the line or the host's fetcher breaks. */
async function arrived(ask) {
  try {
    return await ask();
  } catch (error) {
    if (error?.name === "SyntaxError") return null;
    throw new NoAnswer(globalThis.navigator?.onLine === false ? "offline" : "timeout", { maybe: true });
  }
}

/** Throws NoAnswer for what a status, or a code of the API, says of the whole request. */
function refuse(response, codes) {
  if (typeof response?.status !== "number") throw new NoAnswer("server", { maybe: true });
  if (response.status === 401 || codes.includes("NOT_AUTHENTICATED")) throw new NoAnswer("signedOut");
  if (response.status === 429 || (!response.ok && codes.includes("RATE_LIMITED"))) throw new NoAnswer("rateLimited", { wait: waitOf(response) });
  if (!UNAVAILABLE.includes(response.status)) return;
  // Wayout itself refuses before it begins; what stands in front of it may have lost the answer.
  throw new NoAnswer("unavailable", { maybe: !codes.includes("OVERLOADED"), wait: waitOf(response) });
}

/** Retry-After, seconds or a date, in milliseconds from now: none, or an hour at most. */
function waitOf(response) {
  const said = response.headers?.get?.("Retry-After") ?? "";
  const wait = /^\s*\d+\s*$/.test(said) ? Number(said) * 1000 : Date.parse(said) - Date.now();
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_WAIT) : 0;
}

function cookie(name) {
  const found = (globalThis.document?.cookie ?? "").split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}
