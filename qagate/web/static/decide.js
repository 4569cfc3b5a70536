// Deciding about series: one or many, by a key or in the dialog. A target is an element that carries data-uid,
// data-review (the version that the person saw), data-verdict, data-hidden and data-holding.
import { send, toast } from "./api.js";

const DONE = { agree: "agreed", disagree: "disagreed", grade: "graded", reject: "rejected", repeat: "repeat asked", release: "released", note: "noted" };
const dialog = document.getElementById("decide");
const form = dialog.querySelector("form");
const field = form.elements;
let last = []; // what was decided last, at once: [{ uid, number }]
let turn = Promise.resolve(); // one after the other: the next knows what the one before made of a series
let unsaid = { about: "" }; // what was written and could not be decided: it stands there again
const about = (targets) => targets.map((one) => one.dataset.uid).join(" ");
const told = new Map(); // Series Instance UID → { version, wish } after what this page did last
const WAIT_MS = 800;

form.addEventListener("keydown", (event) => { // Enter decides from any field; in the note with Ctrl
  if (event.key !== "Enter" || event.target.closest("button") || (event.target.closest("textarea") && !event.ctrlKey)) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("[value=ok]"));
});

const address = (uid) => `/api/v1/series/${uid}/decisions`;

// Returns the Series Instance UIDs about which it was decided; what the others said is shown.
export function decide(targets, wish) {
  return inTurn(() => decideNow(targets, wish));
}

function inTurn(work) {
  const waits = setTimeout(() => toast("Waiting for qagate …"), WAIT_MS);
  const done = turn.then(work).finally(() => clearTimeout(waits));
  turn = done.catch(() => {});
  return done;
}

async function decideNow(targets, wish) {
  const taken = [];
  const problems = [];
  for (const { uid, review } of targets.map((one) => one.dataset)) {
    // what is drawn may be older than what this page did itself: of that nobody else need tell
    const mine = told.get(uid) ?? { version: 0 };
    const version = Math.max(Number(review), mine.version);
    if (Number(review) < mine.version && mine.wish === JSON.stringify(wish)) continue; // a second click, or a key that was held
    try {
      const stands = await send("POST", address(uid), { ...wish, version });
      told.set(uid, { version: stands.version, wish: JSON.stringify(wish) });
      taken.push({ uid, number: stands.taken, stands });
    } catch (error) {
      problems.push(error.message);
    }
  }
  if (taken.length) last = taken.filter(() => wish.kind !== "release");
  const what = taken.length > 1 ? `${taken.length} ${DONE[wish.kind]}` : DONE[wish.kind];
  const waits = taken.some(({ stands }) => stands.state === "proposed") ? "; a second person must confirm" : "";
  if (problems.length) toast(`${taken.length ? `${what}; ` : ""}${[...new Set(problems)].join("; ")}`, null);
  else if (taken.length) toast(what[0].toUpperCase() + what.slice(1) + waits, last.length ? undo : null);
  tell(taken.map(({ uid }) => uid));
  return taken.map(({ uid }) => uid);
}

export function undo() {
  return inTurn(async () => { // what was pressed just before is the last, also where its answer is still on the way
    const these = last;
    last = [];
    if (these.length) await undoNow(these);
  });
}

async function undoNow(these) {
  const back = [];
  const problems = [];
  for (const { uid, number } of these) { // each by itself: one that cannot be taken back leaves the others no less so
    try {
      const stands = await send("DELETE", `${address(uid)}/${number}`);
      told.set(uid, { version: stands.version });
      back.push(uid);
    } catch (error) {
      problems.push(error.message);
    }
  }
  const what = back.length < these.length ? `${back.length} of ${these.length} taken back` : "Taken back";
  toast(problems.length ? `${these.length > 1 ? `${what}; ` : ""}${[...new Set(problems)].join("; ")}` : what);
  tell(these.map(({ uid }) => uid));
}

export async function takeBack(uid, number) {
  last = last.filter((one) => one.number !== number);
  await inTurn(() => undoNow([{ uid, number }]));
}

function tell(uids) {
  if (uids.length) document.dispatchEvent(new CustomEvent("decided", { detail: uids }));
}

// Opens the dialog with a kind chosen; decides when the person confirms. "reject" of good images means to disagree.
export function ask(targets, kind) {
  if (!targets.length) return;
  const verdicts = new Set(targets.map((one) => one.dataset.verdict));
  const held = targets.every((one) => ["held", "rejected"].includes(one.dataset.holding));
  form.reset();
  document.getElementById("decide-title").textContent = targets.length > 1 ? `Decide about ${targets.length} series` : "Decide";
  document.getElementById("decide-problem").textContent = "";
  const hidden = targets.some((one) => one.dataset.hidden); // nobody can say whether a hidden verdict is wrong
  for (const radio of field.kind) {
    radio.closest("label").hidden = radio.value === "release" ? !held : hidden && ["disagree", "reject"].includes(radio.value);
  }
  field.kind.value = kind;
  if (unsaid.about === about(targets)) [field.note.value, field.reason.value] = [unsaid.note, unsaid.reason];
  const fitting = () => {
    const chosen = field.kind.value;
    document.getElementById("decide-reason").hidden = !["disagree", "reject"].includes(chosen);
    for (const group of field.reason.querySelectorAll("optgroup")) {
      const fault = group.dataset.fault === "yes";
      const open = chosen === "reject" ? fault : verdicts.has("unscored") || (verdicts.has("accept") ? fault : !fault);
      group.hidden = group.disabled = !open;
    }
    if (field.reason.selectedOptions[0]?.parentElement.disabled) field.reason.value = "";
  };
  form.onchange = fitting;
  fitting();
  form.onsubmit = (event) => {
    if (event.submitter?.value !== "ok") return;
    const wish = { kind: field.kind.value, reason: field.reason.value, note: field.note.value.trim() };
    const missing = ["disagree", "reject"].includes(wish.kind) && !wish.reason ? "Choose a reason." : wish.kind === "note" && !wish.note ? "Write the note." : "";
    if (missing) {
      event.preventDefault();
      document.getElementById("decide-problem").textContent = missing;
      return;
    }
    if (!["disagree", "reject"].includes(wish.kind)) wish.reason = "";
    decide(targets, wish).then((taken) => { unsaid = taken.length ? { about: "" } : { ...wish, about: about(targets) }; });
  };
  dialog.showModal();
  const first = { disagree: field.reason, reject: field.reason, note: field.note }[kind];
  (first ?? form.querySelector("[value=ok]")).focus(); // Enter decides
}
