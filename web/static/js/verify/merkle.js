/**
 * RFC 6962 trees: roots over whole lists, and paths judged as RFC 9162 2.1.3.2 and 2.1.4.2 do (docs/spec/log.md 1).
 */

import { Refused, same } from "./bytes.js";
import { sha256 } from "./hash.js";

/** @param {Uint8Array} leaf @returns {Uint8Array} */
export function leafHash(leaf) {
  const bytes = new Uint8Array(leaf.length + 1);
  bytes.set(leaf, 1);
  return sha256(bytes);
}

const pair = new Uint8Array(65);
pair[0] = 1;

/** @param {Uint8Array} left @param {Uint8Array} right @returns {Uint8Array} */
export function nodeHash(left, right) {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

/** The root over leaves that come one by one. @param {Iterable<Uint8Array>} leaves */
export function root(leaves) {
  /** @type {Uint8Array[]} subtrees, the largest first */
  const stack = [];
  let count = 0;
  for (const leaf of leaves) {
    let hash = leafHash(leaf);
    for (let bits = count++; bits % 2 === 1; bits = (bits - 1) / 2) hash = nodeHash(/** @type {Uint8Array} */ (stack.pop()), hash);
    stack.push(hash);
  }
  if (stack.length === 0) return sha256(new Uint8Array(0));
  return stack.reduceRight((right, left) => nodeHash(left, right));
}

/**
 * Refuse unless the leaf is at the index of the tree. Indexes and sizes are below 2^53, so halves are taken without bit operators.
 * @param {Uint8Array} hash of the leaf @param {number} index @param {number} size @param {Uint8Array[]} path @param {Uint8Array} expected
 */
export function checkInclusion(hash, index, size, path, expected) {
  if (index >= size) throw new Refused("index_outside_tree", { index });
  let [node, last, made] = [index, size - 1, hash];
  for (const sibling of path) {
    if (last === 0) throw new Refused("path_of_wrong_length");
    if (node % 2 === 1 || node === last) {
      made = nodeHash(sibling, made);
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else made = nodeHash(made, sibling);
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new Refused("path_of_wrong_length");
  if (!same(made, expected)) throw new Refused("not_in_the_tree");
}

/**
 * Refuse unless the second tree extends the first (log-2: nothing extends the empty tree).
 * @param {number} size1 @param {number} size2 @param {Uint8Array[]} path @param {Uint8Array} root1 @param {Uint8Array} root2
 */
export function checkConsistency(size1, size2, path, root1, root2) {
  if (size1 < 1 || size1 > size2) throw new Refused("sizes_disordered");
  if (size1 === size2) {
    if (path.length) throw new Refused("path_of_wrong_length");
    if (!same(root1, root2)) throw new Refused("not_consistent");
    return;
  }
  const steps = isPowerOfTwo(size1) ? [root1, ...path] : path;
  if (steps.length === 0) throw new Refused("path_of_wrong_length");
  let [node, last] = [size1 - 1, size2 - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [first, second] = [steps[0], steps[0]];
  for (const sibling of steps.slice(1)) {
    if (last === 0) throw new Refused("path_of_wrong_length");
    if (node % 2 === 1 || node === last) {
      [first, second] = [nodeHash(sibling, first), nodeHash(sibling, second)];
      while (node % 2 === 0 && node !== 0) [node, last] = [half(node), half(last)];
    } else second = nodeHash(second, sibling);
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new Refused("path_of_wrong_length");
  if (!same(first, root1) || !same(second, root2)) throw new Refused("not_consistent");
}

/** @param {number} value */
function half(value) {
  return Math.floor(value / 2);
}

/** @param {number} value */
function isPowerOfTwo(value) {
  let rest = value;
  while (rest % 2 === 0 && rest > 0) rest /= 2;
  return rest === 1;
}
