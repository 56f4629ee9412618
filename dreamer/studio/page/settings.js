// What is asked for: the settings, and the recipe and the command that they come to.

import { $, complain } from "./dom.js";
import { post } from "./server.js";

const KEPT = "dreamer-studio";
const FLAG_OF = {
  strength: "strength", spare: "keep", seed: "seed", size: "size", init: "init", feather: "feather",
  "octaves.feature_size": "feature-size",
};

export const settings = { photo: null, look: "", recipe: null, flags: {}, set: {}, regions: [] };
export const studio = {
  words: null, // what can be chosen: looks and options
  recipe: null, // the complete recipe of the settings
  layers: [],
  photo: null, // what is known of the photo: its name, its size
  pictures: [], // of the folder
  jobs: [],
  now: {}, // how far the dream being made is
};

// What has changed: "settings" at once, "recipe" when the server has answered, "photo", "pictures", "jobs".
const listeners = new EventTarget();
export const on = (what, act) => listeners.addEventListener(what, (event) => act(event.detail));
export const say = (what, detail) => listeners.dispatchEvent(new CustomEvent(what, { detail }));

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(settings));
  } catch { /* without a store they are forgotten */ }
  say("settings");
}

export function remember() {
  try {
    Object.assign(settings, JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
  } catch { /* begins anew */ }
}

let asked = 0;
let timer = 0;
let refused = false; // what is complained of is the settings
export function changed(wait = 120) {
  keep();
  clearTimeout(timer);
  timer = setTimeout(resolve, wait);
}

// Ask at once what the settings come to.
export async function resolve() {
  clearTimeout(timer);
  keep();
  $("dream").disabled = $("drafts-button").disabled = !settings.photo;
  if (!settings.photo) return;
  const mine = ++asked;
  try {
    const found = await post("/recipe", settings);
    if (mine !== asked) return;
    if (refused) $("problems").replaceChildren();
    refused = false;
    [studio.recipe, studio.layers] = [found.recipe, found.layers];
    $("command").hidden = false;
    $("command").querySelector("pre").textContent = found.command;
    say("recipe");
  } catch (error) {
    if (mine !== asked) return;
    refused = true;
    complain(error);
  }
}

export function put(key, value) {
  if (key in FLAG_OF) settings.flags[FLAG_OF[key]] = value;
  else settings.set[key] = value;
  changed();
}

export function reset(key) {
  if (key in FLAG_OF) delete settings.flags[FLAG_OF[key]];
  else delete settings.set[key];
  changed(0);
}

export const isChanged = (key) => (key in FLAG_OF ? settings.flags[FLAG_OF[key]] != null : key in settings.set);

// A recipe as one table of keys, as --set spells them.
export function flatten(found) {
  const flat = {};
  for (const [key, value] of Object.entries(found ?? {})) {
    if (Array.isArray(value) && value.some((one) => one && typeof one === "object")) {
      for (const one of value) {
        const name = one.id ?? one.name ?? one.mask;
        for (const [inner, each] of Object.entries(one)) if (inner !== "name") flat[`${key}.${name}.${inner}`] = each;
      }
    } else if (value && typeof value === "object" && !Array.isArray(value)) {
      for (const [inner, each] of Object.entries(value)) flat[`${key}.${inner}`] = each;
    } else flat[key] = value;
  }
  return flat;
}
