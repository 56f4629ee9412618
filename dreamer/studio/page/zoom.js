// A zoom: the way of its camera, drawn on the photo and as curves over time, and seen at once without dreaming.

import { Camera, keyframesOf } from "./camera.js";
import { showCurve } from "./curve.js";
import { $, draw, make, tell } from "./dom.js";
import { changed, on, settings, studio } from "./settings.js";
import { comparing, placeOf, size } from "./stage.js";

const RATE = { low: 1, high: 4, log: true, text: (value) => `${Number(value.toFixed(2))}×` };
const ANGLE = { low: -90, high: 90, step: 2, text: (value) => `${Math.round(value)}°` };
const START = { seconds: 10, fps: 30, ease: "none", direction: "in", loop: false };
const MOST = 9; // points of a path that is drawn in one go

let points = []; // {time, rate, angle, place}, in the order of time
let chosen = 0;
let now = 0; // seconds
let camera = null;
let playing = 0;

const how = () => ({ ...START, ...settings.zoom });
const seconds = () => how().seconds;
const isOn = () => settings.kind === "zoom";

// Without what the command does by itself.
const USUAL = { rate: 1.3, angle: 0, centre: [0.5, 0.5] };
const unusual = (given) => Object.fromEntries(Object.entries(given).filter(([name, value]) => `${value}` !== `${USUAL[name]}`));

// The points, and what they come to

function begin() {
  points = settings.points?.length ? structuredClone(settings.points) : [0, 1].map((end) => ({ time: end * seconds(), rate: USUAL.rate, angle: 0, place: USUAL.centre }));
  [chosen, now] = [0, 0];
}

const follow = $("zoom-follow");
follow.onchange = () => {
  moved();
  tell(follow.checked ? "The camera looks for its own way while the film is made." : "");
};

function moved() {
  points.sort((a, b) => a.time - b.time);
  for (let k = 1; k < points.length; k++) if (points[k].time <= points[k - 1].time) points[k].time = Number((points[k - 1].time + 0.01).toFixed(2));
  const { seconds, ease } = how();
  const keyframes = keyframesOf(points, { seconds, ease, aspect: size() });
  camera = new Camera(keyframes, { seconds, ease, aspect: size() });
  const [{ rate, angle, centre }] = keyframes;
  const steady = keyframes.every((key) => key.rate === rate && key.angle === angle && `${key.centre}` === `${centre}`);
  const { rate: _, angle: __, centre: ___, ...rest } = settings.zoom ?? {};
  const follows = follow.checked ? { centre: "follow" } : {}; // and looks for its centres itself
  settings.zoom = { ...rest, ...(steady ? unusual({ rate, angle, centre }) : {}), ...follows };
  settings.path = steady ? [] : keyframes.map(({ centre, ...key }) => (follow.checked ? key : { ...key, centre }));
  settings.points = points;
  changed();
  show();
}

function change(number, changes) {
  const point = Object.assign(points[number], changes);
  moved();
  chosen = points.indexOf(point);
  now = point.time;
  show();
  return chosen;
}

function add(time, place = null) {
  const same = points.findIndex((point) => Math.abs(point.time - time) < 0.05);
  if (same >= 0) return change(same, place ? { place } : {});
  const before = points.findLast((point) => point.time <= time) ?? points[0];
  points.push({ ...before, time, place: place ?? before.place });
  change(points.length - 1, {});
}

function remove(number) {
  if (points.length < 2) return;
  points.splice(number, 1);
  chosen = Math.min(number, points.length - 1);
  moved();
}

function choose(number) {
  chosen = number;
  now = points[number].time;
  show();
}

// What is seen of it

function show() {
  if (!isOn() || !camera) return;
  const shared = { points, seconds: seconds(), now, chosen };
  const act = { choose, move: change, add, remove };
  showCurve($("rate-curve"), { ...shared, name: "rate", label: "Magnification per second", scale: RATE }, act);
  showCurve($("angle-curve"), { ...shared, name: "angle", label: "Degrees per second", scale: ANGLE }, act);
  $("time").max = seconds();
  $("time").value = now;
  $("time").setAttribute("aria-valuetext", `${now.toFixed(1)} of ${seconds()} seconds`);
  $("at").textContent = `${now.toFixed(1)} s`;
  const point = points[chosen];
  for (const [id, value] of [["point-time", point.time], ["point-rate", point.rate], ["point-angle", point.angle], ["point-x", point.place[0]], ["point-y", point.place[1]]]) {
    if (document.activeElement !== $(id)) $(id).value = Number(value.toFixed(3));
  }
  $("point-name").textContent = `Point ${chosen + 1} of ${points.length}`;
  $("point-remove").disabled = points.length < 2;
  showPath();
}

