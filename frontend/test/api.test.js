import assert from "node:assert/strict";
import { test } from "node:test";
import { createApi, NoAnswer } from "../src/api.js";
import { addLanguage, createText, textOf } from "../src/text.js";
import bg from "../src/locales/bg.js";
import en from "../src/locales/en.js";

const answer = (body, status = 200) => new Response(JSON.stringify(body), { status });

function api(fetcher, more = {}) {
  return createApi({ endpoint: "/graphql/", locale: () => "bg", fetcher, ...more });
}

test("a named operation goes out with the language and the token", async () => {
  let sent;
  const data = await api((url, init) => { sent = { url, init }; return answer({ data: { viewer: {} } }); }, { getToken: async () => "wyo_x" }).run("Subscription", { id: "sub_1" });
  assert.deepEqual(data, { viewer: {} });
  assert.equal(sent.url, "http://localhost/graphql/");
  assert.equal(sent.init.headers.Authorization, "Bearer wyo_x");
  assert.equal(sent.init.headers["Wayout-Locale"], "bg");
  assert.equal(sent.init.credentials, "omit");
  const body = JSON.parse(sent.init.body);
  assert.equal(body.operationName, "Subscription");
  assert.match(body.query, /^query Subscription/);
});

test("by the session, the CSRF token goes along", async () => {
  globalThis.document = { cookie: "a=b; csrftoken=t%3D1" };
  let sent;
  await api((_, init) => { sent = init; return answer({ data: {} }); }).run("Subscriptions", {});
  delete globalThis.document;
  assert.equal(sent.headers["X-CSRFToken"], "t=1");
  assert.equal(sent.credentials, "same-origin");
});

for (const [said, response, kind] of [
  ["nobody is signed in", () => answer({ errors: [{ extensions: { code: "NOT_AUTHENTICATED" } }] }), "signedOut"],
  ["the gateway says 401", () => answer({}, 401), "signedOut"],
  ["no JSON comes", () => new Response("<html>", { status: 502 }), "server"],
  ["there is no data", () => answer({ errors: [{ message: "x" }] }), "server"],
  ["the network is gone", () => Promise.reject(new TypeError("failed to fetch")), "timeout"],
]) {
  test(`${said}: ${kind}`, async () => {
    await assert.rejects(api(response).run("Subscriptions", {}), (error) => error instanceof NoAnswer && error.kind === kind);
  });
}

test("patience ends", async () => {
  const awake = setInterval(() => {}, 1_000); // the timer of the patience alone would not keep the process
  const never = (_, { signal }) => new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  await assert.rejects(api(never, { patience: 20 }).run("Subscriptions", {}), { kind: "timeout" });
  clearInterval(awake);
});

test("importing the element in Node touches no window", async () => {
  const { WayoutPortal } = await import("../src/index.js");
  assert.deepEqual(WayoutPortal.observedAttributes, ["endpoint", "subscription-id", "step", "locale", "time-zone"]);
});

test("words, plurals and dates in both languages", () => {
  const english = createText("en", en);
  const bulgarian = createText("bg", bg);
  assert.equal(english.say("pickedCount", { count: 1 }), "1 user is chosen");
  assert.equal(bulgarian.say("pickedCount", { count: 1 }), "Избран е 1 потребител");
  // Bulgarian has two forms: 21 is plural.
  assert.equal(bulgarian.say("pickedCount", { count: 21 }), "Избрани са 21 потребители");
  assert.equal(english.day("2026-11-30T22:00:00Z", "Europe/Sofia"), "1 December 2026");
  assert.equal(bulgarian.date("2026-11-30"), "30 ноември 2026 г.");
  assert.match(english.time("2026-11-30T22:00:00Z", "Europe/Sofia"), /1 December 2026.* 00:00 .*Eastern European/);
  assert.match(bulgarian.time("2026-11-30T22:00:00Z", "Europe/Sofia"), /00:00.*Източноевропейско/);
  assert.equal(bulgarian.say("backBy", { date: bulgarian.date("2027-01-15") }), "Ще бъде върнат най-късно до 15 януари 2027 г.");
  assert.equal(english.say("no.such.key"), "no.such.key");
});

test("a third language is one file; one that is not known is English", () => {
  assert.equal(textOf("bg-BG").locale, "bg");
  for (const unknown of ["de", "", null, undefined, "constructor"]) assert.equal(textOf(unknown).locale, "en");
  addLanguage("de", { ...en, dates: "de", title: "Produkte und Dienste" });
  assert.equal(textOf("de").say("title"), "Produkte und Dienste");
});
