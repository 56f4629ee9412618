// The loupe: the file's own pixels.

import { $, press, pressed } from "./dom.js";
import { settings } from "./settings.js";
import { placeOf, shown } from "./stage.js";

let at = [0.5, 0.5];
const lens = $("lens");

export async function loupe(on) {
  press("loupe", on);
  lens.hidden = !on;
  if (!on) return;
  const image = new Image();
  const own = settings.photo;
  for (const src of [shown?.file, shown?.src, `/pictures/${own}/file`, `/pictures/${own}/view`].filter(Boolean)) {
    image.src = src;
    if (await image.decode().then(() => true, () => false)) break;
  }
  const [width, height] = [image.naturalWidth / devicePixelRatio, image.naturalHeight / devicePixelRatio];
  lens.style.backgroundImage = `url("${image.src}")`;
  lens.style.backgroundSize = `${width}px ${height}px`;
  Object.assign(lens.dataset, { width, height });
  move(...at);
}

function move(x, y) {
  at = [Math.min(1, Math.max(0, x)), Math.min(1, Math.max(0, y))];
  lens.style.left = `${at[0] * 100}%`;
  lens.style.top = `${at[1] * 100}%`;
  const half = lens.clientWidth / 2;
  lens.style.backgroundPosition = `${half - at[0] * lens.dataset.width}px ${half - at[1] * lens.dataset.height}px`;
}

export const nudge = (x, y) => move(at[0] + x, at[1] + y);

$("frame").addEventListener("pointermove", (event) => lens.hidden || move(...placeOf(event)));
$("loupe").onclick = () => loupe(!pressed("loupe"));
