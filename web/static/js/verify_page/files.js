/**
 * Files that somebody drops: recognised by their content, whatever they are called.
 */

/** @typedef {"proof" | "keys" | "roll" | "receipt"} Kind */
/** @typedef {{name: string, bytes: Uint8Array}} Given */

export const KINDS = /** @type {const} */ (["proof", "keys", "roll", "receipt"]);
export const MOST_BYTES = 32 * 2 ** 20;

/** @type {[string, Kind | "supervisor"][]} */
const BEGINNINGS = [["lotroom-roll/", "roll"], ["lotroom-openings/", "supervisor"], ["lotroom-sealed/", "supervisor"]];
/** @type {[string, Kind][]} */
const VERSIONS = [["lotroom-proof/", "proof"], ["lotroom-keys/", "keys"], ["lotroom-receipt/", "receipt"]];

/** What a file is, also if it was altered a little. @param {Uint8Array} bytes @returns {Kind | "supervisor" | null} */
export function kindOf(bytes) {
  const head = ascii(bytes.subarray(0, 32));
  for (const [beginning, kind] of BEGINNINGS) if (head.startsWith(beginning)) return kind;
  for (const text of [ascii(bytes.subarray(-80)), ascii(bytes.subarray(0, 80)), ascii(bytes)])
    for (const [mark, kind] of VERSIONS) if (text.includes(`"${mark}`)) return kind;
  return null;
}

/** @param {Uint8Array} bytes */
function ascii(bytes) {
  return new TextDecoder("latin1").decode(bytes);
}
