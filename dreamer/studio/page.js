// The studio's page. What strangers wrote is only ever set as text, never as markup.

const $ = (id) => document.getElementById(id);
const make = (tag, words = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(words)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const KEPT = "dreamer-studio";
const PAINT_SIDE = 1024; // pixels of the long side of a painted mask

let words = null; // what can be chosen: looks and options
let recipe = null; // the complete recipe of the settings
let layers = [];
let pictures = []; // of the folder
let state = { jobs: [], now: {} };
let settings = { photo: null, look: "", recipe: null, flags: {}, set: {}, regions: [], feather: null };
let dropped = []; // the ids of what was dropped together last
let depth = "look";
let shown = null; // what lies over the photo: {src, file, name}
let watched = ""; // the job whose end is awaited

// Asking the server

async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) {
    $("link").hidden = false;
    throw new Error("The studio does not answer.");
  }
  const found = await answer.json().catch(() => ({ problems: [`The studio answered ${answer.status}.`] }));
  if (!answer.ok) throw Object.assign(new Error("refused"), { problems: found.problems ?? ["This did not work."] });
  return found;
}
const post = (path, body = {}) => ask(path, { method: "POST", body: JSON.stringify(body) });
const tell = (text) => ($("say").textContent = text);
const complain = (error) => $("problems").replaceChildren(...(error.problems ?? [error.message]).map((text) => make("p", { textContent: text, className: "warning" })));
const guarded = (act) => async (...given) => {
  try {
    $("problems").replaceChildren();
    await act(...given);
  } catch (error) {
    complain(error);
  }
};

// The settings, and what they come to

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(settings));
  } catch { /* without a store they are forgotten */ }
}

let asked = 0;
let timer = 0;
function changed(wait = 120) {
  keep();
  clearTimeout(timer);
  timer = setTimeout(resolve, wait);
  showChanges();
}

async function resolve() {
  $("dream").disabled = $("drafts-button").disabled = !settings.photo;
  if (!settings.photo) return;
  const mine = ++asked;
  try {
    const found = await post("/recipe", settings);
    if (mine !== asked) return;
    $("problems").replaceChildren();
    [recipe, layers] = [found.recipe, found.layers];
    $("command").hidden = false;
    $("command").querySelector("pre").textContent = found.command;
    showDials();
  } catch (error) {
    if (mine === asked) complain(error);
  }
}

