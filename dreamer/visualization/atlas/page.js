"use strict";
// The state is the address behind the #: layer, channel, and the spot on the photo as shares x, y of its sides.
const atlas = JSON.parse(document.getElementById("atlas").textContent);
const at = id => document.getElementById(id);
const VEIL = [10, 10, 14], GLOW = [255, 196, 61];
const state = { layer: null, channel: null, spot: null };
let shown = []; // the grid's options, in order

function make(tag, words = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(words)) key in element ? element[key] = value : element.setAttribute(key, value);
  element.append(...inside);
  return element;
}
const picture = (data, alt) => make("img", { src: "data:image/webp;base64," + data, alt, decoding: "async" });
const called = channel => channel.name ? `${channel.number} ${channel.name}` : `${channel.number}`;
const digits = value => Number(value.toPrecision(3)).toString();
const label = channel => make("span", {}, make("b", {}, `${channel.number}`), channel.name ? ` ${channel.name}` : "");

function unpacked(text, Kind) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}
function heat(layer) {
  if (layer.heat && typeof layer.heat.maps === "string")
    for (const [key, Kind] of Object.entries({
      maps: Uint8Array, low: Float32Array, high: Float32Array, strongest: Uint16Array, values: Float32Array,
    })) layer.heat[key] = unpacked(layer.heat[key], Kind);
  return layer.heat;
}

// ---- what is shown

