/**
 * Bytes and their spellings: hex, base64, UTF-8, big-endian numbers. Each value has one spelling; a reader refuses every other.
 */

/** A refusal with a stable code, its parameters and the place; texts belong to texts.js. */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {Record<string, unknown>} [params]
   * @param {string} [place]
   */
  constructor(code, params = {}, place = "") {
    super(code);
    this.code = code;
    this.params = params;
    this.place = place;
  }
}

const encoder = new TextEncoder();
const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** @param {Uint8Array} bytes */
export function hex(bytes) {
  let text = "";
  for (let n = 0; n < bytes.length; n++) text += HEX[bytes[n]];
  return text;
}

/** @param {string} text lower-case hex of even length, already matched by the caller */
export function fromHex(text) {
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = parseInt(text.slice(2 * n, 2 * n + 2), 16);
  return bytes;
}

/** @param {string} text */
export function utf8(text) {
  return encoder.encode(text);
}

/** UTF-8 without replacement and without dropping a byte order mark. @param {Uint8Array} bytes */
export function fromUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("not_utf8", { position: 0 });
  }
}

/** @param {...Uint8Array} parts */
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {number} value @param {number} length in bytes; the value is below 2^53 */
function big(value, length) {
  const bytes = new Uint8Array(length);
  for (let n = length - 1, rest = value; n >= 0; n--, rest = Math.floor(rest / 256)) bytes[n] = rest % 256;
  return bytes;
}

/** @param {number} value */
export const u16be = (value) => big(value, 2);
/** @param {number} value */
export const u32be = (value) => big(value, 4);
/** @param {number} value */
export const u64be = (value) => big(value, 8);

/** @param {Uint8Array} one @param {Uint8Array} two */
export function same(one, two) {
  return one.length === two.length && one.every((byte, n) => byte === two[n]);
}

/** The order of bytes, a prefix first. @param {Uint8Array} one @param {Uint8Array} two */
export function compare(one, two) {
  const least = Math.min(one.length, two.length);
  for (let n = 0; n < least; n++) if (one[n] !== two[n]) return one[n] - two[n];
  return one.length - two.length;
}

/** The order of code points, which for these texts is that of their bytes. @param {string} one @param {string} two */
export function compareText(one, two) {
  return compare(utf8(one), utf8(two));
}

/** Whether each is greater than the one before. @template T @param {T[]} items @param {(a: T, b: T) => number} order */
export function increasing(items, order) {
  return items.every((item, n) => n === 0 || order(items[n - 1], item) < 0);
}

/** Standard, padded, and the one spelling that encoding gives back (log.md log-4). @param {string} text */
export function fromBase64(text) {
  if (!BASE64.test(text)) throw new Refused("bad_base64");
  const pad = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - pad);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let n = 0; n < text.length - pad; n++) {
    bits = ((bits << 6) | ALPHABET.indexOf(text[n])) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 255;
    }
  }
  if (bits & ((1 << held) - 1)) throw new Refused("bad_base64");
  return bytes;
}

/** @param {Uint8Array} bytes */
export function base64(bytes) {
  let text = "";
  for (let n = 0; n < bytes.length; n += 3) {
    const word = (bytes[n] << 16) | ((bytes[n + 1] ?? 0) << 8) | (bytes[n + 2] ?? 0);
    const letters = [18, 12, 6, 0].map((shift) => ALPHABET[(word >> shift) & 63]).join("");
    text += n + 2 < bytes.length ? letters : n + 1 < bytes.length ? letters.slice(0, 3) + "=" : letters.slice(0, 2) + "==";
  }
  return text;
}
