// What every page does: theme, list of keys, current times.
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

setInterval(refresh, 5000);
