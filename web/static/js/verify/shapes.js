/**
 * Shapes of JSON values (docs/spec/draw.md 3.1): small readers that refuse what is missing, unknown or ill-typed, and turn hex into bytes
 * and decimal naturals into BigInt. A shape is a function of a value and its place.
 */

import { Refused, fromHex } from "./bytes.js";

/**
 * @typedef {import("./canonical.js").Json} Json
 */
/**
 * @template T
 * @typedef {(value: Json, place: string) => T} Shape
 */

const WORD = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;
const NAME = /^[!-*,-~]+$/;
const NATURAL = /^(?:0|[1-9][0-9]*)$/;
const HEX = /^[0-9a-f]*$/;
export const MOST_TIME = 2 ** 42;

/** @param {number} least @param {number} most @returns {Shape<number>} */
export const int = (least, most) => (value, place) => {
  if (typeof value !== "number") throw new Refused("not_an_integer", {}, place);
  if (value < least || value > most) throw new Refused("out_of_range", { least, most }, place);
  return value;
};

/** @type {Shape<boolean>} */
export const bool = (value, place) => {
  if (typeof value !== "boolean") throw new Refused("not_a_boolean", {}, place);
  return value;
};

/** Length is counted in characters (code points). @param {number} least @param {number} most @param {RegExp} [pattern] @returns {Shape<string>} */
export const text = (least, most, pattern) => (value, place) => {
  if (typeof value !== "string") throw new Refused("not_text", {}, place);
  const length = value.length > most ? [...value].length : value.length;
  if (length < least || length > most || (pattern && !pattern.test(value))) throw new Refused("not_text", { most }, place);
  return value;
};

/** @template {string} T @param {...T} words @returns {Shape<T>} */
export const choice = (...words) => (value, place) => {
  const found = words.find((word) => word === value);
  if (found === undefined) throw new Refused("unknown_word", { known: words.join(", ") }, place);
  return found;
};

export const word = text(1, 64, WORD);
export const name = text(1, 128, NAME);

/** @param {number} least bytes @param {number} [most] @returns {Shape<Uint8Array>} */
export const bytes = (least, most = least) => (value, place) => {
  if (typeof value !== "string" || value.length % 2 || !HEX.test(value) || value.length < 2 * least || value.length > 2 * most)
    throw new Refused("not_hex", { bytes: least }, place);
  return fromHex(value);
};

export const digest = bytes(32);

/** @type {Shape<bigint>} */
export const natural = (value, place) => {
  if (typeof value !== "string" || value.length > 4000 || !NATURAL.test(value)) throw new Refused("not_a_natural", { most: 4000 }, place);
  return BigInt(value);
};

export const time = int(0, MOST_TIME);
export const slot = int(0, 399);
export const round = int(1, 10_000);

/** @template T @param {Shape<T>} item @param {number} least @param {number} most @returns {Shape<T[]>} */
export const list = (item, least, most) => (value, place) => {
  if (!Array.isArray(value)) throw new Refused("not_a_list", {}, place);
  if (value.length < least || value.length > most) throw new Refused("wrong_length", { least, most }, place);
  return value.map((each, n) => item(each, `${place}[${n}]`));
};

/** A field that is there with a value or not there at all. @template T @param {Shape<T>} shape @returns {Shape<T | undefined>} */
export const optional = (shape) => Object.assign((/** @type {Json} */ value, /** @type {string} */ place) => shape(value, place), { optional: true });

/** Exactly these fields. @template {Record<string, Shape<any>>} F @param {F} fields @returns {Shape<{[K in keyof F]: ReturnType<F[K]>}>} */
export const object = (fields) => (value, place) => {
  if (typeof value !== "object" || Array.isArray(value)) throw new Refused("not_an_object", {}, place);
  for (const field of Object.keys(value)) if (!Object.hasOwn(fields, field)) throw new Refused("unknown_field", { field }, place);
  /** @type {any} */
  const made = Object.create(null);
  for (const field of Object.keys(fields)) {
    if (!(field in value)) {
      if ("optional" in fields[field]) continue;
      throw new Refused("missing_field", { field }, place);
    }
    made[field] = fields[field](value[field], `${place}.${field}`);
  }
  return made;
};

/** Exactly this value. @param {string} known @returns {Shape<string>} */
export const version = (known) => (value, place) => {
  if (value !== known) throw new Refused("unknown_version", { known }, place);
  return known;
};
