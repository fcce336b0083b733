/**
 * The key list as this browser trusts it: fetched, compared with the pinned one, pinned.
 */

import { Refused } from "../verify/bytes.js";
import { parseKeys } from "../verify/keys.js";
import { follow } from "./list.js";
import { pin, pinned } from "./store.js";

/** @param {string} address @returns {Promise<Uint8Array>} */
async function fetched(address) {
  let answer;
  try {
    answer = await fetch(address, { cache: "no-store" });
  } catch {
    throw new Refused("not_sent");
  }
  if (!answer.ok) throw new Refused(answer.status === 404 ? "no_key_list" : "not_sent");
  return new Uint8Array(await answer.arrayBuffer());
}

/**
 * The service has one log: its name is what the pin is kept under, so that a list of another log is never another first use.
 * @param {string} address of keys.json @returns {Promise<import("./list.js").Trusted>}
 */
export async function trustedList(address) {
  const given = await fetched(address);
  parseKeys(given);
  const found = follow(await pinned(location.origin), given);
  if (found.how !== "same") await pin(location.origin, found.file);
  return found;
}
