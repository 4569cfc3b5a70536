// Deciding about series: one or many, by a key or in the dialog. A target is an element that carries data-uid,
// data-review (the version that the person saw), data-verdict, data-hidden and data-holding.
import { send, toast } from "./api.js";
import { PART, decideMany, grouped, tellProblems } from "./many.js";

const DONE = { agree: "agreed", disagree: "disagreed", grade: "graded", reject: "rejected", repeat: "repeat asked", release: "released", note: "noted" };
const DOING = { agree: "Agreeing with", disagree: "Disagreeing with", reject: "Rejecting", repeat: "Asking for repeats of", release: "Releasing", note: "Noting on" };
const ON_BUTTON = { agree: "Agree with", disagree: "Disagree with", reject: "Reject", repeat: "Ask for a repeat of", release: "Release", note: "Note on" };
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

const OPINIONS = ["agree", "disagree", "reject"];
const address = (uid) => `/api/v1/series/${uid}/decisions`;

// Returns the Series Instance UIDs about which it was decided; what the others said is shown.
export function decide(targets, wish) {
  return inTurn(() => decideNow(targets, wish), { many: targets.length > PART });
}

let running = 0;
export const busy = () => running > 0; // meanwhile rows change by what this page does itself

// many: it says itself how far it is
function inTurn(work, { many = false } = {}) {
  running += 1;
  const waits = many ? 0 : setTimeout(() => toast("Waiting for qagate …"), WAIT_MS);
  const done = turn.then(work).finally(() => {
    running -= 1;
    clearTimeout(waits);
  });
  turn = done.catch(() => {});
  return done;
}

async function decideNow(targets, wish) {
  // what is drawn may be older than what this page did itself: of that nobody else need tell
  const version = ({ dataset }) => Math.max(Number(dataset.review), told.get(dataset.uid)?.version ?? 0);
  const again = ({ dataset }) => { // a second click, or a key that was held
    const mine = told.get(dataset.uid);
    return mine && Number(dataset.review) < mine.version && mine.wish === JSON.stringify(wish);
  };
  const meant = targets.filter((one) => !again(one));
  const { taken, problems, broken } = meant.length > 1 ? await decideMany(meant, wish, version, DOING[wish.kind]) : await decideOne(meant, wish, version);
  for (const { uid, stands } of taken) told.set(uid, { version: stands.version, wish: JSON.stringify(wish) });
  if (taken.length) last = taken.filter(() => wish.kind !== "release");
  const what = taken.length > 1 ? `${taken.length} ${DONE[wish.kind]}` : DONE[wish.kind];
  const waits = taken.some(({ stands }) => stands.state === "proposed") ? "; a second person must confirm" : "";
  const back = taken.length && last.length ? undo : null;
  if (broken) toast(`${taken.length} of ${meant.length} ${DONE[wish.kind]}; ${broken.replace(/\.$/, "")}. The others are still selected`, back);
  else if (meant.length > 1 && problems.length) toast(`${taken.length} of ${meant.length} ${DONE[wish.kind]}${waits}`, back);
  else if (problems.length) toast(problems[0].words, null);
  else if (taken.length) toast(what[0].toUpperCase() + what.slice(1) + waits, back);
  tell(taken.map(({ uid }) => uid));
  if (meant.length > 1 && problems.length && !broken) tellProblems(problems, meant.length);
  return taken.map(({ uid }) => uid);
}

