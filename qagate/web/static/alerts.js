// Saying that one looks after an incident.
import { send, toast } from "./api.js";
import { again } from "./page.js";

document.addEventListener("click", async (event) => {
  const number = event.target.closest("[data-acknowledge]")?.dataset.acknowledge;
  if (!number) return;
  try {
    await send("POST", `/api/v1/alerts/${number}/acknowledge`);
    again("You look after it", `#alert-${number}`);
  } catch (error) {
    toast(error.message);
  }
});
