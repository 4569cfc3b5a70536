// Trying again what a destination did not take, and giving up what it never will.
import { send, toast } from "./api.js";

const dialog = document.getElementById("give-up");

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
    location.reload();
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
    location.reload();
  } catch (error) {
    toast(error.message);
  }
});
