/**
 * Forms that a passkey signs: data-passkey says whether one is used ("get") or made ("create"), data-options is the server's JSON for it.
 * The answer goes into the form's hidden field as JSON, and the form is sent as any other.
 */

import { toast } from "./toast.js";

/** @param {HTMLFormElement} form @returns {Promise<Credential | null>} */
function ask(form) {
  const options = JSON.parse(form.dataset.options ?? "");
  const kinds = /** @type {any} */ (PublicKeyCredential);
  return form.dataset.passkey === "create"
    ? navigator.credentials.create({ publicKey: kinds.parseCreationOptionsFromJSON(options) })
    : navigator.credentials.get({ publicKey: kinds.parseRequestOptionsFromJSON(options) });
}

/** @param {SubmitEvent} event */
async function sign(event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  const field = form.querySelector('input[name="assertion"], input[name="attestation"]');
  if (!(field instanceof HTMLInputElement) || field.value) return;
  event.preventDefault();
  try {
    const made = /** @type {any} */ (await ask(form));
    field.value = JSON.stringify(made.toJSON());
    form.requestSubmit(event.submitter);
  } catch {
    toast(form.dataset.failed ?? "");
  }
}

export function startPasskeys() {
  for (const form of document.querySelectorAll("form[data-passkey]"))
    form.addEventListener("submit", (event) => void sign(/** @type {SubmitEvent} */ (event)));
}
