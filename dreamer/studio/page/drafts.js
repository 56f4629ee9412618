// Drafts: small dreams of other seeds.

import { $, guarded, make, tell } from "./dom.js";
import { post } from "./server.js";
import { on, put, settings } from "./settings.js";

export const drafts = guarded(async () => {
  const found = await post("/drafts", settings);
  tell("Six drafts are being made; choose one to take its seed.");
  $("drafts").replaceChildren(...found.map(({ seed, key }) => {
    const take = () => {
      put("seed", seed);
      for (const one of $("drafts").children) one.setAttribute("aria-pressed", one === button);
    };
    const img = make("img", { src: `/pictures/${settings.photo}/small`, alt: "" });
    const button = make("button", { className: "waiting", "aria-label": `Seed ${seed}`, title: `Seed ${seed}`, "aria-pressed": false, onclick: take }, img);
    button.dataset.key = key;
    return button;
  }));
});

on("look", ({ name, why }) => {
  const button = [...$("drafts").children].find((one) => one.dataset.key === name);
  if (!button) return;
  button.className = "";
  if (why) button.title = why;
  else button.firstChild.src = `/drafts/${name}`;
});
on("photo", () => $("drafts").replaceChildren());
$("drafts-button").onclick = drafts;
