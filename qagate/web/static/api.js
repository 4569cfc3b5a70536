// Asking the API to change something, and saying in a few words how that went.
export const LOGGED_OUT = "You are logged out";

export async function send(method, address, body = method === "POST" ? {} : undefined) { // a bare POST looks like a form
  const answer = await fetch(address, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => { throw new Error("qagate does not answer; look again whether that was done"); }); // the answer may be lost
  if (answer.status === 401) throw new Error(`${LOGGED_OUT}; nothing was changed. Load the page again to log in`);
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

// action: what the button in it does; without one there is no button
export function toast(text, action = null) {
  const box = document.getElementById("toast");
  const button = box.querySelector("button");
  box.querySelector("span").textContent = text;
  if (button) {
    button.hidden = !action;
    button.onclick = action;
  }
  box.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { box.hidden = true; }, SECONDS * 1000);
}
