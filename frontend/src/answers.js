// How each effect of the flow is answered: what is asked of the API, and the event that its answer is.

import { h } from "./dom.js";

const PAGE = 20;
const MOST = 100;

/** The event that an effect ends in, but for the effect itself. Throws NoAnswer. */
export const answerTo = async (effect, api, timeZone) => answers[effect.type](api, effect, timeZone);

const answers = {
  async list(api, { after, search }) {
    const { subscriptions } = await api.run("Subscriptions", { first: PAGE, after, search: search || null });
    return { type: "gotList", ...page(subscriptions) };
  },

  async load(api, { id }) {
    const { subscription, viewer } = await api.run("Subscription", { id });
    return { type: "gotSubscription", subscription: subscription ?? false, viewer };
  },

  async people(api, { id, after, search }) {
    const { subscription } = await api.run("Licenses", { id, first: PAGE, after, search: search || null });
    return { type: "gotPeople", ...page(subscription.licenses) };
  },

  async least(api, { id, count }) {
    const ids = [];
    let after = null;
    do {
      const { subscription } = await api.run("Licenses", { id, first: MOST, after, search: null });
      const { rows, next } = page(subscription.licenses);
      ids.push(...rows.filter((license) => license.removable).map((license) => license.user.id));
      after = next;
    } while (after && ids.length < count);
    return { type: "gotLeast", ids: ids.slice(0, count) };
  },

  async windows(api, { id }, timeZone) {
    const { callbackWindows } = await api.run("Windows", { id, timeZone, days: 5 });
    return { type: "gotWindows", windows: callbackWindows ?? [] };
  },

  async cancel(api, { input }) {
    const { cancelSubscription: said } = await api.run("Cancel", { input });
    if (said.cancellation) return { type: "canceled", cancellation: said.cancellation };
    if (said.cancellationOptions) return { type: "optionsChanged", ...said, options: said.cancellationOptions };
    return { type: "quote" in said ? "quoteChanged" : "refused", ...said };
  },

  async undo(api, { input }) {
    const { undoCancellation: said } = await api.run("Undo", { input });
    return said.cancellation ? { type: "undone", cancellation: said.cancellation } : refused(said);
  },

  async feedback(api, { input }) {
    const { submitCancellationFeedback: said } = await api.run("Feedback", { input });
    return said.cancellation ? { type: "feedbackKept", feedback: said.cancellation.feedback } : refused(said);
  },

  /** How far removals are, after a pause: whoever carries them out takes a while. */
  async follow(api, { request, pause }) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    return { type: "gotProgress", request: (await api.run("Follow", { id: request })).removalRequest };
  },

  preview: (api, { input }) => removal(api, input),

  remove: (api, { input }) => removal(api, input),

  async call(api, { input }) {
    const { requestCallback: said } = await api.run("RequestCallback", { input });
    return said.callbackRequest ? { type: "gotCall", callback: said.callbackRequest } : refused(said);
  },

  async moveCall(api, { input }) {
    const { rescheduleCallback: said } = await api.run("RescheduleCallback", { input });
    return said.callbackRequest ? { type: "gotCall", callback: said.callbackRequest } : refused(said);
  },

  async withdraw(api, { input }) {
    const { withdrawCallback: said } = await api.run("WithdrawCallback", { input });
    return said.callbackRequest ? { type: "callWithdrawn", callback: said.callbackRequest } : refused(said);
  },

  async receipt(api, { reference, receiptUrl }) {
    const href = URL.createObjectURL(new Blob([await api.receipt(receiptUrl)], { type: "text/plain" }));
    h("a", { href, download: `${reference}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1_000);
    return { type: "gotReceipt" };
  },
};

const refused = (said) => ({ type: "refused", ...said });

async function removal(api, input) {
  const { removeUsers: said } = await api.run("RemoveUsers", { input });
  if (!said.results) return refused(said);
  const { results, removedCount, removalRequest: request, cancellationOptions: options } = said;
  const requestedCount = results.filter((result) => result.outcome === "REQUESTED").length;
  const found = { results, removedCount, requestedCount, request, options };
  return { type: said.dryRun ? "gotPreview" : "gotRemoved", ...found };
}

const page = ({ edges, totalCount, pageInfo }) => ({
  rows: edges.map((edge) => edge.node),
  total: totalCount,
  next: pageInfo.hasNextPage ? pageInfo.endCursor : null,
});
