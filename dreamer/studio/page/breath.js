// A loop: a photo that breathes, how long, and how many dreams come and go.

import { $ } from "./dom.js";
import { changed, on, settings } from "./settings.js";

const START = { seconds: 6, fps: 24, seeds: 3, preview: false };

function show() {
  for (const [name, value] of Object.entries({ ...START, ...settings.loop })) {
    const input = $(`loop-${name}`);
    if (document.activeElement !== input || input.type === "checkbox") input[input.type === "checkbox" ? "checked" : "value"] = value;
  }
}

for (const name of Object.keys(START)) {
  const input = $(`loop-${name}`);
  input.addEventListener("change", () => {
    const value = input.type === "checkbox" ? input.checked : Number(input.value);
    if (value === false || value > 0) settings.loop = { ...settings.loop, [name]: value };
    show();
    changed();
  });
}
on("settings", show);
