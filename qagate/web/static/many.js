// The same decision about many series, part by part: it says how far it is, can be stopped, and names what was refused.
import { send, toast } from "./api.js";

export const PART = 50; // series of one request: a second or so
const NOT_TRIED = "not asked: it was stopped before";
const dialog = document.getElementById("undecided");

// wish: { kind, reason, note }. version: of a target as this page knows it. doing: "Rejecting".
// Returns { taken: [{ uid, number, stands }], problems: [{ target, words }], broken }; each target is in one of the lists.
// broken: why no more was asked, empty when all was.
export async function decideMany(targets, wish, version, doing) {
  const [taken, problems] = [[], []];
  let broken = "";
  let on = true;
  addEventListener("beforeunload", stay);
  for (let from = 0; from < targets.length; from += PART) {
    const part = targets.slice(from, from + PART);
    if (!on) { // what was not sent was not done
      problems.push(...part.map((target) => ({ target, words: NOT_TRIED })));
      continue;
    }
    if (targets.length > PART) toast(`${doing} ${from} of ${targets.length} …`, () => { on = false; }, { label: "Stop" });
    const known = new Map(part.map((target) => [target.dataset.uid, target]));
    try {
      const series = part.map((target) => ({ series_instance_uid: target.dataset.uid, version: version(target) }));
      const said = await send("POST", "/api/v1/decisions", { ...wish, series });
      taken.push(...said.taken.map((stands) => ({ uid: stands.series_instance_uid, number: stands.taken, stands })));
      problems.push(...said.refused.map((one) => ({ target: known.get(one.series_instance_uid), words: one.detail })));
    } catch (error) {
      on = false;
      problems.push(...part.map((target) => ({ target, words: error.message })));
      broken = error.message;
    }
  }
  removeEventListener("beforeunload", stay);
  return { taken, problems, broken };
}

function stay(event) {
  event.preventDefault();
}

// Lists the series about which nothing was decided, each under why.
export function tellProblems(problems, asked) {
  const reasons = grouped(problems, ({ words }) => words);
  const lists = [...reasons].map(([words, ones]) => {
    const reason = document.createElement("p");
    reason.textContent = words[0].toUpperCase() + words.slice(1) + (ones.length > 1 ? ` (${ones.length} series)` : "");
    const list = document.createElement("ul");
    list.append(...ones.map(({ target }) => {
      const link = document.createElement("a");
      link.className = "link";
      link.href = `/series/${target.dataset.uid}`;
      link.textContent = target.words ?? target.querySelector(".what a").textContent.trim();
      const line = document.createElement("li");
      line.append(link);
      return line;
    }));
    return [reason, list];
  });
  dialog.querySelector("h2").textContent = `Nothing was decided about ${problems.length} of ${asked} series`;
  dialog.querySelector("div").replaceChildren(...lists.flat());
  dialog.showModal();
}

// Map.groupBy, which browsers of 2023 lack.
export function grouped(many, name) {
  const found = new Map();
  for (const one of many) found.set(name(one), [...(found.get(name(one)) ?? []), one]);
  return found;
}
