// What happens next: the whole flow as a pure function. No DOM, no network, no clock.
//
// reduce(state, event) answers the next state and the effects that the element has to carry out. Every effect ends in
// an event that carries the effect as `of`, so that whatever order answers come in, each is taken for what it answers:
//
// * a question (READS): only the answer to the last one of its kind that the screen still waits for is looked at;
// * a change of a subscription: one at a time. It is shown where that subscription is on the screen, else as news with
//   its name; and the host is told either way.

export const start = (options = {}) => ({
  screen: "list", // list | details | leave | done
  id: null, // of the subscription that is looked at
  asked: 0, // questions so far: each has its number
  waiting: {}, // the number of the question whose answer is waited for, by its type
  doing: {}, // the change that is on its way, by subscription
  busy: null, // what of these the screen says that it waits for
  failure: null, // why the last effect of this screen did not arrive, { of, kind, maybe, until }: see NoAnswer
  problem: null, // what the API refused, { code, message, path }
  news: {}, // what became of subscriptions that are not on the screen, { type, name, ... } by id
  list: null,
  search: "",
  subscription: null,
  viewer: null,
  mode: null, // which quote is chosen
  before: null, // the quote that was on the page when a new one came
  attempts: {}, // { quoteId, key } by subscription: kept until its answer is known
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

const READS = new Set(["list", "load", "people", "windows", "least", "preview", "receipt", "follow"]);

// Between two looks at removals that are on their way, in milliseconds.
const [FIRST_PAUSE, LONGEST_PAUSE] = [3_000, 60_000];

/** Whether an effect changes nothing, so that nothing is lost when its answer is. */
export const isRead = (effect) => READS.has(effect.type);

/** Whether a cancellation stands: neither undone, nor of a kind that nobody here knows. */
export const inForce = (cancellation) => ["SCHEDULED", "EFFECTIVE"].includes(cancellation?.status);

const stay = (state, changes = {}, effects = []) => [{ ...state, ...changes }, effects];

const unknown = { subscription: null, people: null, windows: null, picked: [], mode: null, answered: null, waiting: {} };

const fresh = { undone: false, problem: null, failure: null, before: null, preview: null, removed: null, editing: false };

export function reduce(state, event) {
  const act = events[event.type];
  if (!act) return stay(state);
  const [acted, effects] = event.of ? take(state, event, act) : act(state, event);
  const [next, more] = asking(truthful(acted), ...wanted(state, acted));
  return [{ ...next, busy: busy(next) }, [...effects, ...more]];
}

/** What answers an effect: on the screen if it is still waited for there. */
function take(state, event, act) {
  const { of } = event;
  if (isRead(of)) {
    return state.waiting[of.type] === of.number ? act({ ...state, waiting: without(state.waiting, of.type) }, event) : stay(state);
  }
  const free = { ...state, doing: without(state.doing, of.id) };
  if (event.type !== "failed") free.attempts = without(state.attempts, of.id);
  const shown = state.id === of.id && state.subscription;
  const [acted, effects] = shown ? act(free, event) : elsewhere(free, event);
  // What was asked for before the change was made may be answered with what was before.
  const stale = ["list", "load"].filter((type) => acted.waiting[type] && acted.waiting[type] === state.waiting[type]);
  const [next, more] = asking(acted, ...stale.map((type) => (type === "list" ? list(acted) : load(acted))));
  return [next, [...told(event), ...effects, ...more]];
}

/** What the host hears of an answer to a change. */
function told({ type, of, ...said }) {
  const tell = (name, detail) => [{ type: "tell", name, detail: { subscriptionId: of.id, ...detail } }];
  switch (type) {
    case "canceled":
      return tell("wayout-canceled", { reference: said.cancellation.reference });
    case "undone":
      return tell("wayout-undone", { reference: said.cancellation.reference });
    case "gotRemoved":
      return tell("wayout-users-removed", { removedCount: said.removedCount, requestedCount: said.requestedCount });
    case "gotCall":
      return tell("wayout-callback-requested", { reference: said.callback.reference });
    case "callWithdrawn":
      return tell("wayout-callback-withdrawn", { reference: said.callback.reference });
    case "failed":
      return tell("wayout-error", { kind: said.kind });
    case "feedbackKept":
      return [];
    default:
      return tell("wayout-error", { kind: "refused", code: said.code });
  }
}

/** The answer to a change of a subscription that is not on the screen, or not yet: news of it, and the list anew. */
function elsewhere(state, event) {
  const { type, of, ...said } = event;
  const news = { ...state.news, [of.id]: { type, name: of.name, change: of.type, ...said } };
  if (type === "failed" && said.kind === "signedOut") return stay(state, { failure: { of, ...said } });
  return state.screen === "list" && type !== "failed" ? asking({ ...state, news }, list(state)) : stay(state, { news });
}

/** A screen believes what is known of its subscription: nothing is done that does not stand. */
function truthful(state) {
  const untrue = state.screen === "done" && state.subscription !== null && !inForce(state.subscription.cancellation);
  return untrue ? { ...state, screen: "details" } : state;
}

function busy({ id, doing, waiting }) {
  return doing[id] ?? ["load", "list", "least", "preview"].find((type) => waiting[type]) ?? null;
}

/** Ask questions: of each kind, the answer to this one counts from now on. */
function asking(state, ...questions) {
  const numbered = questions.map((question, at) => ({ ...question, number: state.asked + at + 1 }));
  const waiting = { ...state.waiting, ...Object.fromEntries(numbered.map(({ type, number }) => [type, number])) };
  return [{ ...state, asked: state.asked + questions.length, waiting }, numbered];
}

/** Change the subscription that is looked at, unless a change of it is on its way. */
function change(state, type, input) {
  if (state.doing[state.id]) return stay(state);
  const effect = { type, id: state.id, name: state.subscription.name, input };
  return stay(state, { doing: { ...state.doing, [state.id]: type }, problem: null, failure: null }, [effect]);
}

/** Choose something else than what failed before, which is not tried again; whether it arrived after all is looked up. */
function instead(state, types, changes) {
  const { failure } = state;
  if (!types.includes(failure?.of.type)) return stay(state, changes);
  const next = { ...state, ...changes, failure: null };
  return failure.maybe ? asking(next, load(state)) : stay(next);
}

/** What the screen that is now shown needs and the one before did not have. */
function wanted(before, state) {
  const options = state.screen === "leave" ? state.subscription?.cancellationOptions : null;
  if (!options || options === (before.screen === "leave" ? before.subscription?.cancellationOptions : null)) return [];
  const questions = [];
  if (optionOf(options, "REMOVE_USERS").available) questions.push(people(state, state.people?.search ?? ""));
  if (optionOf(options, "REQUEST_CALLBACK").available || state.subscription.openCallback) {
    questions.push({ type: "windows", id: state.id });
  }
  return questions;
}

const events = {
  openedList: (state) => asking({ ...state, ...fresh, ...unknown, screen: "list", id: null }, list(state)),

  searched: (state, { search }) => asking({ ...state, search }, list({ search })),

  wantedMore: (state) => (state.waiting.list || !state.list?.next ? stay(state) : asking(state, list(state, state.list.next))),

  gotList: (state, { of, rows, total, next }) =>
    stay(state, { failure: null, list: { total, next, rows: of.after ? [...state.list.rows, ...rows] : rows } }),

  opened: (state, { id, step = "details" }) => {
    const known = { ...state, ...fresh, screen: step, news: without(state.news, id) };
    if (state.id === id && state.waiting.load) return stay(state, { screen: step });
    if (state.id === id && state.subscription && state.screen !== "done" && !state.failure) return stay(known);
    return asking({ ...known, ...unknown, id }, load({ id }));
  },

  reloaded: (state) => asking({ ...state, failure: null }, state.id ? load(state) : list(state)),

  gotSubscription: (state, { subscription, viewer }) =>
    stay(state, { failure: null, subscription, viewer, mode: chosen(state.mode, subscription) }),

  choseMode: (state, { mode }) => instead(state, ["cancel"], { mode, before: null, problem: null }),

  confirmed: (state, { key }) => {
    const quote = currentQuote(state);
    if (!quote || state.doing[state.id]) return stay(state);
    // The answer to the same quote may have been lost: then the same key asks for it again.
    const known = state.attempts[state.id];
    const attempt = known?.quoteId === quote.id ? known : { quoteId: quote.id, key };
    const attempts = { ...state.attempts, [state.id]: attempt };
    return change({ ...state, attempts }, "cancel", { subscriptionId: state.id, quoteId: quote.id, idempotencyKey: attempt.key });
  },

  canceled: (state, { cancellation }) =>
    stay(state, { ...fresh, screen: "done", answered: null, subscription: { ...state.subscription, cancellation } }),

  quoteChanged: (state, { of, code, message, quote }) => {
    const problem = { code, message, path: [] };
    if (!quote) return asking({ ...state, problem, before: null }, load(state));
    const before = quotesOf(state.subscription.cancellationOptions).find((one) => one.id === of.input.quoteId) ?? null;
    return stay(state, { problem, before, mode: quote.mode, subscription: withQuote(state.subscription, quote) });
  },

  optionsChanged: (state, { code, message, options }) =>
    stay(state, {
      problem: { code, message, path: [] },
      subscription: { ...state.subscription, cancellationOptions: options },
      mode: null,
    }),

  refused: (state, { code, message, path }) => stay(state, { problem: { code, message, path: path ?? [] } }),

  failed: (state, { of, kind, maybe, until }) => {
    // Nobody asked for it but the screen, which asks again.
    if (of.type === "follow" && kind !== "signedOut") return asking(state, follow(of.request, of.pause));
    const effects = isRead(of) ? told({ type: "failed", of: { id: state.id }, kind }) : [];
    return stay(state, { failure: { of, kind, maybe, until } }, until ? [...effects, { type: "wait", until }] : effects);
  },

  /** A failure that said when to come back is over. */
  waited: (state, { until }) => (state.failure?.until === until ? stay(state, { failure: { ...state.failure, until: null } }) : stay(state)),

  /** Ask for a lost answer again: what was to be changed with the same key, so that nothing is done twice. */
  retried: (state) => {
    const { failure } = state;
    if (!failure || failure.until) return stay(state);
    const same = !isRead(failure.of) && failure.of.id === state.id && state.subscription;
    return same ? change(state, failure.of.type, failure.of.input) : events.reloaded(state);
  },

  dismissed: (state, { id }) => stay(state, { news: without(state.news, id) }),

  undid: (state) => change(state, "undo", { cancellationId: state.subscription.cancellation.id }),

  undone: (state, { cancellation }) => {
    const subscription = { ...state.subscription, cancellation };
    return asking({ ...state, ...fresh, undone: true, screen: "details", subscription }, load(state));
  },

  answeredWhy: (state, { feedback }) =>
    change(state, "feedback", { cancellationId: state.subscription.cancellation.id, feedback }),

  feedbackKept: (state, { feedback }) => stay(state, { answered: feedback }),

  wantedReceipt: (state) => {
    const { reference, receiptUrl } = state.subscription.cancellation;
    return asking(state, { type: "receipt", id: state.id, reference, receiptUrl });
  },

  gotReceipt: (state) => stay(state),

  picked: (state, { ids, on }) =>
    instead(state, ["remove"], {
      picked: on ? [...state.picked, ...ids.filter((id) => !state.picked.includes(id))] : state.picked.filter((id) => !ids.includes(id)),
      preview: null,
      problem: null,
      waiting: without(state.waiting, "preview"),
    }),

  searchedPeople: (state, { search }) => asking({ ...state, people: { ...state.people, search } }, people(state, search)),

  wantedMorePeople: (state) =>
    state.waiting.people || !state.people?.next ? stay(state) : asking(state, people(state, state.people.search, state.people.next)),

  gotPeople: (state, { of, rows, total, next }) =>
    stay(state, { people: { search: of.search, total, next, rows: of.after ? [...state.people.rows, ...rows] : rows } }),

  wantedLeast: (state, { count }) => (state.waiting.least ? stay(state) : asking(state, { type: "least", id: state.id, count })),

  gotLeast: (state, { ids }) => instead(state, ["remove"], { picked: ids, preview: null, waiting: without(state.waiting, "preview") }),

  gotWindows: (state, { windows }) => stay(state, { windows }),

  previewed: (state) => {
    if (!state.picked.length || state.waiting.preview) return stay(state);
    const input = { subscriptionId: state.id, userIds: state.picked, dryRun: true };
    return asking({ ...state, problem: null, failure: null }, { type: "preview", id: state.id, input });
  },

  gotPreview: (state, { type, of, ...preview }) => stay(state, { preview }),

  removedUsers: (state, { key }) =>
    state.preview
      ? change(state, "remove", { subscriptionId: state.id, userIds: state.picked, dryRun: false, idempotencyKey: key })
      : stay(state),

  gotRemoved: (state, { results, removedCount, requestedCount, request, options }) => {
    const removed = { results, removedCount, requestedCount, request, opened: optionOf(options, "CANCEL_ONLINE").available };
    return asking({ ...state, preview: null, picked: [], removed }, load(state), ...(request?.requested ? [follow(request.id)] : []));
  },

  /** Removals are followed to their end, and what is open is asked for anew when some were decided. */
  gotProgress: (state, { of, request }) => {
    if (!request || state.removed?.request?.id !== request.id) return stay(state);
    const moved = request.requested !== state.removed.request.requested;
    const next = request.requested ? [follow(request.id, moved ? 0 : of.pause)] : [];
    return asking({ ...state, removed: { ...state.removed, request } }, ...next, ...(moved ? [load(state)] : []));
  },

  askedForCall: (state, { input, key }) =>
    state.editing
      ? change(state, "moveCall", { callbackId: state.subscription.openCallback.id, phone: input.phone, windowId: input.windowId })
      : change(state, "call", { subscriptionId: state.id, ...input, idempotencyKey: key }),

  gotCall: (state, { callback }) =>
    stay(state, { problem: null, editing: false, subscription: { ...state.subscription, openCallback: callback } }),

  changedCall: (state, { on }) => instead(state, ["call", "moveCall"], { editing: on, problem: null }),

  typedCall: (state) => instead(state, ["call", "moveCall"], {}),

  withdrewCall: (state) => change(state, "withdraw", { callbackId: state.subscription.openCallback.id }),

  callWithdrawn: (state) =>
    asking({ ...state, editing: false, subscription: { ...state.subscription, openCallback: null } }, load(state)),
};

const list = ({ search }, after = null) => ({ type: "list", search, after });

const load = ({ id }) => ({ type: "load", id });

const people = ({ id }, search, after = null) => ({ type: "people", id, search, after });

const follow = (request, before = 0) => ({ type: "follow", request, pause: Math.min(2 * before || FIRST_PAUSE, LONGEST_PAUSE) });

const without = (from, key) => Object.fromEntries(Object.entries(from).filter(([name]) => name !== key));

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
