// Draws the trends with uPlot: daily medians, their average and its limits, and lines where something began.
import { send } from "./api.js";
import { again } from "./page.js";

let uPlot = null;
try {
  uPlot = (await import("/static/vendor/uplot.js")).default;
} catch {
  // without the charts the page still says in words what changed
}

const root = document.documentElement;
const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const data = JSON.parse(document.getElementById("trend-data")?.textContent ?? "null");
const drawn = [];

const percent = (values) => values.map((value) => (value === null ? null : value * 100));

// Vertical lines: changes (orange), other judges (dashed), notes (blue).
function marks(changes) {
  return (plot) => {
    const lines = [
      ...changes.map((one) => [one.began, color("--review"), [], ""]),
      ...(data?.judged_by ?? []).map((one) => [one.day, color("--text"), [5, 4], one.name]),
      ...(data?.notes ?? []).map((one) => [one.day, color("--accent"), [2, 2], one.words]),
    ];
    const { ctx, bbox } = plot;
    const pixels = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * pixels}px system-ui, sans-serif`;
    lines.forEach(([day, stroke, dash, words], index) => {
      const x = plot.valToPos(day, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = ctx.fillStyle = stroke;
      ctx.lineWidth = 1.5 * pixels;
      ctx.setLineDash(dash.map((length) => length * pixels));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (words && bbox.width > 500 * pixels) {
        const right = x > bbox.left + bbox.width * 0.7;
        ctx.textAlign = right ? "right" : "left";
        ctx.fillText(words.slice(0, 40), x + (right ? -4 : 4) * pixels, bbox.top + (12 + 14 * (index % 3)) * pixels);
      }
    });
    ctx.restore();
  };
}

function axes(small, unit) {
  const common = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const day = (seconds) => new Date(seconds * 1000).toISOString().slice(5, 10);
  const x = { ...common, grid: { show: false }, space: 64, size: 28, values: (_, all) => all.map(day), show: !small };
  const y = { ...common, size: small ? 32 : 48, space: small ? 24 : 32, values: (_, all) => all.map((value) => `${value}${unit}`) };
  return [x, y];
}

function curveSeries() {
  const limit = { stroke: color("--soft"), width: 1, dash: [4, 4], points: { show: false }, spanGaps: false };
  return [
    {},
    { label: "median", stroke: color("--accent"), width: 1, points: { show: true, size: 4, fill: color("--accent") } },
    { label: "average", stroke: color("--text"), width: 2, points: { show: false } },
    { label: "low", ...limit },
    { label: "high", ...limit },
  ];
}

function rateSeries() {
  const bound = { stroke: color("--soft"), width: 1, dash: [2, 3], points: { show: false } };
  return [
    {},
    { label: "rate", stroke: color("--accent"), width: 2, points: { show: true, size: 6, fill: color("--accent") } },
    { label: "low", ...bound },
    { label: "high", ...bound },
  ];
}

function draw(element, values, series, { unit = "", changes = [], range = null, open = null }) {
  const small = element.classList.contains("small");
  const options = {
    width: element.clientWidth,
    height: element.clientHeight,
    series,
    legend: { show: false },
    cursor: { show: !small, points: { size: 8 }, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: range ? { range } : {} },
    axes: axes(small, unit),
    hooks: { draw: [marks(changes)] },
  };
  const plot = new uPlot(options, values, element);
  element.dataset.drawn = values[0].length;
  if (open) plot.over.addEventListener("click", () => plot.cursor.idx !== null && open(values[0][plot.cursor.idx]));
  drawn.push({ element, plot });
}

// The same scale for all that are well, and the whole one where something is not.
const scores = (one) => (Math.min(...one.medians) < 45 ? [0, 100] : [40, 100]);
const curve = (one) => [one.days, one.medians, one.average, one.low, one.high];
const asDay = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

// The series behind a point.
function open(day) {
  const words = new URLSearchParams({ scanner: data.scanner, protocol: data.protocol, date: asDay(day) });
  location.assign(`/?${words}`);
}

function drawAll() {
  for (const element of document.querySelectorAll(".plot")) {
    if (element.dataset.curve) {
      const one = JSON.parse(element.dataset.curve);
      draw(element, curve(one), curveSeries(), { changes: JSON.parse(element.dataset.changes), range: scores(one) });
      continue;
    }
    const name = element.dataset.name;
    if (["flagged", "repeated", "unscored"].includes(name)) {
      const weeks = data[name];
      const values = [weeks.map((one) => one.week), percent(weeks.map((one) => one.rate)),
        percent(weeks.map((one) => one.interval?.[0] ?? null)), percent(weeks.map((one) => one.interval?.[1] ?? null))];
      draw(element, values, rateSeries(), { unit: " %", range: (_, low, high) => [0, Math.max(10, high ?? 10)] });
    } else {
      const one = name === "score" || name === "seconds_to_verdict" ? data[name] : data.measures.find((each) => each.name === name);
      draw(element, curve(one), curveSeries(), { changes: one.changes ?? [], range: name === "score" ? scores(one) : null, open });
    }
  }
}

function redraw() {
  for (const { plot } of drawn.splice(0)) plot.destroy();
  drawAll();
}

if (uPlot) {
  drawAll();
  addEventListener("resize", () => drawn.forEach(({ element, plot }) => plot.setSize({ width: element.clientWidth, height: element.clientHeight })));
  new MutationObserver(redraw).observe(root, { attributeFilter: ["data-theme"] });
} else {
  for (const element of document.querySelectorAll(".plot")) element.textContent = "no charts here: run deploy/vendor.sh";
}

// --- notes
const form = document.getElementById("note");
async function change(method, path, body) {
  try {
    await send(method, path, body);
    again(method === "POST" ? "Noted" : "Removed", "#note [name=words]");
  } catch (error) {
    document.getElementById("said").textContent = error.message;
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const fields = form.elements;
  change("POST", "/api/v1/annotations", {
    scanner: data.scanner, protocol: data.protocol, day: fields.day.value, words: fields.words.value, restarts: fields.restarts.checked,
  });
});
document.getElementById("notes")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remove]");
  if (button) change("DELETE", `/api/v1/annotations/${button.dataset.remove}`);
});
