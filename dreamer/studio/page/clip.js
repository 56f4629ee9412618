// A clip that is dreamt over: how steady, which part, and its sound.

import { $ } from "./dom.js";
import { changed, on, settings, studio } from "./settings.js";

const INPUTS = ["stability", "start", "end", "dance", "preview"];

function show() {
  const now = settings.video ?? {};
  for (const name of INPUTS) {
    const input = $(`video-${name}`);
    if (input.type === "checkbox") input.checked = !!now[name];
    else input.value = now[name] ?? (name === "stability" ? 0.7 : "");
  }
  $("video-sound").checked = !now["no-audio"];
  $("video-dance").disabled = !studio.photo?.sound;
  $("video-steady").textContent = $("video-stability").value;
}

function put(name, value) {
  settings.video = { ...settings.video, [name]: value };
  show();
  changed();
}

for (const name of INPUTS) {
  const input = $(`video-${name}`);
  input.addEventListener("input", () => put(name, input.type === "checkbox" ? input.checked : input.value === "" ? null : Number(input.value)));
}
$("video-sound").addEventListener("change", () => put("no-audio", !$("video-sound").checked));
for (const name of ["start", "end"]) $(`video-${name}-here`).onclick = () => put(name, Number($("film").currentTime.toFixed(2)));

on("photo", ({ found, another }) => {
  if (!found.clip) return;
  if (another) settings.video = { ...settings.video, start: null, end: null };
  if (!found.sound) settings.video = { ...settings.video, dance: null };
  $("video-start").max = $("video-end").max = found.seconds;
  show();
});
