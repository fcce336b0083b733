/**
 * A contributor's browser on stdin and stdout: one JSON line of order, key list, secret key and count in, the contribution or the code of a refusal out.
 */

import { createInterface } from "node:readline";
import { Refused, utf8 } from "../../web/static/js/verify/bytes.js";
import { readSecret } from "../../web/static/js/keys/keyfile.js";
import { follow } from "../../web/static/js/keys/list.js";
import { checkKey, checkOrder, contribution, contributionText, parseOrder } from "../../web/static/js/keys/order.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { order, pinned, keys, secret, nth } = JSON.parse(line);
  try {
    const parsed = parseOrder(utf8(order));
    const { versions, how } = follow(pinned ? utf8(pinned) : null, utf8(keys));
    const checked = checkOrder(parsed, versions);
    const key = readSecret(utf8(secret));
    checkKey(checked, key);
    process.stdout.write(JSON.stringify({ how, made: contributionText(contribution(parsed, checked, key, nth)) }) + "\n");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    process.stdout.write(JSON.stringify({ code: error.code }) + "\n");
  }
}
