// The page of one series keeps itself current: what is said beside the images changes in place, the images never do.
import { toast } from "./api.js";
import { askQuietly } from "./link.js";

const POLL_MS = 4000;
const AFTER_RELEASE_MS = [3000, 10000]; // by then images that were let go are usually at the archive
const PARTS = ["said", "sent", "history", "decision"];
const root = document.getElementById("series");
const images = (page) => page.getElementById("viewer-data")?.textContent ?? "";
let tag = "";

async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  root.dataset.version = fresh.getElementById("series").dataset.version;
  const shown = document.getElementById("decision").dataset.hidden === fresh.getElementById("decision").dataset.hidden;
  if (!shown || (images(fresh) && !images(document))) return location.reload(); // the verdict, or the volume, is there now
  if (images(fresh) !== images(document)) return toast("More images came and were judged; load the page again to see them", null);
  for (const id of PARTS) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now) continue;
    const open = old.querySelector("details")?.open;
    const focused = old.contains(document.activeElement) ? place(document.activeElement) : null;
    old.replaceWith(now);
    if (open) now.querySelector("details").open = true;
    if (focused) (now.querySelector(focused) ?? now.querySelector("button, summary"))?.focus({ preventScroll: true });
  }
}

// Where the focus is, so that what takes its place gets it: who uses keys alone goes on from there.
function place(element) {
  const [name, value] = Object.entries(element.dataset)[0] ?? [];
  return name ? `[data-${name}="${value}"]` : element.localName;
}

async function poll() {
  if (document.hidden || document.querySelector("dialog[open]")) return;
  const answer = await askQuietly(`/rows?text=${root.dataset.uid}`, tag ? { "If-None-Match": tag } : {}, "this page");
  if (answer?.status !== 200) return;
  tag = answer.tag;
  const rows = new DOMParser().parseFromString(answer.text, "text/html").body;
  const row = rows.querySelector(`tr[data-uid="${root.dataset.uid}"]`);
  if (row && row.dataset.version !== root.dataset.version) await refresh();
}

const quietly = (work) => work().catch(() => {}); // the next time, then
document.addEventListener("decided", () => {
  const held = document.getElementById("decision").dataset.holding;
  quietly(refresh);
  if (held) for (const wait of AFTER_RELEASE_MS) setTimeout(() => quietly(refresh), wait);
});
setInterval(() => quietly(poll), POLL_MS);