function drawLayers() {
  at("layers").replaceChildren(...atlas.layers.map(layer => make("button", {
    type: "button", role: "tab", title: layer.name, textContent: layer.name, "aria-controls": "plates",
    onclick: () => go({ layer, channel: null }),
  })));
  at("layers").hidden = !atlas.layers.length;
}
function drawGrid() {
  at("plates").replaceChildren(...state.layer.channels.map(channel => {
    const option = make("li", { className: "tile", role: "option", tabIndex: -1, "aria-label": called(channel) },
      picture(channel.plate, ""), label(channel));
    option.channel = channel;
    option.onclick = () => go({ channel: state.channel === channel && atlas.photo ? null : channel });
    return option;
  }));
  sift();
}
function sift() {
  const wanted = at("filter").value.trim().toLowerCase();
  shown = [];
  for (const option of at("plates").children) {
    const { number, name } = option.channel;
    option.hidden = wanted !== "" && !(/^\d+$/.test(wanted) ? `${number}`.startsWith(wanted) : name.toLowerCase().includes(wanted));
    if (!option.hidden) shown.push(option);
  }
  at("none").hidden = shown.length > 0;
  mark();
}
function mark() {
  [...at("layers").children].forEach((tab, number) => {
    const chosen = atlas.layers[number] === state.layer;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  });
  for (const option of at("plates").children) {
    const chosen = option.channel === state.channel;
    option.setAttribute("aria-selected", chosen);
    option.tabIndex = chosen ? 0 : -1;
  }
  if (shown.length && !shown.some(option => option.tabIndex === 0)) shown[0].tabIndex = 0;
}
function drawChannel() {
  const { channel, layer } = state;
  at("channel").hidden = !channel;
  document.body.classList.toggle("open", Boolean(channel));
  document.title = atlas.title + (channel ? `: ${layer.name} ${called(channel)}` : "");
  if (!channel) return;
  at("plate").src = "data:image/webp;base64," + channel.plate;
  at("plate").alt = `What ${atlas.noun} ${called(channel)} of ${layer.name} wants to see`;
  at("name").textContent = called(channel);
  at("where").textContent = `a ${atlas.noun} of ${layer.name}, ${atlas.network}`;
  at("crops").replaceChildren(...channel.crops.map(crop => {
    const words = `${crop.name}, activation ${digits(crop.activation)}`;
    const image = picture(crop.picture, words);
    image.title = words;
    return make("li", {}, image);
  }));
  at("crops").classList.toggle("many", channel.crops.length > 4);
  at("crops").hidden = !channel.crops.length;
  at("maps").replaceChildren(...channel.maps.map(data => make("li", {}, picture(data, "Bright is where it is seen"))));
  at("maps").hidden = !channel.maps.length;
  at("words").replaceChildren(...[channel.visualize, channel.render, channel.preset].map((text, number) => {
    const pre = make("pre", {}, text.trim());
    const kind = ["the command that shows it large", "the command that dreams it over a photo", atlas.noun === "concept" ? "the command that saves a preset" : "the preset"][number];
    return make("div", { className: "words" }, pre,
      make("button", { type: "button", "aria-label": `Copy ${kind}`, onclick: event => copy(event.target, pre) }, "Copy"));
  }));
}
async function copy(button, pre) {
  try {
    await navigator.clipboard.writeText(pre.textContent + "\n");
  } catch {
    getSelection().selectAllChildren(pre);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => button.textContent = "Copy", 1500);
}
function drawPhoto() {
  const known = heat(state.layer), place = known && state.layer.channels.indexOf(state.channel);
  at("photo").hidden = !known;
  if (!known) return;
  const { height, width, maps, low, high } = known, canvas = at("heat"), cells = height * width;
  canvas.hidden = place < 0;
  let says = "Click the photo: the channels that are strongest there.";
  if (place >= 0) {
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height), least = low[place], most = high[place];
    for (let cell = 0; cell < cells; cell++) {
      const value = least + maps[place * cells + cell] / 255 * (most - least);
      const share = most > 0 ? Math.max(0, value) / most : 0;
      const glow = 0.5 * share * share, veil = 0.76 * (1 - share);
      for (let part = 0; part < 3; part++)
        image.data[4 * cell + part] = (VEIL[part] * veil + GLOW[part] * glow) / (veil + glow || 1);
      image.data[4 * cell + 3] = 255 * Math.min(0.9, veil + 0.5 * glow);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    says = most > 0 ? `Bright is where channel ${called(state.channel)} fires, up to ${digits(most)}.`
      : `Channel ${called(state.channel)} does not fire on this photo.`;
  }
  at("spot").hidden = !state.spot;
  at("strongest").hidden = !state.spot;
  if (state.spot) {
    const [x, y] = state.spot;
    at("spot").style.left = `${100 * x}%`;
    at("spot").style.top = `${100 * y}%`;
    at("strongest").replaceChildren(...strongest().map(([channel, value]) => make("li", {}, make("button", {
      type: "button", className: "tile", "aria-current": channel === state.channel,
      "data-channel": channel.number, "data-value": value, onclick: () => go({ channel }),
      "aria-label": `${called(channel)}, ${digits(value)}`,
    }, picture(channel.plate, ""), label(channel), make("span", {}, digits(value))))));
    if (place < 0) says = "Strongest at this spot, of all channels here:";
  }
  at("says").textContent = says;
}
function strongest() {
  const { height, width, strongest, values } = heat(state.layer), [x, y] = state.spot;
  const row = Math.min(height - 1, Math.floor(y * height)), column = Math.min(width - 1, Math.floor(x * width));
  const cell = row * width + column, cells = height * width, found = [];
  for (let rank = 0; rank * cells < strongest.length; rank++)
    found.push([state.layer.channels[strongest[rank * cells + cell]], values[rank * cells + cell]]);
  return found;
}

// ---- where we are

function go(change, write = true) {
  const before = state.layer;
  Object.assign(state, change);
  if (!state.layer.channels.includes(state.channel)) state.channel = null;
  if (!state.channel && !atlas.photo) state.channel = state.layer.channels[0];
  if (before !== state.layer) drawGrid();
  mark();
  drawChannel();
  drawPhoto();
  if (!write) return;
  const words = new URLSearchParams({ layer: state.layer.name });
  if (state.channel) words.set("channel", state.channel.number);
  if (state.spot) state.spot.forEach((share, number) => words.set("xy"[number], share.toFixed(4)));
  history.replaceState(null, "", `#${words}`);
}
function fromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const layer = atlas.layers.find(one => one.name === words.get("layer")) ?? atlas.layers[0];
  const channel = layer.channels.find(one => `${one.number}` === words.get("channel")) ?? null;
  const spot = ["x", "y"].map(key => parseFloat(words.get(key)));
  go({ layer, channel, spot: spot.every(share => share >= 0 && share <= 1) && atlas.photo ? spot : null }, false);
  if (!atlas.photo || matchMedia("(min-width: 761px)").matches) selected()?.scrollIntoView({ block: "nearest" });
}
const selected = () => shown.find(option => option.channel === state.channel);

