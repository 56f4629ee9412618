// The gallery: every picture and clip of the folder, and what was dropped.

import { $, date, guarded, make } from "./dom.js";
import { ask } from "./server.js";
import { flatten, on, say, settings, studio } from "./settings.js";
import { beside, over, playing, usePhoto } from "./stage.js";

const MOST = 400;

export async function loadPictures() {
  studio.pictures = await ask("/pictures").catch(() => studio.pictures);
  say("pictures");
}

const jobOf = (picture) => studio.jobs.find((one) => one.result === picture.name && !picture.dropped);

const lookOf = (picture) => jobOf(picture)?.settings.look || picture.look || "";
const titleOf = (name) => studio.words.looks.find((look) => look.name === name)?.title ?? name;

function searched(picture) {
  const found = picture.recipe ? Object.entries(flatten(picture.recipe)).map(([key, value]) => `${key}:${value}`) : [];
  const kinds = [picture.recipe ? "dream" : "photo", ...(picture.clip ? ["clip"] : [])];
  return [picture.name, date(picture.changed), ...kinds, lookOf(picture), titleOf(lookOf(picture)), ...found].join(" ").toLowerCase();
}

function showGallery() {
  const wanted = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = studio.pictures.filter((one) => wanted.every((word) => searched(one).includes(word)));
  $("gallery-section").hidden = !studio.pictures.length;
  $("gallery-title").textContent = wanted.length ? `${found.length} of ${studio.pictures.length} in this folder` : "In this folder";
  $("gallery").replaceChildren(...found.slice(0, MOST).map((one) => {
    const img = make("img", { alt: "", loading: "lazy", src: `/pictures/${one.id}/small?${one.changed}` });
    const name = make("span", { textContent: one.name, title: one.name });
    const about = make("span", { textContent: [titleOf(lookOf(one)), date(one.changed)].filter(Boolean).join(" · ") });
    const open = make("button", { className: "open", onclick: guarded(() => openPicture(one)) }, img, name, about);
    const compare = make("button", { className: "with", textContent: "Compare", "aria-label": `Compare with ${one.name}`, onclick: () => beside(one) });
    return make("li", { className: one.clip ? "clip" : "" }, open, compare);
  }));
}

// Show a dream over its photo.
export function display(picture) {
  const file = `/pictures/${picture.id}/file?${picture.changed}`;
  if (picture.clip) playing({ file, name: picture.name, id: picture.id });
  else over({ src: `/pictures/${picture.id}/view?${picture.changed}`, file, name: picture.name, id: picture.id });
}

async function openPicture(picture) {
  scrollTo({ top: 0, behavior: "smooth" });
  const job = jobOf(picture);
  const source = studio.pictures.find((one) => one.id === picture.photo || one.id === job?.settings.photo);
  if (!picture.recipe) return usePhoto(picture.id);
  if (source) await usePhoto(source.id, { dream: true });
  else if (!settings.photo) await usePhoto(picture.id, { dream: true });
  display(picture);
  say("dream", picture);
}

$("search").oninput = showGallery;
on("pictures", showGallery);
