// One dial: an option of the recipe as a slider, a number, a menu, a switch or a text.

import { make, plain } from "./dom.js";
import { isChanged, put, reset } from "./settings.js";

const rounded = (value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);

function slider(option, key, value, label, id, box) {
  const span = option.high - option.low;
  const step = option.type === "whole" ? 1 : span <= 1 ? 0.01 : span <= 10 ? 0.05 : 0.5;
  const read = (text, digits) => (option.type === "whole" ? Math.round(Number(text)) : Number(Number(text).toPrecision(digits)));
  const exact = make("input", {
    type: "number", className: "value", min: option.low, max: option.high, step: "any",
    value: value == null ? "" : rounded(value), placeholder: "auto", "aria-label": `${label}, as a number`,
    onchange: () => (exact.value === "" ? reset(key) : put(key, read(exact.value, 4))),
  });
  const log = option.low > 0 && option.high / option.low > 50;
  const [to, from] = log ? [Math.log, Math.exp] : [(x) => x, (x) => x];
  const at = to(value ?? option.default ?? option.low);
  const range = make("input", { type: "range", id, min: to(option.low), max: to(option.high), step: log ? "any" : step, value: at });
  range.addEventListener("input", () => {
    const now = read(from(Number(range.value)), 3);
    exact.value = now;
    box.classList.add("changed");
    put(key, now);
  });
  return [exact, range];
}

function number(option, key, value, id) {
  const limits = Object.fromEntries([["min", option.low], ["max", option.high]].filter(([, limit]) => limit != null));
  const input = make("input", {
    type: "number", id, className: "value", value: value ?? "", placeholder: "auto",
    step: option.type === "whole" ? 1 : "any", ...limits,
    onchange: () => (input.value === "" ? reset(key) : put(key, Number(input.value))),
  });
  return [input];
}

function menu(option, key, value, id) {
  const choices = option.choices.map((one) => make("option", { textContent: String(one), selected: one === value }));
  const select = make("select", { id, onchange: () => put(key, option.choices[select.selectedIndex]) }, ...choices);
  return [select];
}

function text(option, key, value, id) {
  const shown = Array.isArray(value) ? value.join(", ") : (value ?? "");
  const part = (one) => (isNaN(one) ? one : Number(one));
  const typed = () => (option.type === "list" ? input.value.split(",").map((one) => one.trim()).filter(Boolean).map(part) : input.value);
  const input = make("input", {
    type: "text", id, className: "wide", value: shown, placeholder: option.optional ? "by itself" : "",
    onchange: () => (input.value === "" ? reset(key) : put(key, typed())),
  });
  return [input];
}

let numbered = 0;
export function dial(option, key, value, label = plain(option.name), why = "") {
  const id = `dial-${++numbered}`;
  const box = make("div", { className: `dial${isChanged(key) ? " changed" : ""}` });
  box.dataset.key = key;
  const isNumber = option.type === "whole" || option.type === "number";
  const bounded = option.low != null && option.high != null && option.high - option.low <= 10000 && option.name !== "seed";
  const parts =
    isNumber && bounded ? slider(option, key, value, label, id, box)
    : isNumber ? number(option, key, value, id)
    : option.type === "choice" ? menu(option, key, value, id)
    : option.type === "switch" ? [make("input", { type: "checkbox", id, checked: value === true, onchange: (event) => put(key, event.target.checked) })]
    : text(option, key, value, id);
  box.append(make("label", { htmlFor: id, textContent: label, title: option.allowed ?? "" }), ...parts);
  if (why) box.append(make("p", { className: "why", textContent: why }));
  const again = { className: "quiet reset", textContent: "as the look has it", "aria-label": `${label}: as the look has it`, onclick: () => reset(key) };
  if (isChanged(key)) box.append(make("button", again));
  return box;
}
