// Asking the API to change something, and saying in a few words how that went.
export const LOGGED_OUT = "You are logged out";

// Nobody is asked who does not say who they are. What the person wrote is still here: they log in beside it.
export class LoggedOut extends Error {
  constructor() { super(`${LOGGED_OUT}; nothing was changed. Log in, then do it once more here`); }
}

const PATIENCE_MS = 60000; // what is pressed after it waits for it

export async function send(method, address, body = method === "POST" ? {} : undefined) { // a bare POST looks like a form
  const answer = await fetch(address, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  }).catch(() => { throw new Error("qagate does not answer; look again whether that was done"); }); // the answer may be lost
  if (answer.status === 401) throw new LoggedOut();
  if (!answer.ok) throw new Error(await why(answer));
  return answer.json().catch(() => ({}));
}

// Asking for something to show. What went wrong comes in words: what stands between may answer with a page of its own.
export async function get(address) {
  const answer = await fetch(address).catch(() => { throw new Error("qagate does not answer"); });
  if (!answer.ok) throw new Error(await why(answer));
  return answer;
}

export async function why(answer) {
  const said = await answer.json().catch(() => ({}));
  return said.detail ?? `qagate answered ${answer.status}`;
}

const SECONDS = 12;
let fading = 0;

// action: what the button in it does; without one there is no button. label: what stands on it, else Undo
export function toast(text, action = null, { label = "" } = {}) {
  const box = document.getElementById("toast") ?? document.body.appendChild(bare());
  const button = box.querySelector("button");
  box.querySelector("span").textContent = text;
  if (button) { // pages on which nothing can be taken back have none
    button.hidden = !action;
    button.onclick = action;
    if (label) button.textContent = label;
    else button.innerHTML = "Undo <kbd>z</kbd>";
  }
  box.querySelector("a")?.remove();
  if (text.includes(LOGGED_OUT)) box.append(wayIn());
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, SECONDS * 1000);
}

// In a window of its own: what stands on this page stays.
function wayIn() {
  const way = document.createElement("a");
  Object.assign(way, { href: "/login", target: "_blank", className: "link", textContent: "Log in" });
  return way;
}

function bare() {
  const box = document.createElement("div");
  Object.assign(box, { id: "toast", className: "toast", role: "status" });
  box.append(document.createElement("span"));
  return box;
}
