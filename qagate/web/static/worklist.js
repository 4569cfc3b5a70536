// The worklist by keyboard, its filters, and new rows that never move what a person is looking at.
import { send, toast } from "./api.js";
import { ask, busy, decide, undo } from "./decide.js";
import { askQuietly } from "./link.js";
import { typing } from "./page.js";
import { Selection } from "./selection.js";
import { refresh } from "./times.js";

const POLL_MS = 3000;
const MOST_ROWS = 100;
const live = document.getElementById("live");
const form = document.querySelector("form.filters");
const firstPage = (new URLSearchParams(location.search).get("page") ?? "1") === "1";
let pointer = null; // the row under the cursor
let tag = "";
let waiting = null; // a newer list whose rows would have moved something

// --- keyboard and filters
const links = () => [...live.querySelectorAll("tbody .what a")];
const current = () => document.activeElement?.closest("tr[data-uid]");

function move(step) {
  const all = links();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  all[next].focus();
  all[next].closest("tr").scrollIntoView({ block: "nearest" });
}

// --- selecting and deciding; who may not decide has nothing to select for
const selection = document.getElementById("chosen") ? new Selection(live) : null;
const MOST_BY_A_KEY = 20; // more are asked about before they are agreed with

function targets() {
  if (selection.busy) return [];
  if (selection.size) return selection.targets;
  return current() ? [current()] : [];
}

function clear() {
  if (selection?.size) selection.clear();
  else document.activeElement?.blur();
}

// Hidden ones are opened: nobody says whether a verdict is right that is not shown.
function openHidden(all) {
  const [one] = all;
  if (one && all.every(({ dataset }) => dataset.hidden)) location.assign(`/series/${one.dataset.uid}`);
}

async function agree() {
  const all = targets();
  const rows = all.filter(({ dataset }) => !dataset.hidden);
  if (!rows.length) return openHidden(all);
  if (rows.length > MOST_BY_A_KEY) return ask(all, "agree");
  await decide(rows, { kind: "agree" });
  if (rows.length < all.length) toast(`${all.length - rows.length} with a hidden verdict left out: they are judged one by one`, undo);
}

function refuse(kind) {
  const all = targets();
  if (all.every(({ dataset }) => dataset.hidden)) return openHidden(all); // also where there is none
  ask(all, kind === "reject" && all.some(({ dataset }) => dataset.verdict === "accept") ? "disagree" : kind);
}

function release() {
  const held = (one) => one.dataset.holding === "held" || (!selection.size && one.dataset.holding === "rejected");
  if (targets().some(held)) ask(targets(), "release");
}

function selectAll() {
  const more = document.querySelector("[data-do=everything-listed]");
  if (more.hidden) selection.here(true);
  else selection.everything();
}

document.addEventListener("decided", ({ detail }) => {
  if (selection) for (const uid of detail) selection.chosen.delete(uid);
  selection?.show();
  poll({ now: true });
});
document.getElementById("chosen")?.addEventListener("click", (event) => {
  const what = event.target.closest("[data-do]")?.dataset.do;
  ({ agree, reject: () => refuse("reject"), release, "everything-listed": () => selection.everything(), clear })[what]?.();
});

const deciding = selection && {
  a: agree, r: () => refuse("reject"), d: () => refuse("disagree"), l: release, z: undo,
  " ": () => selection.toggle(current()), x: () => selection.toggle(current()), "*": selectAll,
};

const actions = {
  ...deciding,
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  "/": () => { filters.open = true; form.elements.text.focus(); },
  f: () => live.querySelector(".order")?.click(),
  n: () => showWaiting(),
  Escape: clear,
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === form.elements.text) return event.target.blur();
  if (typing(event)) return;
  const tabs = live.querySelectorAll(".tabs a[data-tab]");
  if (event.target.closest("button") || (event.key === " " && event.target.matches("[type=checkbox]"))) return; // its own keys
  const action = actions[event.key] ?? (tabs[Number(event.key) - 1] && (() => tabs[Number(event.key) - 1].click()));
  if (!action) return;
  event.preventDefault();
  action();
});

// On a phone the series stand first; filters that are set stay in sight.
const phone = matchMedia("(max-width: 720px)");
const filters = document.getElementById("filters");
const fold = () => { filters.open = !phone.matches || [...form.elements].some((one) => one.type !== "hidden" && one.value); };
phone.addEventListener("change", fold);
fold();

form.classList.add("by-itself"); // the button is for those without scripts
form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
form.addEventListener("submit", () => {
  for (const field of form.elements) if (field.name && !field.value) field.disabled = true; // short addresses
});
addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });

