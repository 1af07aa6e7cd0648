// What the host hears of it.
const log = document.querySelector("#log");
for (const name of ["wayout-navigate", "wayout-canceled", "wayout-undone", "wayout-callback-requested", "wayout-error"]) {
  document.addEventListener(name, (event) => { log.textContent = `${name} ${JSON.stringify(event.detail)}`; });
}
