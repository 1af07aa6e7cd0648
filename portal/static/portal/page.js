// The page around <wayout-portal>: addresses for every step, the way to sign in, another language without a reload.

const portal = document.querySelector("wayout-portal");
const home = portal.dataset.home;

const address = ({ subscriptionId, step }) =>
  subscriptionId ? `${home}subscriptions/${subscriptionId.slice(4)}/${step === "details" ? "" : `#${step}`}` : home;

const place = () => {
  const found = /subscriptions\/(\d+)\/$/.exec(location.pathname);
  return [found && `sub_${found[1]}`, location.hash.slice(1) || "details"];
};

portal.addEventListener("wayout-navigate", ({ detail }) => {
  const to = address(detail);
  if (to !== location.pathname + location.hash) history.pushState(null, "", to);
});

addEventListener("popstate", () => portal.show(...place()));

portal.addEventListener("wayout-error", ({ detail }) => {
  const here = encodeURIComponent(location.pathname + location.hash);
  if (detail.kind === "signedOut") location.assign(`${home}accounts/login/?next=${here}`);
});

document.addEventListener("submit", async (event) => {
  if (event.target.id !== "language-form") return;
  event.preventDefault();
  const form = new FormData(event.target, event.submitter);
  await fetch(event.target.action, { method: "POST", body: form, redirect: "manual" });
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  document.querySelector("header").replaceWith(page.querySelector("header"));
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  portal.setAttribute("locale", form.get("language"));
  document.querySelector("#language-form button").focus();
});

// An address may name a step; the server does not see it.
if (location.hash) customElements.whenDefined("wayout-portal").then(() => portal.show(...place()));
