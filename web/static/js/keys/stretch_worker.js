/**
 * The worker that makes a key of a password: argon2id in plain JavaScript, seconds of work that must not freeze the page.
 */

import { argon2id } from "../../vendor/noble-keys.js";

self.onmessage = ({ data: { number, password, salt, cost } }) => {
  try {
    self.postMessage({ number, made: argon2id(password, salt, { m: cost.memory_kib, t: cost.passes, p: 1, dkLen: 32 }) });
  } catch (error) {
    self.postMessage({ number, broken: String(error) });
  }
};
