// What every page does: theme, list of keys, current times.
import { toast } from "./api.js";
import { refresh } from "./times.js";

const root = document.documentElement;
const theme = document.getElementById("theme");
if (theme) {
  const name = () => { theme.textContent = root.dataset.theme === "light" ? "Dark" : "Light"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "light" ? "dark" : "light";
    localStorage.setItem("theme", root.dataset.theme);
    name();
  });
  name();
}

const keys = document.getElementById("keys");
const help = document.getElementById("help");
if (help) help.addEventListener("click", () => keys.showModal());
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !typing(event) && !keys.open) {
    event.preventDefault();
    keys.showModal();
  }
});

export function typing(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range], [type=checkbox]), select, textarea, dialog") !== null;
}

// Loads the page anew after a change, says there what was done, and puts the focus back to where the person was.
export function again(words, place) {
  sessionStorage.setItem("again", JSON.stringify({ path: location.pathname, words, place }));
  location.reload();
}

const before = JSON.parse(sessionStorage.getItem("again") ?? "null");
sessionStorage.removeItem("again");
if (before?.path === location.pathname) {
  toast(before.words);
  const there = document.querySelector(before.place);
  if (there && there.tabIndex < 0) there.tabIndex = -1; // what takes no focus of itself takes it now
  there?.focus();
}

// Whose language writes 1,5 has a spreadsheet that wants semicolons. What programs read (download) is left alone.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href*='.csv']:not([download])");
  if (!link || !new Intl.NumberFormat().format(0.5).includes(",")) return;
  const to = new URL(link.href);
  to.searchParams.set("separator", "semicolon");
  link.href = to;
});

setInterval(() => refresh(), 5000);