function flatten(found) {
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

// Dials

const FLAG_OF = { strength: "strength", spare: "keep", seed: "seed", size: "size", init: "init", feather: "feather", "octaves.feature_size": "feature-size" };

function put(key, value) {
  if (key in FLAG_OF) settings.flags[FLAG_OF[key]] = value;
  else settings.set[key] = value;
  changed();
}
function reset(key) {
  if (key in FLAG_OF) delete settings.flags[FLAG_OF[key]];
  else delete settings.set[key];
  changed(0);
}
const isChanged = (key) => (key in FLAG_OF ? settings.flags[FLAG_OF[key]] != null : key in settings.set);
const plain = (name) => name.replaceAll("_", " ");
const rounded = (value) => (typeof value === "number" ? Number(value.toPrecision(6)) : value);

let numbered = 0;
function dial(option, key, value, label = plain(option.name), why = "") {
  const id = `dial-${++numbered}`;
  const box = make("div", { className: `dial${isChanged(key) ? " changed" : ""}` });
  box.dataset.key = key;
  const name = make("label", { htmlFor: id, textContent: label, title: option.allowed ?? "" });
  const number = option.type === "whole" || option.type === "number";
  const span = option.high - option.low;
  if (number && option.low != null && option.high != null && span <= 10000 && option.name !== "seed") {
    const step = option.type === "whole" ? 1 : span <= 1 ? 0.01 : span <= 10 ? 0.05 : 0.5;
    const given = { type: "number", className: "value", min: option.low, max: option.high, step: "any", value: value == null ? "" : rounded(value), placeholder: "auto", "aria-label": `${label}, as a number` };
    const exact = make("input", { ...given, onchange: () => (exact.value === "" ? reset(key) : put(key, read(exact))) });
    const log = option.low > 0 && option.high / option.low > 50;
    const to = (x) => (log ? Math.log(x) : x), from = (x) => (log ? Math.exp(x) : x);
    const range = make("input", { type: "range", id, min: to(option.low), max: to(option.high), step: log ? "any" : step, value: to(value ?? option.default ?? option.low) });
    const read = (input) => (option.type === "whole" ? Math.round(Number(input.value)) : Number(Number(input.value).toPrecision(4)));
    range.addEventListener("input", () => {
      const now = from(Number(range.value));
      const value = option.type === "whole" ? Math.round(now) : Number(now.toPrecision(3));
      exact.value = value;
      box.classList.add("changed");
      put(key, value);
    });
    box.append(name, exact, range);
  } else if (number) {
    const input = make("input", { type: "number", id, className: "value", value: value ?? "", placeholder: "auto", step: option.type === "whole" ? 1 : "any", ...(option.low == null ? {} : { min: option.low }), ...(option.high == null ? {} : { max: option.high }) });
    input.addEventListener("change", () => (input.value === "" ? reset(key) : put(key, Number(input.value))));
    box.append(name, input);
  } else if (option.type === "choice") {
    const select = make("select", { id, onchange: () => put(key, option.choices[select.selectedIndex]) }, ...option.choices.map((one) => make("option", { textContent: String(one), selected: one === value })));
    box.append(name, select);
  } else if (option.type === "switch") {
    box.append(name, make("input", { type: "checkbox", id, checked: value === true, onchange: (event) => put(key, event.target.checked) }));
  } else {
    const text = Array.isArray(value) ? value.join(", ") : (value ?? "");
    const input = make("input", { type: "text", id, className: "wide", value: text, placeholder: option.optional ? "by itself" : "" });
    const typed = () => (option.type === "list" ? input.value.split(",").map((part) => part.trim()).filter(Boolean).map((part) => (part !== "" && !isNaN(part) ? Number(part) : part)) : input.value);
    input.addEventListener("change", () => (input.value === "" ? reset(key) : put(key, typed())));
    box.append(name, input);
  }
  if (why) box.append(make("p", { className: "why", textContent: why }));
  if (isChanged(key)) box.append(make("button", { className: "quiet reset", textContent: "as the look has it", onclick: () => reset(key), "aria-label": `${label}: as the look has it` }));
  return box;
}

const option = (table, name) => words[table].find((one) => one.name === name);

function lookDials() {
  const from = (name) => dial(option("recipe", name), name, recipe[name], ...LABELS[name]);
  const feature = dial(option("octaves", "feature_size"), "octaves.feature_size", recipe.octaves.feature_size, "Feature size", "In percent of the short side: small leaves or large towers.");
  const seed = from("seed");
  const dice = make("button", { className: "dice", textContent: "⚄", title: "Another seed (R)", "aria-label": "Another seed", onclick: roll });
  const number = seed.querySelector("input");
  seed.insertBefore(make("span", { className: "pair" }), number).append(number, dice);
  const sizes = [["1024", 1024], ["2048", 2048], ["3072", 3072], ["4096", 4096], ["6144", 6144], ["the photo's own", 0]];
  if (!sizes.some(([, value]) => value === recipe.size)) sizes.push([String(recipe.size), recipe.size]);
  const size = make("select", { id: "dial-size", onchange: () => put("size", sizes[size.selectedIndex][1]) }, ...sizes.map(([text, value]) => make("option", { textContent: text, selected: value === recipe.size })));
  const formats = [["as the photo", ""], ["JPEG", ".jpg"], ["PNG", ".png"], ["WebP", ".webp"], ["TIFF", ".tif"]];
  const format = make("select", { id: "dial-format", onchange: () => { settings.format = formats[format.selectedIndex][1]; changed(); } }, ...formats.map(([text, value]) => make("option", { textContent: text, selected: value === (settings.format ?? "") })));
  return [
    from("strength"), feature, from("colour"), from("spare"), seed,
    make("div", { className: "dial" }, make("label", { htmlFor: "dial-size", textContent: "Longest side" }), size),
    make("div", { className: "dial" }, make("label", { htmlFor: "dial-format", textContent: "File" }), format),
  ];
}
const LABELS = {
  strength: ["Strength", "From the photo to the whole dream."],
  colour: ["Colour", "How much of the photo's own colours stays."],
  spare: ["Keep", "How much of the photo's light and of what stands out in it stays."],
  seed: ["Seed", ""],
};

const kindOf = (key) => words.ones[key] ?? key;
const known = (kind, name) => words.kinds[kind].find((one) => one.name === name || `${one.from}:${one.name}` === name);

function ingredient(list, item, all) {
  const about = known(kindOf(list), item.name);
  const label = item.id ?? item.name;
  const prefix = list in words.ones ? list : `${list}.${label}`;
  const box = make("fieldset", {}, make("legend", { textContent: plain(label) }), make("p", { className: "about", textContent: about?.summary ?? "" }));
  if ("weight" in item) box.append(dial({ name: "weight", type: "number", low: null, high: null }, `${prefix}.weight`, item.weight));
  if (list === "objectives") box.append(dial({ name: "layer", type: "choice", choices: layers.includes(item.layer) ? layers : [item.layer, ...layers] }, `${prefix}.layer`, item.layer));
  if (all) {
    for (const one of about?.options ?? []) box.append(dial(one, `${prefix}.${one.name}`, item[one.name] ?? one.default));
    const more = (about?.about ?? "").split("\n").slice(1).join("\n").trim();
    if (more) box.append(make("details", {}, make("summary", { textContent: "More" }), make("p", { className: "about", textContent: more })));
  }
  return box;
}

const RECIPE_OCTAVES = ["steps", "step_size", "scale", "smallest", "taper"];
function recipeDials() {
  const octaves = RECIPE_OCTAVES.map((name) => dial(option("octaves", name), `octaves.${name}`, recipe.octaves[name] ?? option("octaves", name).default));
  const grow = recipe.objectives.map((item) => ingredient("objectives", item, true));
  return [make("h3", { textContent: "What grows" }), ...grow, make("h3", { textContent: "Octaves, small to large" }), ...octaves];
}

function everythingDials() {
  const found = [make("h3", { textContent: "The recipe" })];
  for (const one of words.recipe) if (!["network"].includes(one.name)) found.push(dial(one, one.name, recipe[one.name] ?? one.default));
  found.push(make("details", {}, make("summary", { textContent: "What these mean" }), make("p", { className: "about", textContent: words.about.recipe })));
  found.push(make("h3", { textContent: "Octaves" }), ...words.octaves.map((one) => dial(one, `octaves.${one.name}`, recipe.octaves[one.name] ?? null)));
  found.push(make("details", {}, make("summary", { textContent: "What these mean" }), make("p", { className: "about", textContent: words.about.octaves })));
  for (const list of words.lists) {
    found.push(make("h3", { textContent: plain(list[0].toUpperCase() + list.slice(1)) }), ...(recipe[list] ?? []).map((item) => ingredient(list, item, true)));
    const there = new Set((recipe[list] ?? []).map((item) => item.name));
    const more = words.kinds[list].filter((one) => !there.has(one.name) && !one.name.endsWith("*"));
    const add = make("select", { "aria-label": `Add to ${plain(list)}` }, make("option", { textContent: "add ..." }), ...more.map((one) => make("option", { textContent: plain(one.name), title: one.summary })));
    add.addEventListener("change", () => add.selectedIndex && put(`${list}.${more[add.selectedIndex - 1].name}.id`, more[add.selectedIndex - 1].name));
    found.push(add);
  }
  for (const key of Object.keys(words.ones)) {
    const names = words.kinds[kindOf(key)].map((one) => one.name);
    found.push(make("h3", { textContent: plain(key[0].toUpperCase() + key.slice(1)) }), dial({ name: key, type: "choice", choices: names }, `${key}.name`, recipe[key].name), ingredient(key, recipe[key], true));
  }
  return found;
}

function showDials() {
  if (!words || !recipe) return;
  // No dial is taken away under the hand that turns it: the one with the focus gets it back, and stays in sight.
  const [box, focus] = [$("dials"), document.activeElement];
  const dialled = box.contains(focus) && focus.closest("[data-key]");
  if (dialled && focus.type === "range" && focus.matches(":active")) return void focus.addEventListener("change", showDials, { once: true });
  const place = dialled && [dialled.dataset.key, [...dialled.querySelectorAll("input,select,button")].indexOf(focus)];
  const [top, open] = [box.scrollTop, [...box.querySelectorAll("details")].map((one) => one.open)];
  box.replaceChildren(...{ look: lookDials, recipe: recipeDials, everything: everythingDials }[depth]());
  box.scrollTop = top;
  box.querySelectorAll("details").forEach((one, number) => (one.open = open[number] ?? false));
  if (place) box.querySelector(`[data-key="${CSS.escape(place[0])}"]`)?.querySelectorAll("input,select,button")[place[1]]?.focus({ preventScroll: true });
}

function chooseDepth(name, focus = false) {
  depth = name;
  for (const tab of $("depths").children) {
    const on = tab.id === `depth-${name}`;
    tab.setAttribute("aria-selected", on);
    tab.tabIndex = on ? 0 : -1;
    if (on && focus) tab.focus();
  }
  $("dials").setAttribute("aria-labelledby", `depth-${name}`);
  $("dials").scrollTop = 0;
  showDials();
}

function showChanges() {
  const chip = (text, name, act) => make("li", {}, make("span", { textContent: text, title: text }), make("button", { textContent: "×", "aria-label": `Take back ${name}`, onclick: act }));
  const source = settings.recipe ? [chip(`look of ${pictures.find((one) => one.id === settings.recipe)?.name ?? "a dream"}`, "the look of a dream", () => { settings.recipe = null; changed(0); })] : [];
  $("changes").replaceChildren(...source, ...Object.entries(settings.set).map(([key, value]) => chip(`${key} = ${JSON.stringify(value)}`, key, () => reset(key))));
  $("regions").replaceChildren(...settings.regions.map((region, number) => chip(`${/^[0-9a-f]{16}$/.test(region.mask) ? "painted" : region.mask}: ${region.look || "the recipe's look"}`, "this region", () => { settings.regions.splice(number, 1); changed(0); })));
}

function roll() {
  put("seed", Math.floor(Math.random() * 1e6));
  tell("Another seed: another dream of the same look.");
}

// The picture

const size = () => [$("before").naturalWidth || 4, $("before").naturalHeight || 3];

function fit() {
  const [stage, frame] = [$("stage"), $("frame")];
  if (frame.hidden) return;
  const style = getComputedStyle(stage);
  const two = !$("other").hidden;
  const wide = (stage.clientWidth - parseFloat(style.paddingLeft) * 2) * (two ? 0.5 : 1) - (two ? 8 : 0);
  const high = stage.clientHeight - parseFloat(style.paddingTop) * 2;
  const [w, h] = size();
  const scale = Math.min(wide / w, high / h);
  frame.style.width = `${Math.floor(w * scale)}px`;
  frame.style.height = `${Math.floor(h * scale)}px`;
}

function edge(percent) {
  $("frame").style.setProperty("--edge", `${percent}%`);
  $("slider").value = percent;
}

function press(id, on) {
  $(id).setAttribute("aria-pressed", on);
}
const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";

function comparing(on) {
  on &&= !$("after").hidden;
  press("compare", on);
  $("slider").hidden = $("edge").hidden = !on;
  edge(on ? 50 : 0);
  if (on) $("slider").focus();
}

async function over(found) {
  shown = found;
  const after = $("after");
  if (!found) {
    after.hidden = true;
    comparing(false);
    return;
  }
  const next = new Image();
  next.src = found.src;
  try {
    await next.decode();
  } catch {
    return;
  }
  if (shown !== found) return;
  after.src = found.src;
  after.alt = found.name ? `The dream ${found.name}` : "The dream, as it is now";
  after.hidden = false;
  $("caption").textContent = found.name ?? "";
}

async function usePhoto(id, { looks = true } = {}) {
  const found = await ask(`/pictures/${id}`);
  settings.photo = id;
  $("stage").classList.remove("empty");
  $("drop").hidden = true;
  $("frame").hidden = $("tools").hidden = false;
  over(null);
  $("before").src = `/pictures/${id}/view`;
  $("before").alt = `The photo ${found.name}`;
  $("caption").textContent = `${found.name}, ${found.width} × ${found.height}`;
  if (found.notices?.length) tell(found.notices.join(" "));
  await $("before").decode().catch(() => {});
  fit();
  clearPaint();
  $("drafts").replaceChildren();
  if (looks) showLooks();
  keep();
  showChanges();
  await resolve();
  if (found.recipe) showFound(id, found);
}

async function drop(files) {
  const ids = [];
  const wrong = [];
  for (const [number, file] of files.entries()) {
    tell(`Reading ${file.name}${files.length > 1 ? ` (${number + 1} of ${files.length})` : ""} ...`);
    try {
      const found = await ask(`/pictures?name=${encodeURIComponent(file.name || "pasted.png")}`, { method: "POST", body: file });
      ids.push(found.id);
      if (ids.length === 1) {
        if (found.recipe && settings.photo) showFound(found.id, found);
        else await usePhoto(found.id);
      }
    } catch (error) {
      wrong.push(...(error.problems ?? [`${file.name}: ${error.message}`]));
    }
  }
  tell(ids.length > 1 ? `${ids.length} photos are here.` : "");
  dropped = ids;
  $("all-label").hidden = ids.length < 2;
  $("all").checked = ids.length > 1;
  $("all-label").querySelector("span").textContent = `over all ${ids.length} photos`;
  if (wrong.length) complain({ problems: wrong });
  loadPictures();
}

// Looks

const strip = $("strip");
function showLooks() {
  $("looks").hidden = false;
  const small = `/pictures/${settings.photo}/small`;
  const all = [{ name: "", title: "dreamer's own", about: "The recipe that dreamer starts with." }, ...words.looks];
  strip.replaceChildren(
    ...all.map((look) => {
      const chosen = !settings.recipe && settings.look === look.name;
      const img = make("img", { src: small, alt: "", loading: "lazy", width: 130, height: 98 });
      const button = make("button", { role: "radio", className: "waiting", title: [look.about, look.likes].filter(Boolean).join(" "), "aria-checked": chosen, tabIndex: chosen ? 0 : -1, onclick: () => chooseLook(look.name) }, img, make("span", { textContent: look.title }));
      button.dataset.look = look.name;
      return button;
    }),
  );
  if (!strip.querySelector('[tabindex="0"]')) strip.firstChild.tabIndex = 0;
  ask(`/looks/${settings.photo}`).then((found) => {
    for (const name of found.made) thumbnail(settings.photo, name);
    for (const [name, why] of Object.entries(found.unmade)) thumbnail(settings.photo, name, why);
  }).catch(complain);
}
function thumbnail(photo, name, why = "") {
  const button = photo === settings.photo && [...strip.children].find((one) => one.dataset.look === name);
  if (!button) return;
  button.className = why ? "absent" : "";
  if (why) {
    button.title = why;
    strip.append(button);
    return;
  }
  button.firstChild.src = `/looks/${photo}/${encodeURIComponent(name || "_")}`;
}
function chooseLook(name) {
  settings.look = name;
  settings.recipe = null;
  for (const button of strip.children) {
    const on = button.dataset.look === name;
    button.setAttribute("aria-checked", on);
    button.tabIndex = on ? 0 : -1;
  }
  changed(0);
}
strip.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...strip.children];
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next.focus();
  chooseLook(next.dataset.look);
});

