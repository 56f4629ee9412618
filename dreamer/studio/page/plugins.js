// Plugins: which there are and whether they work, and others to install: first the plan, then, on a click on it, the deed.

import { $, make } from "./dom.js";
import { ask, post } from "./server.js";

const failed = (error) => $("plugins-problems").replaceChildren(...(error.problems ?? [error.message]).map((text) => make("p", { className: "warning", textContent: text })));
const guarded = (act) => async (...given) => {
  $("plugins-problems").replaceChildren();
  $("plugins").setAttribute("aria-busy", true);
  try {
    await act(...given);
  } catch (error) {
    failed(error);
  }
  $("plugins").removeAttribute("aria-busy");
};
const said = (text) => ($("plugins-said").textContent = text);
const cells = (tag, texts) => texts.map((textContent) => make(tag, { textContent }));

async function show() {
  const { plugins, packs } = await ask("/plugins");
  const rows = plugins.map((one) => make("tr", { className: one.problem ? "broken" : "" }, ...cells("td", [one.name, one.version, one.adds.join(", "), one.problem ? `broken: ${one.problem}` : "works"])));
  if (!rows.length) rows.push(make("tr", {}, make("td", { colSpan: 4, textContent: "None yet: all looks and ingredients are dreamer's own." })));
  $("plugins-there").replaceChildren(...rows);
  $("plugins-packs").replaceChildren(...packs.map((one) => {
    const button = make("button", { textContent: "Plan", "aria-label": `Plan to install ${one.name}`, onclick: () => plan(one.spec) });
    return make("li", {}, make("b", { textContent: one.name }), make("span", { textContent: one.about }), button);
  }));
}

const plan = guarded(async (spec) => {
  $("plan").hidden = true;
  said(`What would ${spec} bring? The package index is asked ...`);
  let found;
  try {
    found = await post("/plugins/plan", { specs: [spec] });
  } finally {
    said("");
  }
  if (!found.changes.length) return void said("Everything of it is already installed.");
  $("plan").querySelector("tbody").replaceChildren(...found.changes.map((one) => make("tr", {}, ...cells("td", [one.name, one.new, one.old || "–", one.from]))));
  $("plan-title").textContent = `${found.tool} would install`;
  $("plan-command").textContent = `dreamer plugins install ${spec}`;
  $("plan").hidden = false;
  $("install").onclick = () => install(found.plan);
  $("install").focus();
});

const install = guarded(async (key) => {
  $("plan").hidden = true;
  said("Installing ...");
  try {
    const found = await post("/plugins/install", { plan: key });
    said(`${found.said.join("; ")}. Load the page again to see what is new.`);
  } catch (error) {
    said("");
    throw error;
  }
  await show();
});

export const plugins = guarded(async () => {
  if (!$("plugins").open) $("plugins").showModal();
  await show();
});

$("plugins-button").onclick = plugins;
$("plugins-form").onsubmit = (event) => {
  event.preventDefault();
  const spec = $("spec").value.trim();
  if (spec) plan(spec);
};
$("plugins-close").onclick = () => $("plugins").close();
