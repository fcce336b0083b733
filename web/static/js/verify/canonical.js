/**
 * Canonical JSON (docs/spec/canonical.md 1): a strict reader of its own, because JSON.parse loses keys that are there twice and the spelling
 * of numbers. The reader takes the one spelling a writer gives, so that reading and writing again is the identity on bytes.
 *
 * Objects have no prototype: a key like `__proto__` is a key like any other.
 */

import { Refused, fromUtf8, utf8 } from "./bytes.js";

const MOST_DEPTH = 16;
const MOST_COMMAS = 400_000;
const KEY = /^[a-z0-9_]+$/;
const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const ASCII = /^[\x20-\x7e]*$/;
const TEXT = /^[^\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]*$/u;
/** @type {Record<string, string>} */
const ESCAPED = { '"': '\\"', "\\": "\\\\", "\n": "\\n" };

/** @typedef {string | number | boolean | JsonList | JsonObject} Json */
/** @typedef {Json[]} JsonList */
/** @typedef {{ [key: string]: any }} JsonObject values are Json; a shape narrows them */

/**
 * Read one canonical value. @param {Uint8Array} bytes
 * @param {{most: number, text?: boolean}} options most bytes; text mode for what people write
 * @returns {Json}
 */
export function parse(bytes, { most, text = false }) {
  if (bytes.length > most) throw new Refused("too_long", { most });
  const source = fromUtf8(bytes);
  bounds(source);
  const reader = new Reader(source, text ? TEXT : ASCII);
  const value = reader.value();
  if (reader.at !== source.length) throw new Refused("not_json", { position: reader.at });
  return value;
}

/** Depth and commas outside strings, before anything is built (canon-4). @param {string} source */
function bounds(source) {
  let depth = 0;
  let commas = 0;
  let inside = false;
  for (let n = 0; n < source.length; n++) {
    const code = source.charCodeAt(n);
    if (inside) {
      if (code === 0x5c) n++;
      else if (code === 0x22) inside = false;
    } else if (code === 0x22) inside = true;
    else if (code === 0x2c) commas++;
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > MOST_DEPTH) throw new Refused("too_deep", { most: MOST_DEPTH });
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  if (commas > MOST_COMMAS) throw new Refused("too_many_elements", { most: MOST_COMMAS });
}

class Reader {
  /** @param {string} source @param {RegExp} characters */
  constructor(source, characters) {
    this.source = source;
    this.characters = characters;
    this.at = 0;
  }

  /** @returns {never} */
  fail(code = "not_json") {
    throw new Refused(code, { position: this.at });
  }

  /** @returns {Json} */
  value() {
    const next = this.source[this.at];
    if (next === "{") return this.object();
    if (next === "[") return this.array();
    if (next === '"') return this.string();
    for (const [word, value] of /** @type {[string, boolean][]} */ ([["true", true], ["false", false]]))
      if (this.source.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    if (this.source.startsWith("null", this.at)) this.fail("not_allowed_in_json");
    return this.integer();
  }

  integer() {
    INTEGER.lastIndex = this.at;
    const found = INTEGER.exec(this.source)?.[0];
    if (found === undefined || found === "-0") this.fail("not_canonical");
    this.at += found.length;
    if (found.length > 17 || !Number.isSafeInteger(Number(found))) this.fail("integer_too_large");
    return Number(found);
  }

  string() {
    const begin = ++this.at;
    let plain = true;
    for (; this.source[this.at] !== '"'; this.at++) {
      if (this.at >= this.source.length) this.fail();
      if (this.source[this.at] === "\\") {
        plain = false;
        this.at++;
      }
    }
    const raw = this.source.slice(begin, this.at++);
    const text = plain ? raw : raw.replace(/\\([\s\S])/g, (_, letter) => {
      if (letter === "n") return "\n";
      if (letter !== '"' && letter !== "\\") this.fail("not_canonical");
      return letter;
    });
    if (raw.includes("\n")) this.fail("not_canonical");
    if (!this.characters.test(text)) this.fail("bad_characters");
    return text;
  }

  array() {
    /** @type {Json[]} */
    const items = [];
    this.at++;
    if (this.source[this.at] === "]") {
      this.at++;
      return items;
    }
    for (;;) {
      items.push(this.value());
      const next = this.source[this.at++];
      if (next === "]") return items;
      if (next !== ",") this.fail();
    }
  }

  object() {
    /** @type {{[key: string]: Json}} */
    const made = Object.create(null);
    let last = "";
    this.at++;
    if (this.source[this.at] === "}") {
      this.at++;
      return made;
    }
    for (;;) {
      if (this.source[this.at] !== '"') this.fail();
      const key = this.string();
      if (!KEY.test(key)) this.fail("bad_key");
      if (key in made) this.fail("duplicate_key");
      if (key < last) this.fail("not_canonical");
      last = key;
      if (this.source[this.at++] !== ":") this.fail();
      made[key] = this.value();
      const next = this.source[this.at++];
      if (next === "}") return made;
      if (next !== ",") this.fail();
    }
  }
}

/** The one spelling of a value as text. @param {Json} value @returns {string} */
export function spell(value) {
  if (typeof value === "string") return '"' + value.replace(/["\\\n]/g, (letter) => ESCAPED[letter]) + '"';
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return "[" + value.map(spell).join(",") + "]";
  return "{" + Object.keys(value).sort().map((key) => `"${key}":` + spell(value[key])).join(",") + "}";
}

/** The one spelling of a value as bytes. @param {Json} value */
export function canonical(value) {
  return utf8(spell(value));
}

/** A copy of an object without some of its keys. @param {{[key: string]: Json}} value @param {...string} keys */
export function without(value, ...keys) {
  /** @type {{[key: string]: Json}} */
  const kept = Object.create(null);
  for (const key of Object.keys(value)) if (!keys.includes(key)) kept[key] = value[key];
  return kept;
}