live.addEventListener("pointerover", (event) => { pointer = event.target.closest("tr[data-uid]"); });
live.addEventListener("pointerleave", () => { pointer = null; });
live.addEventListener("click", (event) => {
  if (event.target.closest("#fresh")) return showWaiting();
  const row = event.target.closest("tr[data-uid]");
  if (event.target.matches("#all-here")) return selection.here(event.target.checked);
  if (event.target.matches("[type=checkbox]")) return selection.toggle(row, { range: event.shiftKey });
  if (event.target.closest(".pick")) return; // its box is clicked next
  if (selection && row && (event.ctrlKey || event.metaKey || event.shiftKey) && !event.target.closest("a")) {
    getSelection().removeAllRanges(); // the text that the browser marks with Shift
    return selection.toggle(row, { range: event.shiftKey });
  }
  if (row && !event.target.closest("a") && !getSelection().toString()) row.querySelector(".what a").click();
});

// --- live
function rowsOf(root) {
  return new Map([...root.querySelectorAll("tr[data-uid]")].map((row) => [row.dataset.uid, row]));
}

function counts(fresh) {
  const [told, now] = [live.querySelector("#incidents"), fresh.querySelector("#incidents")];
  if (told.textContent.trim() !== now.textContent.trim()) told.replaceWith(now.cloneNode(true));
  for (const tab of fresh.querySelectorAll("[data-tab]")) {
    const old = live.querySelector(`[data-tab="${tab.dataset.tab}"] b`);
    if (old) old.textContent = tab.querySelector("b").textContent;
  }
  const [table, fuller] = [live.querySelector("table.list"), fresh.querySelector("table.list")];
  if (table && fuller) table.dataset.total = fuller.dataset.total;
  const [held, holds] = [live.querySelector("#waiting"), fresh.querySelector("#waiting")];
  if (held.textContent !== holds.textContent) held.replaceWith(holds.cloneNode(true));
}

// --- everything that is held
const everything = document.getElementById("everything");
live.addEventListener("click", (event) => {
  if (event.target.closest("[data-do=everything]")) everything.showModal();
});
everything.addEventListener("close", async () => {
  if (everything.returnValue !== "ok") return;
  everything.returnValue = "";
  try {
    const said = await send("POST", "/api/v1/release-everything", { reason: everything.querySelector("textarea").value });
    toast(`${said.released} released`);
  } catch (error) {
    toast(error.message);
  }
  poll();
});

function merge(fresh, { force = false } = {}) {
  const body = live.querySelector("tbody");
  const incoming = rowsOf(fresh);
  if (!body || !incoming.size) {
    if (!body !== !incoming.size) live.replaceChildren(...fresh.childNodes);
    else counts(fresh);
    return;
  }
  counts(fresh);
  const known = rowsOf(live);
  for (const [uid, row] of incoming) {
    const old = known.get(uid);
    if (old && old.dataset.version !== row.dataset.version) {
      const focused = old.contains(document.activeElement);
      const verdict = old.className !== row.className;
      for (const name of ["version", "review", "verdict", "hidden", "holding"]) old.dataset[name] = row.dataset[name];
      old.className = row.className + (verdict ? " fresh" : "");
      old.replaceChildren(...[...row.children].map((cell) => cell.cloneNode(true)));
      if (focused) old.querySelector(".what a").focus({ preventScroll: true });
    }
  }
  if (firstPage) insert(body, incoming, known, fresh, force);
}

function insert(body, incoming, known, fresh, force) {
  const anchor = force ? null : pointer?.isConnected ? pointer : current() ?? (scrollY > 0 ? topmost(body) : null);
  const before = anchor?.getBoundingClientRect().top;
  const added = [];
  let place = null; // before the one that follows it in the list: rows that are here already stay where they are
  for (const [uid, row] of [...incoming].reverse()) {
    if (known.has(uid)) { place = known.get(uid); continue; }
    const mine = row.cloneNode(true);
    mine.classList.add("fresh");
    body.insertBefore(mine, place);
    place = mine;
    added.push(mine);
  }
  if (added.length && anchor) {
    scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
    if (Math.abs(anchor.getBoundingClientRect().top - before) > 1) { // the page cannot scroll that far: they wait
      for (const row of added) row.remove();
      waiting = fresh;
      offer(added.length);
      return;
    }
  }
  waiting = null;
  offer(0);
  if (added.length) document.getElementById("arrived").textContent = `${added.length} new`; // for those who listen
  while (body.children.length > MOST_ROWS && !body.lastElementChild.contains(document.activeElement)) body.lastElementChild.remove();
}

const topmost = (body) => [...body.children].find((row) => row.getBoundingClientRect().bottom > 0) ?? null;

function offer(number) {
  const button = document.getElementById("fresh");
  button.hidden = !number;
  button.textContent = number ? `${number} new` : "";
}

function showWaiting() {
  if (waiting) merge(waiting, { force: true });
}

let asking = false;

async function poll({ now = false } = {}) {
  if (document.hidden || asking || (busy() && !now)) return;
  asking = true;
  const answer = await askQuietly(`/rows${location.search}`, tag ? { "If-None-Match": tag } : {}, "this list");
  asking = false;
  if (answer?.status !== 200) return;
  const fresh = new DOMParser().parseFromString(answer.text, "text/html").body;
  tag = answer.tag;
  merge(fresh);
  selection?.show();
  refresh(live);
}

selection?.show();
setInterval(() => poll(), POLL_MS);
document.addEventListener("visibilitychange", () => poll());
