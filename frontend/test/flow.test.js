import assert from "node:assert/strict";
import { test } from "node:test";
import { currentQuote, quotesOf, reduce, start } from "../src/flow.js";
import { textOf } from "../src/text.js";
import { view } from "../src/views/index.js";
import { cancellation, fakeDocument, options, quote, subscription } from "./world.js";

const ANSWERED = {
  gotList: "list", gotSubscription: "load", gotPeople: "people", gotLeast: "least", gotWindows: "windows", gotPreview: "preview", gotProgress: "follow",
  canceled: "cancel", quoteChanged: "cancel", optionsChanged: "cancel", undone: "undo", feedbackKept: "feedback", gotRemoved: "remove",
  callWithdrawn: "withdraw",
};

/** Play events from a state; answers the last state and all effects. An answer is to the last effect of its kind. */
function play(state, ...events) {
  const effects = [];
  for (const given of events) {
    const asked = effects.findLast((effect) => (ANSWERED[given.type] ? effect.type === ANSWERED[given.type] : effect.type !== "tell"));
    const answers = given.type in ANSWERED || ["gotCall", "refused", "failed"].includes(given.type);
    const event = answers ? { of: asked, ...given } : given;
    const [next, more] = reduce(state, event);
    state = next;
    effects.push(...more);
  }
  return { state, effects };
}

const opened = (found = subscription(), step = "leave") =>
  play(start(), { type: "opened", id: "sub_1", step }, { type: "gotSubscription", subscription: found, viewer: {} }).state;

const names = (effects) => effects.map((effect) => effect.type);

test("from the list to done in two confirmations", () => {
  const { state, effects } = play(
    start(),
    { type: "openedList" },
    { type: "gotList", rows: [{ id: "sub_1" }], total: 1, next: null, search: "" },
    { type: "opened", id: "sub_1" },
    { type: "gotSubscription", subscription: subscription(), viewer: {} },
    { type: "opened", id: "sub_1", step: "leave" },
    { type: "confirmed", key: "k" },
    { type: "canceled", cancellation: cancellation("sub_1") },
  );
  assert.equal(state.screen, "done");
  assert.deepEqual(names(effects), ["list", "load", "cancel", "tell"]);
  assert.deepEqual(effects[2].input, { subscriptionId: "sub_1", quoteId: "IMMEDIATE-sub_1", idempotencyKey: "k" });
});

test("a double click is one request", () => {
  const { effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "confirmed", key: "b" });
  assert.deepEqual(names(effects), ["cancel"]);
});

for (const kind of ["timeout", "offline", "server"]) {
  test(`a lost answer (${kind}) is asked for again with the same key`, () => {
    const { state, effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "failed", kind }, { type: "confirmed", key: "b" });
    assert.equal(state.failure, null);
    assert.deepEqual(effects.filter((e) => e.type === "cancel").map((e) => e.input.idempotencyKey), ["a", "a"]);
  });
}

test("another mode is another quote, with a key of its own", () => {
  const { effects } = play(
    opened(), { type: "confirmed", key: "a" }, { type: "failed", kind: "timeout" },
    { type: "choseMode", mode: "AT_PERIOD_END" }, { type: "confirmed", key: "b" },
  );
  const inputs = effects.filter((e) => e.type === "cancel").map((e) => [e.input.quoteId, e.input.idempotencyKey]);
  assert.deepEqual(inputs, [["IMMEDIATE-sub_1", "a"], ["AT_PERIOD_END-sub_1", "b"]]);
});

for (const maybe of [true, false]) {
  test(`what is not chosen any more is not tried again (${maybe ? "it may have arrived" : "it did not arrive"})`, () => {
    const lost = { type: "failed", kind: "timeout", maybe, until: null };
    const people = subscription(["REMOVE_USERS"]);
    const preview = { type: "gotPreview", results: [], removedCount: 1, options: options(["REMOVE_USERS"]) };
    const call = subscription(["REQUEST_CALLBACK"], { openCallback: { id: "cb", reference: "R-1" } });
    const asked = [{ type: "askedForCall", input: { phone: "1" }, key: "a" }, lost];
    for (const [state, before, another] of [
      [opened(), [{ type: "confirmed", key: "a" }, lost], { type: "choseMode", mode: "AT_PERIOD_END" }],
      [opened(people), [{ type: "picked", ids: ["u"], on: true }, { type: "previewed" }, preview, { type: "removedUsers", key: "a" }, lost], { type: "picked", ids: ["v"], on: true }],
      [opened(subscription(["REQUEST_CALLBACK"])), asked, { type: "typedCall" }],
      [opened(call), [{ type: "changedCall", on: true }, ...asked], { type: "changedCall", on: false }],
    ]) {
      const failed = play(state, ...before);
      assert.equal(failed.state.failure.maybe, maybe);
      const chosen = play(failed.state, another);
      assert.equal(chosen.state.failure, null);
      // Whether it arrived after all is looked up.
      assert.deepEqual(names(chosen.effects), maybe ? ["load"] : []);
      assert.deepEqual(play(chosen.state, { type: "retried" }).effects, []);
    }
  });
}

