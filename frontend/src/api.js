// Wayout's GraphQL API over fetch: by the session of this origin, by a token, or by a fetcher of the host.

import { operations } from "./operations.js";

const PATIENCE = 20_000;

/** Why an answer did not come: offline, timeout, signedOut or server. What the API refuses is an answer, not this. */
export class NoAnswer extends Error {
  constructor(kind) {
    super(kind);
    this.kind = kind;
  }
}

export function createApi({ endpoint, locale, getToken, fetcher, patience = PATIENCE }) {
  const url = new URL(endpoint, globalThis.location?.href ?? "http://localhost/");

  async function send(address, init) {
    const asked = (fetcher ?? globalThis.fetch)(address, { ...init, signal: AbortSignal.timeout(patience) });
    try {
      return await asked;
    } catch (error) {
      if (error?.name === "TimeoutError") throw new NoAnswer("timeout");
      throw new NoAnswer(globalThis.navigator?.onLine === false ? "offline" : "timeout");
    }
  }

  async function headers() {
    const token = await getToken?.();
    return {
      "Wayout-Locale": locale(),
      ...(token ? { Authorization: `Bearer ${token}` } : { "X-CSRFToken": cookie("csrftoken") }),
    };
  }

  const credentials = getToken ? "omit" : "same-origin";

  return {
    /** The data of a named operation. Throws NoAnswer. */
    async run(name, variables) {
      const response = await send(url.href, {
        method: "POST",
        credentials,
        headers: { "Content-Type": "application/json", Accept: "application/json", ...(await headers()) },
        body: JSON.stringify({ query: operations[name], operationName: name, variables }),
      });
      const answer = await response.json().catch(() => null);
      const code = answer?.errors?.[0]?.extensions?.code;
      if (code === "NOT_AUTHENTICATED" || response.status === 401) throw new NoAnswer("signedOut");
      // A part that the caller may not see comes as null with an error beside it; without any data there is no answer.
      if (!answer?.data) throw new NoAnswer("server");
      return answer.data;
    },

    /** The receipt as text. Throws NoAnswer. */
    async receipt(address) {
      const response = await send(new URL(`${address}?format=txt`, url).href, { credentials, headers: await headers() });
      if (!response.ok) throw new NoAnswer("server");
      return response.text();
    },
  };
}

function cookie(name) {
  const found = (globalThis.document?.cookie ?? "").split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}