// A dream's recipe, as a difference

function showFound(id, found) {
  const [now, there] = [flatten(recipe), flatten(found.recipe)];
  const keys = [...new Set([...Object.keys(now), ...Object.keys(there)])].filter((key) => JSON.stringify(now[key]) !== JSON.stringify(there[key]));
  const cell = (value) => make("td", { textContent: value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value) });
  const rows = keys.sort().map((key) => make("tr", {}, make("th", { scope: "row", textContent: key }), cell(now[key]), cell(there[key])));
  if (!rows.length) rows.push(make("tr", {}, make("td", { colSpan: 3, textContent: "Nothing: it was made as the dials are now." })));
  $("found").querySelector("tbody").replaceChildren(...rows);
  $("found-title").textContent = `${found.name} is a dream`;
  $("found").hidden = false;
  const done = (text) => { $("found").hidden = true; tell(text); changed(0); };
  $("use-look").onclick = () => {
    settings.flags.seed ??= recipe?.seed ?? 0;
    Object.assign(settings, { recipe: id, look: "", set: {} });
    done("Its look is used, with the present seed.");
  };
  $("use-seed").onclick = () => { settings.flags.seed = found.recipe.seed; done("Its seed is used."); };
  $("use-all").onclick = () => { Object.assign(settings, { recipe: id, look: "", flags: {}, set: {} }); done("All of its recipe is used."); };
}
$("found-close").onclick = () => ($("found").hidden = true);

