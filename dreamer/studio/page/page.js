// The studio's page: each noun is a module, and here it begins.

import { $, guarded, tell } from "./dom.js";
import "./dials.js";
import "./drop.js";
import "./drafts.js";
import "./found.js";
import { loadPictures } from "./gallery.js";
import "./breath.js";
import "./clip.js";
import "./keys.js";
import "./plugins.js";
import "./proof.js";
import "./looks.js";
import { heard } from "./queue.js";
import "./regions.js";
import { ask, listen } from "./server.js";
import { changed, remember, say, settings, studio } from "./settings.js";
import { usePhoto } from "./stage.js";

$("copy").onclick = guarded(async () => {
  await navigator.clipboard.writeText($("command").querySelector("pre").textContent);
  tell("The command is copied.");
});

const begin = guarded(async () => {
  tell("Waking up ...");
  remember();
  studio.words = await ask("/vocabulary");
  $("folder").textContent = studio.words.folder;
  tell("");
  listen((found) => {
    if (found.look) say("look", found.look);
    heard(found);
  });
  await loadPictures();
  if (!studio.words.looks.some((look) => look.name === settings.look)) settings.look = "";
  if (settings.photo && studio.pictures.some((one) => one.id === settings.photo)) await usePhoto(settings.photo);
  else settings.photo = null;
  changed(0);
});
begin();
