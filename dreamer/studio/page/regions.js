// Regions by hand: painted, or the photo's own parts by a click.

import { $, guarded, make, press, pressed, refusal, tell } from "./dom.js";
import { loupe } from "./loupe.js";
import { ask } from "./server.js";
import { changed, on, settings, studio } from "./settings.js";
import { comparing, placeOf, size } from "./stage.js";

const SIDE = 1024; // pixels of the long side of a painted mask
const INK = "#f3c56b";
const STEPS = 20; // that can be undone

const paint = $("paint");
const ink = paint.getContext("2d", { willReadFrequently: true });
let erases = false;
let last = null;
let before = []; // pictures of the mask, to go back to
let undone = [];

function begin() {
  const [w, h] = size();
  const scale = Math.min(1, SIDE / Math.max(w, h));
  [paint.width, paint.height] = [Math.round(w * scale), Math.round(h * scale)];
  [parts, before, undone, $("where").value] = [null, [], [], ""];
  showUndo();
}

export function painting(on) {
  press("brush", on);
  paint.hidden = $("painting").hidden = !on;
  if (!on) return;
  comparing(false);
  loupe(false);
  const fixed = [["keep", "nothing: keep the photo"], ["", "the recipe's own look"]];
  const looks = [...fixed, ...studio.words.looks.map((look) => [look.name, look.title])];
  $("region-look").replaceChildren(...looks.map(([value, textContent]) => make("option", { value, textContent })));
}

// Undo

const seen = () => ink.getImageData(0, 0, paint.width, paint.height);

function noted() {
  before = [...before, seen()].slice(-STEPS);
  undone = [];
  showUndo();
}

function step(from, to) {
  if (!from.length) return;
  to.push(seen());
  ink.putImageData(from.pop(), 0, 0);
  showUndo();
}
export const undo = () => step(before, undone);
export const redo = () => step(undone, before);

function showUndo() {
  $("tool-undo").disabled = !before.length;
  $("tool-redo").disabled = !undone.length;
}

// The brush

const pixel = (event) => placeOf(event).map((share, axis) => share * (axis ? paint.height : paint.width));

function stroke([x, y]) {
  ink.globalCompositeOperation = erases ? "destination-out" : "source-over";
  Object.assign(ink, { lineCap: "round", lineJoin: "round", strokeStyle: INK, lineWidth: ($("width").value / 100) * Math.min(paint.width, paint.height) });
  ink.beginPath();
  ink.moveTo(...(last ?? [x, y]));
  ink.lineTo(x + 0.01, y);
  ink.stroke();
  last = [x, y];
}

paint.addEventListener("pointerdown", (event) => {
  noted();
  if (parts) return clickPart(pixel(event));
  paint.setPointerCapture(event.pointerId);
  last = null;
  stroke(pixel(event));
});
paint.addEventListener("pointermove", (event) => event.buttons && !parts && stroke(pixel(event)));

// Keys: the arrows move a point, the space bar presses the brush there.
let point = [0.5, 0.5];
paint.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!move && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  const far = event.shiftKey ? 0.1 : 0.02;
  if (move) point = point.map((at, axis) => Math.min(1, Math.max(0, at + far * move[axis])));
  $("spot").style.left = `${point[0] * 100}%`;
  $("spot").style.top = `${point[1] * 100}%`;
  const at = [point[0] * paint.width, point[1] * paint.height];
  if (event.key !== " ") return;
  noted();
  last = null;
  if (parts) clickPart(at);
  else stroke(at);
});

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

function clickPart([x, y]) {
  const value = parts.data[4 * (Math.min(Math.floor(y), paint.height - 1) * paint.width + Math.min(Math.floor(x), paint.width - 1))];
  clicked = Math.round(value / 20);
  const shown = ink.createImageData(paint.width, paint.height);
  for (let at = 0; at < shown.data.length; at += 4) if (parts.data[at] === value) shown.data.set([243, 197, 107, 255], at);
  ink.putImageData(shown, 0, 0);
  tell(`Part ${clicked}.`);
}

// White where it was painted, black elsewhere: what --region reads.
function maskFile() {
  const mask = make("canvas", { width: paint.width, height: paint.height });
  const drawn = mask.getContext("2d");
  drawn.drawImage(paint, 0, 0);
  for (const [how, colour] of [["source-in", "#fff"], ["destination-over", "#000"]]) {
    Object.assign(drawn, { globalCompositeOperation: how, fillStyle: colour });
    drawn.fillRect(0, 0, mask.width, mask.height);
  }
  return new Promise((done) => mask.toBlob(done, "image/png"));
}

const add = guarded(async () => {
  const where = $("where").value === "part" ? clicked && `part:${clicked}` : $("where").value;
  const painted = seen().data.some((value, number) => number % 4 === 3 && value);
  if (!where && !painted) throw refusal("Paint over the part first, or click it, or choose a half.");
  const mask = where || (await ask("/masks", { method: "POST", body: await maskFile() })).id;
  settings.regions.push({ mask, look: $("region-look").value });
  noted();
  ink.clearRect(0, 0, paint.width, paint.height);
  tell("The region is added.");
  changed(0);
});

function fill() {
  noted();
  ink.globalCompositeOperation = "source-over";
  ink.fillStyle = INK;
  ink.fillRect(0, 0, paint.width, paint.height);
}
function clear() {
  noted();
  ink.clearRect(0, 0, paint.width, paint.height);
}

for (const [id, wipes] of [["tool-brush", false], ["tool-eraser", true]]) {
  $(id).onclick = () => {
    erases = wipes;
    press("tool-brush", !wipes);
    press("tool-eraser", wipes);
  };
}
$("tool-fill").onclick = fill;
$("tool-clear").onclick = clear;
$("tool-undo").onclick = undo;
$("tool-redo").onclick = redo;
$("where").onchange = guarded(seeParts);
$("feather").onchange = () => {
  settings.flags.feather = Number($("feather").value);
  changed();
};
$("add-region").onclick = add;
$("brush").onclick = () => painting(!pressed("brush"));
on("photo", begin);
