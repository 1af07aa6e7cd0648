// What the host hears of it.
const log = document.querySelector("#log");
const NAMES = [
  "wayout-navigate", "wayout-canceled", "wayout-undone", "wayout-users-removed", "wayout-callback-requested",
  "wayout-callback-withdrawn", "wayout-error",
];
for (const name of NAMES) {
  document.addEventListener(name, (event) => { log.textContent = `${name} ${JSON.stringify(event.detail)}`; });
}
