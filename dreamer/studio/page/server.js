// Asking the server.

import { $ } from "./dom.js";

export async function ask(path, options = {}) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) {
    $("link").hidden = false;
    throw new Error("The studio does not answer.");
  }
  const found = await answer.json().catch(() => ({ problems: [`The studio answered ${answer.status}.`] }));
  if (!answer.ok) throw Object.assign(new Error("refused"), { problems: found.problems ?? ["This did not work."] });
  return found;
}

export const post = (path, body = {}) => ask(path, { method: "POST", body: JSON.stringify(body) });

// What the server tells, from now on.
export function listen(hear) {
  const events = new EventSource("/events");
  events.onmessage = (event) => {
    $("link").hidden = true;
    hear(JSON.parse(event.data));
  };
  events.onerror = () => ($("link").hidden = false);
}