test("what may have arrived is not said not to have", () => {
  globalThis.document = fakeDocument();
  const said = (maybe) => {
    const { state } = play(opened(), { type: "confirmed", key: "a" }, { type: "failed", kind: "timeout", maybe, until: null });
    return view(state, textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
  };
  try {
    assert.match(said(true), /may have arrived/);
    assert.doesNotMatch(said(true), /Not canceled yet|Nothing was/);
    assert.match(said(false), /Nothing was changed.*Not canceled yet/);
  } finally {
    delete globalThis.document;
  }
});

test("a refund that another one took the place of is not promised", () => {
  globalThis.document = fakeDocument();
  const said = (...statuses) => {
    const refunds = statuses.map((status) => ({ status, creditForm: "PAID_BACK", amount: { formatted: "€13.33" }, dueBy: "2027-01-15" }));
    const found = subscription(["UNDO_CANCELLATION"], { cancellation: cancellation("sub_1", { refunds }) });
    return view(opened(found, "done"), textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
  };
  try {
    assert.match(said("VOIDED"), /nothing more comes back/);
    assert.doesNotMatch(said("VOIDED"), /€13.33|no credit is due/);
    assert.match(said("HELD"), /You get back €13.33 by 15 January 2027/);
    assert.equal(said("VOIDED", "HELD"), said("HELD"));
    assert.match(said(), /no credit is due/);
  } finally {
    delete globalThis.document;
  }
});

const WORDS = {
  PAID_BACK: ["You get back €4.00", "€4.00 was paid back to you", "Ще ви върнем €4.00", "Върнахме ви €4.00"],
  ACCOUNT_CREDIT: [
    "€4.00 is credited to your account", "€4.00 was credited to your account", "По акаунта ви ще бъдат начислени €4.00",
    "По акаунта ви са начислени €4.00",
  ],
  OWED: ["We will pay you €4.00", "€4.00 was paid to you", "Ще ви платим €4.00", "Платихме ви €4.00"],
};
for (const [creditForm, [promise, kept, promiseBg, keptBg]] of Object.entries(WORDS)) {
  test(`${creditForm} is promised and kept in its own words`, () => {
    globalThis.document = fakeDocument();
    const shown = (state, language) => view(state, textOf(language), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
    const done = (status) => {
      const refunds = [{ status, creditForm, amount: { formatted: "€4.00" }, dueBy: "2027-01-15" }];
      return opened(subscription(["UNDO_CANCELLATION"], { cancellation: cancellation("sub_1", { refunds }) }), "done");
    };
    try {
      const quoted = opened(subscription(["CANCEL_ONLINE"], { cancellationOptions: options(["CANCEL_ONLINE"], "1", [{ ...quote("IMMEDIATE"), creditForm }]) }));
      for (const [language, words, over] of [["en", promise, kept], ["bg", promiseBg, keptBg]]) {
        for (const said of [shown(quoted, language), shown(done("SUBMITTED"), language)]) {
          assert.ok(said.includes(words), said);
          assert.ok(!said.includes(over), said);
          assert.doesNotMatch(said, /\.\./);
        }
        assert.ok(shown(done("SUCCEEDED"), language).includes(over));
        assert.ok(shown(done("SETTLED_MANUALLY"), language).includes(WORDS.PAID_BACK[language === "en" ? 1 : 3]));
      }
    } finally {
      delete globalThis.document;
    }
  });
}

test("a promise by somebody else is shown beside the old one", () => {
  globalThis.document = fakeDocument();
  const again = { ...quote("IMMEDIATE", "€4.00", "new"), creditForm: "OWED" };
  const { state } = play(opened(), { type: "confirmed", key: "a" }, { type: "quoteChanged", quote: again, message: "" });
  try {
    const said = view(state, textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
    assert.match(said, /before: You get back €4.00.*now: We will pay you €4.00/);
  } finally {
    delete globalThis.document;
  }
});

test("what has ended is not said to renew", () => {
  globalThis.document = fakeDocument();
  const said = (status) => {
    const found = subscription(["NOTHING_TO_CANCEL"], { status, recurringBilling: true, currentPeriodEnd: "2026-12-01T00:00:00Z" });
    return view(opened(found, "details"), textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
  };
  try {
    assert.match(said("ACTIVE"), /Renews on 1 December 2026/);
    assert.match(said("SUSPENDED"), /Renews on/);
    for (const status of ["EXPIRED", "DISABLED", "DELETED"]) assert.doesNotMatch(said(status), /Renews|1 December/);
  } finally {
    delete globalThis.document;
  }
});

test("a quote that changed shows both, and is confirmed anew with a new key", () => {
  const renewed = quote("IMMEDIATE", "€3.33", "IMMEDIATE-2");
  const { state, effects } = play(
    opened(), { type: "confirmed", key: "a" }, { type: "quoteChanged", code: "QUOTE_CHANGED", message: "m", quote: renewed },
  );
  assert.equal(state.before.refund.formatted, "€4.00");
  assert.equal(currentQuote(state), renewed);
  assert.equal(quotesOf(state.subscription.cancellationOptions).length, 2);
  const again = play(state, { type: "confirmed", key: "b" });
  assert.deepEqual(again.effects.at(-1).input, { subscriptionId: "sub_1", quoteId: "IMMEDIATE-2", idempotencyKey: "b" });
  assert.deepEqual(names(effects), ["cancel", "tell"]);
  assert.deepEqual(effects[1].detail, { subscriptionId: "sub_1", kind: "refused", code: "QUOTE_CHANGED" });
});

test("a mode that is gone is read anew", () => {
  const { state, effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "quoteChanged", code: "QUOTE_CHANGED", message: "m", quote: null });
  assert.deepEqual(names(effects), ["cancel", "tell", "load"]);
  assert.equal(state.problem.message, "m");
});

test("a route that closed shows the options of now", () => {
  const now = options(["REMOVE_USERS", "REQUEST_CALLBACK"]);
  const { state, effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "optionsChanged", code: "X", message: "m", options: now });
  assert.equal(state.subscription.cancellationOptions, now);
  assert.equal(currentQuote(state), null);
  assert.deepEqual(names(effects), ["cancel", "tell", "people", "windows"]);
});

test("25 and more: people and windows are asked for when leaving, not before", () => {
  const found = subscription(["REMOVE_USERS", "REQUEST_CALLBACK"]);
  const looked = play(start(), { type: "opened", id: "sub_1" }, { type: "gotSubscription", subscription: found, viewer: {} });
  assert.deepEqual(names(looked.effects), ["load"]);
  const left = play(looked.state, { type: "opened", id: "sub_1", step: "leave" });
  assert.deepEqual(names(left.effects), ["people", "windows"]);
});

test("removing: pick, preview, remove, and canceling online opens", () => {
  const found = subscription(["REMOVE_USERS", "REQUEST_CALLBACK"]);
  const answer = { results: [{ outcome: "REMOVED" }], removedCount: 1, options: options(["CANCEL_ONLINE"]) };
  const { state, effects } = play(
    opened(found),
    { type: "previewed" },
    { type: "picked", ids: ["u1", "u2"], on: true },
    { type: "picked", ids: ["u2"], on: false },
    { type: "removedUsers", key: "too early" },
    { type: "previewed" },
    { type: "gotPreview", ...answer },
    { type: "removedUsers", key: "k" },
    { type: "gotRemoved", ...answer },
  );
  const calls = effects.filter((e) => ["preview", "remove"].includes(e.type)).map((e) => e.input);
  assert.deepEqual(calls, [
    { subscriptionId: "sub_1", userIds: ["u1"], dryRun: true },
    { subscriptionId: "sub_1", userIds: ["u1"], dryRun: false, idempotencyKey: "k" },
  ]);
  assert.deepEqual(state.picked, []);
  assert.equal(state.removed.opened, true);
  assert.equal(effects.at(-1).type, "load");
});

const progress = (requested, confirmed = 0, refused = 0) => ({
  id: "rem_1", requested, confirmed, refused,
  refusals: Array.from({ length: refused }, () => ({ userId: "u2", message: "It depends.", user: { displayName: "Ada" } })),
});

const requested = (found = subscription(["REMOVE_USERS", "REQUEST_CALLBACK"])) => {
  const answer = { results: [{ outcome: "REQUESTED" }, { outcome: "REQUESTED" }], removedCount: 0, requestedCount: 2, options: options(["REMOVE_USERS"]) };
  return play(
    opened(found), { type: "picked", ids: ["u1", "u2"], on: true }, { type: "previewed" }, { type: "gotPreview", ...answer, request: null },
    { type: "removedUsers", key: "k" }, { type: "gotRemoved", ...answer, request: progress(2) },
  );
};

test("what the directory is asked for is followed to its end, and the options are read when it moves", () => {
  const first = requested();
  assert.deepEqual(names(first.effects).slice(-2), ["load", "follow"]);
  const steps = [[progress(2), ["follow"]], [progress(1, 1), ["follow", "load"]], [progress(0, 1, 1), ["load"]]];
  let { state } = first;
  let of = first.effects.at(-1);
  const pauses = [of.pause];
  for (const [request, expected] of steps) {
    const [next, effects] = reduce(state, { type: "gotProgress", of, request });
    assert.deepEqual(names(effects).sort(), [...expected].sort());
    state = next;
    of = effects.find((effect) => effect.type === "follow");
    if (of) pauses.push(of.pause);
  }
  assert.deepEqual(pauses, [3_000, 6_000, 3_000]);
  assert.equal(state.waiting.follow, undefined);
});

test("a look at it that fails is no failure of the screen, and is tried again", () => {
  const { state, effects } = requested();
  const [next, more] = reduce(state, { type: "failed", of: effects.at(-1), kind: "timeout", maybe: false, until: null });
  assert.equal(next.failure, null);
  assert.deepEqual(more.map(({ type, pause }) => [type, pause]), [["follow", 6_000]]);
});

test("who has gone on hears nothing of it", () => {
  const { state, effects } = requested();
  const [elsewhere] = reduce(state, { type: "openedList" });
  const [next, more] = reduce(elsewhere, { type: "gotProgress", of: effects.at(-1), request: progress(0, 2) });
  assert.deepEqual([next, more], [elsewhere, []]);
});

for (const [language, sentences] of [
  ["en", [/removal of 2 licenses was requested/, /Confirmed: 1\. With your directory: 0\. Refused: 1\./]],
  ["bg", [/Поискано е отнемане на 2 лиценза/, /Потвърдени: 1\. При вашия указател: 0\. Отказани: 1\./]],
]) {
  test(`removals are said as they stand, with reasons (${language})`, () => {
    globalThis.document = fakeDocument();
    const { state, effects } = requested();
    const [next] = reduce(state, { type: "gotProgress", of: effects.at(-1), request: progress(0, 1, 1) });
    try {
      const said = view(next, textOf(language), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
      for (const sentence of [...sentences, /Ada: It depends\./]) assert.match(said, sentence);
    } finally {
      delete globalThis.document;
    }
  });
}

test("a preview says whether the way opens without a quote, which a dry run does not have", () => {
  globalThis.document = fakeDocument();
  const said = (available, counts, usersToRemove) => {
    const found = options(available, "1", null);
    found.options.find((option) => option.route === "REMOVE_USERS").usersToRemove = usersToRemove;
    const { state } = play(
      opened(subscription(["REMOVE_USERS"])), { type: "picked", ids: ["u"], on: true }, { type: "previewed" },
      { type: "gotPreview", results: [], request: null, options: found, ...counts },
    );
    return view(state, textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
  };
  const [removed, asked] = [{ removedCount: 2, requestedCount: 0 }, { removedCount: 0, requestedCount: 2 }];
  try {
    assert.match(said(["CANCEL_ONLINE"], removed, null), /you can cancel online.*Remove the licenses of 2 users/);
    assert.match(said(["REMOVE_USERS"], removed, 3), /3 more have to be removed/);
    assert.match(said(["REMOVE_USERS"], asked, 0), /Your directory is asked\..*Request the removal of 2 licenses/);
  } finally {
    delete globalThis.document;
  }
});

test("what is on its way stands with the subscription, and is not picked once more", () => {
  globalThis.document = fakeDocument();
  const found = subscription(["REMOVE_USERS"], { pendingRemovals: 4 });
  const row = (status, reason) => ({ user: { id: "u", displayName: "Ada", userPrincipalName: "ada@x" }, removable: true, groupNames: [], removal: { status, reason } });
  const shown = (state) => view(state, textOf("en"), () => {}, {}, 0).map((part) => part?.textContent ?? "").join(" ");
  try {
    assert.match(shown(opened(found, "details")), /Removals with your directory 4/);
    const rows = [row("REQUESTED", null), row("REFUSED", "It depends.")];
    const said = shown({ ...opened(found), people: { search: "", total: 2, next: null, rows } });
    assert.match(said, /removal requested.*It depends\./);
  } finally {
    delete globalThis.document;
  }
});

test("picking anew throws the preview away", () => {
  const answer = { results: [], removedCount: 1, options: options(["CANCEL_ONLINE"]) };
  const { state } = play(opened(subscription(["REMOVE_USERS"])), { type: "picked", ids: ["u"], on: true }, { type: "previewed" },
    { type: "gotPreview", ...answer }, { type: "picked", ids: ["v"], on: true });
  assert.equal(state.preview, null);
});

test("an answer to an older search is not shown", () => {
  const { state } = play(
    start(), { type: "openedList" }, { type: "searched", search: "a" }, { type: "searched", search: "ab" },
    { type: "gotList", of: { type: "list", search: "a", number: 2 }, rows: [{ id: "old" }], total: 1, next: null },
  );
  assert.equal(state.list, null);
  const people = { type: "people", id: "sub_2", search: "", number: 1 };
  const other = play(opened(subscription(["REMOVE_USERS"])), { type: "gotPeople", of: people, rows: [1], total: 1, next: null });
  assert.equal(other.state.people, null);
});

test("more rows come after those that are there", () => {
  const { state, effects } = play(
    start(), { type: "openedList" }, { type: "gotList", rows: [1], total: 2, next: "c", search: "" }, { type: "wantedMore" },
    { type: "wantedMore" }, { type: "gotList", rows: [2], total: 2, next: null, search: "", after: "c" }, { type: "wantedMore" },
  );
  assert.deepEqual(state.list.rows, [1, 2]);
  assert.deepEqual(names(effects), ["list", "list"]);
});

test("a call is asked for, changed and withdrawn", () => {
  const call = { id: "cb", reference: "R-1" };
  const asked = play(opened(subscription(["REQUEST_CALLBACK"])), { type: "askedForCall", input: { phone: "1" }, key: "k" }, { type: "askedForCall", input: {}, key: "l" });
  assert.deepEqual(asked.effects.map((e) => e.input), [{ subscriptionId: "sub_1", phone: "1", idempotencyKey: "k" }]);
  const got = play(asked.state, { type: "gotCall", of: asked.effects[0], callback: call });
  assert.equal(got.effects[0].name, "wayout-callback-requested");
  const moved = play(got.state, { type: "changedCall", on: true }, { type: "askedForCall", input: { phone: "2", windowId: null, note: "x" } });
  assert.deepEqual([moved.effects[0].type, moved.effects[0].input], ["moveCall", { callbackId: "cb", phone: "2", windowId: null }]);
  const gone = play(got.state, { type: "withdrewCall" }, { type: "callWithdrawn", callback: call });
  assert.deepEqual(names(gone.effects), ["withdraw", "tell", "load"]);
});

test("what is refused is kept beside its field, until the next try", () => {
  const refused = play(opened(subscription(["REQUEST_CALLBACK"])), { type: "askedForCall", input: {} }, { type: "refused", code: "PHONE_INVALID", message: "m", path: ["phone"] });
  assert.deepEqual(refused.state.problem, { code: "PHONE_INVALID", message: "m", path: ["phone"] });
  assert.equal(play(refused.state, { type: "askedForCall", input: {} }).state.problem, null);
});

test("undo leads back to the subscription, once", () => {
  const found = subscription(["UNDO_CANCELLATION"], { cancellation: cancellation("sub_1") });
  const { state, effects } = play(opened(found), { type: "undid" }, { type: "undid" }, { type: "undone", cancellation: cancellation("sub_1", { status: "UNDONE" }) });
  assert.deepEqual(names(effects), ["undo", "tell", "load"]);
  assert.deepEqual([state.screen, state.undone], ["details", true]);
});

test("feedback is kept after canceling, and only then asked", () => {
  const done = play(opened(), { type: "confirmed", key: "k" }, { type: "canceled", cancellation: cancellation("sub_1") }, { type: "answeredWhy", feedback: "UNUSED" }, { type: "feedbackKept", feedback: "UNUSED" });
  assert.equal(done.state.answered, "UNUSED");
});

test("a step that is not there any more falls back to the details", () => {
  const { state } = play(start(), { type: "opened", id: "sub_1", step: "done" }, { type: "gotSubscription", subscription: subscription(), viewer: {} });
  assert.equal(state.screen, "details");
});

test("what nobody knows changes nothing", () => {
  const state = start();
  assert.deepEqual(reduce(state, { type: "nonsense" }), [state, []]);
  assert.deepEqual(names(play(state, { type: "confirmed", key: "k" }).effects), []);
});

test("an answer to the one subscription is never an answer to the other", () => {
  const asked = play(opened(), { type: "confirmed", key: "a" });
  const other = subscription(["CANCEL_ONLINE"], { id: "sub_2", name: "Q" });
  const there = play(asked.state, { type: "openedList" }, { type: "opened", id: "sub_2", step: "leave" }, { type: "gotSubscription", subscription: other, viewer: {} });
  const { state, effects } = play(there.state, { type: "canceled", of: asked.effects[0], cancellation: cancellation("sub_1") });
  assert.deepEqual([state.screen, state.id, state.subscription], ["leave", "sub_2", other]);
  assert.deepEqual([state.news.sub_1.type, state.news.sub_1.name], ["canceled", "P"]);
  assert.deepEqual(effects, [{ type: "tell", name: "wayout-canceled", detail: { subscriptionId: "sub_1", reference: "C-sub_1" } }]);
  // Looking at it is reading the news.
  assert.deepEqual(play(state, { type: "opened", id: "sub_1" }).state.news, {});
  assert.deepEqual(play(state, { type: "dismissed", id: "sub_1" }).state.news, {});
});

for (const [status, screen] of [["SCHEDULED", "done"], ["EFFECTIVE", "done"], ["UNDONE", "details"], ["WHATEVER_COMES", "details"], [undefined, "details"]]) {
  test(`done of a cancellation that is ${status} shows the ${screen}`, () => {
    const found = subscription(["CANCEL_ONLINE"], { cancellation: cancellation("sub_1", { status }) });
    assert.equal(opened(found, "done").screen, screen);
    // Neither a bookmark that is followed while it is known already.
    assert.equal(play(opened(found, "leave"), { type: "opened", id: "sub_1", step: "done" }).state.screen, screen);
  });
}

test("what failed is asked for again as it was, not before its time, and a question anew", () => {
  const lost = play(opened(), { type: "confirmed", key: "a" }, { type: "failed", kind: "rateLimited", maybe: false, until: 5_000 });
  assert.deepEqual(lost.effects.at(-1), { type: "wait", until: 5_000 });
  assert.deepEqual(play(lost.state, { type: "retried" }).effects, []);
  const waited = play(lost.state, { type: "waited", until: 1 }, { type: "waited", until: 5_000 });
  assert.deepEqual(play(waited.state, { type: "retried" }).effects.map((e) => [e.type, e.input.idempotencyKey]), [["cancel", "a"]]);
  const unread = play(start(), { type: "openedList" }, { type: "failed", kind: "timeout", maybe: true, until: null }, { type: "retried" });
  assert.deepEqual(names(unread.effects), ["list", "tell", "list"]);
  assert.equal(unread.state.failure, null);
});

test("a question whose answer nobody waits for fails in silence", () => {
  const asked = play(start(), { type: "openedList" }, { type: "reloaded" });
  const { state, effects } = play(asked.state, { type: "failed", of: asked.effects[0], kind: "signedOut" });
  assert.deepEqual([state.failure, effects], [null, []]);
});

test("a session that ended at a change elsewhere is said on every screen", () => {
  const asked = play(opened(), { type: "confirmed", key: "a" }, { type: "openedList" });
  const { state, effects } = play(asked.state, { type: "failed", of: asked.effects[0], kind: "signedOut", maybe: false, until: null });
  assert.equal(state.failure.kind, "signedOut");
  assert.deepEqual(effects[0].detail, { subscriptionId: "sub_1", kind: "signedOut" });
});
