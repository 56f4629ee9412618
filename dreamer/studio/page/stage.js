// The stage: the photo, the dream over it, and a second picture beside them.

import { $, guarded, press, pressed, tell } from "./dom.js";
import { ask } from "./server.js";
import { resolve, say, settings, studio } from "./settings.js";

export let shown = null; // what lies over the photo: {src, file, name, id}

export const size = () => [$("before").naturalWidth || 4, $("before").naturalHeight || 3];

export function fit() {
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

// Where an event is on the photo: x and y from 0,0 (top left) to 1,1.
export function placeOf(event) {
  const box = $("frame").getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

function edge(percent) {
  $("frame").style.setProperty("--edge", `${percent}%`);
  $("slider").value = percent;
}

export function comparing(on) {
  on &&= !$("after").hidden;
  press("compare", on);
  $("slider").hidden = $("edge").hidden = !on;
  edge(on ? 50 : 0);
  if (on) $("slider").focus();
}

// Lay a picture over the photo; none takes it away.
export async function over(found) {
  shown = found;
  const after = $("after");
  playing(null);
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
  if (found.name) $("caption").textContent = found.name;
}

// Play a clip over the photo.
export function playing(found) {
  const film = $("film");
  film.hidden = !found;
  if (!found) {
    film.removeAttribute("src");
    film.load();
    return;
  }
  shown = found;
  comparing(false);
  film.src = found.file;
  film.setAttribute("aria-label", `The clip ${found.name}`);
  $("caption").textContent = found.name;
}

export async function usePhoto(id, { dream = false } = {}) {
  const found = await ask(`/pictures/${id}`);
  const another = settings.photo !== id;
  settings.photo = id;
  studio.photo = found;
  $("stage").classList.remove("empty");
  $("drop").hidden = true;
  $("frame").hidden = $("tools").hidden = false;
  over(null);
  $("before").src = `/pictures/${id}/view`;
  $("before").alt = `The photo ${found.name}`;
  const lasts = found.seconds ? `, ${Number(found.seconds.toFixed(1))} s` : "";
  $("caption").textContent = `${found.name}, ${found.width} × ${found.height}${lasts}`;
  const said = (found.notices ?? []).join(" ");
  if (another || said) tell(said);
  await $("before").decode().catch(() => {});
  fit();
  say("photo", { id, found, another, dream });
  if (found.clip && !dream) playing({ file: `/pictures/${id}/file`, name: found.name, id });
  await resolve();
  return said;
}

// Another picture beside it

export function beside(picture) {
  const other = $("other");
  other.hidden = !picture;
  press("side", !!picture);
  const [img, film] = [other.querySelector("img"), other.querySelector("video")];
  img.hidden = !picture || !!picture.clip;
  film.hidden = !picture?.clip;
  if (film.hidden) film.removeAttribute("src");
  if (picture) {
    img.src = `/pictures/${picture.id}/view`;
    img.alt = `For comparison: ${picture.name}`;
    if (picture.clip) {
      film.src = `/pictures/${picture.id}/file`;
      film.setAttribute("aria-label", img.alt);
    }
    other.querySelector("figcaption").textContent = picture.name;
    scrollTo({ top: 0, behavior: "smooth" });
  }
  fit();
}

export function sideBySide() {
  if (!$("other").hidden) return beside(null);
  const clip = !!studio.photo?.clip;
  const dream = studio.pictures.find((one) => one.recipe && one.id !== shown?.id && !!one.clip === clip);
  beside(dream ?? studio.pictures.find((one) => one.id === settings.photo));
}

// Two clips side by side keep step.
const other = $("other").querySelector("video");
for (const name of ["play", "pause", "seeked"]) {
  $("film").addEventListener(name, () => {
    if (other.hidden || $("film").hidden) return;
    if (Math.abs(other.currentTime - $("film").currentTime) > 0.1) other.currentTime = $("film").currentTime;
    if (name === "play") other.play();
    if (name === "pause") other.pause();
  });
}

$("compare").onclick = () => comparing(!pressed("compare"));
$("slider").oninput = () => edge($("slider").value);
$("side").onclick = sideBySide;
$("whole").onclick = guarded(() => (document.fullscreenElement ? document.exitFullscreen() : $("stage").requestFullscreen()));
new ResizeObserver(fit).observe($("stage"));
