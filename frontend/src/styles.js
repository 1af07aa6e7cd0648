// The element's looks. A host changes them by custom properties and parts; nothing of the host's own comes in.

export const css = `
:host {
  --_text: var(--wayout-color-text, #1b1f24); --_muted: var(--wayout-color-muted, #57606a);
  --_line: var(--wayout-color-line, #c4ccd4); --_surface: var(--wayout-color-surface, #ffffff);
  --_back: var(--wayout-color-back, #f6f8fa); --_accent: var(--wayout-color-accent, #0b57a4);
  --_danger: var(--wayout-color-danger, #a4262c); --_good: var(--wayout-color-good, #1a7f37);
  --_radius: var(--wayout-radius, 8px);
  display: block;
}
:host([hidden]) { display: none; }
/* What the host inherits to the element, it inherits no further. */
.shell {
  all: initial; display: block; color-scheme: light dark; color: var(--_text); background: var(--_back);
  font: var(--wayout-font, 1rem/1.5 system-ui, sans-serif); container-type: inline-size; overflow-wrap: anywhere;
}
@media (prefers-color-scheme: dark) {
  :host {
    --_text: var(--wayout-color-text, #e6edf3); --_muted: var(--wayout-color-muted, #9da7b3);
    --_line: var(--wayout-color-line, #3d444d); --_surface: var(--wayout-color-surface, #161b22);
    --_back: var(--wayout-color-back, #0d1117); --_accent: var(--wayout-color-accent, #6cb6ff);
    --_danger: var(--wayout-color-danger, #ff8f86); --_good: var(--wayout-color-good, #56d364);
  }
}
* { box-sizing: border-box; }
h1 { font-size: 1.5em; line-height: 1.25; margin: .5em 0 .6em; }
h2 { font-size: 1.15em; line-height: 1.3; margin: 0 0 .6em; }
h3 { font-size: 1em; margin: 1em 0 .4em; }
h1:focus, h2:focus { outline: none; }
p { margin: 0 0 .75em; }
a { color: var(--_accent); }
section, .row, fieldset {
  background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius); padding: 1em; margin: 0 0 1em;
}
fieldset { min-width: 0; } legend { padding: 0 .3em; font-weight: 600; }
ul.rows { list-style: none; margin: 0; padding: 0; }
.row { display: grid; grid-template-columns: 2fr 1.4fr 1.4fr auto; gap: .5em 1em; align-items: center; }
.row h2 { margin: 0; font-size: 1em; }
.muted { color: var(--_muted); }
dl { margin: 0 0 1em; } dl > div { display: grid; grid-template-columns: minmax(9em, 15em) 1fr; gap: .2em 1em; padding: .2em 0; }
dt { color: var(--_muted); } dd { margin: 0; }
button, .button {
  min-height: 44px; min-width: 44px; padding: .55em 1em; font: inherit; cursor: pointer; text-decoration: none;
  color: var(--_accent); background: var(--_surface); border: 1px solid currentColor; border-radius: var(--_radius);
}
section > button, .notice > button { margin-block: .25em .5em; }
button.link { border-color: transparent; background: none; padding-inline: 0; text-decoration: underline; text-align: start; }
button.danger { color: var(--_surface); background: var(--_danger); border-color: var(--_danger); }
button[aria-disabled=true] { opacity: .65; cursor: progress; }
.same { display: grid; grid-template-columns: 1fr 1fr; gap: .75em; }
.actions { display: flex; flex-wrap: wrap; gap: .75em; align-items: center; }
:focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
label { display: block; margin: 0 0 .25em; font-weight: 600; }
.choice { display: flex; gap: .7em; align-items: center; min-height: 44px; font-weight: 400; padding: .2em 0; cursor: pointer; }
.choice strong { display: block; }
.choice input { width: 1.4em; height: 1.4em; flex: none; accent-color: var(--_accent); }
.field { margin: 0 0 1em; max-width: 34em; }
.hint { color: var(--_muted); font-size: .9em; margin: .2em 0 0; }
input:not([type=checkbox], [type=radio]), select, textarea {
  width: 100%; min-height: 44px; padding: .5em; font: inherit; color: inherit; background: var(--_back);
  border: 1px solid var(--_muted); border-radius: var(--_radius);
}
[aria-invalid=true] { border: 2px solid var(--_danger); }
.error { color: var(--_danger); } .good { color: var(--_good); }
.notice { border-inline-start: 4px solid var(--_accent); }
.notice.bad { border-inline-start-color: var(--_danger); }
.tag { display: inline-block; border: 1px solid var(--_muted); border-radius: 1em; padding: 0 .7em; font-size: .9em; }
ul.people { list-style: none; margin: 0 0 1em; padding: 0; max-height: 22em; overflow: auto; border: 1px solid var(--_line); border-radius: var(--_radius); }
ul.people li { padding: 0 .75em; border-bottom: 1px solid var(--_line); } ul.people li:last-child { border: 0; }
del { color: var(--_muted); }
figure { margin: .5em 0; } .usage svg { display: block; width: 100%; max-width: 34em; height: 16px; border: 1px solid var(--_muted); }
rect.used { fill: var(--_muted); } rect.unused { fill: var(--_good); }
figcaption { font-size: .9em; color: var(--_muted); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 .8em; border: 1px solid var(--_muted); }
.key:first-child { margin-inline-start: 0; } .key.used { background: var(--_muted); } .key.unused { background: var(--_good); }
.timeline { list-style: none; margin: 0 0 1em .4em; padding: 0 0 0 1.2em; border-inline-start: 2px solid var(--_line); }
.timeline li { position: relative; padding: .15em 0; }
.timeline li::before {
  content: ""; position: absolute; inset-inline-start: calc(-1.2em - 6px); top: .65em; width: 10px; height: 10px;
  border-radius: 50%; background: var(--_accent);
}
.status { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
@container (max-width: 40em) {
  .row, .same { grid-template-columns: 1fr; } dl > div { grid-template-columns: 1fr; gap: 0; }
}
@media (forced-colors: active) {
  button.danger { forced-color-adjust: none; } rect.used { fill: GrayText; } rect.unused { fill: Highlight; }
  .timeline li::before { background: CanvasText; } .key.used { background: GrayText; } .key.unused { background: Highlight; }
}
@media (prefers-reduced-motion: no-preference) { button { transition: opacity .15s; } }
`;