function showPath() {
  const [w, h] = size();
  const at = ([x, y]) => `${(x * w).toFixed(1)},${(y * h).toFixed(1)}`;
  const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map((corner) => at(camera.toPhoto(corner, now)));
  const thin = Math.max(w, h) / 400;
  const steps = Array.from({ length: 61 }, (_, k) => at(camera.toPhoto([0.5, 0.5], (k / 60) * seconds())));
  $("path").setAttribute("viewBox", `0 0 ${w} ${h}`);
  $("path").replaceChildren(
    draw("rect", { class: "ground", width: w, height: h }),
    draw("polyline", { class: "way", points: steps.join(" "), "stroke-width": thin }),
    draw("polygon", { class: "frame", points: corners.join(" "), "stroke-width": thin }),
    ...points.map((point, number) => {
      const [cx, cy] = [point.place[0] * w, point.place[1] * h];
      const knob = draw("circle", { cx, cy, r: thin * (number === chosen ? 7 : 5), class: number === chosen ? "chosen" : "", "stroke-width": thin });
      knob.dataset.point = number;
      return knob;
    }),
  );
}

// The camera by itself, over the photo: what lies beyond its edges is mirrored

function look(time) {
  const canvas = $("view");
  const [w, h] = size();
  [canvas.width, canvas.height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio].map(Math.round);
  const paint = canvas.getContext("2d");
  const long = Math.max(canvas.width, canvas.height);
  const { factor: [a, b], shift: [x, y] } = camera.at(time);
  const norm = a * a + b * b;
  const [re, im] = [a / norm, -b / norm]; // 1 / factor
  const scale = 1 / Math.max(w, h);
  paint.setTransform(long * re, long * im, -long * im, long * re, canvas.width / 2 - long * (re * x - im * y), canvas.height / 2 - long * (re * y + im * x));
  for (const [column, row] of [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1], [0, 0]]) {
    paint.save();
    paint.translate(column * w * scale, row * h * scale);
    paint.scale(column ? -scale : scale, row ? -scale : scale);
    paint.drawImage($("before"), -w / 2, -h / 2, w, h);
    paint.restore();
  }
}

function halt() {
  cancelAnimationFrame(playing);
  playing = 0;
  $("view").hidden = true;
  $("play").textContent = "Play the camera";
}

export function play() {
  if (!isOn() || !camera) return;
  if (playing) return halt();
  $("view").hidden = false;
  $("play").textContent = "Stop";
  const from = performance.now();
  const turn = (at) => {
    const passed = ((at - from) / 1000) % seconds();
    now = how().direction === "out" ? seconds() - passed : Math.max(0, passed);
    look(now);
    $("time").value = now;
    $("at").textContent = `${now.toFixed(1)} s`;
    playing = requestAnimationFrame(turn);
  };
  playing = requestAnimationFrame(turn);
}

// A path drawn on the photo: dragging a point moves it, a stroke becomes a path, a click a point at the present time

$("path").addEventListener("pointerdown", (event) => {
  event.preventDefault();
  const grabbed = event.target.dataset.point;
  if (grabbed != null) choose(Number(grabbed));
  const stroke = [placeOf(event)];
  const clipped = (place) => place.map((at) => Number(Math.min(1, Math.max(0, at)).toFixed(3)));
  const move = (event) => {
    const place = clipped(placeOf(event));
    stroke.push(place);
    if (grabbed != null) change(chosen, { place });
    else $("path").querySelector(".stroke").setAttribute("points", stroke.map(([x, y]) => `${x * size()[0]},${y * size()[1]}`).join(" "));
  };
  if (grabbed == null) $("path").append(draw("polyline", { class: "stroke", "stroke-width": Math.max(...size()) / 250 }));
  addEventListener("pointermove", move);
  addEventListener("pointerup", () => {
    removeEventListener("pointermove", move);
    if (grabbed != null) return;
    const far = stroke.some(([x, y]) => Math.hypot(x - stroke[0][0], y - stroke[0][1]) > 0.03);
    if (!far) return add(Number(now.toFixed(2)), clipped(stroke[0]));
    along(stroke.map(clipped));
  }, { once: true });
});

