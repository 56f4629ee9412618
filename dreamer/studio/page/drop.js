// Photos and clips that come onto the page: dropped, pasted or chosen.

import { $, complain, tell } from "./dom.js";
import { loadPictures } from "./gallery.js";
import { ask } from "./server.js";
import { say, settings } from "./settings.js";
import { usePhoto } from "./stage.js";

export let dropped = []; // the ids of what was dropped together last

async function drop(files) {
  const [ids, wrong] = [[], []];
  let said = "";
  for (const [number, file] of files.entries()) {
    tell(`Reading ${file.name}${files.length > 1 ? ` (${number + 1} of ${files.length})` : ""} ...`);
    try {
      const found = await ask(`/pictures?name=${encodeURIComponent(file.name || "pasted.png")}`, { method: "POST", body: file });
      if (!ids.includes(found.id)) ids.push(found.id);
      if (ids.length > 1) continue;
      if (found.recipe && settings.photo) say("dream", found);
      else said = await usePhoto(found.id);
    } catch (error) {
      wrong.push(...(error.problems ?? [`${file.name}: ${error.message}`]));
    }
  }
  tell(ids.length > 1 ? `${ids.length} photos are here.` : said);
  dropped = ids;
  $("all-label").hidden = ids.length < 2;
  $("all").checked = ids.length > 1;
  $("all-label").querySelector("span").textContent = `over all ${ids.length} photos`;
  if (wrong.length) complain({ problems: wrong });
  loadPictures();
}

$("choose").onclick = $("another").onclick = () => $("file").click();
$("file").onchange = () => {
  drop([...$("file").files]);
  $("file").value = "";
};
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("stage").classList.add("over");
});
addEventListener("dragleave", (event) => event.relatedTarget || $("stage").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  if (event.dataTransfer.files.length) drop([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => event.clipboardData.files.length && drop([...event.clipboardData.files]));
