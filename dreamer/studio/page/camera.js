// Where a zoom's camera is at any time: the mathematics of `dreamer zoom`, in long sides of the frame.

const TICKS = 240; // per second

const times = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
const over = ([a, b], [c, d]) => [(a * c + b * d) / (c * c + d * d), (b * c - a * d) / (c * c + d * d)];
const plus = ([a, b], [c, d]) => [a + c, b + d];

const PACES = { none: () => 1, in: (t) => 2 * t, out: (t) => 2 - 2 * t, both: (t) => 6 * t * (1 - t) };

// The setting at a time: linear between keyframes, constant before the first and after the last.
function track(keyframes, name, time) {
  const keys = keyframes.filter((key) => key[name] != null);
  const after = keys.findIndex((key) => key.time > time);
  if (after <= 0) return (after ? keys.at(-1) : keys[0])[name];
  const [low, high] = [keys[after - 1], keys[after]];
  const share = (time - low.time) / (high.time - low.time);
  const between = (a, b) => a + (b - a) * share;
  return Array.isArray(low[name]) ? low[name].map((value, axis) => between(value, high[name][axis])) : between(low[name], high[name]);
}

// Points of the photo from points of the frame, both from their centres: z -> factor z + shift, complex.
export class Camera {
  // `keyframes` have a time in seconds, and rate, angle and centre as in --keyframes; `aspect` is [width, height].
  constructor(keyframes, { seconds, ease = "none", aspect }) {
    this.aspect = aspect.map((side) => side / Math.max(...aspect));
    this.seconds = seconds;
    this.keyframes = keyframes.map((key) => ({ ...key, log: Math.log(key.rate) }));
    this.pace = (time) => PACES[ease](Math.min(Math.max(time / seconds, 0), 1));
    this.places = [{ factor: [1, 0], shift: [0, 0] }];
  }

  step(time, length) {
    const pace = this.pace(time);
    const turn = (-track(this.keyframes, "angle", time) * pace * length * Math.PI) / 180;
    const scale = Math.exp(-track(this.keyframes, "log", time) * pace * length);
    const factor = [scale * Math.cos(turn), scale * Math.sin(turn)];
    const centre = track(this.keyframes, "centre", time).map((at, axis) => (at - 0.5) * this.aspect[axis]);
    return { factor, shift: times([1 - factor[0], -factor[1]], centre) };
  }

  at(time) {
    const tick = Math.max(0, Math.floor(time * TICKS));
    for (let k = this.places.length - 1; k < tick; k++) this.places.push(this.after(this.places[k], this.step((k + 0.5) / TICKS, 1 / TICKS)));
    return this.after(this.places[tick], this.step((tick + 0.5) / TICKS, time - tick / TICKS));
  }

  after(place, step) {
    return { factor: times(place.factor, step.factor), shift: plus(place.shift, times(place.factor, step.shift)) };
  }

  // Where a point of the frame is on the photo, and the reverse, each from 0,0 (top left) to 1,1.
  toPhoto(point, time) {
    const { factor, shift } = this.at(time);
    return this.share(plus(times(factor, this.centred(point)), shift));
  }
  toFrame(point, time) {
    const { factor, shift } = this.at(time);
    const [x, y] = this.centred(point);
    return this.share(over([x - shift[0], y - shift[1]], factor));
  }
  centred(point) {
    return point.map((at, axis) => (at - 0.5) * this.aspect[axis]);
  }
  share(z) {
    return z.map((at, axis) => at / this.aspect[axis] + 0.5);
  }
}

// Keyframes that fall towards places of the photo: where the place is in the frame at that time, which depends on all
// centres before, and on its own on the way there.
export function keyframesOf(points, how) {
  const found = [];
  for (const { time, rate, angle, place } of points) {
    let centre = found.at(-1)?.centre ?? place;
    for (let round = 0; round < 4; round++) {
      const seen = new Camera([...found, { time, rate, angle, centre }], how).toFrame(place, time);
      centre = seen.map((at) => Number(Math.min(1, Math.max(0, at)).toFixed(4)));
    }
    found.push({ time, rate, angle, centre });
  }
  return found;
}