async function decideOne([target], wish, version) {
  if (!target) return { taken: [], problems: [] };
  const { uid } = target.dataset;
  try {
    const stands = await send("POST", address(uid), { ...wish, version: version(target) });
    return { taken: [{ uid, number: stands.taken, stands }], problems: [] };
  } catch (error) {
    return { taken: [], problems: [{ target, words: error.message }] };
  }
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
  for (const [done, { uid, number }] of these.entries()) { // each by itself: one that cannot be taken back leaves the others no less so
    if (done && done % PART === 0) toast(`Taking back ${done} of ${these.length} …`);
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

// Which of the targets a kind can be about, and in words which it is not. Hidden verdicts are judged one by one; what was
// rejected is let go one by one.
function fitting(targets, kind) {
  const many = targets.length > 1;
  if (kind === "release") {
    const held = targets.filter(({ dataset }) => dataset.holding === "held" || (!many && dataset.holding === "rejected"));
    return { meant: held, without: targets.length - held.length, why: "not held" };
  }
  const shown = targets.filter(({ dataset }) => !dataset.hidden || !OPINIONS.includes(kind));
  return { meant: shown, without: targets.length - shown.length, why: "with a hidden verdict, which are judged one by one" };
}

const verdictsOf = (targets) => {
  const names = { accept: "Good", review: "Look", reject: "Bad", unscored: "No score", hidden: "Hidden", "": "without a verdict" };
  const counts = grouped(targets, ({ dataset }) => (dataset.hidden ? "hidden" : dataset.verdict));
  return Object.keys(names).filter((one) => counts.has(one)).map((one) => `${counts.get(one).length} ${names[one]}`).join(", ");
};

// Opens the dialog with a kind chosen; decides when the person confirms. "reject" of good images means to disagree.
export function ask(targets, kind) {
  if (!targets.length) return;
  const many = targets.length > 1;
  form.reset();
  document.getElementById("decide-title").textContent = many ? `Decide about ${targets.length} series` : "Decide";
  document.getElementById("decide-problem").textContent = "";
  for (const radio of field.kind) {
    const { meant } = fitting(targets, radio.value);
    radio.closest("label").hidden = !meant.length || (radio.value === "agree" && !many);
  }
  field.kind.value = kind;
  if (unsaid.about === about(targets)) [field.note.value, field.reason.value] = [unsaid.note, unsaid.reason];
  const fit = () => {
    const chosen = field.kind.value;
    const { meant, without, why } = fitting(targets, chosen);
    const verdicts = new Set(meant.map(({ dataset }) => dataset.verdict));
    document.getElementById("decide-reason").hidden = !["disagree", "reject"].includes(chosen);
    for (const group of field.reason.querySelectorAll("optgroup")) {
      const fault = group.dataset.fault === "yes";
      const open = chosen === "reject" ? fault : verdicts.has("unscored") || (verdicts.has("accept") ? fault : !fault);
      group.hidden = group.disabled = !open;
    }
    if (field.reason.selectedOptions[0]?.parentElement.disabled) field.reason.value = "";
    const left = without ? ` ${without} ${why}, are left out.` : "";
    document.getElementById("decide-about").textContent = many ? `${meant.length} series: ${verdictsOf(meant)}.${left}` : "";
    document.getElementById("decide-sure").hidden = !(many && chosen === "reject");
    document.getElementById("decide-sure-count").textContent = meant.length;
    form.querySelector("[value=ok]").textContent = many ? `${ON_BUTTON[chosen]} ${meant.length}` : "Decide";
  };
  form.onchange = fit;
  fit();
  form.onsubmit = (event) => {
    if (event.submitter?.value !== "ok") return;
    const wish = { kind: field.kind.value, reason: field.reason.value, note: field.note.value.trim() };
    const { meant } = fitting(targets, wish.kind);
    const missing = lacks(wish, meant, many);
    if (missing) {
      event.preventDefault();
      document.getElementById("decide-problem").textContent = missing;
      return;
    }
    if (!["disagree", "reject"].includes(wish.kind)) wish.reason = "";
    decide(meant, wish).then((taken) => { unsaid = taken.length ? { about: "" } : { ...wish, about: about(targets) }; });
  };
  dialog.showModal();
  const first = { disagree: field.reason, reject: field.reason, note: field.note }[kind];
  (first ?? form.querySelector("[value=ok]")).focus(); // Enter decides
}

// What is missing before this can be decided, in words; empty when nothing is.
function lacks(wish, meant, many) {
  const verdicts = new Set(meant.map(({ dataset }) => dataset.verdict));
  if (wish.kind === "disagree" && verdicts.has("accept") && verdicts.size > 1) return "Good ones and others are wrong for different reasons: select one kind.";
  if (["disagree", "reject"].includes(wish.kind) && !wish.reason) return "Choose a reason.";
  if (wish.kind === "note" && !wish.note) return "Write the note.";
  if (wish.kind === "reject" && many && !field.sure.checked) return "Confirm that none of them is fit to be read.";
  return "";
}
