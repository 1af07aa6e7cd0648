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

for (const cookie of ["a=b; csrftoken=t%3D1", "csrftoken=planted; __Host-csrftoken=t%3D1"])
  test(`by the session, the CSRF token goes along: ${cookie}`, async () => {
    globalThis.document = { cookie };
    let sent;
    await api((_, init) => { sent = init; return answer({ data: {} }); }).run("Subscriptions", {});
    delete globalThis.document;
    assert.equal(sent.headers["X-CSRFToken"], "t=1");
    assert.equal(sent.credentials, "same-origin");
  });

test("no CSRF token goes to another origin, which would refuse the header", async () => {
  globalThis.document = { cookie: "csrftoken=t" };
  let sent;
  const elsewhere = { endpoint: "https://wayout.example/graphql/" };
  await api((_, init) => { sent = init; return answer({ data: {} }); }, elsewhere).run("Subscriptions", {});
  delete globalThis.document;
  assert.equal("X-CSRFToken" in sent.headers, false);
});

const refused = (code, status = 200, data = null) => () => answer({ data, errors: [{ extensions: { code } }] }, status);

for (const [said, response, kind, maybe] of [
  ["nobody is signed in", refused("NOT_AUTHENTICATED"), "signedOut", false],
  ["nobody is signed in, said beside others", () => answer({ data: { viewer: null }, errors: [{}, { extensions: { code: "NOT_AUTHENTICATED" } }] }), "signedOut", false],
  ["nobody is signed in, at a change", () => answer({ data: { cancelSubscription: { code: "NOT_AUTHENTICATED", message: "m" } } }), "signedOut", false],
  ["the gateway says 401", () => answer({}, 401), "signedOut", false],
  ["too many requests came", refused("RATE_LIMITED", 429), "rateLimited", false],
  ["a gateway says so without JSON", () => new Response("slow down", { status: 429 }), "rateLimited", false],
  ["a gateway cannot reach us", () => new Response("<html>", { status: 502 }), "unavailable", true],
  ["a gateway waited too long", () => new Response("", { status: 504 }), "unavailable", true],
  ["we have too much to do", refused("OVERLOADED", 503), "unavailable", false],
  ["no JSON comes", () => new Response("<html>"), "server", true],
  ["there is no data", () => answer({ errors: [{ message: "x" }] }), "server", true],
  ["nothing comes that is a response", () => undefined, "server", true],
  ["the network is gone", () => Promise.reject(new TypeError("failed to fetch")), "timeout", true],
  ["the host's fetcher throws", () => { throw new Error("x"); }, "timeout", true],
]) {
  test(`${said}: ${kind}`, async () => {
    await assert.rejects(api(response).run("Subscriptions", {}), (error) => error instanceof NoAnswer && error.kind === kind && error.maybe === maybe);
  });
}

test("a number that is used too often is what the API refuses, and no failure", async () => {
  const said = { data: { requestCallback: { code: "RATE_LIMITED", message: "m", path: ["input", "phone"] } } };
  assert.deepEqual(await api(() => answer(said)).run("RequestCallback", {}), said.data);
});

for (const [said, wait] of [["7", 7_000], [" 7 ", 7_000], ["86400", 3_600_000], [new Date(Date.now() + 90_000).toUTCString(), 90_000], ["-5", 0], ["soon", 0], ["", 0]]) {
  test(`Retry-After: ${said}`, async () => {
    const later = () => new Response("", { status: 503, headers: { "Retry-After": said } });
    await assert.rejects(api(later).run("Subscriptions", {}), (error) => Math.abs(error.wait - wait) < 1_500);
  });
}

for (const [said, getToken] of [
  ["rejects", () => Promise.reject(new Error("x"))],
  ["throws", () => { throw new Error("x"); }],
  ["is no function", "wyo_x"],
  ["hangs", () => new Promise(() => {})],
]) {
  test(`a getToken that ${said} sends nothing`, async () => {
    const awake = setInterval(() => {}, 1_000);
    let sent = 0;
    const found = api(() => { sent += 1; return answer({ data: {} }); }, { getToken, patience: 20 });
    await assert.rejects(found.run("Cancel", {}), { kind: "token", maybe: false });
    assert.equal(sent, 0);
    clearInterval(awake);
  });
}

test("a token that comes after the patience ended sends nothing any more", async () => {
  let sent = 0;
  const late = () => new Promise((done) => setTimeout(done, 60, "wyo_x"));
  await assert.rejects(api(() => { sent += 1; return answer({ data: {} }); }, { getToken: late, patience: 20 }).run("Cancel", {}), { kind: "token" });
  await new Promise((done) => setTimeout(done, 80));
  assert.equal(sent, 0);
});

for (const [said, never] of [
  ["patience ends", (_, { signal }) => new Promise((_done, fail) => signal.addEventListener("abort", () => fail(signal.reason)))],
  ["patience ends with a fetcher that does not listen", () => new Promise(() => {})],
  ["patience ends in the middle of an answer", () => new Response(new ReadableStream())],
]) {
  test(said, async () => {
    const awake = setInterval(() => {}, 1_000);
    await assert.rejects(api(never, { patience: 20 }).run("Subscriptions", {}), { kind: "timeout", maybe: true });
    clearInterval(awake);
  });
}

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
  const when = { when: bulgarian.date("2027-01-15") };
  assert.equal(bulgarian.say("againIn", when), "Опитайте отново 15 януари 2027 г.");
  assert.deepEqual([english.ahead(29_100), english.ahead(0), english.ahead(100_000)], ["in 30 seconds", "in 1 second", "in 2 minutes"]);
  assert.equal(bulgarian.ahead(30_000), "след 30 секунди");
  assert.equal(english.say("no.such.key"), "no.such.key");
});

test("another language is one file; one that is not known is English", () => {
  assert.equal(textOf("bg-BG").locale, "bg");
  for (const unknown of ["xx", "", null, undefined, "constructor"]) assert.equal(textOf(unknown).locale, "en");
  addLanguage("de", { ...en, dates: "de", title: "Produkte und Dienste" });
  assert.equal(textOf("de").say("title"), "Produkte und Dienste");
  assert.equal(textOf("de").ahead(30_000), "in 30 Sekunden");
});
