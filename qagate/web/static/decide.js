// Deciding about series: one or many, by a key or in the dialog. A target is an element that carries data-uid,
// data-review (the version that the person saw), data-verdict, data-hidden and data-holding.
import { send, toast } from "./api.js";

const DONE = { agree: "agreed", disagree: "disagreed", grade: "graded", reject: "rejected", repeat: "repeat asked", release: "released", note: "noted" };
const dialog = document.getElementById("decide");
const form = dialog.querySelector("form");
const field = form.elements;
let last = []; // what was decided last, at once: [{ uid, number }]

form.addEventListener("keydown", (event) => { // Enter decides from any field; in the note with Ctrl
  if (event.key !== "Enter" || event.target.closest("button") || (event.target.closest("textarea") && !event.ctrlKey)) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("[value=ok]"));
});

const address = (uid) => `/api/v1/series/${uid}/decisions`;

// Returns the Series Instance UIDs about which it was decided; what the others said is shown.
export async function decide(targets, wish) {
  const taken = [];
  const problems = [];
  for (const { uid, review } of targets.map((one) => one.dataset)) {
    try {
      const stands = await send("POST", address(uid), { ...wish, version: Number(review) });
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

export async function undo() {
  const these = last;
  last = [];
  if (!these.length) return;
  try {
    for (const { uid, number } of these) await send("DELETE", `${address(uid)}/${number}`);
    toast("Taken back");
  } catch (error) {
    toast(error.message);
  }
  tell(these.map(({ uid }) => uid));
}

export async function takeBack(uid, number) {
  last = [{ uid, number }];
  await undo();
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
    decide(targets, wish);
  };
  dialog.showModal();
  const first = { disagree: field.reason, reject: field.reason, note: field.note }[kind];
  (first ?? form.querySelector("[value=ok]")).focus(); // Enter decides
}