// Drafts: small dreams of other seeds

const drafts = guarded(async () => {
  const found = await post("/drafts", settings);
  tell("Six drafts are being made; choose one to take its seed.");
  $("drafts").replaceChildren(...found.map(({ seed, key }) => {
    const take = () => {
      put("seed", seed);
      for (const one of $("drafts").children) one.setAttribute("aria-pressed", one === button);
    };
    const img = make("img", { src: `/pictures/${settings.photo}/small`, alt: "" });
    const button = make("button", { className: "waiting", "aria-label": `Seed ${seed}`, title: `Seed ${seed}`, "aria-pressed": false, onclick: take }, img);
    button.dataset.key = key;
    return button;
  }));
});
function drafted({ name, why }) {
  const button = [...$("drafts").children].find((one) => one.dataset.key === name);
  if (!button) return;
  button.className = "";
  if (why) button.title = why;
  else button.firstChild.src = `/drafts/${name}`;
}
$("drafts-button").onclick = drafts;

// The queue, and what the server tells

const dream = guarded(async () => {
  const ids = $("all").checked && dropped.length > 1 ? dropped : [settings.photo];
  for (const photo of ids) {
    const job = await post("/jobs", { ...settings, photo });
    if (photo === ids[0]) watched = job.id;
  }
  tell(ids.length > 1 ? `${ids.length} dreams are queued.` : "The dream is queued.");
});

