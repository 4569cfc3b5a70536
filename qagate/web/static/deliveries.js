// Trying again what a destination did not take.
import { send, toast } from "./api.js";

document.addEventListener("click", async (event) => {
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
