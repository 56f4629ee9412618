// A proof: a part of the dream at its full size, before a large one is made.

import { $, guarded, press, pressed, tell } from "./dom.js";
import { post } from "./server.js";
import { on, settings, studio } from "./settings.js";
import { comparing, placeOf } from "./stage.js";

const SIDES = [640, 480]; // pixels of a proof
let at = [0.5, 0.5];
let key = null;

// The size of the dream, and the share of it that a proof shows.
function size() {
  const { width, height } = studio.photo;
  const long = Math.max(width, height);
  const scale = studio.recipe?.size ? Math.min(1, studio.recipe.size / long) : 1;
  return [Math.round(width * scale), Math.round(height * scale)];
}

function move(x, y) {
  const shares = size().map((side, axis) => Math.min(1, SIDES[axis] / side));
  at = [x, y].map((one, axis) => Math.min(1 - shares[axis] / 2, Math.max(shares[axis] / 2, one)));
  const frame = $("proof-frame").style;
  [frame.left, frame.top] = at.map((one, axis) => `${(one - shares[axis] / 2) * 100}%`);
  [frame.width, frame.height] = shares.map((one) => `${one * 100}%`);
}

const make = guarded(async () => {
  const [width, height] = size();
  $("proof").classList.add("waiting");
  $("proof-said").textContent = `This part of ${width} × ${height} pixels is being dreamt ...`;
  key = (await post("/proofs", { ...settings, at })).key;
});

export function proofing(on) {
  if (on && settings.kind) return tell("A proof is of a picture; of a film, make a preview.");
  press("proof-button", on);
  $("proof").hidden = $("proof-frame").hidden = !on;
  if (!on) return;
  comparing(false);
  move(...at);
  $("proof-frame").focus();
  make();
}

$("frame").addEventListener("click", (event) => {
  if ($("proof").hidden || event.target === $("paint")) return;
  move(...placeOf(event));
  make();
});
$("proof-frame").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] }[event.key];
  if (!step && event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
  if (step) move(at[0] + step[0], at[1] + step[1]);
  else make();
});
$("proof-button").onclick = () => proofing(!pressed("proof-button"));
$("proof-again").onclick = make;
on("look", ({ name, made, why }) => {
  if (name !== key || !(made || why)) return;
  $("proof").classList.remove("waiting");
  $("proof-said").textContent = why || "So sharp it will be: one pixel of the dream is one of the screen. Click elsewhere, or move the frame and press Enter.";
  if (made) $("proof").querySelector("img").src = `/drafts/${key}`;
});
on("photo", () => {
  at = [0.5, 0.5];
  $("proof").querySelector("img").removeAttribute("src");
  proofing(false);
});
