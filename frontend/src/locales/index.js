// Made from common/languages.py by `make schema`.

import en from "./en.js";
import bg from "./bg.js";

export const locales = { en, bg };
// What each calls itself.
export const languages = { en: "English", bg: "Български" };
export const fallback = "en";
