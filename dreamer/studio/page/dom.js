// The page's elements. What strangers wrote is only ever set as text, never as markup.

export const $ = (id) => document.getElementById(id);

export function make(tag, words = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(words)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function draw(tag, words = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(words)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export const press = (id, on) => $(id).setAttribute("aria-pressed", on);
export const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";

// Beside the picture: what there is to say, and what is wrong.
export const tell = (text) => ($("say").textContent = text);

export function complain(error) {
  const sentences = error.problems ?? [error.message];
  $("problems").replaceChildren(...sentences.map((text) => make("p", { textContent: text, className: "warning" })));
}

export const guarded = (act) => async (...given) => {
  try {
    $("problems").replaceChildren();
    await act(...given);
  } catch (error) {
    complain(error);
  }
};

export const refusal = (...problems) => Object.assign(new Error(problems[0]), { problems });

// In words

export const plain = (name) => name.replaceAll("_", " ");
export const capital = (text) => plain(text[0].toUpperCase() + text.slice(1));

export function clock(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), Math.floor(seconds % 60)];
  return `${minutes}:${String(rest).padStart(2, "0")} min`;
}

export function date(seconds) {
  const at = new Date(seconds * 1000);
  return new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16).replace("T", " ");
}

// Keys in a group of buttons of which one is chosen: the arrows move, and choose.
export function arrows(group, choose) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...group.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    choose(next);
  });
}
