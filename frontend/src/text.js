// Words and dates in one language. Amounts never pass here: the API formats them.

import { fallback, languages, locales } from "./locales/index.js";

const known = { ...locales };

/** Teach the element another language: its code and the words, with the keys of locales/en.js. */
export function addLanguage(code, words) {
  known[code] = words;
}

/** The words of a locale such as "bg-BG"; English where the language is not known. */
export function textOf(locale) {
  const code = locale?.slice(0, 2).toLowerCase();
  return Object.hasOwn(known, code) ? createText(code, known[code]) : createText(fallback, known[fallback]);
}

export function createText(locale, words) {
  const plural = new Intl.PluralRules(locale);

  /** The words under a key such as "states.ACTIVE", with {values} filled in; plural by {count}. */
  const say = (key, values = {}) => {
    const found = key.split(".").reduce((at, part) => at?.[part], words) ?? key;
    const said = typeof found === "object" ? found[plural.select(values.count)] ?? found.other : found;
    const filled = said.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
    return filled.replace(/\.\.(?=\s|$)/g, "."); // a Bulgarian date ends in a dot already
  };

  const format = (options) => (value) => new Intl.DateTimeFormat(words.dates, options).format(value);

  return {
    locale,
    languages,
    /** Why somebody may have left, in the order of the buttons: code and label. */
    feedback: words.feedback,
    say,
    /** A day, in the zone it belongs to. */
    day: (instant, timeZone) => format({ dateStyle: "long", timeZone })(new Date(instant)),
    /** A day without a time is that day, whatever the zone. */
    date: (day) => format({ dateStyle: "long", timeZone: "UTC" })(new Date(`${day}T00:00:00Z`)),
    /** A day with hours, always with the zone's name. */
    time: (instant, timeZone) =>
      format({
        day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
        timeZone, timeZoneName: "longGeneric",
      })(new Date(instant)),
    /** How far ahead something is: in 30 seconds, in 2 minutes. */
    ahead: (milliseconds) => {
      const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
      const said = new Intl.RelativeTimeFormat(words.dates, { numeric: "always" });
      return seconds > 90 ? said.format(Math.ceil(seconds / 60), "minute") : said.format(seconds, "second");
    },
    list: (parts) => new Intl.ListFormat(locale, { type: "disjunction" }).format(parts),
  };
}
