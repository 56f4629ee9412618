// What each key does.

import { $, pressed } from "./dom.js";
import { chooseDepth, roll } from "./dials.js";
import { drafts } from "./drafts.js";
import { loupe, nudge } from "./loupe.js";
import { plugins } from "./plugins.js";
import { proofing } from "./proof.js";
import { dream, pause, stop } from "./queue.js";
import { painting, redo, undo } from "./regions.js";
import { settings } from "./settings.js";
import { comparing, sideBySide } from "./stage.js";
import { play, making } from "./zoom.js";

const KEYS = {
  d: () => $("dream").disabled || dream(), p: pause, s: stop, r: roll, t: drafts, o: () => $("file").click(), f: () => $("whole").click(),
  1: () => chooseDepth("look"), 2: () => chooseDepth("recipe"), 3: () => chooseDepth("everything"),
  c: () => comparing(!pressed("compare")), l: () => loupe(!pressed("loupe")), v: sideBySide, b: () => painting(!pressed("brush")),
  z: () => making(settings.kind === "zoom" ? undefined : "zoom"), k: play, x: () => proofing(!pressed("proof-button")), i: plugins,
  "/": () => $("search").focus(), "?": () => $("keys").showModal(),
};
const AFTER_PHOTO = new Set("dcflvbrtzkx");
const ARROWS = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] };

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.target.matches("input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea")) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "z" && pressed("brush")) {
    event.preventDefault();
    return event.shiftKey ? redo() : undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in ARROWS && !$("lens").hidden && !event.target.matches("input")) {
    event.preventDefault();
    return nudge(...ARROWS[event.key]);
  }
  if (!(key in KEYS) || (AFTER_PHOTO.has(key) && !settings.photo)) return;
  event.preventDefault();
  KEYS[key]();
});

$("keys-button").onclick = () => $("keys").showModal();
