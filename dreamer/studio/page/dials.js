// All dials, in three depths: look, recipe, everything.

import { $, arrows, capital, make, plain, tell } from "./dom.js";
import { dial } from "./dial.js";
import { changed, on, put, reset, settings, studio } from "./settings.js";

const LABELS = {
  strength: ["Strength", "From the photo to the whole dream."],
  colour: ["Colour", "How much of the photo's own colours stays."],
  spare: ["Keep", "How much of the photo's light and of what stands out in it stays."],
  seed: ["Seed", ""],
};
const SIZES = [["1024", 1024], ["2048", 2048], ["3072", 3072], ["4096", 4096], ["6144", 6144], ["the photo's own", 0]];
const FORMATS = {
  picture: [["as the photo", ""], ["JPEG", ".jpg"], ["PNG", ".png"], ["WebP", ".webp"], ["TIFF", ".tif"]],
  clip: [["MP4", ""], ["WebM", ".webm"], ["GIF", ".gif"]],
};
const RECIPE_OCTAVES = ["steps", "step_size", "scale", "smallest", "taper"];

const option = (table, name) => studio.words[table].find((one) => one.name === name);

function menu(id, label, pairs, now, choose) {
  const all = pairs.some(([, value]) => value === now) ? pairs : [...pairs, [String(now), now]];
  const select = make("select", { id, onchange: () => choose(all[select.selectedIndex][1]) }, ...all.map(([text, value]) => make("option", { textContent: text, selected: value === now })));
  return make("div", { className: "dial" }, make("label", { htmlFor: id, textContent: label }), select);
}

export function roll() {
  put("seed", Math.floor(Math.random() * 1e6));
  tell("Another seed: another dream of the same look.");
}

function lookDials() {
  const { recipe } = studio;
  const from = (name) => dial(option("recipe", name), name, recipe[name], ...LABELS[name]);
  const why = "In percent of the short side: small leaves or large towers.";
  const feature = dial(option("octaves", "feature_size"), "octaves.feature_size", recipe.octaves.feature_size, "Feature size", why);
  const seed = from("seed");
  const dice = make("button", { className: "dice", textContent: "⚄", title: "Another seed (R)", "aria-label": "Another seed", onclick: roll });
  const number = seed.querySelector("input");
  seed.insertBefore(make("span", { className: "pair" }), number).append(number, dice);
  const size = ["zoom", "loop"].includes(settings.kind) ? (settings.flags.size ?? 1280) : recipe.size;
  const formats = settings.kind ? FORMATS.clip : FORMATS.picture;
  return [
    from("strength"), feature, from("colour"), from("spare"), seed,
    menu("dial-size", "Longest side", settings.kind ? [["640", 640], ["1280", 1280], ["1920", 1920], ...SIZES.slice(1)] : SIZES, size, (value) => put("size", value)),
    menu("dial-format", "File", formats, settings.format ?? "", (value) => { settings.format = value; changed(); }),
  ];
}

const kindOf = (key) => studio.words.ones[key] ?? key;
const known = (kind, name) => studio.words.kinds[kind].find((one) => one.name === name || `${one.from}:${one.name}` === name);
const explained = (title, text) => make("details", {}, make("summary", { textContent: title }), make("p", { className: "about", textContent: text }));

function ingredient(list, item) {
  const about = known(kindOf(list), item.name);
  const label = item.id ?? item.name;
  const prefix = list in studio.words.ones ? list : `${list}.${label}`;
  const box = make("fieldset", {}, make("legend", { textContent: plain(label) }), make("p", { className: "about", textContent: about?.summary ?? "" }));
  if ("weight" in item) box.append(dial({ name: "weight", type: "number", low: null, high: null }, `${prefix}.weight`, item.weight));
  if (list === "objectives") {
    const choices = studio.layers.includes(item.layer) ? studio.layers : [item.layer, ...studio.layers];
    box.append(dial({ name: "layer", type: "choice", choices }, `${prefix}.layer`, item.layer));
  }
  for (const one of about?.options ?? []) box.append(dial(one, `${prefix}.${one.name}`, item[one.name] ?? one.default));
  const more = (about?.about ?? "").split("\n").slice(1).join("\n").trim();
  if (more) box.append(explained("More", more));
  return box;
}

function recipeDials() {
  const { recipe } = studio;
  const octaves = RECIPE_OCTAVES.map((name) => dial(option("octaves", name), `octaves.${name}`, recipe.octaves[name] ?? option("octaves", name).default));
  const grow = recipe.objectives.map((item) => ingredient("objectives", item));
  return [make("h3", { textContent: "What grows" }), ...grow, make("h3", { textContent: "Octaves, small to large" }), ...octaves];
}

