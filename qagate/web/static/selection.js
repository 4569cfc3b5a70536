// The series that are selected on the worklist, each as the person saw it then: one that changes leaves the selection.
import { get, toast } from "./api.js";

export const MOST = 5000;
const PAGE = 500; // of the API
const SEEN = ["review", "verdict", "hidden"]; // what a decision is about

export class Selection {
  constructor(live) {
    this.live = live;
    this.chosen = new Map(); // Series Instance UID → { dataset, words }
    this.last = null; // the UID that was selected last: where a range begins
    this.busy = false;
    this.bar = document.getElementById("chosen");
  }

  get size() { return this.chosen.size; }
  get targets() { return [...this.chosen.values()]; }

  rows() { return [...this.live.querySelectorAll("tr[data-uid]")]; }

  put(row, on) {
    const { uid } = row.dataset;
    if (on) this.chosen.set(uid, { dataset: { ...row.dataset }, words: row.querySelector(".what a").textContent.replace(/\s+/g, " ").trim() });
    else this.chosen.delete(uid);
  }

  toggle(row, { range = false } = {}) {
    if (!row) return;
    const rows = this.rows();
    const on = !this.chosen.has(row.dataset.uid);
    const [from, to] = [rows.findIndex((one) => one.dataset.uid === this.last), rows.indexOf(row)];
    const meant = range && from >= 0 ? rows.slice(Math.min(from, to), Math.max(from, to) + 1) : [row];
    for (const one of meant) this.put(one, range || on);
    this.last = row.dataset.uid;
    this.show();
  }

  here(on) {
    for (const row of this.rows()) this.put(row, on);
    this.show();
  }

  // All that the filters list, also on other pages; the latest first, MOST of them.
  async everything() {
    const asked = new URLSearchParams(location.search);
    for (const name of ["page", "order"]) asked.delete(name);
    asked.set("limit", PAGE);
    this.busy = true; // nobody decides about what is not all there yet
    try {
      for (let offset = 0; offset < MOST; offset += PAGE) {
        asked.set("offset", offset);
        toast(`Selecting ${offset} …`);
        const { series } = await (await get(`/api/v1/series?${asked}`)).json();
        for (const one of series) {
          this.chosen.set(one.series_instance_uid, {
            dataset: { uid: one.series_instance_uid, review: String(one.review_version), verdict: one.verdict ?? "", hidden: one.hidden ? "yes" : "", holding: one.holding },
            words: [one.modality, ...one.regions, one.series_description || one.protocol_name].join(" "),
          });
        }
        if (series.length < PAGE) break;
      }
      toast(`${this.size} selected`);
    } catch (error) {
      toast(error.message);
    }
    this.busy = false;
    this.show();
  }

  clear() {
    this.chosen.clear();
    this.show();
  }

  // Draws it over the rows as they are now.
  show() {
    let changed = 0;
    let shown = 0;
    const rows = this.rows();
    for (const row of rows) {
      const mine = this.chosen.get(row.dataset.uid);
      const other = mine && SEEN.some((name) => mine.dataset[name] !== row.dataset[name]);
      if (other) changed += Number(this.chosen.delete(row.dataset.uid));
      const on = Boolean(mine) && !other;
      shown += Number(on);
      row.classList.toggle("chosen-row", on);
      const box = row.querySelector("input[type=checkbox]");
      if (box) box.checked = on;
    }
    if (changed) toast(`${changed} of the selected changed meanwhile and ${changed > 1 ? "are" : "is"} no longer selected; look again`);
    const all = this.live.querySelector("#all-here");
    if (all) {
      all.checked = shown > 0 && shown === rows.length;
      all.indeterminate = shown > 0 && shown < rows.length;
    }
    this.tell(shown);
  }

  tell(shown) {
    const elsewhere = this.size - shown;
    const words = this.size ? `${this.size} selected${elsewhere ? `, ${elsewhere} of them not on this page` : ""}` : "";
    const count = document.getElementById("chosen-count");
    if (count.textContent !== words) count.textContent = words;
    this.bar.classList.toggle("away", !this.size);
    for (const button of this.bar.querySelectorAll("button")) button.disabled = !this.size;
    const held = this.targets.some((one) => one.dataset.holding === "held");
    this.bar.querySelector("[data-do=release]").hidden = !held;
    const total = Number(this.live.querySelector("table.list")?.dataset.total ?? 0);
    const more = this.bar.querySelector("[data-do=everything-listed]");
    more.hidden = !(shown && shown === this.rows().length && total > this.size && this.size < MOST);
    more.textContent = total > MOST ? `Select the latest ${MOST}` : `Select all ${total} that are listed`;
  }
}
