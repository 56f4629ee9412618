// The queue, and how far the dream being made is.

import { $, clock, complain, guarded, make, tell } from "./dom.js";
import { dropped } from "./drop.js";
import { display, loadPictures } from "./gallery.js";
import { post } from "./server.js";
import { settings, studio } from "./settings.js";
import { over, playing } from "./stage.js";

const MOST = 60;
const STATES = { waiting: "waits", running: "is dreaming", done: "done", stopped: "stopped", failed: "failed" };
const ENDS = ["done", "stopped", "failed"];

export const dream = guarded(async () => {
  const ids = $("all").checked && dropped.length > 1 ? dropped : [settings.photo];
  for (const photo of ids) await post("/jobs", { ...settings, photo });
  tell(ids.length > 1 ? `${ids.length} dreams are queued.` : "The dream is queued.");
});

function showQueue() {
  const jobs = [...studio.jobs].reverse().slice(0, MOST);
  $("queue-section").hidden = !jobs.length;
  $("queue").replaceChildren(...jobs.map((job) => {
    const act = (word, text) => make("button", { textContent: text, "aria-label": `${text}: ${job.number}`, onclick: guarded(() => post(`/jobs/${job.id}/${word}`)) });
    const buttons = { waiting: [act("remove", "Remove")], running: [act("stop", "Stop")], failed: [act("again", "Again"), act("remove", "Clear")] }[job.state] ?? [...(job.state === "stopped" && job.settings.kind ? [act("again", "Go on")] : []), act("remove", "Clear")];
    const said = [STATES[job.state] + (job.seconds ? ` in ${clock(job.seconds)}` : ""), ...job.problems].join(": ");
    const title = make("div", {}, make("b", { textContent: job.result || job.output, title: job.command }), make("i", { textContent: said, title: job.notices.join("\n") }));
    const img = make("img", { alt: "", loading: "lazy", src: `/pictures/${encodeURIComponent(job.settings.photo)}/small` });
    return make("li", { className: job.state }, img, title, make("span", {}, ...buttons));
  }));
}

// Of the dreams being made, the one over this photo is shown, else the first.
function current() {
  const running = studio.jobs.filter((job) => job.id in studio.now);
  return running.find((job) => job.settings.photo === settings.photo) ?? running[0];
}

function showProgress(job, now) {
  $("progress").hidden = !job;
  if (!job) return;
  $("progress").querySelector("progress").value = now.share ?? 0;
  const left = now.left == null ? "" : `, ${clock(now.left)} left`;
  const doing = job.settings.kind && now.doing ? ` (${now.doing})` : "";
  $("left").textContent = now.paused ? "paused" : `${Math.round((now.share ?? 0) * 100)} %${left}${doing}`;
  $("pause").textContent = now.paused ? "Go on" : "Pause";
  $("watch").hidden = !now.watch;
}

let queueText = "";
let previewed = "";
export function heard({ jobs, now, problems, pictures }) {
  const before = new Map(studio.jobs.map((job) => [job.id, job.state]));
  Object.assign(studio, { jobs, now });
  const text = JSON.stringify(jobs);
  if (text !== queueText) showQueue();
  queueText = text;
  if (problems) complain({ problems });
  const job = current();
  const there = now[job?.id] ?? {};
  showProgress(job, there);
  const image = `${job?.id}-${there.preview}`;
  if (job && job.settings.photo === settings.photo && there.preview && image !== previewed && !watching(job)) {
    previewed = image;
    over({ src: `/jobs/${job.id}/preview?n=${there.preview}` });
  }
  for (const one of jobs) {
    const was = before.get(one.id);
    if (was === "waiting" && one.state === "running") tell("");
    if (was && was !== one.state && ENDS.includes(one.state)) ended(one);
  }
  if (pictures) loadPictures();
}

async function ended(job) {
  if (job.state === "failed") return complain(job);
  tell(`${job.result || "The dream"} is ${job.state === "done" ? "done" : "stopped, and kept as far as it was"}.`);
  if (!job.result) return;
  await loadPictures();
  const picture = studio.pictures.find((one) => !one.dropped && one.name === job.result);
  if (picture && job.settings.photo === settings.photo) display(picture);
}

const acting = (word) => guarded(() => current() && post(`/jobs/${current().id}/${word()}`));
export const stop = acting(() => "stop");
export const pause = acting(() => (studio.now[current().id].paused ? "go" : "pause"));

// The part of a clip that is done can be watched while the rest is made.
const watching = (job) => !$("film").hidden && $("film").src.includes(`/jobs/${job.id}/`);
$("watch").onclick = () => {
  const job = current();
  if (job) playing({ file: `/jobs/${job.id}/film?n=${studio.now[job.id].watch}`, name: `${job.output}, so far` });
};

$("dream").onclick = dream;
$("stop").onclick = stop;
$("pause").onclick = pause;
