// What stands in the header when the page cannot keep itself current: nobody answers, answers badly, or asks who it is.
import { LOGGED_OUT, why } from "./api.js";

const PATIENCE_MS = 10000; // a server that takes a request and never answers is as good as away
const place = document.getElementById("link");
let failures = 0;

// Returns what answers a question that the page asks by itself, as {status, tag, text}, null when there is nothing to use;
// what is wrong is shown. The text is read here: an answer may stop in the middle, too.
export async function askQuietly(address, headers, what) {
  try {
    const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 401) {
      loggedOut(what);
      return null;
    }
    if (!answer.ok && answer.status !== 304) throw new Error(await why(answer));
    const found = { status: answer.status, tag: answer.headers.get("etag") ?? "", text: await answer.text() };
    failures = 0;
    place.textContent = "";
    return found;
  } catch (error) {
    failures += 1;
    const away = error instanceof TypeError || error instanceof DOMException; // no way there, or no answer in time
    if (failures >= 2) place.textContent = away ? `qagate does not answer; ${what} is not current` : error.message;
    return null;
  }
}

function loggedOut(what) {
  if (place.querySelector("a")) return; // said already: nobody wants to hear it every three seconds
  const way = document.createElement("a");
  way.href = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;
  way.className = "link";
  way.textContent = `${LOGGED_OUT}; ${what} is not current. Log in`;
  place.replaceChildren(way);
}
