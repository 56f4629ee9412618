// The looks, as thumbnails of the person's own photo.

import { $, arrows, complain, make } from "./dom.js";
import { ask } from "./server.js";
import { changed, on, settings, studio } from "./settings.js";

const strip = $("strip");
const OWN = { name: "", title: "dreamer's own", about: "The recipe that dreamer starts with." };

function showLooks() {
  $("looks").hidden = false;
  const small = `/pictures/${settings.photo}/small`;
  const button = (look) => {
    const chosen = !settings.recipe && settings.look === look.name;
    const img = make("img", { src: small, alt: "", loading: "lazy", width: 130, height: 98 });
    const made = make("button", {
      role: "radio", className: "waiting", title: [look.about, look.likes].filter(Boolean).join(" "),
      "aria-checked": chosen, tabIndex: chosen ? 0 : -1, onclick: () => choose(made),
    }, img, make("span", { textContent: look.title }));
    made.dataset.look = look.name;
    return made;
  };
  strip.replaceChildren(...[OWN, ...studio.words.looks].map(button));
  if (!strip.querySelector('[tabindex="0"]')) strip.firstChild.tabIndex = 0;
  ask(`/looks/${settings.photo}`).then((found) => {
    for (const name of found.made) thumbnail({ photo: settings.photo, name, made: true });
    for (const [name, why] of Object.entries(found.unmade)) thumbnail({ photo: settings.photo, name, why });
  }).catch(complain);
}

function thumbnail({ photo, name, made, why }) {
  const button = photo === settings.photo && (made || why) && [...strip.children].find((one) => one.dataset.look === name);
  if (!button) return;
  button.className = why ? "absent" : "";
  if (why) {
    button.title = why;
    if (!button.querySelector("small")) button.append(make("small", { textContent: "not to be had here" }));
    strip.append(button);
  } else button.firstChild.src = `/looks/${photo}/${encodeURIComponent(name || "_")}`;
}

function choose(button) {
  Object.assign(settings, { look: button.dataset.look, recipe: null });
  changed(0);
}

function mark() {
  for (const button of strip.children) {
    const on = !settings.recipe && button.dataset.look === settings.look;
    button.setAttribute("aria-checked", on);
    button.tabIndex = on ? 0 : -1;
  }
  if (strip.firstChild && !strip.querySelector('[tabindex="0"]')) strip.firstChild.tabIndex = 0;
}

arrows(strip, choose);
on("settings", mark);
on("photo", ({ another }) => (another || !strip.firstChild) && showLooks());
on("look", thumbnail);
