import assert from "node:assert/strict";
import { test } from "node:test";
import { currentQuote, quotesOf, reduce, start } from "../src/flow.js";

const quote = (mode, amount = "€4.00", id = `${mode}-1`) => ({ id, mode, refund: { formatted: amount }, lines: [] });

const options = (available, quotes = [quote("IMMEDIATE"), quote("AT_PERIOD_END", "€0.00")]) => ({
  route: available[0],
  canAct: true,
  options: ["CANCEL_ONLINE", "REMOVE_USERS", "REQUEST_CALLBACK", "UNDO_CANCELLATION"].map((route) => ({
    route,
    available: available.includes(route),
    quotes: route === "CANCEL_ONLINE" ? (available.includes(route) ? quotes : []) : null,
    usersToRemove: route === "REMOVE_USERS" ? 8 : null,
  })),
});

const subscription = (available = ["CANCEL_ONLINE"], more = {}) => ({ id: "sub_1", name: "P", cancellationOptions: options(available), ...more });

/** Play events from a state; answers the last state and all effects. */
function play(state, ...events) {
  const effects = [];
  for (const event of events) {
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
    { type: "canceled", cancellation: { id: "c", reference: "C-1" } },
  );
  assert.equal(state.screen, "done");
  assert.deepEqual(names(effects), ["list", "load", "cancel", "tell"]);
  assert.deepEqual(effects[2].input, { subscriptionId: "sub_1", quoteId: "IMMEDIATE-1", idempotencyKey: "k" });
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
  assert.deepEqual(inputs, [["IMMEDIATE-1", "a"], ["AT_PERIOD_END-1", "b"]]);
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
  assert.deepEqual(names(effects), ["cancel"]);
});

test("a mode that is gone is read anew", () => {
  const { state, effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "quoteChanged", code: "QUOTE_CHANGED", message: "m", quote: null });
  assert.deepEqual(names(effects), ["cancel", "load"]);
  assert.equal(state.problem.message, "m");
});

test("a route that closed shows the options of now", () => {
  const now = options(["REMOVE_USERS", "REQUEST_CALLBACK"]);
  const { state, effects } = play(opened(), { type: "confirmed", key: "a" }, { type: "optionsChanged", code: "X", message: "m", options: now });
  assert.equal(state.subscription.cancellationOptions, now);
  assert.equal(currentQuote(state), null);
  assert.deepEqual(names(effects), ["cancel", "people", "windows"]);
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
  const calls = effects.filter((e) => e.type === "removeUsers").map((e) => e.input);
  assert.deepEqual(calls, [
    { subscriptionId: "sub_1", userIds: ["u1"], dryRun: true },
    { subscriptionId: "sub_1", userIds: ["u1"], dryRun: false, idempotencyKey: "k" },
  ]);
  assert.deepEqual(state.picked, []);
  assert.equal(state.removed.opened, true);
  assert.equal(effects.at(-1).type, "load");
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
    { type: "gotList", rows: [{ id: "old" }], total: 1, next: null, search: "a" },
  );
  assert.equal(state.list, null);
  const other = play(opened(subscription(["REMOVE_USERS"])), { type: "gotPeople", id: "sub_2", rows: [1], total: 1, next: null, search: "" });
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
  const asked = play(opened(subscription(["REQUEST_CALLBACK"])), { type: "askedForCall", input: { phone: "1" } }, { type: "askedForCall", input: {} });
  assert.deepEqual(asked.effects.map((e) => e.input), [{ subscriptionId: "sub_1", phone: "1" }]);
  const got = play(asked.state, { type: "gotCall", callback: call });
  assert.equal(got.effects[0].name, "wayout-callback-requested");
  const moved = play(got.state, { type: "changedCall", on: true }, { type: "askedForCall", input: { phone: "2", windowId: null, note: "x" } });
  assert.deepEqual(moved.effects[0], { type: "moveCall", input: { callbackId: "cb", phone: "2", windowId: null } });
  const gone = play(got.state, { type: "withdrewCall" }, { type: "callWithdrawn" });
  assert.deepEqual(names(gone.effects), ["withdraw", "load"]);
});

test("what is refused is kept beside its field, until the next try", () => {
  const refused = play(opened(subscription(["REQUEST_CALLBACK"])), { type: "askedForCall", input: {} }, { type: "refused", code: "PHONE_INVALID", message: "m", path: ["phone"] });
  assert.deepEqual(refused.state.problem, { code: "PHONE_INVALID", message: "m", path: ["phone"] });
  assert.equal(play(refused.state, { type: "askedForCall", input: {} }).state.problem, null);
});

test("undo leads back to the subscription, once", () => {
  const found = subscription(["UNDO_CANCELLATION"], { cancellation: { id: "c", reference: "C-1" } });
  const { state, effects } = play(opened(found), { type: "undid" }, { type: "undid" }, { type: "undone", cancellation: { reference: "C-1" } });
  assert.deepEqual(names(effects), ["undo", "tell", "load"]);
  assert.deepEqual([state.screen, state.undone], ["details", true]);
});

test("feedback is kept after canceling, and only then asked", () => {
  const done = play(opened(), { type: "confirmed", key: "k" }, { type: "canceled", cancellation: { id: "c" } }, { type: "answeredWhy", feedback: "UNUSED" }, { type: "feedbackKept", feedback: "UNUSED" });
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
