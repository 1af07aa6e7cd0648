// What happens next: the whole flow as a pure function. No DOM, no network, no clock.
//
// reduce(state, event) answers the next state and the effects that the element has to carry out. Every effect ends in
// an event. An effect that is on its way is named in state.busy: the same button pressed again then does nothing.

export const start = (options = {}) => ({
  screen: "list", // list | details | leave | done
  id: null, // of the subscription that is looked at
  busy: null, // the effect that is on its way
  failure: null, // why the last effect did not arrive: offline | timeout | signedOut | server
  problem: null, // what the API refused, { code, message, path }
  list: null,
  search: "",
  subscription: null,
  viewer: null,
  mode: null, // which quote is chosen
  before: null, // the quote that was on the page when a new one came
  attempt: null, // { quoteId, key }: kept until its answer is known
  people: null, // who holds licenses, { search, total, next, rows }
  windows: null, // when support can call
  picked: [], // ids of users to remove, in the order they were picked
  preview: null,
  removed: null,
  editing: false, // the callback that is already there
  answered: null, // the feedback given
  undone: false, // just now
  ...options,
});

const stay = (state, changes = {}, effects = []) => [{ ...state, ...changes }, effects];

const unknown = { subscription: null, people: null, windows: null, picked: [], mode: null, answered: null };

const fresh = { undone: false, problem: null, failure: null, before: null, preview: null, removed: null, editing: false };

export function reduce(state, event) {
  const act = events[event.type];
  if (!act) return stay(state);
  const [next, effects] = act(state, event);
  return [next, [...effects, ...wanted(state, next)]];
}

/** What the screen that is now shown needs and the one before did not have. */
function wanted(before, state) {
  const options = state.screen === "leave" ? state.subscription?.cancellationOptions : null;
  if (!options || options === (before.screen === "leave" ? before.subscription?.cancellationOptions : null)) return [];
  const effects = [];
  if (optionOf(options, "REMOVE_USERS").available) effects.push(people(state.id, ""));
  if (optionOf(options, "REQUEST_CALLBACK").available || state.subscription.openCallback) {
    effects.push({ type: "windows", id: state.id });
  }
  return effects;
}

