// Runs before the first paint: the theme a person chose, else the system's.
(() => {
  const chosen = localStorage.getItem("theme");
  const light = chosen ? chosen === "light" : matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = light ? "light" : "dark";
})();