function step(by, to = null) {
  if (!shown.length) return;
  const now = shown.indexOf(selected());
  const next = to ?? (now < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, now + by)));
  go({ channel: shown[next].channel });
  shown[next].focus({ preventScroll: true });
  shown[next].scrollIntoView({ block: "nearest" });
}
function turn(by, to = null) {
  const now = atlas.layers.indexOf(state.layer), last = atlas.layers.length - 1;
  const held = at("layers").contains(document.activeElement);
  go({ layer: atlas.layers[to ?? Math.max(0, Math.min(last, now + by))], channel: null });
  if (held) at("layers").children[atlas.layers.indexOf(state.layer)].focus();
}
function nudge(right, down) {
  const { height, width } = heat(state.layer), [x, y] = state.spot ?? [0.5, 0.5];
  const inside = share => Math.max(0, Math.min(1, share));
  go({ spot: state.spot ? [inside(x + right / width), inside(y + down / height)] : [x, y] });
}
function columns() {
  const top = shown[0]?.offsetTop;
  return Math.max(1, shown.findIndex(option => option.offsetTop !== top));
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const where = event.target.closest?.("#layers") ? "layers" : event.target.closest?.("#stage") ? "stage" : "grid";
  if (event.target.id === "filter") {
    if (event.key === "Escape") { event.target.value = ""; sift(); }
    else if (event.key === "ArrowDown" || event.key === "Enter") step(0, 0);
    else return;
    return event.preventDefault();
  }
  const layers = where === "layers" || event.shiftKey, stage = where === "stage" && !event.shiftKey;
  const keys = {
    ArrowLeft: () => stage ? nudge(-1, 0) : layers ? turn(-1) : step(-1),
    ArrowRight: () => stage ? nudge(1, 0) : layers ? turn(1) : step(1),
    ArrowUp: () => stage ? nudge(0, -1) : step(-columns()),
    ArrowDown: () => stage ? nudge(0, 1) : step(columns()),
    Home: () => layers ? turn(0, 0) : step(0, 0),
    End: () => layers ? turn(0, atlas.layers.length - 1) : step(0, shown.length - 1),
    Escape: () => go(state.channel && atlas.photo ? { channel: null } : { spot: null }),
  };
  if (event.target.channel) keys.Enter = keys[" "] = () => event.target.click();
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});
at("stage").onclick = event => {
  const box = at("picture").getBoundingClientRect();
  go({ spot: [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height], channel: null });
};
at("close").onclick = () => go({ channel: null });
at("filter").oninput = sift;
addEventListener("hashchange", fromAddress);

for (const [id, words] of [["channel", `${atlas.noun[0].toUpperCase()}${atlas.noun.slice(1)}`], ["plates", `${atlas.noun}s`], ["all", `${atlas.noun}s`]])
  at(id).setAttribute("aria-label", words);
at("none").textContent = `No ${atlas.noun} is called like that.`;
if (atlas.photo) {
  at("picture").src = "data:image/jpeg;base64," + atlas.photo.picture;
  at("picture").alt = `The photo ${atlas.photo.name}`;
  at("picture").width = atlas.photo.width;
  at("picture").height = atlas.photo.height;
  at("stage").setAttribute("aria-label", `The photo ${atlas.photo.name}. Arrow keys move the spot.`);
}
at("close").hidden = !atlas.photo;
drawLayers();
if (atlas.layers.length) fromAddress();
