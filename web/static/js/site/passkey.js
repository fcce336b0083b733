/**
 * Forms that a passkey signs: data-passkey says whether one is used ("get") or made ("create"). data-options is the server's JSON for it; where it is
 * empty, data-ask is the address that gives it for the form's other fields, at the moment when the button is pressed.
 * The answer goes into the form's hidden field as JSON, and the form is sent as any other.
 */

import { toast } from "./toast.js";

/** What the server asks for; its refusal by its status. @param {HTMLFormElement} form @returns {Promise<any>} */
export async function options(form) {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && !["assertion", "attestation"].includes(name)) fields.append(name, value);
  const answer = await fetch(form.dataset.ask ?? "", { method: "POST", body: fields, headers: { "Content-Type": "application/x-www-form-urlencoded" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

/** @param {HTMLFormElement} form @returns {Promise<Credential | null>} */
async function ask(form) {
  const asked = await options(form);
  const kinds = /** @type {any} */ (PublicKeyCredential);
  return form.dataset.passkey === "create"
    ? navigator.credentials.create({ publicKey: kinds.parseCreationOptionsFromJSON(asked) })
    : navigator.credentials.get({ publicKey: kinds.parseRequestOptionsFromJSON(asked) });
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
  } catch (error) {
    // What was entered is not good: the form goes without a passkey, and the page comes back and says what it is.
    if (error instanceof Error && error.message === "422") form.submit();
    else toast(form.dataset.failed ?? "");
  }
}

export function startPasskeys() {
  for (const form of document.querySelectorAll("form[data-passkey]"))
    form.addEventListener("submit", (event) => void sign(/** @type {SubmitEvent} */ (event)));
}
