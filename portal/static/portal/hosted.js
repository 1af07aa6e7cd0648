// The page around <wayout-portal> for people whom a host vouches for: addresses for every step, and the end of the visit.

const portal = document.querySelector("wayout-portal");
const place = () => {
  const [subscriptionId, step] = location.hash.slice(1).split("/");
  return [subscriptionId || null, step || "details"];
};

portal.addEventListener("wayout-navigate", ({ detail: { subscriptionId, step } }) => {
  const to = subscriptionId ? `#${subscriptionId}/${step}` : location.pathname;
  if (to !== (location.hash || location.pathname)) history.pushState(null, "", to);
});

addEventListener("popstate", () => portal.show(...place()));

// The server says what became of the visit, and where to go on.
portal.addEventListener("wayout-error", ({ detail }) => {
  if (detail.kind === "signedOut") location.reload();
});

if (location.hash) customElements.whenDefined("wayout-portal").then(() => portal.show(...place()));
