// <wayout-portal>: importing this defines the element in a browser, and does nothing anywhere else.

import { WayoutPortal } from "./element.js";

if (globalThis.customElements && !customElements.get("wayout-portal")) {
  customElements.define("wayout-portal", WayoutPortal);
}

export { addLanguage } from "./text.js";
export { WayoutPortal };
