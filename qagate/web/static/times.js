// Times as people say them, kept current: relative up to an hour, then absolute.
export function ago(iso, now = new Date()) {
  const then = new Date(iso);
  const seconds = (now - then) / 1000;
  if (seconds >= 0 && seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds >= 0 && seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return null; // the server's words stay: they carry the zone
}

export function refresh(root = document) {
  const now = new Date();
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const text = ago(element.dateTime, now);
    if (text !== null && element.textContent !== text) element.textContent = text;
  }
}
