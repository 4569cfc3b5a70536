// Setting a limit, and taking it back.
import { send, toast } from "./api.js";
import { again } from "./page.js";

async function change(method, address, body, words, place) {
  try {
    await send(method, address, body);
    again(words, place);
  } catch (error) {
    toast(error.message);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest(".set-limit");
  if (!form) return;
  event.preventDefault();
  const { modality, protocol } = form.dataset;
  change("POST", "/api/v1/limits", { modality, protocol, review_below: Number(form.elements.review_below.value) },
    "Set", `[data-modality="${CSS.escape(modality)}"][data-protocol="${CSS.escape(protocol)}"] button`);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-undo]");
  if (button) change("DELETE", `/api/v1/limits/${button.dataset.undo}`, undefined, "Taken back", "#history");
});
