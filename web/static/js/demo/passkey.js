/**
 * In a demonstration only: a button beside each passkey's takes the software passkey that the service keeps for whoever is signing in. The form is then
 * sent as if an authenticator had answered; the server checks the answer as any other.
 */

import { options } from "../site/passkey.js";
import { toast } from "../site/toast.js";

/** @param {HTMLButtonElement} button @param {HTMLFormElement} form @param {HTMLInputElement} field */
async function answer(button, form, field) {
  const fields = new URLSearchParams({ options: JSON.stringify(await options(form)) });
  const given = new FormData(form);
  for (const name of ["csrf", "account"]) if (given.has(name)) fields.set(name, String(given.get(name)));
  const told = await fetch(button.dataset.demoPasskey ?? "", { method: "POST", body: fields, headers: { "Content-Type": "application/x-www-form-urlencoded" } });
  if (!told.ok) throw new Error(String(told.status));
  field.value = await told.text();
  form.requestSubmit();
}

/** @param {MouseEvent} event */
function pressed(event) {
  const button = event.target instanceof Element ? event.target.closest("button[data-demo-passkey]") : null;
  if (!(button instanceof HTMLButtonElement) || !button.form) return;
  const form = button.form;
  const field = form.querySelector('input[name="assertion"], input[name="attestation"]');
  if (field instanceof HTMLInputElement) answer(button, form, field).catch(() => toast(form.dataset.failed ?? ""));
}

document.addEventListener("click", pressed);
