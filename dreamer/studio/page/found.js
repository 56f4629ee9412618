// A dream's recipe, as a difference to the present one.

import { $, make, tell } from "./dom.js";
import { changed, flatten, on, settings, studio } from "./settings.js";

function showFound({ id, name, recipe }) {
  const [now, there] = [flatten(studio.recipe), flatten(recipe)];
  const keys = [...new Set([...Object.keys(now), ...Object.keys(there)])].filter((key) => JSON.stringify(now[key]) !== JSON.stringify(there[key]));
  const cell = (value) => make("td", { textContent: value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value) });
  const rows = keys.sort().map((key) => make("tr", {}, make("th", { scope: "row", textContent: key }), cell(now[key]), cell(there[key])));
  if (!rows.length) rows.push(make("tr", {}, make("td", { colSpan: 3, textContent: "Nothing: it was made as the dials are now." })));
  $("found").querySelector("tbody").replaceChildren(...rows);
  $("found-title").textContent = `${name} is a dream`;
  $("found").hidden = false;
  const use = (text, words) => {
    Object.assign(settings, words());
    $("found").hidden = true;
    tell(text);
    changed(0);
  };
  const { flags } = settings;
  $("use-look").onclick = () => use("Its look is used, with the present seed.", () => ({ recipe: id, look: "", set: {}, flags: { ...flags, seed: flags.seed ?? studio.recipe?.seed ?? 0 } }));
  $("use-seed").onclick = () => use("Its seed is used.", () => ({ flags: { ...flags, seed: recipe.seed } }));
  $("use-all").onclick = () => use("All of its recipe is used.", () => ({ recipe: id, look: "", flags: {}, set: {} }));
}

$("found-close").onclick = () => ($("found").hidden = true);
on("dream", showFound);
on("photo", ({ id, found }) => found.recipe && showFound({ ...found, id }));