const clock = (seconds) => (seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")} min`);
const STATES = { waiting: "waits", running: "is dreaming", done: "done", stopped: "stopped", failed: "failed" };

function showQueue() {
  const jobs = [...state.jobs].reverse().slice(0, 60);
  $("queue-section").hidden = !jobs.length;
  const row = (job) => {
    const own = job.settings;
    const act = (word, text) => make("button", { textContent: text, "aria-label": `${text}: ${job.number}`, onclick: guarded(() => post(`/jobs/${job.id}/${word}`)) });
    const buttons = { waiting: [act("remove", "Remove")], running: [act("stop", "Stop")], done: [act("remove", "Clear")], stopped: [act("remove", "Clear")], failed: [act("again", "Again"), act("remove", "Clear")] }[job.state] ?? [];
    const name = job.result || job.command.split(" ").at(-1).split("/").at(-1).replaceAll("'", "");
    const said = [STATES[job.state] + (job.seconds ? ` in ${clock(job.seconds)}` : ""), ...job.problems].join(": ");
    const title = make("div", {}, make("b", { textContent: name, title: job.command }), make("i", { textContent: said, title: job.notices.join("\n") }));
    const img = make("img", { alt: "", loading: "lazy", src: `/pictures/${encodeURIComponent(own.photo)}/small` });
    return make("li", { className: job.state }, img, title, make("span", {}, ...buttons));
  };
  $("queue").replaceChildren(...jobs.map(row));
}

let queueText = "";
let previewed = "";
function heard(found) {
  $("link").hidden = true;
  const before = new Map(state.jobs.map((job) => [job.id, job.state]));
  state = found;
  const text = JSON.stringify(found.jobs);
  if (text !== queueText) showQueue();
  queueText = text;
  if (found.look && (found.look.made || found.look.why)) thumbnail(found.look.photo, found.look.name, found.look.why);
  if (found.problems) complain(found);
  if (found.look) drafted(found.look);
  const now = found.now;
  const job = found.jobs.find((one) => one.id === now.id);
  $("progress").hidden = !job;
  if (job) {
    $("progress").querySelector("progress").value = now.share ?? 0;
    const left = now.left == null ? "" : `, ${clock(now.left)} left`;
    $("left").textContent = now.paused ? "paused" : `${Math.round((now.share ?? 0) * 100)} %${left}`;
    $("pause").textContent = now.paused ? "Go on" : "Pause";
    const image = `${now.id}-${now.preview}`;
    if (job.settings.photo === settings.photo && now.preview && image !== previewed) {
      previewed = image;
      over({ src: `/jobs/${now.id}/preview?n=${now.preview}` });
    }
  }
  for (const one of found.jobs) {
    const was = before.get(one.id);
    if (was === "waiting" && one.state === "running") tell("");
    if (was && was !== one.state && ["done", "stopped", "failed"].includes(one.state)) ended(one);
  }
  if (found.pictures) loadPictures();
}

async function ended(job) {
  if (job.state === "failed") return complain(job);
  tell(`${job.result || "The dream"} is ${job.state === "done" ? "done" : "stopped, and kept as far as it was"}.`);
  if (!job.result) return;
  await loadPictures();
  const picture = pictures.find((one) => !one.dropped && one.name === job.result);
  if (picture && job.settings.photo === settings.photo) over({ src: `/pictures/${picture.id}/view?${picture.changed}`, file: `/pictures/${picture.id}/file`, name: picture.name, id: picture.id });
}

function listen() {
  const events = new EventSource("/events");
  events.onmessage = (event) => heard(JSON.parse(event.data));
  events.onerror = () => ($("link").hidden = false);
}

const acting = (act) => guarded(() => state.now.id && post(`/jobs/${state.now.id}/${act}`));
const stop = acting("stop");
const pause = guarded(() => state.now.id && post(`/jobs/${state.now.id}/${state.now.paused ? "go" : "pause"}`));

// The gallery

async function loadPictures() {
  pictures = await ask("/pictures").catch(() => pictures);
  showGallery();
}

const date = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
function searched(picture) {
  const found = picture.recipe ? Object.entries(flatten(picture.recipe)).map(([key, value]) => `${key}:${value}`) : [];
  const job = state.jobs.find((one) => one.result === picture.name);
  return [picture.name, date(picture.changed), picture.recipe ? "dream" : "photo", job?.settings.look ?? "", ...found].join(" ").toLowerCase();
}
function showGallery() {
  const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = pictures.filter((one) => wanted.every((word) => searched(one).includes(word)));
  $("gallery-section").hidden = !pictures.length;
  $("gallery-title").textContent = wanted.length ? `${found.length} of ${pictures.length} in this folder` : "In this folder";
  $("gallery").replaceChildren(
    ...found.slice(0, 400).map((one) => {
      const img = make("img", { alt: "", loading: "lazy", src: `/pictures/${one.id}/small?${one.changed}` });
      const open = make("button", { className: "open", onclick: guarded(() => openPicture(one)) }, img, make("span", { textContent: one.name, title: `${one.name}, ${date(one.changed)}` }));
      return make("li", {}, open, make("button", { className: "with", textContent: "Compare", "aria-label": `Compare with ${one.name}`, onclick: () => beside(one) }));
    }),
  );
}

async function openPicture(picture) {
  scrollTo({ top: 0, behavior: "smooth" });
  const job = state.jobs.find((one) => one.result === picture.name && !picture.dropped);
  const source = pictures.find((one) => one.id === picture.photo || one.id === job?.settings.photo);
  if (!picture.recipe) return usePhoto(picture.id);
  if (source) await usePhoto(source.id, { looks: settings.photo !== source.id });
  else if (!settings.photo) await usePhoto(picture.id);
  over({ src: `/pictures/${picture.id}/view?${picture.changed}`, file: `/pictures/${picture.id}/file`, name: picture.name, id: picture.id });
  showFound(picture.id, picture);
}

function beside(picture) {
  const other = $("other");
  other.hidden = !picture;
  press("side", !!picture);
  if (picture) {
    other.querySelector("img").src = `/pictures/${picture.id}/view`;
    other.querySelector("img").alt = `For comparison: ${picture.name}`;
    other.querySelector("figcaption").textContent = picture.name;
    scrollTo({ top: 0, behavior: "smooth" });
  }
  fit();
}
const sideBySide = () => beside($("other").hidden ? pictures.find((one) => one.recipe && one.id !== shown?.id) ?? pictures.find((one) => one.id === settings.photo) : null);

// The loupe: the file's own pixels

let lensAt = [0.5, 0.5];
async function loupe(on) {
  press("loupe", on);
  const lens = $("lens");
  lens.hidden = !on;
  if (!on) return;
  const image = new Image();
  for (const src of [shown?.file, shown?.src, `/pictures/${settings.photo}/file`, `/pictures/${settings.photo}/view`].filter(Boolean)) {
    image.src = src;
    if (await image.decode().then(() => true, () => false)) break;
  }
  lens.style.backgroundImage = `url("${image.src}")`;
  lens.style.backgroundSize = `${image.naturalWidth / devicePixelRatio}px ${image.naturalHeight / devicePixelRatio}px`;
  lens.dataset.width = image.naturalWidth / devicePixelRatio;
  lens.dataset.height = image.naturalHeight / devicePixelRatio;
  moveLens(...lensAt);
}
function moveLens(x, y) {
  lensAt = [Math.min(1, Math.max(0, x)), Math.min(1, Math.max(0, y))];
  const lens = $("lens");
  lens.style.left = `${lensAt[0] * 100}%`;
  lens.style.top = `${lensAt[1] * 100}%`;
  const half = lens.clientWidth / 2;
  lens.style.backgroundPosition = `${half - lensAt[0] * lens.dataset.width}px ${half - lensAt[1] * lens.dataset.height}px`;
}
$("frame").addEventListener("pointermove", (event) => {
  if ($("lens").hidden) return;
  const box = $("frame").getBoundingClientRect();
  moveLens((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
});

// Painting a region

const paint = $("paint");
const ink = paint.getContext("2d");
let erases = false;
let last = null;
function clearPaint() {
  const [w, h] = size();
  const scale = Math.min(1, PAINT_SIDE / Math.max(w, h));
  [paint.width, paint.height] = [Math.round(w * scale), Math.round(h * scale)];
  [parts, $("where").value] = [null, ""];
}
function painting(on) {
  press("brush", on);
  paint.hidden = $("painting").hidden = !on;
  if (on) {
    comparing(false);
    loupe(false);
    $("region-look").replaceChildren(make("option", { value: "keep", textContent: "nothing: keep the photo" }), make("option", { value: "", textContent: "the recipe's own look" }), ...words.looks.map((look) => make("option", { value: look.name, textContent: look.title })));
  }
}
function stroke(event) {
  const box = paint.getBoundingClientRect();
  const at = [((event.clientX - box.left) / box.width) * paint.width, ((event.clientY - box.top) / box.height) * paint.height];
  ink.globalCompositeOperation = erases ? "destination-out" : "source-over";
  Object.assign(ink, { lineCap: "round", lineJoin: "round", strokeStyle: "#f3c56b", lineWidth: ($("width").value / 100) * Math.min(paint.width, paint.height) });
  ink.beginPath();
  ink.moveTo(...(last ?? at));
  ink.lineTo(at[0] + 0.01, at[1]);
  ink.stroke();
  last = at;
}

// The photo's own parts: a picture in which each place has 20 times the number of its part
let parts = null;
let clicked = 0;
async function seeParts() {
  parts = null;
  clicked = 0;
  if ($("where").value !== "part") return;
  tell("Taking the photo apart ...");
  const image = new Image();
  image.src = `/pictures/${settings.photo}/parts`;
  await image.decode();
  const drawn = make("canvas", { width: paint.width, height: paint.height }).getContext("2d", { willReadFrequently: true });
  drawn.imageSmoothingEnabled = false;
  drawn.drawImage(image, 0, 0, paint.width, paint.height);
  parts = drawn.getImageData(0, 0, paint.width, paint.height);
  tell("Click a part of the picture.");
}
function clickPart(event) {
  const box = paint.getBoundingClientRect();
  const [x, y] = [((event.clientX - box.left) / box.width) * paint.width, ((event.clientY - box.top) / box.height) * paint.height];
  const value = parts.data[4 * (Math.floor(y) * paint.width + Math.floor(x))];
  clicked = Math.round(value / 20);
  const shown = ink.createImageData(paint.width, paint.height);
  for (let at = 0; at < shown.data.length; at += 4) if (parts.data[at] === value) shown.data.set([243, 197, 107, 255], at);
  ink.putImageData(shown, 0, 0);
  tell(`Part ${clicked}.`);
}
$("where").onchange = guarded(seeParts);
paint.addEventListener("pointerdown", (event) => {
  if (parts) return clickPart(event); 
  paint.setPointerCapture(event.pointerId);
  last = null;
  stroke(event);
});
paint.addEventListener("pointermove", (event) => event.buttons && !parts && stroke(event));
for (const [id, wipes] of [["tool-brush", false], ["tool-eraser", true]]) {
  $(id).onclick = () => { erases = wipes; press("tool-brush", !wipes); press("tool-eraser", wipes); };
}
$("tool-fill").onclick = () => { ink.globalCompositeOperation = "source-over"; ink.fillStyle = "#f3c56b"; ink.fillRect(0, 0, paint.width, paint.height); };
$("tool-clear").onclick = () => ink.clearRect(0, 0, paint.width, paint.height);
$("feather").onchange = () => { settings.flags.feather = Number($("feather").value); changed(); };

function maskFile() {
  // White where it was painted, black elsewhere: what --region reads.
  const mask = make("canvas", { width: paint.width, height: paint.height });
  const draw = mask.getContext("2d");
  draw.drawImage(paint, 0, 0);
  draw.globalCompositeOperation = "source-in";
  draw.fillStyle = "#fff";
  draw.fillRect(0, 0, mask.width, mask.height);
  draw.globalCompositeOperation = "destination-over";
  draw.fillStyle = "#000";
  draw.fillRect(0, 0, mask.width, mask.height);
  return new Promise((done) => mask.toBlob(done, "image/png"));
}
$("add-region").onclick = guarded(async () => {
  const where = $("where").value === "part" ? clicked && `part:${clicked}` : $("where").value;
  const painted = ink.getImageData(0, 0, paint.width, paint.height).data.some((value, number) => number % 4 === 3 && value);
  if (!where && !painted) throw Object.assign(new Error(), { problems: ["Paint over the part first, or click it, or choose a half."] });
  const mask = where || (await ask("/masks", { method: "POST", body: await maskFile() })).id;
  settings.regions.push({ mask, look: $("region-look").value });
  ink.clearRect(0, 0, paint.width, paint.height);
  tell("The region is added.");
  changed(0);
});

// Hands and keys

const toggle = (id, act) => ($(id).onclick = () => act(!pressed(id)));
toggle("compare", comparing);
toggle("loupe", loupe);
toggle("brush", painting);
$("side").onclick = sideBySide;
$("whole").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $("stage").requestFullscreen());
$("choose").onclick = $("another").onclick = () => $("file").click();
$("file").onchange = () => { drop([...$("file").files]); $("file").value = ""; };
$("slider").oninput = () => edge($("slider").value);
$("dream").onclick = dream;
$("pause").onclick = pause;
$("stop").onclick = stop;
$("search").oninput = showGallery;
$("copy").onclick = async () => { await navigator.clipboard.writeText($("command").querySelector("pre").textContent); tell("The command is copied."); };
$("keys-button").onclick = () => $("keys").showModal();
for (const name of ["look", "recipe", "everything"]) $(`depth-${name}`).onclick = () => chooseDepth(name);
$("depths").addEventListener("keydown", (event) => {
  const names = ["look", "recipe", "everything"];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step) chooseDepth(names[(names.indexOf(depth) + step + 3) % 3], true);
});
addEventListener("dragover", (event) => { event.preventDefault(); $("stage").classList.add("over"); });
addEventListener("dragleave", (event) => event.relatedTarget || $("stage").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  if (event.dataTransfer.files.length) drop([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => event.clipboardData.files.length && drop([...event.clipboardData.files]));
new ResizeObserver(fit).observe($("stage"));

const KEYS = {
  d: () => $("dream").disabled || dream(), p: pause, s: stop, r: roll, t: drafts, o: () => $("file").click(), f: () => $("whole").click(),
  1: () => chooseDepth("look"), 2: () => chooseDepth("recipe"), 3: () => chooseDepth("everything"),
  c: () => comparing(!pressed("compare")), l: () => loupe(!pressed("loupe")), v: sideBySide, b: () => painting(!pressed("brush")),
  "/": () => $("search").focus(), "?": () => $("keys").showModal(),
};
const AFTER_PHOTO = new Set("dcflvbrt");
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea")) return;
  const arrow = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] }[event.key];
  if (arrow && !$("lens").hidden && !event.target.matches("input")) {
    event.preventDefault();
    return moveLens(lensAt[0] + arrow[0], lensAt[1] + arrow[1]);
  }
  const key = event.key.toLowerCase();
  if (!(key in KEYS) || (AFTER_PHOTO.has(key) && !settings.photo)) return;
  event.preventDefault();
  KEYS[key]();
});

// The beginning

const begin = guarded(async () => {
  tell("Waking up ...");
  try {
    settings = { ...settings, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch { /* begins anew */ }
  words = await ask("/vocabulary");
  $("folder").textContent = words.folder;
  tell("");
  listen();
  await loadPictures();
  if (!words.looks.some((look) => look.name === settings.look)) settings.look = "";
  if (settings.photo && pictures.some((one) => one.id === settings.photo)) await usePhoto(settings.photo);
  else settings.photo = null;
  showChanges();
});
begin();