const events = {
  openedList: (state) =>
    stay(state, { ...fresh, screen: "list", id: null, subscription: null, busy: "list" }, [list(state.search)]),

  searched: (state, { search }) => stay(state, { search, busy: "list" }, [list(search)]),

  wantedMore: (state) =>
    state.busy || !state.list?.next ? stay(state) : stay(state, { busy: "list" }, [list(state.search, state.list.next)]),

  gotList: (state, { rows, total, next, search, after }) =>
    search !== state.search
      ? stay(state) // an answer to what is not asked any more
      : stay(state, { busy: null, failure: null, list: { total, next, rows: after ? [...state.list.rows, ...rows] : rows } }),

  opened: (state, { id, step = "details" }) =>
    state.subscription?.id === id && state.screen !== "done" && !state.failure
      ? stay(state, { ...fresh, screen: step })
      : state.id === id && state.busy === "load"
        ? stay(state, { screen: step })
        : stay(state, { ...fresh, ...unknown, screen: step, id, busy: "load" }, [{ type: "load", id }]),

  reloaded: (state) =>
    state.id
      ? stay(state, { busy: "load", failure: null }, [{ type: "load", id: state.id }])
      : stay(state, { busy: "list", failure: null }, [list(state.search)]),

  gotSubscription: (state, { subscription, viewer }) => {
    if (subscription && subscription.id !== state.id) return stay(state);
    const done = state.screen === "done" && !subscription?.cancellation ? { screen: "details" } : {};
    return stay(state, { busy: null, failure: null, subscription, viewer, mode: chosen(state.mode, subscription), ...done });
  },

  choseMode: (state, { mode }) => stay(state, { mode, before: null, problem: null }),

  confirmed: (state, { key }) => {
    const quote = currentQuote(state);
    if (state.busy || !quote) return stay(state);
    // The answer to the same quote may have been lost: then the same key asks for it again.
    const attempt = state.attempt?.quoteId === quote.id ? state.attempt : { quoteId: quote.id, key };
    return stay(state, { busy: "cancel", attempt, problem: null, failure: null }, [
      { type: "cancel", input: { subscriptionId: state.id, quoteId: quote.id, idempotencyKey: attempt.key } },
    ]);
  },

  canceled: (state, { cancellation }) =>
    stay(state, { ...fresh, busy: null, attempt: null, screen: "done", answered: null, subscription: { ...state.subscription, cancellation } }, [
      { type: "tell", name: "wayout-canceled", detail: { subscriptionId: state.id, reference: cancellation.reference } },
    ]),

  quoteChanged: (state, { code, message, quote }) => {
    const before = currentQuote(state);
    const subscription = quote ? withQuote(state.subscription, quote) : state.subscription;
    const changes = { busy: null, attempt: null, problem: { code, message, path: [] }, before: quote ? before : null, subscription };
    return quote ? stay(state, changes) : stay(state, { ...changes, busy: "load" }, [{ type: "load", id: state.id }]);
  },

  optionsChanged: (state, { code, message, options }) =>
    stay(state, {
      busy: null,
      attempt: null,
      problem: { code, message, path: [] },
      subscription: { ...state.subscription, cancellationOptions: options },
      mode: null,
    }),

  refused: (state, { code, message, path }) => stay(state, { busy: null, problem: { code, message, path: path ?? [] } }),

  failed: (state, { kind }) =>
    stay(state, { busy: null, failure: kind }, [{ type: "tell", name: "wayout-error", detail: { kind } }]),

  undid: (state) =>
    state.busy
      ? stay(state)
      : stay(state, { busy: "undo", problem: null, failure: null }, [
          { type: "undo", input: { cancellationId: state.subscription.cancellation.id } },
        ]),

  undone: (state, { cancellation }) =>
    stay(state, { ...fresh, undone: true, busy: "load", screen: "details" }, [
      { type: "tell", name: "wayout-undone", detail: { subscriptionId: state.id, reference: cancellation.reference } },
      { type: "load", id: state.id },
    ]),

  answeredWhy: (state, { feedback }) =>
    state.busy
      ? stay(state)
      : stay(state, { busy: "feedback" }, [
          { type: "feedback", input: { cancellationId: state.subscription.cancellation.id, feedback } },
        ]),

  feedbackKept: (state, { feedback }) => stay(state, { busy: null, answered: feedback }),

  picked: (state, { ids, on }) =>
    stay(state, {
      picked: on ? [...state.picked, ...ids.filter((id) => !state.picked.includes(id))] : state.picked.filter((id) => !ids.includes(id)),
      preview: null,
      problem: null,
    }),

  searchedPeople: (state, { search }) =>
    stay(state, { people: { ...state.people, search } }, [people(state.id, search)]),

  wantedMorePeople: (state) =>
    state.people?.next ? stay(state, {}, [people(state.id, state.people.search, state.people.next)]) : stay(state),

  gotPeople: (state, { id, rows, total, next, search, after }) =>
    id !== state.id || search !== (state.people?.search ?? "")
      ? stay(state) // an answer to what is not asked any more
      : stay(state, { people: { search, total, next, rows: after ? [...state.people.rows, ...rows] : rows } }),

  wantedLeast: (state, { count }) => (state.busy ? stay(state) : stay(state, { busy: "least" }, [{ type: "least", id: state.id, count }])),

  gotLeast: (state, { ids }) => stay(state, { busy: null, picked: ids, preview: null }),

  gotWindows: (state, { id, windows }) => (id === state.id ? stay(state, { windows }) : stay(state)),

  previewed: (state) => (state.picked.length ? remove(state, "preview", { dryRun: true }) : stay(state)),

  gotPreview: (state, { results, removedCount, options }) =>
    stay(state, { busy: null, preview: { results, removedCount, options } }),

  removedUsers: (state, { key }) => (state.preview ? remove(state, "remove", { dryRun: false, idempotencyKey: key }) : stay(state)),

  gotRemoved: (state, { results, removedCount, options }) =>
    stay(state, { busy: "load", preview: null, picked: [], removed: { results, removedCount, opened: quotesOf(options).length > 0 } }, [
      { type: "load", id: state.id },
    ]),

  askedForCall: (state, { input }) =>
    state.busy
      ? stay(state)
      : stay(state, { busy: "call", problem: null, failure: null }, [
          state.editing
            ? { type: "moveCall", input: { callbackId: state.subscription.openCallback.id, phone: input.phone, windowId: input.windowId } }
            : { type: "call", input: { subscriptionId: state.id, ...input } },
        ]),

  gotCall: (state, { callback }) =>
    stay(state, { busy: null, problem: null, editing: false, subscription: { ...state.subscription, openCallback: callback } }, [
      { type: "tell", name: "wayout-callback-requested", detail: { subscriptionId: state.id, reference: callback.reference } },
    ]),

  changedCall: (state, { on }) => stay(state, { editing: on, problem: null }),

  withdrewCall: (state) =>
    state.busy
      ? stay(state)
      : stay(state, { busy: "withdraw" }, [{ type: "withdraw", input: { callbackId: state.subscription.openCallback.id } }]),

  callWithdrawn: (state) => stay(state, { busy: "load", editing: false }, [{ type: "load", id: state.id }]),
};

const list = (search, after = null) => ({ type: "list", search, after });

const people = (id, search, after = null) => ({ type: "people", id, search, after });

function remove(state, busy, extra) {
  if (state.busy) return stay(state);
  const input = { subscriptionId: state.id, userIds: state.picked, ...extra };
  return stay(state, { busy, problem: null, failure: null }, [{ type: "removeUsers", input }]);
}

export const quotesOf = (options) =>
  options?.options.find((option) => option.route === "CANCEL_ONLINE" && option.available)?.quotes ?? [];

export const optionOf = (options, route) => options?.options.find((option) => option.route === route);

export function currentQuote(state) {
  const quotes = quotesOf(state.subscription?.cancellationOptions);
  return quotes.find((quote) => quote.mode === state.mode) ?? quotes[0] ?? null;
}

function chosen(mode, subscription) {
  const quotes = quotesOf(subscription?.cancellationOptions);
  return (quotes.find((quote) => quote.mode === mode) ?? quotes[0])?.mode ?? null;
}

function withQuote(subscription, quote) {
  const options = subscription.cancellationOptions;
  const renewed = (option) =>
    option.quotes ? { ...option, quotes: option.quotes.map((old) => (old.mode === quote.mode ? quote : old)) } : option;
  return { ...subscription, cancellationOptions: { ...options, options: options.options.map(renewed) } };
}
