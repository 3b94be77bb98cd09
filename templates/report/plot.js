// The plot: points are chosen by pointer and by arrow keys; axes and boards by their pickers.
const plot = document.querySelector(".pareto"), pickers = document.querySelector(".pickers");
const axes = JSON.parse(plot.dataset.axes), more = JSON.parse(plot.dataset.more), share = JSON.parse(plot.dataset.share);
const [left, right, top_, bottom] = JSON.parse(plot.dataset.frame), margin = 14;
const pick = { x: document.getElementById("axis-x"), y: document.getElementById("axis-y") };
const boxes = [...document.querySelectorAll(".board")];
pickers.hidden = false;
for (const box of boxes) {
  box.hidden = false;
  box.addEventListener("change", draw);
}
pick.x.addEventListener("change", draw);
pick.y.addEventListener("change", draw);
for (const dot of dots) {
  dot.values = JSON.parse(dot.dataset.values);
  dot.addEventListener("click", () => { select(Number(dot.dataset.design)); dot.focus({ preventScroll: true }); });
  dot.addEventListener("keydown", step);
}

function step(event) {
  const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (way === undefined) return;
  event.preventDefault();
  const place = (dot) => dot.getBoundingClientRect().left;
  const shown = dots.filter((dot) => !dot.classList.contains("gone")).sort((a, b) => place(a) - place(b));
  const at = shown.indexOf(event.currentTarget) + way;
  const next = shown[way === Infinity ? shown.length - 1 : way === -Infinity ? 0 : (at + shown.length) % shown.length];
  select(Number(next.dataset.design));
  next.focus();
}

function draw() {
  const x = Number(pick.x.value), y = Number(pick.y.value), chosen = boxes.filter((box) => box.checked).map((box) => box.value);
  const visible = dots.filter((dot) => dot.values[x] !== null && dot.values[y] !== null
    && (!boxes.length || chosen.includes(dot.dataset.board)));
  const across = scale(visible.map((dot) => dot.values[x]), share[x]), up = scale(visible.map((dot) => dot.values[y]), share[y]);
  const px = (value) => round(left + margin + across.at(value) * (right - left - 2 * margin));
  const py = (value) => round(bottom - margin - up.at(value) * (bottom - top_ - 2 * margin));
  for (const dot of dots) {
    const shown = visible.includes(dot);
    dot.classList.toggle("gone", !shown);
    if (!shown) continue;
    dot.setAttribute("transform", `translate(${px(dot.values[x])},${py(dot.values[y])})`);
    dot.classList.toggle("west", px(dot.values[x]) > 0.7 * plot.viewBox.baseVal.width);
    const name = choose.querySelector(`option[value="${dot.dataset.design}"]`).textContent;
    const fits = dot.querySelector(".mark").classList.contains("fits") ? "fits" : "does not fit";
    dot.dataset.tip = `${name}: ${told(y, dot.values[y])}, ${told(x, dot.values[x])}, ${fits}`;
    dot.setAttribute("aria-label", dot.dataset.tip);
  }
  for (const row of rows) row.hidden = boxes.length > 0 && !chosen.includes(dots.find((dot) => dot.dataset.design === row.dataset.design).dataset.board);
  const grid = [
    ...up.ticks.map((tick) => [`M${left},${py(tick)} H${right}`, left - 8, py(tick) + 4, "end", text(tick, share[y])]),
    ...across.ticks.map((tick) => [`M${px(tick)},${top_} V${bottom}`, px(tick), bottom + 22, "middle", text(tick, share[x])]),
  ];
  plot.querySelector(".ticks").replaceChildren(...grid.flatMap(([path, tx, ty, anchor, content]) => [
    made("path", { class: "grid", d: path }), made("text", { class: "tick", x: tx, y: ty, "text-anchor": anchor }, content),
  ]));
  const best = frontier(visible.map((dot) => [dot.values[x], dot.values[y]]), more[x], more[y]);
  const [first, ...others] = best.map(([a, b]) => [px(a), py(b)]);
  const end = more[x] ? left : right;
  nameDots();
  plot.querySelector(":scope > .front").setAttribute("d", first ? `M${first}${others.map(([a, b]) => `H${a}V${b}`).join("")}H${end}` : "");
  document.getElementById("name-x").textContent = axes[x];
  document.getElementById("plot-title").textContent = `${axes[y]} against ${axes[x]}`;
  plot.setAttribute("aria-label", `${axes[y]} against ${axes[x]} of ${visible.length} designs`);
  const lacking = dots.length - visible.length;
  document.getElementById("plot-missing").textContent = lacking ? `${lacking} of ${dots.length} designs not shown.` : "";
}

