// Times as people say them, kept current: relative up to an hour, then absolute, in the server's words: they carry the zone.
// They are relative to the server's clock: that of this machine may be wrong.
const HOUR = 3600;
const skew = Date.now() - (Date.parse(document.documentElement.dataset.now) || Date.now());

function words(element, now) {
  const seconds = (now - new Date(element.dateTime)) / 1000;
  if (seconds < 0) return element.textContent;
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 20 * HOUR ? element.dataset.then : element.title; // without a date it would soon be of another day
}

export function refresh(root = document) {
  const now = Date.now() - skew;
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const text = words(element, now);
    if (element.textContent !== text) element.textContent = text;
  }
}

// On paper "3 min ago" says nothing.
addEventListener("beforeprint", () => { for (const element of document.querySelectorAll("time[data-ago]")) element.textContent = element.title; });
addEventListener("afterprint", () => refresh());
