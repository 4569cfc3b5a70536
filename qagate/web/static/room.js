// The room page keeps itself current, and says so when it cannot.
import { refresh } from "./times.js";

const POLL_MS = 2000;
const PATIENCE_MS = 10000;
const now = document.getElementById("now");
const silent = document.getElementById("silent");
let heard = Date.now();

async function poll() {
  try {
    const answer = await fetch(`${location.pathname}/now`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const text = await answer.text();
    if (text !== now.dataset.text) {
      now.dataset.text = text;
      now.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    }
    heard = Date.now();
  } catch {
    // said below when it lasts
  }
  const lost = Date.now() - heard > PATIENCE_MS;
  if (lost && silent.hidden) document.getElementById("since").textContent = new Date(heard).toLocaleTimeString();
  silent.hidden = !lost;
  document.body.classList.toggle("lost", lost);
  refresh();
  setTimeout(poll, POLL_MS);
}

setTimeout(poll, POLL_MS);