function adding(list) {
  const there = new Set((studio.recipe[list] ?? []).map((item) => item.name));
  const more = studio.words.kinds[list].filter((one) => !there.has(one.name) && !one.name.endsWith("*"));
  const options = more.map((one) => make("option", { textContent: plain(one.name), title: one.summary }));
  const add = make("select", { "aria-label": `Add to ${plain(list)}` }, make("option", { textContent: "add ..." }), ...options);
  const name = () => more[add.selectedIndex - 1].name;
  add.addEventListener("change", () => add.selectedIndex && put(`${list}.${name()}.id`, name()));
  return add;
}

function everythingDials() {
  const { recipe, words } = studio;
  const own = words.recipe.filter((one) => one.name !== "network").map((one) => dial(one, one.name, recipe[one.name] ?? one.default));
  const octaves = words.octaves.map((one) => dial(one, `octaves.${one.name}`, recipe.octaves[one.name] ?? null));
  const found = [
    make("h3", { textContent: "The recipe" }), ...own, explained("What these mean", words.about.recipe),
    make("h3", { textContent: "Octaves" }), ...octaves, explained("What these mean", words.about.octaves),
  ];
  for (const list of words.lists) {
    const there = (recipe[list] ?? []).map((item) => ingredient(list, item));
    found.push(make("h3", { textContent: capital(list) }), ...there, adding(list));
  }
  for (const key of Object.keys(words.ones)) {
    const choices = words.kinds[kindOf(key)].map((one) => one.name);
    const which = dial({ name: key, type: "choice", choices }, `${key}.name`, recipe[key].name);
    found.push(make("h3", { textContent: capital(key) }), which, ingredient(key, recipe[key]));
  }
  return found;
}

const DEPTHS = { look: lookDials, recipe: recipeDials, everything: everythingDials };
let depth = "look";

function showDials() {
  if (!studio.words || !studio.recipe) return;
  // No dial is taken away under the hand that turns it: the one with the focus gets it back, and stays in sight.
  const [box, focus] = [$("dials"), document.activeElement];
  const dialled = box.contains(focus) && focus.closest("[data-key]");
  if (dialled && focus.type === "range" && focus.matches(":active")) return void focus.addEventListener("change", showDials, { once: true });
  const place = dialled && [dialled.dataset.key, [...dialled.querySelectorAll("input,select,button")].indexOf(focus)];
  const [top, open] = [box.scrollTop, [...box.querySelectorAll("details")].map((one) => one.open)];
  box.replaceChildren(...DEPTHS[depth]());
  box.scrollTop = top;
  box.querySelectorAll("details").forEach((one, number) => (one.open = open[number] ?? false));
  if (place) box.querySelector(`[data-key="${CSS.escape(place[0])}"]`)?.querySelectorAll("input,select,button")[place[1]]?.focus({ preventScroll: true });
}

export function chooseDepth(name) {
  depth = name;
  for (const tab of $("depths").children) {
    const on = tab.id === `depth-${name}`;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
  }
  $("dials").setAttribute("aria-labelledby", `depth-${name}`);
  $("dials").scrollTop = 0;
  showDials();
}

function showChanges() {
  const chip = (text, name, act) => make("li", {}, make("span", { textContent: text, title: text }), make("button", { textContent: "×", "aria-label": `Take back ${name}`, onclick: act }));
  const dream = studio.pictures.find((one) => one.id === settings.recipe)?.name ?? "a dream";
  const source = settings.recipe ? [chip(`look of ${dream}`, "the look of a dream", () => { settings.recipe = null; changed(0); })] : [];
  const keys = Object.entries(settings.set).map(([key, value]) => chip(`${key} = ${JSON.stringify(value)}`, key, () => reset(key)));
  $("changes").replaceChildren(...source, ...keys);
  const where = (region) => (/^[0-9a-f]{16}$/.test(region.mask) ? "painted" : region.mask);
  const regions = settings.regions.map((region, number) => chip(`${where(region)}: ${region.look || "the recipe's look"}`, "this region", () => { settings.regions.splice(number, 1); changed(0); }));
  $("regions").replaceChildren(...regions);
}

for (const name of Object.keys(DEPTHS)) $(`depth-${name}`).onclick = () => chooseDepth(name);
arrows($("depths"), (tab) => tab.click());
on("recipe", showDials);
arrows($("kinds"), (kind) => kind.click());
on("settings", showChanges);
on("settings", () => ($("dream").textContent = settings.kind ? "Make the film" : "Dream"));
