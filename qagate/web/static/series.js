// One series: the curve, the pictures and the keys, all about one slice; the viewer joins when it is ready.
import { ask, decide, takeBack, undo } from "./decide.js";
import "./follow.js";
import { typing } from "./page.js";

const element = (id) => document.getElementById(id);
const data = element("viewer-data") ? JSON.parse(element("viewer-data").textContent) : null;
let at = data?.start ?? 0; // 0-based
let viewer = null;

function show(index, { fromViewer = false } = {}) {
  at = Math.min(Math.max(Math.round(index), 0), data.slices - 1);
  element("at").textContent = at + 1;
  const score = data.scores[at];
  element("at-score").textContent = score == null ? "" : `score ${score.toFixed(0)}`;
  element("slider").value = at;
  element("here")?.setAttribute("d", `M${at + 0.5} 0V100`);
  if (!fromViewer) viewer?.goTo(at);
}

function worst() {
  const order = data.scores.map((score, index) => [score, index]).filter(([score]) => score !== null).sort((a, b) => a[0] - b[0]).slice(0, 3).map(([, index]) => index);
  if (order.length) show(order[(order.indexOf(at) + 1) % order.length]);
}

function press(group, button) {
  for (const other of element(group).children) other.removeAttribute("aria-pressed");
  button?.setAttribute("aria-pressed", "true");
}

function windowed(index) {
  const button = element("windows").children[index];
  if (!button || !viewer) return;
  press("windows", button);
  viewer.window(data.windows[index]);
}

function plane(name) {
  if (!viewer) return;
  const shown = viewer.plane(name);
  press("planes", element("planes").querySelector(`[data-plane="${shown}"]`));
}

async function heat(on) {
  const button = element("heat-on");
  if (!button || !viewer) return;
  const slider = element("heat-opacity");
  try {
    await viewer.heatmap(on ? Number(slider.value) / 100 : 0);
  } catch (error) {
    element("stage-note").textContent = error.message;
    return;
  }
  button.setAttribute("aria-pressed", String(on));
  slider.hidden = !on;
}

const warm = () => element("heat-on")?.getAttribute("aria-pressed") === "true";

if (data) {
  show(at);
  element("heat-on")?.addEventListener("click", () => heat(!warm()));
  element("heat-opacity")?.addEventListener("input", () => heat(true));
  element("slider").addEventListener("input", (event) => show(Number(event.target.value)));
  element("curve")?.addEventListener("pointerdown", (event) => {
    const follow = (e) => {
      const box = element("curve").getBoundingClientRect();
      show(((e.clientX - box.left) / box.width) * data.slices - 0.5);
    };
    follow(event);
    element("curve").setPointerCapture(event.pointerId);
    element("curve").onpointermove = follow;
    element("curve").onpointerup = () => { element("curve").onpointermove = null; };
  });
  for (const picture of document.querySelectorAll("[data-slice]")) {
    picture.addEventListener("click", (event) => {
      if (!viewer) return;
      event.preventDefault();
      show(Number(picture.dataset.slice));
      element("viewer").scrollIntoView({ block: "nearest" });
    });
  }
  element("windows").addEventListener("click", (event) => {
    const button = event.target.closest("[data-window]");
    if (button) windowed(Number(button.dataset.window));
  });
  element("planes").addEventListener("click", (event) => {
    const button = event.target.closest("[data-plane]");
    if (button) plane(button.dataset.plane);
  });
  start();
}

// Without a graphics card NiiVue takes half a minute for what the plain canvas does at once.
function drawsFast() {
  const asked = new URLSearchParams(location.search).get("viewer");
  if (asked) return asked === "niivue";
  const gl = document.createElement("canvas").getContext("webgl2");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return name !== "" && !/swiftshader|llvmpipe|software|basic render/i.test(name);
}

async function start() {
  element("stage-note").textContent = "loading the volume …";
  try {
    const { open } = await import(data.there && drawsFast() ? "./viewer.js" : "./slices.js");
    viewer = await open(element("volume"), data, (index) => show(index, { fromViewer: true }));
    viewer.goTo(at);
    element("poster")?.remove();
    element("stage-note").textContent = "";
    element("viewer").dataset.ready = "true";
  } catch (error) {
    element("volume").hidden = true;
    element("stage-note").textContent = `No viewer: ${error.message}`;
    element("viewer").dataset.ready = "false";
    element("stage-note").dataset.error = "true";
  }
}

const actions = {
  ArrowUp: () => show(at - 1), ArrowDown: () => show(at + 1), PageUp: () => show(at - 10), PageDown: () => show(at + 10),
  Home: () => show(0), End: () => show(data.slices - 1), w: worst,
  x: () => plane("axial"), c: () => plane("coronal"), s: () => plane("sagittal"), m: () => plane("all"),
  h: () => heat(!warm()),
};

// --- the decision
const box = () => element("decision");
const mayDecide = () => box().querySelector("[data-do], [data-grade]") !== null; // whether this person may decide
const grade = (quality) => decide([box()], { kind: "grade", quality });
const does = {
  agree: () => (box().dataset.hidden ? grade("good") : decide([box()], { kind: "agree" })),
  disagree: () => (box().dataset.hidden ? grade("limited") : ask([box()], "disagree")),
  reject: () => (box().dataset.hidden ? grade("limited") : ask([box()], box().dataset.verdict === "accept" ? "disagree" : "reject")),
  repeat: () => ask([box()], "repeat"),
  release: () => { if (["held", "rejected"].includes(box().dataset.holding)) ask([box()], "release"); },
  note: () => ask([box()], "note"),
};
const decisionKeys = { a: does.agree, d: does.disagree, r: does.reject, p: does.repeat, l: does.release, o: does.note, z: undo, t: () => { if (box().dataset.hidden) grade("unusable"); } };

document.addEventListener("click", (event) => {
  const button = event.target.closest("#decision button");
  if (!button) return;
  if (button.dataset.do) does[button.dataset.do]();
  else if (button.dataset.grade) grade(button.dataset.grade);
  else if (button.dataset.undo) takeBack(box().dataset.uid, Number(button.dataset.undo));
});

document.addEventListener("keydown", (event) => {
  if (typing(event)) return;
  if (event.key === "u") {
    if (document.referrer.startsWith(`${location.origin}/?`) || document.referrer === `${location.origin}/`) history.back();
    else location.href = "/";
    return;
  }
  if (decisionKeys[event.key] && mayDecide()) {
    event.preventDefault();
    decisionKeys[event.key]();
    return;
  }
  if (!data) return;
  const action = actions[event.key] ?? (Number(event.key) >= 1 && (() => windowed(Number(event.key) - 1)));
  if (!action) return;
  event.preventDefault();
  action();
}, { capture: true });
