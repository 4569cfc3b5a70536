// Trying again what a destination did not take, and giving up what it never will.
import { send, toast } from "./api.js";
import { again } from "./page.js";

const dialog = document.getElementById("give-up");

const row = (destination) => `#${CSS.escape(`to-${destination}`)}`;

document.addEventListener("click", async (event) => {
  const given = event.target.closest("[data-give-up]");
  if (given) {
    dialog.dataset.destination = given.dataset.giveUp;
    dialog.querySelector("h2 span").textContent = given.dataset.giveUp;
    dialog.showModal();
    return;
  }
  const button = event.target.closest("[data-again]");
  if (!button) return;
  button.disabled = true;
  try {
    await send("POST", `/api/v1/deliveries/${encodeURIComponent(button.dataset.again)}/again`);
    again("Tried again now", row(button.dataset.again));
  } catch (error) {
    button.disabled = false;
    toast(error.message);
  }
});

dialog?.addEventListener("close", async () => {
  if (dialog.returnValue !== "ok") return;
  dialog.returnValue = "";
  try {
    const to = encodeURIComponent(dialog.dataset.destination);
    await send("POST", `/api/v1/deliveries/${to}/give-up`, { reason: dialog.querySelector("textarea").value });
    again("Given up", row(dialog.dataset.destination));
  } catch (error) {
    toast(error.message);
  }
});
