// A curve over time, whose points are moved by hand or by keys.

import { draw } from "./dom.js";

const ROOM = { left: 44, right: 12, top: 12, bottom: 18 }; // around it, at the usual size of letters

// `svg` is drawn into. `scale` has low, high, step, log, and `text`, which says a value; `points` have a time and the
// value under `name`; `act` has choose(number), move(number, {time, [name]}), which tells the point's number afterwards,
// add(time), remove(number).
export function showCurve(svg, { name, label, scale, points, seconds, now, chosen }, act) {
  const [width, height] = [svg.clientWidth || 400, svg.clientHeight || 96];
  const unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
  const [left, right, over, under] = [ROOM.left, ROOM.right, ROOM.top, ROOM.bottom].map((one) => one * unit);
  const [wide, high] = [width - left - right, height - over - under];
  const to = scale.log ? Math.log : (value) => value;
  const from = scale.log ? Math.exp : (value) => value;
  const [low, top] = [to(scale.low), to(scale.high)];
  const x = (time) => left + (time / seconds) * wide;
  const y = (value) => over + (1 - (to(value) - low) / (top - low)) * high;
  const limited = (value, least, most) => Math.min(most, Math.max(least, value));
  const time = (at) => Number(limited(((at - left) / wide) * seconds, 0, seconds).toFixed(2));
  const value = (at) => Number(limited(from(low + (1 - (at - over) / high) * (top - low)), scale.low, scale.high).toFixed(2));
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const way = [...points];
  if (way.length) way.unshift({ ...way[0], time: 0 }), way.push({ ...way.at(-1), time: seconds });
  const line = draw("polyline", { class: "way", points: way.map((point) => `${x(point.time)},${y(point[name])}`).join(" ") });
  const axis = [scale.low, scale.high].map((edge) => {
    const text = draw("text", { x: left - 6 * unit, y: y(edge) + 4 * unit, "text-anchor": "end" });
    text.textContent = scale.text(edge);
    return text;
  });
  const begin = draw("text", { x: left, y: height - 3 * unit }, "0 s");
  const end = draw("text", { x: width - right, y: height - 3 * unit, "text-anchor": "end" }, `${seconds} s`);
  const cursor = draw("line", { class: "now", x1: x(now), x2: x(now), y1: over, y2: height - under });
  const ground = draw("rect", {
    class: "ground", x: left, y: over, width: Math.max(wide, 0), height: Math.max(high, 0),
    ondblclick: (event) => act.add(time(at(event)[0])),
  });

  const knobs = points.map((point, number) => {
    const says = `${label} at ${point.time} s`;
    const knob = draw("circle", {
      cx: x(point.time), cy: y(point[name]), r: (number === chosen ? 8 : 6) * unit, tabindex: 0, role: "slider", "aria-label": says,
      "aria-valuemin": scale.low, "aria-valuemax": scale.high, "aria-valuenow": point[name], "aria-valuetext": scale.text(point[name]),
      class: number === chosen ? "chosen" : "",
    });
    knob.dataset.point = number;
    knob.addEventListener("focus", () => number !== chosen && act.choose(number));
    knob.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      act.choose(number);
      let grabbed = number; // another one behind a neighbour
      const move = (event) => {
        const [px, py] = at(event);
        grabbed = act.move(grabbed, { time: time(px), [name]: value(py) });
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
    });
    knob.addEventListener("keydown", (event) => {
      const step = (scale.log ? point[name] * 0.05 : scale.step) * (event.shiftKey ? 5 : 1);
      const changes = {
        ArrowUp: { [name]: limited(point[name] + step, scale.low, scale.high) },
        ArrowDown: { [name]: limited(point[name] - step, scale.low, scale.high) },
        ArrowLeft: { time: limited(point.time - 0.1, 0, seconds) },
        ArrowRight: { time: limited(point.time + 0.1, 0, seconds) },
      }[event.key];
      if (!changes && event.key !== "Delete") return;
      event.preventDefault();
      event.stopPropagation();
      if (changes) act.move(number, Object.fromEntries(Object.entries(changes).map(([key, one]) => [key, Number(one.toFixed(2))])));
      else act.remove(number);
    });
    return knob;
  });

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const focused = svg.contains(document.activeElement) ? document.activeElement.dataset.point : null;
  svg.replaceChildren(ground, cursor, line, ...axis, begin, end, ...knobs);
  if (focused != null) svg.querySelector(`[data-point="${chosen}"]`)?.focus();
}