function along(stroke) {
  const lengths = stroke.map((at, k) => (k ? Math.hypot(at[0] - stroke[k - 1][0], at[1] - stroke[k - 1][1]) : 0));
  const sums = lengths.map((_, k) => lengths.slice(0, k + 1).reduce((a, b) => a + b));
  const count = Math.min(MOST, stroke.length);
  points = Array.from({ length: count }, (_, k) => {
    const share = k / (count - 1);
    const place = stroke[sums.findIndex((sum) => sum >= share * sums.at(-1) - 1e-9)];
    const time = Number((share * seconds()).toFixed(2));
    const before = points.findLast((point) => point.time <= time) ?? points[0];
    return { ...before, time, place };
  });
  chosen = 0;
  moved();
  tell("The camera falls along the path that you drew.");
}

// Picture, zoom or loop

const KINDS = { "kind-picture": undefined, "kind-zoom": "zoom", "kind-loop": "loop" };

export function making(wanted) {
  if (settings.kind === "video") return;
  const before = settings.kind;
  settings.kind = wanted;
  if (before !== wanted) settings.format = "";
  for (const [id, kind] of Object.entries(KINDS)) {
    $(id).setAttribute("aria-checked", kind === wanted);
    $(id).tabIndex = kind === wanted ? 0 : -1;
  }
  $("camera").hidden = wanted !== "zoom";
  $("breath").hidden = wanted !== "loop";
  $("path").toggleAttribute("hidden", wanted !== "zoom"); // SVG has no property of that name
  halt();
  if (before === "zoom" && wanted !== "zoom") tell("");
  if (wanted) comparing(false);
  if (wanted !== "zoom") return changed(0);
  follow.checked = how().centre === "follow";
  for (const [name, value] of Object.entries(how())) {
    const input = $(`zoom-${name}`);
    if (input) input[input.type === "checkbox" ? "checked" : "value"] = value;
  }
  begin();
  moved();
}

const inputs = { seconds: Number, fps: Number, ease: String, direction: String, loop: Boolean, preview: Boolean };
for (const [name, kind] of Object.entries(inputs)) {
  const input = $(`zoom-${name}`);
  input.addEventListener("change", () => {
    const value = kind === Boolean ? input.checked : kind(input.value);
    if (kind === Number && !(value > 0)) return void (input.value = how()[name]);
    const before = seconds();
    settings.zoom = { ...settings.zoom, [name]: value };
    if (name === "seconds") for (const point of points) point.time = Number((point.time * (value / before)).toFixed(2));
    moved();
  });
}
for (const [id, changes] of [
  ["point-time", (value) => ({ time: Math.min(seconds(), Math.max(0, value)) })], ["point-rate", (value) => ({ rate: Math.max(1, value) })], ["point-angle", (value) => ({ angle: value })],
  ["point-x", (value) => ({ place: [value, points[chosen].place[1]] })], ["point-y", (value) => ({ place: [points[chosen].place[0], value] })],
]) $(id).addEventListener("change", () => $(id).value !== "" && change(chosen, changes(Number($(id).value))));

$("time").oninput = () => {
  halt();
  now = Number($("time").value);
  show();
};
$("play").onclick = play;
$("point-add").onclick = () => add(Number(now.toFixed(2)));
$("point-remove").onclick = () => remove(chosen);
$("path-straight").onclick = () => {
  settings.points = null;
  begin();
  moved();
};
for (const [id, kind] of Object.entries(KINDS)) $(id).onclick = () => making(kind);
new ResizeObserver(show).observe($("camera"));
on("photo", ({ found }) => {
  const clip = !!found.clip;
  settings.kind = clip ? "video" : Object.values(KINDS).includes(settings.kind) ? settings.kind : undefined;
  $("kinds").hidden = clip;
  $("motion").hidden = !clip;
  if (clip) {
    $("camera").hidden = $("breath").hidden = true;
    $("path").toggleAttribute("hidden", true);
  }
  else making(settings.kind);
});
on("pictures", () => {
  const clips = studio.pictures.filter((one) => one.clip);
  $("zoom-audio").replaceChildren(...[{ id: "", name: clips.length ? "nothing" : "nothing: no clip is here" }, ...clips].map(({ id, name }) => make("option", { value: id, textContent: name })));
  $("zoom-audio").value = clips.some((one) => one.id === how().audio) ? how().audio : "";
});
$("zoom-audio").onchange = () => {
  const id = $("zoom-audio").value;
  settings.zoom = { ...settings.zoom, audio: id || null, dance: !!id };
  moved();
};