// Texts beside points are hidden where they would cross a text before them, another point, or the edge of the plot.
function nameDots() {
  const frame = plot.getBoundingClientRect(), shown = dots.filter((dot) => !dot.classList.contains("gone"));
  shown.sort((a, b) => a.dataset.design - b.dataset.design);
  const marks = shown.map((dot) => [dot, dot.querySelector(".mark").getBoundingClientRect()]), taken = [];
  for (const dot of shown) {
    const box = dot.querySelector(".dot-text")?.getBoundingClientRect();
    if (!box) continue;
    const free = box.left >= frame.left && box.right <= frame.right && !taken.some((other) => cross(box, other))
      && !marks.some(([other, mark]) => other !== dot && cross(box, mark));
    dot.classList.toggle("crowded", !free);
    if (free) taken.push(box);
  }
}

function cross(a, b) { return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; }

function made(name, attributes, content = "") {
  const element = document.createElementNS("http" + "://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  return element;
}

// The pairs that no other beats at both axes, from the best at the first axis on.
function frontier(pairs, moreX, moreY) {
  const sx = moreX ? -1 : 1, sy = moreY ? -1 : 1, best = [];
  pairs.sort((a, b) => sx * (a[0] - b[0]) || sy * (a[1] - b[1]));
  for (const pair of pairs) if (!best.length || sy * pair[1] < sy * best.at(-1)[1]) best.push(pair);
  return best;
}

function round(value) { return Math.round(value * 10) / 10; }

// Logarithmic where positive values differ by a factor of 20, as scales.py has it; shares are linear.
function scale(values, isShare) {
  const positive = values.filter((value) => value > 0), low = Math.min(...positive), high = Math.max(...positive);
  if (isShare || !positive.length || high / low < 20) {
    const ticks = nice(isShare && values.length ? Math.min(...values) : 0, values.length ? Math.max(...values, 1e-9) : 1);
    const first = ticks[0], last = ticks.at(-1);
    return { ticks, at: (value) => (value - first) / (last - first) };
  }
  const bottom_ = low / 1.4, top = high * 1.4, zero = positive.length < values.length, floor = zero ? 0.1 : 0;
  const at = (value) => value <= 0 ? 0 : floor + (1 - floor) * Math.log(value / bottom_) / Math.log(top / bottom_);
  const powers = [];
  for (let power = Math.floor(Math.log10(bottom_)); power <= Math.ceil(Math.log10(top)); power++) powers.push(power);
  const steps = powers.length < 5 ? [1, 2, 5] : [1];
  const ticks = powers.flatMap((power) => steps.map((each) => each * 10 ** power)).filter((tick) => tick >= bottom_ && tick <= top);
  return { ticks: zero ? [0, ...ticks] : ticks, at };
}

function nice(low, high) {
  const rough = Math.max(high - low, 1e-9 * Math.max(Math.abs(high), 1e-9)) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough * (1 - 1e-9));
  const first = Math.floor(low / step + 1e-9), last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step);
}

function text(value, isShare) {
  const shown = isShare ? 100 * value : value;
  for (const [size, sign] of [[1e6, "\u2009M"], [1e3, "\u2009k"]]) if (Math.abs(shown) >= size) return `${Number((shown / size).toPrecision(4))}${sign}`;
  return String(Number(shown.toPrecision(4)));
}

function told(axis, value) {
  if (share[axis]) return `${axes[axis].replace(/, %$/, "")} ${(100 * value).toFixed(2)} %`;
  const [name, unit = ""] = axes[axis].split(" (")[0].split(", ");
  if (unit.startsWith("%")) return `${name} ${value.toFixed(2)} %`;
  return `${name} ${value.toLocaleString("en", { maximumFractionDigits: 2 })}${unit && ` ${unit}`}`;
}

nameDots();
addEventListener("resize", nameDots);
document.documentElement.dataset.ready = "yes";
