/**
 * What this browser keeps: wrapped keys, the key list that it has pinned, and which commits each key has answered.
 *
 * A count is written before the contribution leaves and is on the disk when `countContribution` is done: if the browser ends in between, the
 * number is taken again for the same commit, and a commit that was counted and never shown is what the number is for.
 */

import { Refused } from "../verify/bytes.js";

const NAME = "lotroom-keys";
const STORES = ["keys", "pins", "counts"];

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @returns {Promise<IDBDatabase>} */
async function open() {
  try {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store));
    return await answer(request);
  } catch {
    throw new Refused("nothing_kept_here");
  }
}

/**
 * One transaction, on the disk when it is done. @template T @param {string} store @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => Promise<T>} work only requests of this store are awaited in it @returns {Promise<T>}
 */
async function within(store, mode, work) {
  const database = await open();
  try {
    const transaction = database.transaction(store, mode, { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onerror = transaction.onabort = () => reject(new Refused("nothing_kept_here"));
    });
    const [made] = await Promise.all([work(transaction.objectStore(store)), done]);
    return made;
  } finally {
    database.close();
  }
}

/** The wrapped keys, by name. @returns {Promise<string[]>} */
export function keptKeys() {
  return within("keys", "readonly", (store) => answer(store.getAll()));
}

/** Keep a key; one of the same name stays as it is unless `over`. @param {string} name @param {string} wrapped @param {boolean} [over] */
export async function keepKey(name, wrapped, over = false) {
  await within("keys", "readwrite", async (store) => {
    if (!over && (await answer(store.get(name))) !== undefined) throw new Refused("key_here_already", { key: name });
    await answer(store.put(wrapped, name));
  });
  await navigator.storage?.persist?.().catch(() => false); // where the browser says no, the exported file is what is left
}

/** @param {string} name */
export function forgetKey(name) {
  return within("keys", "readwrite", (store) => answer(store.delete(name)));
}

/** The pinned key list of a log. @param {string} log its vkey @returns {Promise<Uint8Array | null>} */
export async function pinned(log) {
  return (await within("pins", "readonly", (store) => answer(store.get(log)))) ?? null;
}

/** @param {string} log @param {Uint8Array} file */
export function pin(log, file) {
  return within("pins", "readwrite", (store) => answer(store.put(file, log)));
}

/** The logs that a key list is pinned for. @returns {Promise<string[]>} */
export async function pinnedLogs() {
  return (await within("pins", "readonly", (store) => answer(store.getAllKeys()))).map(String);
}

/** Which commit of this project it is that the key answers now; the same commit keeps its number. @param {string} key @param {string} project hex
 * @param {string} leaf hex @returns {Promise<number>} */
export function countContribution(key, project, leaf) {
  return within("counts", "readwrite", async (store) => {
    const place = `${key} ${project}`;
    /** @type {string[]} */
    const known = (await answer(store.get(place))) ?? [];
    if (known.includes(leaf)) return known.indexOf(leaf) + 1;
    await answer(store.put([...known, leaf], place));
    return known.length + 1;
  });
}

/** What a key has answered of all projects, to take it along. @param {string} key @returns {Promise<Record<string, string[]>>} */
export function countsOf(key) {
  return within("counts", "readonly", async (store) => {
    const names = (await answer(store.getAllKeys())).map(String).filter((name) => name.startsWith(`${key} `));
    /** @type {Record<string, string[]>} */
    const found = {};
    for (const name of names) found[name.slice(key.length + 1)] = await answer(store.get(name));
    return found;
  });
}

/** What a key has answered elsewhere, behind what it has answered here. @param {string} key @param {Record<string, string[]>} counts */
export function keepCounts(key, counts) {
  return within("counts", "readwrite", async (store) => {
    for (const [project, leaves] of Object.entries(counts)) {
      /** @type {string[]} */
      const known = (await answer(store.get(`${key} ${project}`))) ?? [];
      const rest = leaves.filter((leaf) => !known.includes(leaf));
      if (rest.length) await answer(store.put([...known, ...rest], `${key} ${project}`));
    }
  });
}
