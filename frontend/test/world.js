// What tests make up: subscriptions as the API answers them, and just enough of a document to draw the screens in.

const ROUTES = ["CANCEL_ONLINE", "REMOVE_USERS", "REQUEST_CALLBACK", "UNDO_CANCELLATION", "NOTHING_TO_CANCEL", "CONTACT_PARTNER"];
const LATER = "2026-12-01T00:00:00Z";

export const quote = (mode, amount = "€4.00", id = `${mode}-1`) => ({
  id, mode, refund: { formatted: amount }, lines: [], pendingCharges: [], affectedUsers: 3, usersStillCovered: 0, timeZone: "UTC",
  creditForm: "PAID_BACK", explanation: "why", effectiveAt: LATER, accessEndsAt: LATER, dataAvailableUntil: LATER, dataErasedBy: LATER, undoUntil: LATER,
  refundDueBy: "2027-01-15",
});

export const options = (available, of = "1", quotes = [quote("IMMEDIATE", "€4.00", `IMMEDIATE-${of}`), quote("AT_PERIOD_END", "€0.00", `AT_PERIOD_END-${of}`)]) => ({
  route: available[0],
  headline: "so it is",
  canAct: true,
  eligibleRoles: ["GLOBAL_ADMIN"],
  options: ROUTES.map((route) => ({
    route,
    available: available.includes(route),
    message: "because",
    quotes: route === "CANCEL_ONLINE" ? (available.includes(route) ? quotes : []) : null,
    usersToRemove: route === "REMOVE_USERS" ? 8 : null,
  })),
});

export const cancellation = (of, more = {}) => ({
  id: `can_${of}`, reference: `C-${of}`, status: "EFFECTIVE", requestedAt: LATER, requestedBy: "Ada", effectiveAt: LATER, undoUntil: LATER,
  refunds: [], accessEndsAt: LATER, dataAvailableUntil: LATER, dataErasedBy: LATER, receiptUrl: "/receipts/x/", ...more,
});

export const subscription = (available = ["CANCEL_ONLINE"], more = {}) => {
  const id = more.id ?? "sub_1";
  return {
    id, name: "P", status: "ACTIVE", assignedLicenses: 3, purchasedLicenses: 5, tenant: { name: "T", timeZone: "UTC" }, openCallback: null,
    cancellation: available.includes("UNDO_CANCELLATION") ? cancellation(id) : null,
    cancellationOptions: options(available, id), ...more,
  };
};

class FakeNode {
  constructor() {
    this.children = [];
  }

  append(...children) {
    this.children.push(...children);
  }

  setAttribute() {}

  addEventListener() {}

  get textContent() {
    return this.children.map((child) => child.textContent ?? String(child)).join(" ");
  }
}

export const fakeDocument = () => ({ createElement: () => new FakeNode(), createElementNS: () => new FakeNode() });
