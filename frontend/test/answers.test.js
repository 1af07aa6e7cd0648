// Answers in any order: whoever presses whatever while answers are late, early, lost or refused, every screen tells the
// truth about the subscription it shows, and the host and the person hear of every change that was made.

import assert from "node:assert/strict";
import { test } from "node:test";
import { reduce, start } from "../src/flow.js";
import { textOf } from "../src/text.js";
import { view } from "../src/views/index.js";
import { fakeDocument, options, subscription } from "./world.js";

const IDS = ["sub_1", "sub_2", "sub_3"];
const READS = ["list", "load", "people", "windows", "least", "preview", "receipt"];
const WRITES = ["cancel", "undo", "feedback", "remove", "call", "moveCall", "withdraw"];

/** A generator of numbers from 0 to 1, the same ones for the same seed. */
function dice(seed) {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the server knows of each subscription, and what it answers to an effect at the time it is carried out. */
class Server {
  constructor() {
    this.facts = Object.fromEntries(IDS.map((id) => [id, { cancellation: null, call: null, made: 0 }]));
  }

  seen(id) {
    const { cancellation, call } = this.facts[id];
    const canceled = cancellation && cancellation.status !== "UNDONE";
    const open = canceled ? ["UNDO_CANCELLATION"] : id === "sub_3" ? ["REMOVE_USERS", "REQUEST_CALLBACK"] : ["CANCEL_ONLINE"];
    return subscription(open, { id, name: `Product ${id}`, cancellation: cancellation && { ...cancellation }, openCallback: call });
  }

  answer(effect, chance) {
    const { type, id, input } = effect;
    const known = this.facts[id];
    if (WRITES.includes(type) && chance < 0.15) return { type: "refused", code: "NOPE", message: `refused for ${id}`, path: [] };
    switch (type) {
      case "list":
        return { type: "gotList", rows: IDS.map((one) => this.seen(one)), total: 3, next: null };
      case "load":
        return { type: "gotSubscription", subscription: this.seen(id), viewer: {} };
      case "people":
        return { type: "gotPeople", rows: [{ user: { id: `user of ${id}`, displayName: "U", userPrincipalName: "u@x" }, removable: true, groupNames: [] }], total: 1, next: null };
      case "least":
        return { type: "gotLeast", ids: [`user of ${id}`] };
      case "windows":
        return { type: "gotWindows", windows: [{ id: `window of ${id}`, label: "w" }] };
      case "preview":
        return { type: "gotPreview", results: input.userIds.map((userId) => ({ userId, outcome: "REMOVED" })), removedCount: 1, options: options(["REMOVE_USERS"], id) };
      case "remove":
        return { type: "gotRemoved", results: input.userIds.map((userId) => ({ userId, outcome: "REMOVED" })), removedCount: 1, options: options(["REMOVE_USERS"], id) };
      case "cancel":
        assert.ok(input.quoteId.endsWith(id), "a quote is sent for its own subscription");
        if (chance < 0.25) return { type: "quoteChanged", code: "QUOTE_CHANGED", message: `changed for ${id}`, quote: options(["CANCEL_ONLINE"], id).options[0].quotes[0] };
        if (chance < 0.35) return { type: "optionsChanged", code: "ROUTE_NOT_AVAILABLE", message: `closed for ${id}`, options: this.seen(id).cancellationOptions };
        known.made += 1;
        known.cancellation = { ...this.cancellation(id), status: "EFFECTIVE" };
        return { type: "canceled", cancellation: { ...known.cancellation } };
      case "undo":
        known.cancellation = { ...known.cancellation, status: "UNDONE" };
        return { type: "undone", cancellation: { ...known.cancellation } };
      case "feedback":
        return { type: "feedbackKept", feedback: input.feedback };
      case "call":
      case "moveCall":
        known.call = { id: `call_${id}`, reference: `R-${id}`, window: null, creditFrom: "2026-11-01T10:00:00Z", timeZone: "UTC" };
        return { type: "gotCall", callback: known.call };
      case "withdraw": {
        const withdrawn = known.call ?? { reference: `R-${id}` };
        known.call = null;
        return { type: "callWithdrawn", callback: withdrawn };
      }
      case "receipt":
        return { type: "gotReceipt" };
      default:
        return assert.fail(`nobody carries out ${type}`);
    }
  }

  cancellation(id) {
    return subscription(["UNDO_CANCELLATION"], { id }).cancellation;
  }
}

/** One visit: a person who presses things, and a network that answers when it likes. */
class Visit {
  constructor(seed) {
    this.random = dice(seed);
    this.server = new Server();
    this.state = start();
    this.under_way = []; // { effect, answer }, answer null: the server has not looked at it yet
    this.told = [];
    this.results = [];
    this.presses = 0;
    this.send({ type: "openedList" });
  }

  pick(from) {
    return from[Math.floor(this.random() * from.length)];
  }

  send(event) {
    const [next, effects] = reduce(this.state, event);
    this.state = next;
    for (const effect of effects) {
      if (effect.type === "tell") this.told.push(effect);
      else if (effect.type !== "wait") this.under_way.push({ effect, answer: null });
    }
    this.look(event);
  }

  press() {
    const { state } = this;
    const id = this.pick(IDS);
    this.presses += 1;
    this.send(
      this.pick([
        { type: "openedList" },
        { type: "opened", id, step: this.pick(["details", "leave", "done"]) },
        { type: "opened", id: state.id ?? id, step: this.pick(["details", "leave", "done"]) },
        { type: "opened", id: state.id ?? id, step: "leave" },
        { type: "reloaded" },
        { type: "retried" },
        { type: "dismissed", id },
        { type: "searched", search: this.pick(["", "a"]) },
        ...(state.subscription
          ? [
              { type: "confirmed", key: `key ${this.presses}` },
              { type: "confirmed", key: `key ${this.presses}` },
              { type: "choseMode", mode: this.pick(["IMMEDIATE", "AT_PERIOD_END"]) },
              { type: "typedCall" },
              ...(state.subscription.cancellation ? [{ type: "undid" }, { type: "answeredWhy", feedback: "UNUSED" }, { type: "wantedReceipt" }] : []),
              { type: "wantedLeast", count: 1 },
              { type: "picked", ids: [`user of ${state.id}`, `another of ${state.id}`].slice(0, 1 + (this.random() < 0.5)), on: this.random() < 0.7 },
              { type: "previewed" },
              { type: "removedUsers", key: `key ${this.presses}` },
              { type: "askedForCall", input: { phone: "1" }, key: `key ${this.presses}` },
              ...(state.subscription.openCallback ? [{ type: "withdrewCall" }, { type: "changedCall", on: this.random() < 0.5 }] : []),
            ]
          : []),
      ]),
    );
  }

  /** The server looks at a request, or its answer arrives, or is lost. */
  pass(type = null) {
    const one = this.pick(this.under_way.filter(({ effect }) => !type || effect.type === type));
    if (!one.answer) {
      const chance = this.random();
      const kind = chance > 0.96 ? this.pick(["timeout", "offline", "server", "unavailable", "rateLimited", "signedOut", "token"]) : null;
      // A request that fails may have been carried out all the same.
      if (kind === null || (kind === "timeout" && this.random() < 0.5)) one.answer = this.server.answer(one.effect, chance);
      if (kind) one.answer = { type: "failed", kind, maybe: kind === "timeout", until: null };
      return;
    }
    this.under_way.splice(this.under_way.indexOf(one), 1);
    if (WRITES.includes(one.effect.type)) this.results.push(one);
    const before = this.told.length;
    this.send({ ...one.answer, of: one.effect });
    this.heard(one, this.told.slice(before));
  }

  /** The host hears of every change, and the person too: on the screen of that subscription, or by its name. */
  heard({ effect, answer }, told) {
    if (!WRITES.includes(effect.type)) return;
    const names = { canceled: "wayout-canceled", undone: "wayout-undone", gotRemoved: "wayout-users-removed", gotCall: "wayout-callback-requested", callWithdrawn: "wayout-callback-withdrawn" };
    const name = answer.type === "feedbackKept" ? null : (names[answer.type] ?? "wayout-error");
    assert.deepEqual(told.map((one) => [one.name, one.detail.subscriptionId]), name ? [[name, effect.id]] : []);
    const { state } = this;
    const here = state.id === effect.id && state.subscription?.id === effect.id && !state.news[effect.id];
    const signedOut = state.failure?.kind === "signedOut";
    assert.ok(here || signedOut || state.news[effect.id]?.name === `Product ${effect.id}`, `somebody is told what became of ${effect.id}`);
  }

  /** What holds at every moment. */
  look(event) {
    const { state } = this;
    const said = JSON.stringify(event);
    assert.ok((state.screen === "list") === (state.id === null), said);
    if (state.subscription) {
      assert.equal(state.subscription.id, state.id, said);
      if (state.subscription.cancellation) assert.equal(state.subscription.cancellation.reference, `C-${state.id}`, said);
      if (state.subscription.openCallback) assert.equal(state.subscription.openCallback.reference, `R-${state.id}`, said);
      for (const quote of state.subscription.cancellationOptions.options[0].quotes ?? []) assert.ok(quote.id.endsWith(state.id), said);
    }
    if (state.screen === "done" && state.subscription) {
      assert.notEqual(state.subscription.cancellation?.status ?? "UNDONE", "UNDONE", said);
      assert.notEqual(this.server.facts[state.id].made, 0, "nothing was canceled that nobody canceled");
    }
    for (const one of state.people?.rows ?? []) assert.equal(one.user.id, `user of ${state.id}`, said);
    for (const one of state.picked) assert.ok(one.endsWith(`of ${state.id}`), said);
    for (const one of state.windows ?? []) assert.equal(one.id, `window of ${state.id}`, said);
    if (state.preview) assert.deepEqual(state.preview.results.map((one) => one.userId), state.picked, said);
    for (const one of state.removed?.results ?? []) assert.ok(one.userId.endsWith(`of ${state.id}`), said);
    if (state.problem) assert.ok(state.problem.message.endsWith(state.id), said);
    const writing = this.under_way.map((one) => one.effect).filter((effect) => WRITES.includes(effect.type));
    for (const id of IDS) assert.ok(writing.filter((effect) => effect.id === id).length <= 1, "one change of a subscription at a time");
    for (const { effect } of this.under_way) assert.ok(READS.includes(effect.type) || WRITES.includes(effect.type), effect.type);
    this.words = view(state, textOf("en"), () => {}, {}, Date.parse("2026-11-02T00:00:00Z")).map((part) => part?.textContent ?? "").join(" ");
    assert.doesNotMatch(this.words, /undefined|null|\[object/, said);
  }

  /** Everything that is under way arrives. What is shown then is what the server knows. */
  end() {
    const since = this.random() < 0.5 ? this.results.length : 0;
    if (since) {
      // The list is there before the last changes are.
      this.send({ type: "openedList" });
      while (this.state.waiting.list) this.pass("list");
    }
    for (let left = 10_000; this.under_way.length; left -= 1) {
      assert.ok(left, "it comes to rest");
      const one = this.pick(this.under_way);
      if (!one.answer) one.answer = this.server.answer(one.effect, 0.9);
      else this.pass();
    }
    const { state } = this;
    assert.equal(state.busy, null);
    const unsure = new Set(this.results.slice(since).filter(({ answer }) => answer.type === "failed").map(({ effect }) => effect.id));
    if (state.subscription && !state.failure && !unsure.has(state.id)) {
      assert.equal(state.subscription.cancellation?.status, this.server.facts[state.id].cancellation?.status);
      assert.equal(Boolean(state.subscription.openCallback), Boolean(this.server.facts[state.id].call));
    }
    if (state.screen === "list" && !state.failure) {
      const sure = state.list.rows.filter((row) => !unsure.has(row.id));
      for (const row of sure) assert.equal(row.cancellation?.status, this.server.facts[row.id].cancellation?.status);
    }
  }
}

test("answers in any order: nothing is shown of another subscription, and nobody is left untold", () => {
  globalThis.document = fakeDocument();
  const seen = new Set();
  try {
    for (let seed = 1; seed <= (process.env.WAYOUT_LONG ? 2_000 : 120); seed += 1) {
      const visit = new Visit(seed);
      try {
        for (let step = 0; step < 120; step += 1) {
          if (visit.under_way.length && visit.random() < 0.6) visit.pass();
          else visit.press();
        }
        visit.end();
      } catch (error) {
        error.message = `seed ${seed}: ${error.message}`;
        throw error;
      }
      for (const { answer } of visit.results) seen.add(answer.type);
      for (const id of Object.keys(visit.state.news)) seen.add(`news of ${visit.state.news[id].type}`);
    }
  } finally {
    delete globalThis.document;
  }
  // The dice reached what is to be tested.
  for (const type of ["canceled", "undone", "refused", "quoteChanged", "optionsChanged", "gotRemoved", "gotCall", "callWithdrawn", "feedbackKept", "failed"]) assert.ok(seen.has(type), type);
  for (const type of ["canceled", "undone", "refused", "failed"]) assert.ok(seen.has(`news of ${type}`), type);
});
